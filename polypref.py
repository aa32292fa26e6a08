"""polypref's public face: `polypref.load(…)` in Python, and the command line, one function a command."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.errors import BudgetReached, InputError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from cards.mixtures import Mixture

app = typer.Typer(
    help="Multilingual preference data: build it, publish it, train from it, measure what it does in every language.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train a policy from published pairs.", no_args_is_help=True, rich_markup_mode=None)
eval_app = typer.Typer(help="Compare checkpoints.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(train_app, name="train")
app.add_typer(eval_app, name="eval")

Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value for ${NAME} in the recipe.")]
TrainRecipe = Annotated[Path, typer.Argument(help="The recipe, a YAML file.")]
Model = Annotated[str | None, typer.Option(help="The base model: a folder or a Hub id; instead of the recipe's.")]
Data = Annotated[str | None, typer.Option(help="A published folder or ORG/NAME; instead of the recipe's.")]
Output = Annotated[Path | None, typer.Option(help="The folder to write; instead of the recipe's.")]
Overwrite = Annotated[bool, typer.Option(help="Remove what another recipe left in the folder.")]
Overlay = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="YAML merged over the recipe.")]


def load(
    name: str,
    *,
    language: str | None = None,
    mixture: "str | Mixture | None" = None,
    revision: str | None = None,
    split: str | None = None,
) -> "Dataset | DatasetDict":
    """A published dataset, from the Hub ("ORG/NAME") or a folder.

    `language` is any name of a language; `mixture` a named subset such as "ml-5-50k"; `revision` a
    branch, tag or commit; `split` "train" or "test", both by default. Raises cards.errors.InputError.
    """
    from cards import hub

    return hub.load(name, language=language, mixture=mixture, revision=revision, split=split)


@app.command(epilog="Example: polypref build recipes/demo.yaml --workdir runs/demo --languages de --languages fr")
def build(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    workdir: Annotated[Path | None, typer.Option(help="Where work is kept; runs/<name of the recipe> by default.")] = None,
    languages: Annotated[list[str] | None, typer.Option(help="Only these languages (any name; repeat it, or separate by commas).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many prompts a language.")] = None,
    only: Annotated[str | None, typer.Option(metavar="STAGE", help="One stage: prompts, translate, complete, score or pair.")] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Publish although calls failed.")] = False,
    update_revisions: Annotated[bool, typer.Option(help="Resolve the models' revisions anew.")] = False,
    values: Set = None,
    overlay: Overlay = None,
) -> None:
    """Make a recipe's data: prompts, translations, completions, scores, pairs, and the folders that can be published.

    Run it again to go on after a stop: what was answered is not asked again.
    """
    from builders.build import Build
    from builders.config import Recipe
    from builders.publish import publish as write_folders
    from store.config import read_config
    from store.workdir import Workdir

    config = read_config(recipe, Recipe, _values(values), overlay or ())
    if languages:
        from cards.languages import languages as codes

        config = config.model_copy(update={"languages": codes(name for group in languages for name in group.split(","))})
    if limit:
        sample = min(limit, config.prompts.sample or limit)
        config = config.model_copy(update={"prompts": config.prompts.model_copy(update={"sample": sample})})
    with Workdir(workdir or Path("runs") / recipe.stem, update_revisions) as opened:
        made = Build(config, opened)
        made.make(only)
        if only is None:
            funnels = write_folders(made, recipe.read_text("utf-8"), allow_incomplete)
            pairs = sum(funnel.get("pairs", 0) for funnel in funnels.values())
            print(f"{pairs:,} pairs in {len(made.languages)} languages: {opened.published / 'pairs'}")


@app.command(
    epilog="Example: polypref translate prompts.jsonl -o translated.jsonl --to de,sw --translator ct2:facebook/nllb-200-distilled-600M"
)
def translate(
    file: Annotated[Path, typer.Argument(help="English texts or messages: JSONL, JSON, CSV, TSV or parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write: .jsonl or .parquet.")],
    to: Annotated[list[str], typer.Option(help="Languages (any name; repeat it, or separate by commas).")],
    translator: Annotated[str, typer.Option(metavar="ENGINE:MODEL", help="ct2:MODEL, hf:MODEL, http:MODEL, or pseudo.")],
    text: Annotated[str, typer.Option(metavar="COLUMN", help="The column: a text, a list of texts, or messages.")] = "prompt",
    base_url: Annotated[str | None, typer.Option(help="The server of http:MODEL.")] = None,
    workdir: Annotated[Path, typer.Option(help="Where answers and converted models are kept.")] = Path("runs/translate"),
) -> None:
    """Translate anybody's table and keep what its texts are made of; a row that lost something says so in `rejected_by`."""
    from builders.table import config_of
    from builders.table import translate as translate_table
    from store.workdir import Workdir

    config = config_of(translator, base_url)
    with Workdir(workdir) as opened:
        reasons = translate_table(file, text, [name for group in to for name in group.split(",")], config, output, opened)
    print(", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) + f": {output}")


@app.command(epilog="Example: polypref status runs/demo")
def status(workdir: Annotated[Path, typer.Argument(help="A work dir, also one that a build is using.")]) -> None:
    """Say what a work dir holds: rows, what was rejected and why, what is incomplete."""
    from store.status import print_status

    print_status(workdir)


@app.command(epilog="Example: polypref publish runs/demo/published/pairs --repo my-org/demo-pairs")
def publish(
    folder: Annotated[Path, typer.Argument(help="A published folder (runs/NAME/published/pairs), or a checkpoint.")],
    repo: Annotated[str, typer.Option(help="ORG/NAME on the Hub.")],
    private: Annotated[bool, typer.Option(help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="The branch to publish to.")] = None,
    pr: Annotated[bool, typer.Option(help="Open a pull request instead.")] = False,
) -> None:
    """Push a folder to the Hub in one commit; other languages, and prose that a person wrote there, stay."""
    from cards import hub

    print(hub.publish(folder, repo, private=private, revision=revision, pr=pr))


@train_app.command("dpo", epilog="Example: polypref train dpo recipes/paper-dpo.yaml --data my-org/pairs --output runs/dpo")
def train_dpo(recipe: TrainRecipe, model: Model = None, data: Data = None, output: Output = None, overwrite: Overwrite = False) -> None:
    """Direct preference optimisation, offline, on published pairs."""
    from store.config import read_config
    from training.config import DpoRecipe
    from training.dpo import train

    print(train(read_config(recipe, DpoRecipe, overrides={"model": model, "data": data, "output": output}), overwrite))


@train_app.command("rloo", epilog="Example: polypref train rloo recipes/paper-rloo.yaml --data my-org/pairs --output runs/rloo")
def train_rloo(recipe: TrainRecipe, model: Model = None, data: Data = None, output: Output = None, overwrite: Overwrite = False) -> None:
    """REINFORCE with a leave-one-out baseline, online, on the prompts of published pairs, against a reward model."""
    from store.config import read_config
    from training.config import RlooRecipe
    from training.rloo import train

    print(train(read_config(recipe, RlooRecipe, overrides={"model": model, "data": data, "output": output}), overwrite))


@eval_app.command("winrate", epilog="Example: polypref eval winrate recipes/paper-winrate.yaml --prompts my-org/pairs --output runs/eval")
def eval_winrate(
    recipe: TrainRecipe,
    prompts: Annotated[str | None, typer.Option(help="A published folder, or ORG/NAME.")] = None,
    output: Output = None,
) -> None:
    """Complete held-out prompts with several checkpoints, judge them, and compare each with the base, language by language."""
    from eval.config import WinrateRecipe
    from eval.winrate import in_words, winrate
    from store.config import read_config
    from store.workdir import Workdir

    config = read_config(recipe, WinrateRecipe, overrides={"prompts": prompts, "output": output})
    with Workdir(config.output) as workdir:
        print(in_words(winrate(config, workdir)))


@app.command(epilog="Example: polypref report runs/demo")
def report(
    rundir: Annotated[Path, typer.Argument(help="A run's folder: published/, checkpoints/, eval/.")],
    output: Annotated[Path | None, typer.Option(help="The page; RUNDIR/report.html by default.")] = None,
) -> None:
    """Write one self-contained page about a run."""
    from eval.report import write

    print(write(rundir, output))


@app.command(epilog="Example: polypref demo --rundir runs/demo")
def demo(
    rundir: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Of training and evaluation.")] = 1,
) -> None:
    """Run the whole loop in the miniature world: build, publish to a folder, train, evaluate, report. No network, two cores, minutes."""
    from demo.run import run

    run(rundir, seed)


def _values(values: Sequence[str] | None) -> dict[str, str]:
    for value in values or ():
        if "=" not in value:
            raise InputError(f"--set {value}: expected NAME=VALUE")
    return dict(value.split("=", 1) for value in values or ())


def main() -> None:
    """The command line. Errors of input end with one line and exit code 2, a budget with 3, Ctrl-C with 130."""
    try:
        app()
    except (InputError, BudgetReached) as error:
        print(f"polypref: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(
            f"polypref: {error.filename or 'error'}: {error.strerror or error}; nothing made is lost, run again to go on", file=sys.stderr
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("polypref: stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
