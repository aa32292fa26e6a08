"""Texts that are none, are empty, too long, or were cut."""

from builders.filters.subject import Finding, Subject


def is_text(value: object) -> bool:
    """Whether a value read from somebody's file can be kept as text: a string, without NUL and lone surrogates."""
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def empty(subject: Subject, on: bool) -> Finding:
    """No letter, digit or symbol: spaces, line breaks, control and direction marks alone."""
    visible = sum(c.isprintable() and not c.isspace() for c in subject.text)
    return Finding(visible, on and visible == 0)


def too_long(subject: Subject, characters: int) -> Finding:
    """More than `characters` characters."""
    return Finding(len(subject.text), len(subject.text) > characters)


def truncated(subject: Subject, on: bool) -> Finding:
    """The engine stopped at its limit of tokens, not at an end."""
    cut = subject.finish_reason == "length"
    return Finding(float(cut), on and cut)
