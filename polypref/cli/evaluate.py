"""polypref eval and report."""

from pathlib import Path
from typing import Annotated

import typer

from polypref.cli.options import Output, RecipeFile, recipe_path
from polypref.files import refuse_folder

commands = typer.Typer(help="Compare checkpoints.", no_args_is_help=True, rich_markup_mode=None)
report_commands = typer.Typer()

Prompts = Annotated[
    str | None,
    typer.Option(metavar="DATASET", help="A published folder or ORG/NAME, instead of the recipe's."),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A run's folder, with published/, checkpoints/, eval/.")
]
Page = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="The page; by default FOLDER/report.html.")
]


@commands.command(
    "winrate", epilog="Example: polypref eval winrate paper-winrate --prompts my-org/pairs --output runs/eval"
)
def winrate(recipe: RecipeFile, prompts: Prompts = None, output: Output = None) -> None:
    """Compare checkpoints with a base on held-out prompts.

    Every checkpoint completes the prompts, a judge compares the completions, and win rates are given for each
    language.
    """
    from polypref.config import read_config
    from polypref.eval.recipe import WinrateRecipe
    from polypref.eval.winrate import describe_winrates, measure_winrates
    from polypref.store.workdir import Workdir

    config = read_config(recipe_path(recipe), WinrateRecipe, overrides={"prompts": prompts, "output": output})
    with Workdir(config.output) as workdir:
        print(describe_winrates(measure_winrates(config, workdir)))


@report_commands.command(epilog="Example: polypref report runs/demo")
def report(rundir: RunFolder, output: Page = None) -> None:
    """Write one self-contained HTML page about a run."""
    from polypref.eval.report.page import write_report

    if output:
        refuse_folder(output)
    print(write_report(rundir, output))
