"""What stands in a line of prose and must come out of a translation as it went in: code, URLs, placeholders, formulas …

It does not know which quoted words are the subject of a question and which are meant: it keeps those that are to be
translated, pronounced or spelled by the answer, and every word in another script than the prose.
"""

from collections.abc import Iterator
from typing import NamedTuple

import regex

UNITS = (
    "km²?|k?m/h|mph|cm[²³]?|mm[²³]?|nm|m[²³]|k?g|mg|lbs?|oz|m?L|ml|"
    "[kMG]?Hz|[kMGT]i?[Bb](?:ps)?|[kMG]?W(?:h)?|kcal|kJ|k?V|mA(?:h)?|ms|ns|px|dpi|fps|dB"
)
FILES = (
    "py|ipynb|js|jsx|ts|tsx|java|c|cc|cpp|h|hpp|cs|go|rs|rb|php|pl|sh|bat|ps1|sql|html?|css|xml|json|jsonl|ya?ml|toml|ini|cfg|conf|env|"
    "txt|md|rst|tex|csv|tsv|xlsx?|docx?|pptx?|pdf|png|jpe?g|gif|svg|mp[34]|wav|zip|tar|gz|exe|dll|so|log|lock|db|sqlite|parquet"
)
DOMAINS = "com|org|net|io|edu|gov|dev|app|ai|info|co\\.[a-z]{2}|de|fr|uk|jp|cn|ru|in"
TERM = r"√?\(*(?:[a-zA-Z]{1,4}\([\w ,.+*/^-]{1,20}\)|\d+(?:[.,]\d+)*[a-zA-Z]?|[a-zA-Z])\)*(?:\^[\w(){}+-]+|[²³])?\)*"
OPERATOR = regex.compile(
    r"[=^+*×÷≤≥≠<>∈²³]|\w\("
)  # makes a formula of what is a mere number otherwise: 10-20, 1/2, (3)

KINDS: dict[str, str] = {
    "code": r"(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)|`+",
    "latex": (
        r"\$\$.+?\$\$|\\\(.+?\\\)|\\\[.+?\\\]"
        r"|(?<![\w$\\])\$(?![\s\d][^$\n]*[\s.,;]\$)(?=[^$\n]*[\\^_{}=+*/<>()a-zA-Z])(?!\s)[^$\n]{1,200}?(?<![\s\\])\$(?![\w$])"
        r"|\\[a-zA-Z]+(?:\s?\{(?:[^{}\n]|\{[^{}\n]*\})*\}|\[[^\[\]\n]*\])*"
    ),
    "tag": (
        r"</?[A-Za-z][^<>\n]*>|<!--.*?-->|<!?\[[^<>\n]*>|&(?:\w+|#\d+);|<<[^<>\n]+>>"
        r"|\[/[A-Za-z]\w*\]|\[(?P<opened>[A-Za-z]\w*)\](?=[^\n]*\[/(?P=opened)\])"
    ),
    "url": rf"(?:https?|ftp|file|ssh|git|s3|wss?)://[^\s<>\"“”`，。、；：！？]+|www\.[^\s<>\"“”`]+|(?<![\w@.])(?:[a-z0-9-]+\.)+(?:{DOMAINS})(?:/[^\s<>\"“”`]*)?(?![\w@])",
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<!\w)@\w[\w-]*",
    "path": rf"(?<![\w.)/])(?:~|\.{{1,2}})?(?:/[\w.@+-]+){{2,}}/?|\b[A-Za-z]:\\[\w\\.-]*|(?<![\w.])[\w-]+(?:/[\w.-]+)*\.(?:{FILES})\b",
    "placeholder": (
        r"\$?\{\{.*?\}\}|[$#]?\{[^{}\n]*\}|(?<![\d%])%(?:\(\w+\)\w|[sdifgx]\b|\w+%)|(?<!\w)\[(?:[A-Z][A-Z0-9 _-]+|[a-z]{2,20})\](?![\w(])"
        r"|_{2,}(?:\w+__)?|\$[A-Za-z_]\w*|[{}]"
    ),
    "identifier": (
        r"\b\w+(?:\.\w+)*\(\)|\b(?:\w+\.)*\w*[a-z0-9]_\w+(?:\.\w+)*\b|"
        r"\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b|(?<![\w-])--?[a-z]\w*(?:-\w+)*(?:=\S*\w)?(?!\w|-)|\S{61,}"
    ),
    "quantity": rf"\d[\d.,]*\s?(?:{UNITS})\b|\d[\d.,]*\s?°[CFK]?\b?",
    "formula": rf"(?<![\w.]){TERM}(?:\s*[-−=+*/×÷·≤≥≠≈<>∈→]\s*{TERM})*(?!\w)",
    "word": (
        r"(?i:\b(?:translate|transliterate|pronounce|spell|say|translation of|meaning of)\s+"
        r"(?:the\s+)?(?:(?:word|phrase|sentence|term)\s+)?)"
        r"\K(?:\"[^\"\n]{1,80}\"|“[^”\n]{1,80}”|«[^»\n]{1,80}»|'[^'\n]{1,80}'(?!\w))"
    ),
}
FOREIGN = r"[\p{L}--[\p{Latin}ªº]][\p{L}\p{M}--\p{Latin}]*(?:[\s,.、。，·・'’!?！？-]*[\p{L}--[\p{Latin}ªº]][\p{L}\p{M}--\p{Latin}]*)*"
NEVER_AT_THE_END = ".,;:!?'\"’”…*_"
NAMES = {
    "formula": "latex",
    "identifier": "code",
    "foreign": "word",
}  # kinds that go by another's name where a reason names them
PATTERN = regex.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
PATTERN_LATIN = regex.compile(f"{PATTERN.pattern}|(?P<foreign>{FOREIGN})", regex.V1)


class Span(NamedTuple):
    """A stretch of a text that must survive: its kind, and where it stands."""

    kind: str
    start: int
    end: int


def find(text: str, latin: bool = True) -> Iterator[Span]:
    """The spans of a line, in order, none within another; `latin`: letters of every other script are kept too."""
    place, pattern = 0, PATTERN_LATIN if latin else PATTERN
    while match := pattern.search(text, place):
        kind = str(match.lastgroup)
        start, end = match.span()
        if kind in ("url", "path", "email"):
            end = start + len(_trimmed(match[0]))
        if kind == "word":
            start, end = start + 1, end - 1  # the quotation marks are the target language's
        if end > start and (
            kind != "formula" or (OPERATOR.search(match[0]) and match[0].count("(") == match[0].count(")"))
        ):
            yield Span(kind, start, end)
        place = max(match.end() if kind == "word" else end, match.start() + 1)


def _trimmed(address: str) -> str:
    """An address without the punctuation of the sentence that it ends, and without a bracket that opens before it."""
    while address:
        last = address[-1]
        if last in NEVER_AT_THE_END or (
            last in ")]}" and address.count(last) > address.count({")": "(", "]": "[", "}": "{"}[last])
        ):
            address = address[:-1]
        else:
            break
    return address
