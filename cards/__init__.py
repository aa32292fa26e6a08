"""What is published: languages, the fixed tables, mixtures, cards, and the way to the Hub and back. Every other package imports this one."""

__version__ = "0.1.0"
