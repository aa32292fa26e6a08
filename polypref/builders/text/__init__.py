"""The structure of texts: what is translated, what passes through, and what a translation lost."""
