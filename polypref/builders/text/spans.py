"""Spans of a line of prose that must survive its translation unchanged: code, URLs, placeholders, formulas …

Not every quoted word that a prompt is about is a span: only those that the answer is to translate,
pronounce or spell, and every word in another script than the prose.
"""

from collections.abc import Iterator
from typing import NamedTuple

import regex

# Alternatives of the patterns below; all patterns are verbose, so spaces in them do not count.
UNITS = (
    "km²?|k?m/h|mph|cm[²³]?|mm[²³]?|nm|m[²³]|k?g|mg|lbs?|oz|m?L|ml"
    "|[kMG]?Hz|[kMGT]i?[Bb](?:ps)?|[kMG]?W(?:h)?|kcal|kJ|k?V|mA(?:h)?|ms|ns|px|dpi|fps|dB"
)
FILES = (
    "py|ipynb|js|jsx|ts|tsx|java|c|cc|cpp|h|hpp|cs|go|rs|rb|php|pl|sh|bat|ps1|sql|html?|css|xml"
    "|json|jsonl|ya?ml|toml|ini|cfg|conf|env|txt|md|rst|tex|csv|tsv|xlsx?|docx?|pptx?|pdf"
    "|png|jpe?g|gif|svg|mp[34]|wav|zip|tar|gz|exe|dll|so|log|lock|db|sqlite|parquet"
)
DOMAINS = r"com|org|net|io|edu|gov|dev|app|ai|info|co\.[a-z]{2}|de|fr|uk|jp|cn|ru|in"
TERM = r"""
    √?\(*
    (?: [a-zA-Z]{1,4}\([\w\ ,.+*/^-]{1,20}\)    # f(x)   sin(2x)
      | \d+(?:[.,]\d+)*[a-zA-Z]?                # 3.5    2x
      | [a-zA-Z]                                # x
    )
    \)*(?:\^[\w(){}+-]+|[²³])?\)*               # ^2     ²
"""

# By kind, in the order in which they are tried at each place of a line.
KINDS: dict[str, str] = {
    "code": r"""
        (?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)   # `a.b`   ``a`b``
      | `+                                                 # a backtick that nothing closes
    """,
    "latex": r"""
        \$\$.+?\$\$                                        # $$x = y$$
      | \\\(.+?\\\)                                        # \(x = y\)
      | \\\[.+?\\\]                                        # \[x = y\]
      | (?<![\w$\\])\$                                     # $x^2$, but neither US$ nor \$:
          (?![\s\d][^$\n]*[\s.,;]\$)                       #   not an amount up to the next: $5 or $6
          (?=[^$\n]*[\\^_{}=+*/<>()a-zA-Z])                #   with an operator, a bracket or a letter
          (?!\s)[^$\n]{1,200}?(?<![\s\\])\$(?![\w$])       #   without a space inside either dollar sign
      | \\[a-zA-Z]+                                        # \alpha   \frac{a}{b}   \sqrt[3]{x}
          (?:\s?\{(?:[^{}\n]|\{[^{}\n]*\})*\}|\[[^\[\]\n]*\])*
    """,
    "tag": r"""
        </?[A-Za-z][^<>\n]*>                               # <b>   </b>   <a href="x">, but not a < b
      | <!--.*?-->                                         # <!-- a comment -->
      | <!?\[[^<>\n]*>                                     # <![CDATA[x]]>
      | &(?:\w+|\#\d+);                                    # &nbsp;   &#160;
      | <<[^<>\n]+>>                                       # <<name>>
      | \[/[A-Za-z]\w*\]                                   # [/quote]
      | \[(?P<opened>[A-Za-z]\w*)\](?=[^\n]*\[/(?P=opened)\])   # [quote] where [/quote] follows
    """,
    "url": rf"""
        (?:https?|ftp|file|ssh|git|s3|wss?)://[^\s<>\"“”`，。、；：！？]+   # https://a.org/b?c=1
      | www\.[^\s<>\"“”`]+                                 # www.a.org
      | (?<![\w@.])(?:[a-z0-9-]+\.)+(?:{DOMAINS})          # a.org/b, but not the host of me@a.org
          (?:/[^\s<>\"“”`]*)?(?![\w@])
    """,
    "email": r"""
        [\w.+-]+@[\w-]+(?:\.[\w-]+)+                       # me@a.org
      | (?<!\w)@\w[\w-]*                                   # @me
    """,
    "path": rf"""
        (?<![\w.)/])(?:~|\.{{1,2}})?(?:/[\w.@+-]+){{2,}}/? # /etc/hosts   ~/a/b   ../a/b, but not and/or
      | \b[A-Za-z]:\\[\w\\.-]*                             # C:\Users
      | (?<![\w.])[\w-]+(?:/[\w.-]+)*\.(?:{FILES})\b       # main.py   src/main.py
    """,
    "placeholder": r"""
        \$?\{\{.*?\}\}                                     # {{name}}   ${{name}}
      | [$\#]?\{[^{}\n]*\}                                 # {name}   ${name}   #{name}
      | (?<![\d%])%(?:\(\w+\)\w|[sdifgx]\b|\w+%)           # %(name)s   %d   %NAME%, but not 5%d
      | (?<!\w)\[(?:[A-Z][A-Z0-9\ _-]+|[a-z]{2,20})\](?![\w(])  # [YOUR NAME]   [name], but not [text](url)
      | _{2,}(?:\w+__)?                                    # ____   __name__
      | \$[A-Za-z_]\w*                                     # $HOME
      | [{}]                                               # a brace that nothing closes
    """,
    "identifier": r"""
        \b\w+(?:\.\w+)*\(\)                                # foo()   a.b()
      | \b(?:\w+\.)*\w*[a-z0-9]_\w+(?:\.\w+)*\b            # snake_case   a.snake_case.b
      | \b[A-Z0-9]+(?:_[A-Z0-9]+)+\b                       # MAX_SIZE
      | (?<![\w-])--?[a-z]\w*(?:-\w+)*(?:=\S*\w)?(?!\w|-)  # -v   --dry-run   --size=3
      | \S{61,}                                            # a hash, or base64: no word is as long
    """,
    "quantity": rf"""
        \d[\d.,]*\s?(?:{UNITS})\b                          # 5 km   1,000 mAh
      | \d[\d.,]*\s?°[CFK]?\b?                             # 20 °C   90°
    """,
    "formula": rf"""
        (?<![\w.]){TERM}(?:\s*[-−=+*/×÷·≤≥≠≈<>∈→]\s*{TERM})*(?!\w)   # f(x) = 4x^3 - 9x
    """,
    "word": r"""
        (?i: \b(?:translate|transliterate|pronounce|spell|say|translation\ of|meaning\ of)\s+
             (?:the\s+)?(?:(?:word|phrase|sentence|term)\s+)? )
        \K                                                 # the span is what follows:
        (?: \"[^\"\n]{1,80}\"                              # translate "good day"
          | “[^”\n]{1,80}”                                 # say the word “drum”
          | «[^»\n]{1,80}»                                 # the meaning of «chat»
          | '[^'\n]{1,80}'(?!\w)                           # spell 'colour', but not 'tis o'clock
        )
    """,
    "foreign": r"""
        [\p{L}--[\p{Latin}ªº]][\p{L}\p{M}--\p{Latin}]*    # 你好，世界: in another script than Latin,
        (?: [\s,.、。，·・'’!?！？-]*                      #   with the punctuation between its words
            [\p{L}--[\p{Latin}ªº]][\p{L}\p{M}--\p{Latin}]* )*
    """,
}
# One of these makes a formula of what is a mere number otherwise: 10-20, 1/2, (3), a
OPERATOR = regex.compile(r"[=^+*×÷≤≥≠<>∈²³]|\w\(")
ENDS_SENTENCE = ".,;:!?'\"’”…*_"  # these do not end an address, but the sentence or emphasis around it
BRACKETS = {")": "(", "]": "[", "}": "{"}
REASONS = {"formula": "latex", "identifier": "code", "foreign": "word"}  # kinds that share another's reason

PATTERN = regex.compile(
    "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()),
    regex.V1 | regex.VERBOSE,  # V1: set differences, as "foreign" has them
)


class Span(NamedTuple):
    """A stretch of a line that must survive."""

    kind: str  # a key of KINDS
    start: int
    end: int


def find_spans(line: str) -> Iterator[Span]:
    """Yield the spans of a line, in order and without overlaps."""
    match = PATTERN.search(line)
    while match:
        kind = str(match.lastgroup)
        start, end = match.span()
        place = end
        if kind in ("url", "path", "email"):
            end = place = start + len(_trimmed_address(match[0]))
        elif kind == "word":
            start, end = start + 1, end - 1  # without its quotation marks, which the translation may change
        if end > start and (kind != "formula" or _is_formula(match[0])):
            yield Span(kind, start, end)
        place = max(place, match.start() + 1)  # beyond an address that is trimmed to nothing
        match = PATTERN.search(line, place)


def lost_reason(kind: str) -> str:
    """Return the reason that names the loss of a span: lost_code, lost_url, …"""
    return f"lost_{REASONS.get(kind, kind)}"


def _is_formula(text: str) -> bool:
    return OPERATOR.search(text) is not None and text.count("(") == text.count(")")


def _trimmed_address(address: str) -> str:
    """Return an address without what follows it: punctuation, or a bracket that it does not open."""
    while address:
        last = address[-1]
        closes_nothing = last in BRACKETS and address.count(last) > address.count(BRACKETS[last])
        if last not in ENDS_SENTENCE and not closes_nothing:
            break
        address = address[:-1]
    return address
