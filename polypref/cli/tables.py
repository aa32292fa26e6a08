"""polypref filter, translate and complete: the stages of a build on any table."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from polypref.cli import options

commands = typer.Typer()

# The options of complete.
BaseUrl = Annotated[
    str, typer.Option(metavar="URL", help="An OpenAI-compatible server, up to and including its /v1.")
]
ModelName = Annotated[str, typer.Option(metavar="NAME", help="The model's name on the server.")]
IdColumn = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="The rows' ids; by default `id`, or else a hash of the row."),
]
System = Annotated[str | None, typer.Option(metavar="TEXT", help="A system prompt.")]
Temperature = Annotated[float, typer.Option(metavar="NUMBER", min=0.0, help="0 is greedy.")]
TopP = Annotated[float, typer.Option(metavar="NUMBER", min=0.0, max=1.0, help="Nucleus sampling.")]
MaxTokens = Annotated[int, typer.Option(metavar="NUMBER", min=1, help="The longest answer, in tokens.")]
Concurrency = Annotated[
    int,
    typer.Option(metavar="NUMBER", min=1, help="The most calls at once; fewer if the server objects."),
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait for an answer.")]
Retries = Annotated[
    int, typer.Option(metavar="NUMBER", min=0, help="How often to retry a transient failure.")
]
StartSeconds = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for a server that is starting.")
]
Settings = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A YAML file with more settings of the server, as in a recipe."),
]
KeyEnv = Annotated[str, typer.Option(metavar="NAME", help="The environment variable that holds the API key.")]


@commands.command(
    "filter", epilog="Example: polypref filter answers.jsonl --text answer --language de -o checked.jsonl"
)
def filter_rows(
    file: options.TableFile,
    text: options.TextColumn,
    language: Annotated[
        str,
        typer.Option(
            metavar="COLUMN|NAME", help="The column of the rows' languages, or the language of all rows."
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of the originals, if the texts are translations."),
    ] = None,
    out: options.OptionalTableOut = None,
    filters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A YAML file with a threshold per filter, as in a recipe."),
    ] = None,
    explain: Annotated[
        int | None,
        typer.Option(metavar="ROW", min=1, help="Only show every measure of this row, counted from 1."),
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask-private", help="Replace e-mail and IP addresses, phone numbers and keys.")
    ] = False,
    workdir: options.TableWorkdir = None,
) -> None:
    """Filter a table's rows as a build does.

    Prints how many rows each filter rejects. The output holds all rows, with a column for each measure and
    the name of the rejecting filter in `rejected_by`.
    """
    from polypref.builders.filters.apply import Filters
    from polypref.builders.tables.filter import check_funnel, explain_row, filter_table, print_funnel
    from polypref.builders.tables.read import Table
    from polypref.config import read_config

    table = Table(path=file, text=text, language=language)
    thresholds = read_config(filters, Filters) if filters else Filters()
    # Of the filters only quality, which asks a model, has answers to keep.
    with options.open_workdir(workdir, out or file) if thresholds.quality else nullcontext() as opened:
        if explain is not None:
            for name, measure, threshold in explain_row(table, thresholds, explain, source, opened):
                print(f"{name:20} {measure:>12} {threshold:>10}".rstrip())
        else:
            funnel = filter_table(table, thresholds, source, out, mask, opened)
            print_funnel(funnel)
            check_funnel(funnel, out or file)


@commands.command(
    epilog="Example: polypref translate prompts.csv -o out.csv --to de,sw "
    "--translator ct2:facebook/nllb-200-distilled-600M"
)
def translate(
    file: options.TableFile,
    out: options.TableOut,
    to: Annotated[
        list[str],
        typer.Option(
            metavar="LANGUAGES",
            help="Target languages, by any name; separate by commas or repeat the option.",
        ),
    ],
    translator: Annotated[
        str, typer.Option(metavar="ENGINE:MODEL", help="ct2:MODEL, hf:MODEL, http:MODEL, or pseudo.")
    ],
    text: options.TextColumn = "prompt",
    language: Annotated[
        str,
        typer.Option(
            metavar="COLUMN|NAME",
            help="The column of the rows' languages, or the language of all rows; others than English "
            "are not translated.",
        ),
    ] = "English",
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The server of http:MODEL, with its /v1.")
    ] = None,
    workdir: options.TableWorkdir = None,
    accept_failures: options.AcceptFailures = False,
    retry_failures: options.RetryFailures = False,
) -> None:
    """Translate a table's texts and keep their structure.

    Each row comes back once per language, with `language` and `rejected_by`, which names what a translation
    lost. Run it again to continue after a stop; answered requests are not asked again.
    """
    from polypref.builders.tables.read import Table
    from polypref.builders.tables.translate import parse_translator, translate_table

    table = Table(path=file, text=text, language=language)
    config = parse_translator(translator, base_url)
    with options.open_workdir(workdir, out) as opened:
        failures = accept_failures, retry_failures
        reasons = translate_table(table, options.split_commas(to), config, out, opened, *failures)
    print(", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) + f": {out}")


@commands.command(
    epilog="Example: polypref complete in.jsonl -o out.jsonl --text question "
    "--base-url http://localhost:8000/v1 --model my-model"
)
def complete(
    file: options.TableFile,
    out: options.TableOut,
    base_url: BaseUrl,
    model: ModelName,
    text: options.TextColumn = "prompt",
    id_column: IdColumn = None,
    system: System = None,
    temperature: Temperature = 0.3,
    top_p: TopP = 0.75,
    max_tokens: MaxTokens = 1024,
    concurrency: Concurrency = 64,
    timeout: Timeout = 600.0,
    retries: Retries = 6,
    start_seconds: StartSeconds = 180.0,
    key_env: KeyEnv = "OPENAI_API_KEY",
    settings: Settings = None,
    workdir: options.TableWorkdir = None,
    accept_failures: options.AcceptFailures = False,
    retry_failures: options.RetryFailures = False,
) -> None:
    """Complete a table's prompts with a model on a server.

    Run it again to continue after a stop; answered rows are not asked again.
    """
    from polypref.builders.tables.complete import complete_table
    from polypref.builders.tables.read import Table
    from polypref.config import check_config, read_yaml
    from polypref.engines.config import HttpGenerator

    engine = {
        "kind": "http",
        "base_url": base_url,
        "model": model,
        "system": system,
        "sampling": {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens},
        "concurrency": concurrency,
        "timeout": timeout,
        "retries": retries,
        "start_seconds": start_seconds,
        "key_env": key_env,
        **(read_yaml(settings) if settings else {}),
    }
    config = check_config(HttpGenerator, engine, "complete")
    table = Table(path=file, text=text, id=(id_column,) if id_column else ())
    with options.open_workdir(workdir, out) as opened:
        rows = complete_table(table, out, config, opened, accept_failures, retry_failures)
    print(f"{rows:,} rows: {out}")
