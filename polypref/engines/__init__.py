"""Engines: generators, translators, reward models and quality models, in this process or behind a server."""
