"""What is published: languages, the fixed tables, mixtures, cards, and the way to the Hub and back. All others import it."""
