"""polypref publish, show and trace."""

from pathlib import Path
from typing import Annotated

import typer

from polypref.cli.options import Language, Languages, Revision, language_codes

commands = typer.Typer()

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would change: files, rows, lines of the card.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Also remove rows that the Hub has and this folder lacks.")
]


@commands.command(epilog="Example: polypref publish runs/demo --repo my-org/demo-pairs --dry-run")
def publish(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="A run's folder, one of its published folders, or a checkpoint."
        ),
    ],
    repo: Annotated[
        str,
        typer.Option(
            metavar="ORG/NAME",
            help="The repository; prompts and completions go to NAME-prompts and NAME-completions.",
        ),
    ],
    languages: Languages = None,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Also publish the rejected rows, as NAME-rejected.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Also publish the run's checkpoints, as NAME-CHECKPOINT.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Make new repositories private.")] = False,
    gated: Annotated[
        bool, typer.Option("--gated", help="Readers of new repositories must share their contact details.")
    ] = False,
    pr: Annotated[bool, typer.Option("--pr", help="Open pull requests instead of committing.")] = False,
    revision: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="The branch to publish to, created if missing.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME", help="A tag for the published commits.")] = None,
    replace: Replace = False,
    dry_run: DryRun = False,
) -> None:
    """Push a run to the Hub, one commit per repository.

    Languages that the run does not have, and text that people added to the card, stay. A publication that
    would remove rows needs --replace. Safe to re-run after any failure; finished work is skipped.
    """
    from polypref.cards.push import Options
    from polypref.cards.release import plan_run, publish_run

    options = Options(
        language_codes(languages), private, "auto" if gated else None, pr, revision, replace=replace
    )
    if dry_run:
        for plan in plan_run(folder, repo, options, rejected=rejected, models=models):
            print("\n".join(plan.lines()))
    else:
        publish_run(folder, repo, options, tag=tag, rejected=rejected, models=models)


@commands.command(epilog="Example: polypref show my-org/demo-pairs --language German -n 3")
def show(
    name: Annotated[
        str, typer.Argument(metavar="DATASET", help="ORG/NAME on the Hub, or a published folder.")
    ],
    language: Annotated[str | None, Language] = None,
    n: Annotated[int, typer.Option("-n", metavar="NUMBER", min=1, help="How many rows to print.")] = 3,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="train or test.")] = None,
    revision: Revision = None,
) -> None:
    """Print rows of a published dataset."""
    from rich.console import Console

    from polypref.cards.show import first_rows, print_rows

    print_rows(first_rows(name, language, n, split, revision), Console())


@commands.command(epilog="Example: polypref trace my-org/demo-pairs 0123456789abcdef --language German")
def trace(
    name: Annotated[str, typer.Argument(metavar="DATASET", help="ORG/NAME on the Hub, or a run's folder.")],
    prompt_id: Annotated[str, typer.Argument(metavar="PROMPT_ID", help="The prompt's id, of 16 digits.")],
    language: Annotated[str, Language],
    revision: Revision = None,
) -> None:
    """Print where a published pair comes from.

    Shows the prompt, its translation, every completion and every score.
    """
    from rich.console import Console

    from polypref.cards.show import print_trace
    from polypref.cards.trace import trace_prompt

    print_trace(trace_prompt(name, prompt_id, language, revision), Console())
