"""Languages: codes and names, scripts, verification of a text's language, identifiers, confusion rates."""
