"""Reasons to reject a row; each is a function from the rows of a frame to one number a row."""
