"""What a person did wrong, said in one line; the command line prints it and exits with the error's code."""


class InputError(ValueError):
    """Input that cannot be used: the message is one line that names the file, row or key, what was found and what was expected."""

    exit_code = 2


class BudgetReached(RuntimeError):
    """A budget of the recipe is used up: what was made is kept, and running again with a larger budget goes on."""

    exit_code = 3
