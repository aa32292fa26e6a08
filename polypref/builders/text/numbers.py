"""Numbers of a text, in the digits and separators of any script.

Numbers are digits here, not values: 1,000.5 and 1.000,5 are the same, and so are 1.5 and 15.
"""

import re
import unicodedata

NUMBER = re.compile(
    r"""
    \d+                                 # digits of any script: 7, ٧, ७
    (?:
        (?: [.,'’٬٫،\u00a0\u202f]       # 1,000.5   1'000   ١٬٠٠٠٫٥   1 000 with a no-break space
          | (?<!\d{4})[ ](?=\d{3}(?!\d))  # 12 000 with a space, but neither "in 2020 100 came" nor "6 12"
        )
        \d+
    )*
    """,
    re.VERBOSE,
)
DIGITS = re.compile(r"\d+")

# English words for numbers, which other languages may write in digits: "In January, two came", 1月に2人来た。
NUMBER_WORD = re.compile(
    r"""
    \b(?:
      zero|ones?|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen
    | (?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?  # forty   forty-two
    | hundreds?|thousands?|[mb]illions?|trillions?|dozens?
    | first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth
    | \w+[tn]th                                     # eleventh   hundredth, but also month
    | half|quarters?|once|twice|single|double|triple|both|pair|couple
    | noon|midnight|decades?|centur(?:y|ies)
    | January|February|March|April|May|June|July|August|September|October|November|December
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def numbers(text: str) -> list[list[str]]:
    """Return each number as its runs of ASCII digits: "1,000.5 and ٧" gives [["1", "000", "5"], ["7"]].

    Which separator groups thousands and which one opens the decimals differs between languages, so a caller
    compares numbers both with their runs joined and run by run.
    """
    runs_of_numbers = []
    for number in NUMBER.findall(text):
        runs = DIGITS.findall(number)
        if not number.isascii():
            runs = [_in_ascii(run) for run in runs]
        runs_of_numbers.append(runs)
    return runs_of_numbers


def _in_ascii(digits: str) -> str:
    return "".join(str(unicodedata.decimal(digit)) for digit in digits)
