"""polypref publish, show and trace."""

from pathlib import Path
from typing import Annotated

import typer

from polypref.cli.options import Languages, Revision, language_codes

commands = typer.Typer()


@commands.command(epilog="Example: polypref publish runs/demo --repo my-org/demo-pairs --dry-run")
def publish(
    workdir: Annotated[
        Path, typer.Argument(help="A run's folder, one published folder of it, or a checkpoint.")
    ],
    repo: Annotated[
        str,
        typer.Option(
            help="ORG/NAME on the Hub; prompts and completions go to NAME-prompts and NAME-completions."
        ),
    ],
    languages: Languages = None,
    rejected: Annotated[bool, typer.Option(help="Also publish the rejected rows, as NAME-rejected.")] = False,
    models: Annotated[
        bool, typer.Option(help="Also publish the run's checkpoints, as NAME-<checkpoint>.")
    ] = False,
    private: Annotated[bool, typer.Option(help="Make new repositories private.")] = False,
    gated: Annotated[
        bool, typer.Option(help="Ask readers to share their name before they may read.")
    ] = False,
    pr: Annotated[bool, typer.Option(help="Open pull requests instead.")] = False,
    revision: Annotated[
        str | None, typer.Option(help="The branch to publish to, created if missing.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="A tag for the published commits.")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Show what would change: files, rows, lines of the card.")
    ] = False,
) -> None:
    """Push a run to the Hub, one commit per repository. Other languages and text that people added to the card stay.

    Safe to re-run after any failure; finished work is skipped.
    """
    from polypref.cards.push import Options
    from polypref.cards.release import plan_run, publish_run

    options = Options(language_codes(languages), private, "auto" if gated else None, pr, revision)
    if dry_run:
        for plan in plan_run(workdir, repo, options, rejected=rejected, models=models):
            print("\n".join(plan.lines()))
    else:
        publish_run(workdir, repo, options, tag=tag, rejected=rejected, models=models)


@commands.command(epilog="Example: polypref show my-org/demo-pairs --language deu_Latn -n 3")
def show(
    name: Annotated[str, typer.Argument(help="ORG/NAME on the Hub, or a published folder.")],
    language: Annotated[str | None, typer.Option(help="A language, by any name.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 3,
    split: Annotated[str | None, typer.Option(help="train or test.")] = None,
    revision: Revision = None,
) -> None:
    """Print rows of a published dataset."""
    from rich.console import Console

    from polypref.cards.show import first_rows, print_rows

    print_rows(first_rows(name, language, n, split, revision), Console())


@commands.command(epilog="Example: polypref trace my-org/demo-pairs 0123456789abcdef --language deu_Latn")
def trace(
    name: Annotated[str, typer.Argument(help="ORG/NAME on the Hub, or a run's folder.")],
    prompt_id: Annotated[str, typer.Argument(help="The prompt's id.")],
    language: Annotated[str, typer.Option(help="A language, by any name.")],
    revision: Revision = None,
) -> None:
    """Print where a published pair comes from: its prompt, the translation, every completion and score."""
    from rich.console import Console

    from polypref.cards.show import print_trace
    from polypref.cards.trace import trace_prompt

    print_trace(trace_prompt(name, prompt_id, language, revision), Console())
