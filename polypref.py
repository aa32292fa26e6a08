"""polypref's public face: `polypref.load(…)` in Python, and the command line, one function a command."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cards.errors import BudgetReached, InputError

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

    from builders.config import Recipe
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
Dir = Annotated[str | None, typer.Option(help="Where work is kept: a folder, or s3://BUCKET/NAME; runs/<name of the recipe> by default.")]
Languages = Annotated[list[str] | None, typer.Option(help="Only these languages (any name; repeat it, or separate by commas).")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many prompts a language.")]
Overlay = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="YAML merged over the recipe.")]


def load(
    name: str,
    *,
    language: str | None = None,
    mixture: "str | Mixture | Mapping[str, object] | None" = None,
    revision: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> "Dataset | DatasetDict | IterableDataset | IterableDatasetDict":
    """A published dataset, from the Hub ("ORG/NAME") or a folder.

    `language` is any name of a language; `mixture` a named subset such as "ml-5-50k", or the fields of one's own; `revision`
    a branch, tag or commit; `split` "train" or "test", both by default; `streaming` reads rows as they are used.
    Raises cards.errors.InputError.
    """
    from cards import hub

    return hub.load(name, language=language, mixture=mixture, revision=revision, split=split, streaming=streaming)


def scan(name: str, *, languages: Sequence[str] | None = None, split: str | None = None, revision: str | None = None) -> "pl.LazyFrame":
    """The rows of a published dataset as a polars LazyFrame; see `load`. Files of a repository are downloaded first.

    Raises cards.errors.InputError.
    """
    from cards import hub

    return hub.scan(name, languages=languages, split=split, revision=revision)


@app.command(epilog="Example: polypref build recipes/demo.yaml --workdir runs/demo --languages de --languages fr")
def build(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    workdir: Dir = None,
    languages: Languages = None,
    limit: Limit = None,
    only: Annotated[str | None, typer.Option(metavar="STAGE", help="One stage: prompts, translate, complete, score or pair.")] = None,
    allow_incomplete: Annotated[bool, typer.Option(help="Publish although calls failed.")] = False,
    accept_failures: Annotated[bool, typer.Option(help="Keep calls that failed as failures for good.")] = False,
    update_revisions: Annotated[bool, typer.Option(help="Resolve the models' revisions anew.")] = False,
    executor: Annotated[Literal["here", "ray"], typer.Option(help="Where engines run: in this process, or on Ray.")] = "here",
    workers: Annotated[int, typer.Option(min=1, help="Ray: how many workers, an engine each.")] = 2,
    cpus: Annotated[float, typer.Option(min=0, help="Ray: CPUs of a worker.")] = 1.0,
    gpus: Annotated[float, typer.Option(min=0, help="Ray: accelerators of a worker.")] = 0.0,
    values: Set = None,
    overlay: Overlay = None,
) -> None:
    """Make a recipe's data: prompts, translations, completions, scores, pairs, and the folders that can be published.

    Run it again to go on after a stop: what was answered is not asked again.
    """
    from builders.build import Build
    from builders.publish import as_run
    from builders.publish import publish as write_folders
    from engines.cluster import Cluster
    from store.workdir import Workdir

    config = _recipe(recipe, values, overlay, languages, limit)
    cluster = Cluster(workers, cpus, gpus) if executor == "ray" else None
    with Workdir(workdir or Path("runs") / recipe.stem, update_revisions) as opened:
        made = Build(config, opened, accept_failures, cluster)
        made.make(only)
        if only is None:
            funnels = write_folders(made, as_run(recipe, overlay or (), _values(values), limit), allow_incomplete)
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


@app.command("filter", epilog="Example: polypref filter answers.jsonl --text answer --language de -o checked.jsonl")
def filter_rows(
    file: Annotated[Path, typer.Argument(help="A table: .jsonl, .json, .csv, .tsv or .parquet.")],
    text: Annotated[str, typer.Option(metavar="COLUMN", help="The column with the texts (or messages) to judge.")],
    language: Annotated[str, typer.Option(metavar="COLUMN|NAME", help="The column with the languages, or the language of all rows.")],
    source: Annotated[str | None, typer.Option(metavar="COLUMN", help="What the texts were translated from.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="What to write: .jsonl, .csv, .tsv or .parquet.")] = None,
    filters: Annotated[Path | None, typer.Option(metavar="FILE", help="YAML: a threshold a filter, as in a recipe.")] = None,
    explain: Annotated[int | None, typer.Option(metavar="ROW", min=1, help="Show every measure of one row, counted from 1.")] = None,
    mask: Annotated[bool, typer.Option("--mask-private", help="Replace e-mail, phone, IP and keys in what is written.")] = False,
) -> None:
    """Judge every row of a table by the build's filters; write it back with the measures and `rejected_by`, and print the funnel."""
    from builders.filter_table import explained, filter_table, print_funnel
    from builders.filters.judge import Filters
    from store.config import read_config

    wanted = read_config(filters, Filters) if filters else Filters()
    if explain is not None:
        for name, measure, threshold in explained(file, text, language, wanted, explain, source):
            print(f"{name:20} {measure:>12} {threshold:>10}".rstrip())
        return
    print_funnel(filter_table(file, text, language, wanted, source, out, mask))


@app.command(epilog="Example: polypref plan recipes/paper.yaml --probe 20")
def plan(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    workdir: Dir = None,
    probe: Annotated[int, typer.Option(min=0, help="Ask every engine so many prompts, and measure; the build keeps the answers.")] = 0,
    languages: Languages = None,
    limit: Limit = None,
    values: Set = None,
    overlay: Overlay = None,
) -> None:
    """Say what a recipe will take, by stage and language: rows, tokens, hours and money."""
    from builders.build import Build
    from builders.plan import plan as lines_of
    from builders.plan import print_plan
    from store.workdir import Workdir

    config = _recipe(recipe, values, overlay, languages, limit)
    with Workdir(workdir or Path("runs") / recipe.stem) as opened:
        build = Build(config, opened)
        build.prepare()
        print_plan(lines_of(build, probe), str(recipe))


@app.command(
    epilog="Example: polypref complete in.jsonl -o out.jsonl --prompt question --base-url http://localhost:8000/v1 --model my-model"
)
def complete(
    file: Annotated[Path, typer.Argument(help="A table: .jsonl, .json, .csv, .tsv or .parquet.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="What to write: .jsonl or .parquet.")],
    prompt: Annotated[str, typer.Option(metavar="COLUMN", help="The column with the prompts: texts, or lists of messages.")],
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible server, up to and with its /v1.")],
    model: Annotated[str, typer.Option(help="The model's name there.")],
    id_column: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="The rows' ids; `id`, else a hash of the row.")] = None,
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.3,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Nucleus sampling.")] = 0.75,
    max_tokens: Annotated[int, typer.Option(min=1, help="The most tokens of an answer.")] = 1024,
    concurrency: Annotated[int, typer.Option(min=1, help="The most calls at once; fewer while the server refuses some.")] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds until a call is given up.")] = 600.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a call that may pass is tried again.")] = 6,
    key_env: Annotated[str, typer.Option(metavar="NAME", help="The environment variable that holds the key.")] = "OPENAI_API_KEY",
    workdir: Annotated[Path | None, typer.Option(help="Where answers are kept; OUT with .work behind it by default.")] = None,
    accept_failures: Annotated[bool, typer.Option(help="Keep calls that failed as failures for good.")] = False,
) -> None:
    """Complete every row of a table. Run it again to go on after a stop: what was answered is not asked again."""
    from builders.answer_table import complete as complete_table
    from builders.config import Table
    from engines.config import HttpGenerator, Sampling
    from store.workdir import Workdir

    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    operation = {"concurrency": concurrency, "timeout": timeout, "retries": retries, "key_env": key_env}
    engine = HttpGenerator(kind="http", base_url=base_url, model=model, system=system, sampling=sampling, **operation)
    with Workdir(workdir or out.with_name(f"{out.name}.work")) as opened:
        table = Table(path=file, text=prompt, id=(id_column,) if id_column else ())
        rows = complete_table(table, out, engine, opened, accept_failures=accept_failures)
    print(f"{rows:,} rows: {out}")


@app.command(epilog="Example: polypref status runs/demo")
def status(workdir: Annotated[str, typer.Argument(help="A work dir, also one that a build is using.")]) -> None:
    """Say what a work dir holds and what is at work: rows, what was rejected and why, what is incomplete, what was spent."""
    from store.place import place
    from store.status import print_status

    print_status(place(workdir))


@app.command(epilog="Example: polypref publish runs/demo --repo my-org/demo-pairs --dry-run")
def publish(
    workdir: Annotated[Path, typer.Argument(help="A run's folder, one published folder of it, or a checkpoint.")],
    repo: Annotated[str, typer.Option(help="ORG/NAME on the Hub; prompts and completions go to NAME-prompts and NAME-completions.")],
    languages: Languages = None,
    rejected: Annotated[bool, typer.Option(help="Publish what was rejected, too, as NAME-rejected.")] = False,
    models: Annotated[bool, typer.Option(help="Publish the run's checkpoints, too, as NAME-<checkpoint>.")] = False,
    private: Annotated[bool, typer.Option(help="Make new repositories private.")] = False,
    gated: Annotated[bool, typer.Option(help="People have to agree to share their name before they may read.")] = False,
    pr: Annotated[bool, typer.Option(help="Open pull requests instead.")] = False,
    revision: Annotated[str | None, typer.Option(help="The branch to publish to; made where there is none.")] = None,
    tag: Annotated[str | None, typer.Option(help="A name for what is published.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would change: files, rows, lines of the card.")] = False,
) -> None:
    """Push a run to the Hub, one commit a repository; other languages, and what people wrote into the card, stay.

    It is safe to repeat after any failure: what is there already is left alone.
    """
    from cards import release
    from cards.push import Options

    options = Options(_codes(languages), private, "auto" if gated else None, pr, revision)
    if dry_run:
        for plan in release.plans(workdir, repo, options, rejected=rejected, models=models):
            print("\n".join(plan.lines()))
    else:
        release.release(workdir, repo, options, tag=tag, rejected=rejected, models=models)


@app.command(epilog="Example: polypref show my-org/demo-pairs --language deu_Latn -n 3")
def show(
    name: Annotated[str, typer.Argument(help="ORG/NAME on the Hub, or a published folder.")],
    language: Annotated[str | None, typer.Option(help="Any name of a language.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 3,
    split: Annotated[str | None, typer.Option(help="train or test.")] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
) -> None:
    """Print rows of a published dataset."""
    from rich.console import Console

    from cards.show import print_rows
    from cards.show import show as rows

    print_rows(rows(name, language, n, split, revision), Console())


@app.command(epilog="Example: polypref trace my-org/demo-pairs 0123456789abcdef --language deu_Latn")
def trace(
    name: Annotated[str, typer.Argument(help="ORG/NAME on the Hub, or a run's folder.")],
    prompt_id: Annotated[str, typer.Argument(help="The prompt's id.")],
    language: Annotated[str, typer.Option(help="Any name of a language.")],
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
) -> None:
    """Print where a published pair comes from: its prompt, the translation, every completion and score."""
    from rich.console import Console

    from cards.show import print_chain
    from cards.trace import chain

    print_chain(chain(name, prompt_id, language, revision), Console())


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


def _codes(names: Sequence[str] | None) -> tuple[str, ...] | None:
    from cards.languages import languages

    return languages(name for group in names for name in group.split(",")) if names else None


def _recipe(
    path: Path, values: Sequence[str] | None, overlay: Sequence[Path] | None, languages: Sequence[str] | None, limit: int | None
) -> "Recipe":
    from builders.config import Recipe
    from store.config import read_config

    config = read_config(path, Recipe, _values(values), overlay or ())
    if languages:
        config = config.model_copy(update={"languages": _codes(languages)})
    if limit:
        sample = min(limit, config.prompts.sample or limit)
        config = config.model_copy(update={"prompts": config.prompts.model_copy(update={"sample": sample})})
    return config


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
    except SystemExit as end:
        if end.code == 130:  # Ctrl-C, as typer says it
            print("polypref: stopped; run the same command to go on", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
