"""Texts that are none, are empty, too long, or were cut; and what is private in them. A measure is a column, computed by polars."""

import re

import polars as pl


def is_text(value: object) -> bool:
    """Whether a value read from somebody's file can be kept as text: a string, without NUL and lone surrogates."""
    return isinstance(value, str) and "\0" not in value and not (SURROGATE.search(value))


SURROGATE = re.compile("[\ud800-\udfff]")


def empty(rows: pl.DataFrame) -> pl.Series:
    """1 for a text without letter, digit or symbol: spaces, line breaks, direction marks, punctuation alone."""
    return rows["text"].str.contains(r"[^\p{C}\p{Z}\p{P}\s]").not_().cast(pl.Float64)


def too_long(rows: pl.DataFrame) -> pl.Series:
    """Characters."""
    return rows["text"].str.len_chars()


def truncated(rows: pl.DataFrame) -> pl.Series:
    """1 where the engine stopped at its limit of tokens, not at an end."""
    return (rows["finish_reason"] == "length").cast(pl.Float64)


# E-mail, IPv4, international or long phone numbers, and strings shaped like keys.
PRIVATE = {
    "EMAIL": r"[\p{L}\d._%+-]+@[\p{L}\d-]+(?:\.[\p{L}\d-]+)*\.\p{L}{2,}",
    "KEY": r"\b(?:sk-|ghp_|gho_|hf_|xox[baprs]-|AKIA|AIza)[A-Za-z0-9_-]{16,}",
    "IP": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "PHONE": r"(?:\+|\b00)\d{1,3}[ ().-]*(?:\d[ ().-]*){6,12}\d\b|\(\d{3}\) ?\d{3}-\d{4}\b",
}


def private(rows: pl.DataFrame) -> pl.Series:
    """E-mail addresses, phone numbers, IP addresses and key-like strings. It does not know names and postal addresses."""
    return rows["text"].str.count_matches("|".join(f"(?:{pattern})" for pattern in PRIVATE.values()))


def masked(texts: pl.Series) -> pl.Series:
    """The texts with what is private replaced by `[EMAIL]`, `[KEY]`, `[IP]`, `[PHONE]`."""
    for name, pattern in PRIVATE.items():
        texts = texts.str.replace_all(pattern, f"[{name}]")
    return texts
