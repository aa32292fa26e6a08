"""Numbers are found in the digits and separators of every script."""

import pytest

from polypref.builders.text.numbers import numbers


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("1,000.5 and 7", [["1", "000", "5"], ["7"]]),
        ("१२ और ٣٤, 5.6", [["12"], ["34"], ["5", "6"]]),
        ("١٬٠٠٠٫٥", [["1", "000", "5"]]),
        ("1'000, 1’000", [["1", "000"], ["1", "000"]]),
        ("1\u00a0000 and 1\u202f000", [["1", "000"], ["1", "000"]]),
        ("12,34,567", [["12", "34", "567"]]),
        ("x2y, no3.", [["2"], ["3"]]),
        ("none at all", []),
    ],
)
def test_numbers_of_every_script(text: str, runs: list[list[str]]) -> None:
    assert numbers(text) == runs


def test_a_space_joins_thousands_and_no_neighbours() -> None:
    assert numbers("40 000 and 12 345 678") == [["40", "000"], ["12", "345", "678"]]
    assert numbers("In 2020 100 people saw 6 12 times 3 0001") == [
        ["2020"],
        ["100"],
        ["6"],
        ["12"],
        ["3"],
        ["0001"],
    ]
