"""polypref build, plan, status and demo."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from polypref.cli.options import (
    AcceptFailures,
    Languages,
    Limit,
    Overlay,
    RecipeFile,
    Values,
    WorkdirPath,
    parse_values,
    read_recipe,
    recipe_path,
)

commands = typer.Typer()


@commands.command(epilog="Example: polypref build demo --workdir runs/demo --languages de,fr")
def build(
    recipe: RecipeFile,
    workdir: WorkdirPath = None,
    languages: Languages = None,
    limit: Limit = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="One stage: prompts, translate, complete, score or pair."),
    ] = None,
    allow_incomplete: Annotated[
        bool, typer.Option(help="Write the published folders although calls failed.")
    ] = False,
    accept_failures: AcceptFailures = False,
    update_revisions: Annotated[bool, typer.Option(help="Resolve the models' revisions again.")] = False,
    executor: Annotated[
        Literal["here", "ray"], typer.Option(help="Where engines run: in this process, or on Ray.")
    ] = "here",
    workers: Annotated[int, typer.Option(min=1, help="Ray: number of workers, one engine each.")] = 2,
    cpus: Annotated[float, typer.Option(min=0, help="Ray: CPUs per worker.")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0, help="Ray: accelerators per worker.")] = 0.0,
    values: Values = None,
    overlay: Overlay = None,
) -> None:
    """Build a recipe's data: prompts, translations, completions, scores, pairs, and the folders to publish.

    Run it again to continue after a stop; answered requests are not asked again.
    """
    from polypref.builders.build import Build
    from polypref.builders.publish import recipe_text, write_folders
    from polypref.cards.funnel import kept_by_language
    from polypref.engines.cluster import Cluster
    from polypref.store.workdir import Workdir

    path = recipe_path(recipe)
    config = read_recipe(path, values, overlay, languages, limit)
    cluster = Cluster(workers, cpus, gpus) if executor == "ray" else None
    with Workdir(workdir or Path("runs") / path.stem, update_revisions) as opened:
        run = Build(config, opened, accept_failures, cluster)
        run.make(only)
        if only is None:
            text = recipe_text(path, overlay or (), parse_values(values), limit)
            funnel = write_folders(run, text, allow_incomplete)
            pairs = sum(kept_by_language(funnel, "pairs").values())
            print(f"{pairs:,} pairs in {len(run.languages)} languages: {opened.published / 'pairs'}")


@commands.command(epilog="Example: polypref plan paper --probe 20")
def plan(
    recipe: RecipeFile,
    workdir: WorkdirPath = None,
    probe: Annotated[
        int,
        typer.Option(
            min=0, help="Ask every engine this many prompts, and measure; the build keeps the answers."
        ),
    ] = 0,
    languages: Languages = None,
    limit: Limit = None,
    values: Values = None,
    overlay: Overlay = None,
) -> None:
    """Estimate what a recipe takes, by stage and language: rows, tokens, hours and money."""
    from polypref.builders.build import Build
    from polypref.builders.plan import estimate, print_plan
    from polypref.store.workdir import Workdir

    path = recipe_path(recipe)
    config = read_recipe(path, values, overlay, languages, limit)
    with Workdir(workdir or Path("runs") / path.stem) as opened:
        run = Build(config, opened)
        run.prepare()
        print_plan(estimate(run, probe), str(recipe))


@commands.command(epilog="Example: polypref status runs/demo")
def status(
    workdir: Annotated[str, typer.Argument(help="A work dir, also one that a build is using.")],
) -> None:
    """Show what a work dir holds and what is running: rows, rejections by reason, incomplete calls, spending."""
    from polypref.store.status import print_status
    from polypref.store.storage import open_path

    print_status(open_path(workdir))


@commands.command(epilog="Example: polypref demo --rundir runs/demo")
def demo(
    rundir: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="The seed of training and evaluation.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two languages and short training: about a minute.")
    ] = False,
) -> None:
    """Run the whole loop in the miniature world: build, publish to a folder, train, evaluate, report.

    It needs no network and takes about five minutes on two cores.
    """
    from polypref.demo.run import run

    run(rundir, seed, quick)
