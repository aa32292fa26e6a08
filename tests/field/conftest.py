"""The Hub's fixtures, shared with the tests of cards."""

from tests.cards.conftest import client, clients, facts, hub, look, pairs, repo, run, server

__all__ = ["client", "clients", "facts", "hub", "look", "pairs", "repo", "run", "server"]
