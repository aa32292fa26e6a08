"""Languages: their codes and names, verification of a text's language, identifiers, and language confusion rates."""
