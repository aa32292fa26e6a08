"""The figures that the project is measured by: `make bench`, or `python -m bench engines`. Not in the installed packages."""
