"""polypref build, plan, status and demo."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from polypref.cli import options

commands = typer.Typer()

Only = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="Only one stage: prompts, translate, complete, score or pair."),
]
AllowIncomplete = Annotated[
    bool,
    typer.Option("--allow-incomplete", help="Write the published folders even if calls failed."),
]
UpdateRevisions = Annotated[
    bool, typer.Option("--update-revisions", help="Move to the newest commits of the models.")
]
Executor = Annotated[
    Literal["here", "ray"],
    typer.Option(metavar="here|ray", help="Where engines run: in this process or on Ray."),
]
Workers = Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Workers on Ray, with one engine each.")]
Cpus = Annotated[float, typer.Option(metavar="NUMBER", min=0, help="CPUs per worker on Ray.")]
Gpus = Annotated[float, typer.Option(metavar="NUMBER", min=0, help="Accelerators per worker on Ray.")]
Probe = Annotated[
    int,
    typer.Option(
        metavar="NUMBER", min=0, help="Measure each engine with this many prompts; a build keeps the answers."
    ),
]
StatusFolder = Annotated[
    str, typer.Argument(metavar="FOLDER", help="A work dir, also one that a build is using.")
]
RunFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Where everything goes; by default runs/demo, or runs/demo-quick with --quick."
    ),
]
Seed = Annotated[int, typer.Option(metavar="NUMBER", help="The seed of training and evaluation.")]
Quick = Annotated[bool, typer.Option("--quick", help="Two languages and short training: half a minute.")]


@commands.command(epilog="Example: polypref build demo --workdir runs/demo --languages de,fr")
def build(
    recipe: options.RecipeFile,
    workdir: options.WorkdirPath = None,
    languages: options.Languages = None,
    limit: options.Limit = None,
    only: Only = None,
    allow_incomplete: AllowIncomplete = False,
    accept_failures: options.AcceptFailures = False,
    retry_failures: options.RetryFailures = False,
    update_revisions: UpdateRevisions = False,
    executor: Executor = "here",
    workers: Workers = 2,
    cpus: Cpus = 1.0,
    gpus: Gpus = 0.0,
    values: options.Values = None,
    overlay: options.Overlay = None,
) -> None:
    """Build a recipe's data and the folders to publish.

    The stages are prompts, translate, complete, score and pair. Run it again to continue after a stop;
    answered requests are not asked again.
    """
    from polypref.builders.build import Build
    from polypref.builders.outcome import check_pairs, warn_of_languages
    from polypref.builders.publish import recipe_text, write_folders
    from polypref.cards.funnel import kept_by_language
    from polypref.engines.cluster import Cluster
    from polypref.store.workdir import Workdir

    path = options.recipe_path(recipe)
    config = options.read_recipe(path, values, overlay, languages, limit)
    cluster = Cluster(workers, cpus, gpus) if executor == "ray" else None
    with Workdir(workdir or Path("runs") / path.stem, update_revisions) as opened:
        run = Build(config, opened, accept_failures, retry_failures, cluster)
        run.make(only)
        if only is None:
            text = recipe_text(path, overlay or (), options.parse_values(values), limit)
            funnel = write_folders(run, text, allow_incomplete)
            pairs = sum(kept_by_language(funnel, "pairs").values())
            noun = "language" if len(run.languages) == 1 else "languages"
            print(f"{pairs:,} pairs in {len(run.languages)} {noun}: {opened.published / 'pairs'}")
            check_pairs(funnel, run.languages)
            for line in warn_of_languages(funnel, run.languages):
                print(line, file=sys.stderr)


@commands.command(epilog="Example: polypref plan paper --probe 20")
def plan(
    recipe: options.RecipeFile,
    workdir: options.WorkdirPath = None,
    probe: Probe = 0,
    languages: options.Languages = None,
    limit: options.Limit = None,
    values: options.Values = None,
    overlay: options.Overlay = None,
) -> None:
    """Estimate what a recipe takes: rows, tokens, hours and money.

    Prints a line for each stage and language, and the sums.
    """
    from polypref.builders.build import Build
    from polypref.builders.plan import estimate, print_plan
    from polypref.store.workdir import Workdir

    path = options.recipe_path(recipe)
    config = options.read_recipe(path, values, overlay, languages, limit)
    with Workdir(workdir or Path("runs") / path.stem) as opened:
        run = Build(config, opened)
        run.prepare()
        print_plan(estimate(run, probe), str(recipe))


@commands.command(epilog="Example: polypref status runs/demo")
def status(workdir: StatusFolder) -> None:
    """Show what a work dir holds, what it cost and what is running."""
    from polypref.store.status import print_status
    from polypref.store.storage import open_path

    print_status(open_path(workdir))


@commands.command(epilog="Example: polypref demo --rundir runs/demo")
def demo(rundir: RunFolder = None, seed: Seed = 1, quick: Quick = False) -> None:
    """Run everything once, in a miniature world.

    Builds data, publishes it to a folder, trains, evaluates and reports. Needs no network and takes about
    five minutes on two cores.
    """
    from polypref.demo.run import run

    # A checkpoint is not replaced by one with other settings, so the two kinds do not share a folder.
    run(rundir or Path("runs/demo-quick" if quick else "runs/demo"), seed, quick)
