"""The project's figures: `make bench`, or `python -m bench engines`. Not in the wheel."""
