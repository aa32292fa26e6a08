"""The errors that polypref raises on purpose. Each says what to do and has its own exit code.

PolyprefError
├── InputError      2  fix the input: a file, row, key or option cannot be used
├── BudgetReached   3  raise the budget: everything made so far is kept
└── Unavailable     4  run again later: a server, the Hub or a disk is away

The message is one line: the file, row or key, what was found, and what was expected.
"""


class PolyprefError(Exception):
    """The base of all errors raised on purpose."""

    exit_code = 1


class InputError(PolyprefError, ValueError):
    """The input cannot be used; running again without a change fails the same way."""

    exit_code = 2


class BudgetReached(PolyprefError):
    """A budget of the recipe is used up. What was made is kept; a larger budget continues from there."""

    exit_code = 3


class Unavailable(PolyprefError):
    """A server, the Hub or a disk is away or full. What was made is kept; the same command continues."""

    exit_code = 4
