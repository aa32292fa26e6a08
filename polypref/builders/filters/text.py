"""Texts that are not text, are empty, too long or cut, and private data in them."""

import re

import polars as pl

SURROGATE = re.compile("[\ud800-\udfff]")  # half of a UTF-16 pair: valid in JSON escapes, in no encoding


def is_text(value: object) -> bool:
    """Return True for a string without NUL, where many tools cut it, and surrogates, invalid in UTF-8."""
    return isinstance(value, str) and "\0" not in value and not SURROGATE.search(value)


def empty(rows: pl.DataFrame) -> pl.Series:
    """Return 1 for a text of spaces, line breaks, direction marks and punctuation alone, else 0."""
    return rows["text"].str.contains(r"[^\p{C}\p{Z}\p{P}\s]").not_().cast(pl.Float64)


def too_long(rows: pl.DataFrame) -> pl.Series:
    """Return the number of characters."""
    return rows["text"].str.len_chars()


def truncated(rows: pl.DataFrame) -> pl.Series:
    """Return 1 for a text whose generation was stopped at the limit of tokens, else 0."""
    return (rows["finish_reason"] == "length").cast(pl.Float64)


# E-mail, IPv4, international or long phone numbers, and strings shaped like keys.
PRIVATE = {
    "EMAIL": r"[\p{L}\d._%+-]+@[\p{L}\d-]+(?:\.[\p{L}\d-]+)*\.\p{L}{2,}",
    "KEY": r"\b(?:sk-|ghp_|gho_|hf_|xox[baprs]-|AKIA|AIza)[A-Za-z0-9_-]{16,}",
    "IP": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "PHONE": r"(?:\+|\b00)\d{1,3}[ ().-]*(?:\d[ ().-]*){6,12}\d\b|\(\d{3}\) ?\d{3}-\d{4}\b",
}


def private(rows: pl.DataFrame) -> pl.Series:
    """Return the number of e-mail addresses, phone numbers, IP addresses and key-like strings.

    Names and postal addresses are not detected.
    """
    return rows["text"].str.count_matches("|".join(f"(?:{pattern})" for pattern in PRIVATE.values()))


def masked(texts: pl.Series) -> pl.Series:
    """Return the texts with private data replaced by `[EMAIL]`, `[KEY]`, `[IP]` or `[PHONE]`."""
    for name, pattern in PRIVATE.items():
        texts = texts.str.replace_all(pattern, f"[{name}]")
    return texts
