"""The `polypref` command, and its exit codes."""

import sys
from typing import Annotated

import typer

from polypref.cli import build, evaluate, publish, tables, train
from polypref.errors import InputError, PolyprefError, Unavailable
from polypref.version import __version__

WRONG_PATH = FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError

app = typer.Typer(
    help="Multilingual preference data: build it, publish it, train from it, and measure what it does "
    "in every language.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(build.commands)
app.add_typer(tables.commands)
app.add_typer(publish.commands)
app.add_typer(train.commands, name="train")
app.add_typer(evaluate.commands, name="eval")
app.add_typer(evaluate.report_commands)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"polypref {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Errors end with one line on stderr and their exit code (see polypref.errors); Ctrl-C ends with 130.
    """
    try:
        app()
    except PolyprefError as error:
        print(f"polypref: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except WRONG_PATH as error:
        print(f"polypref: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or error
        print(f"polypref: {place}{reason}; nothing made is lost, run again to continue", file=sys.stderr)
        sys.exit(Unavailable.exit_code)
    except SystemExit as end:
        if end.code == 130:  # how typer reports Ctrl-C
            print("polypref: stopped; run the same command to continue", file=sys.stderr)
        raise
