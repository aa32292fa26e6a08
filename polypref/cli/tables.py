"""polypref filter, translate and complete: the stages of a build on any table."""

from pathlib import Path
from typing import Annotated

import typer

from polypref.cli.options import AcceptFailures, TableFile, TableWorkdir, TextColumn, split_commas

commands = typer.Typer()


@commands.command(
    "filter", epilog="Example: polypref filter answers.jsonl --text answer --language de -o checked.jsonl"
)
def filter_rows(
    file: TableFile,
    text: TextColumn,
    language: Annotated[
        str, typer.Option(metavar="COLUMN|NAME", help="The column of languages, or the language of all rows.")
    ],
    source: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that the texts were translated from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The table to write: .jsonl, .csv, .tsv or .parquet.")
    ] = None,
    filters: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML: one threshold per filter, as in a recipe.")
    ] = None,
    explain: Annotated[
        int | None, typer.Option(metavar="ROW", min=1, help="Show every measure of one row, counted from 1.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask-private", help="Replace e-mail and IP addresses, phone numbers and keys.")
    ] = False,
) -> None:
    """Apply the build's filters to a table: write it back with the measures and `rejected_by`, and print the funnel."""
    from polypref.builders.filters.apply import Filters
    from polypref.builders.tables.filter import explain_row, filter_table, print_funnel
    from polypref.config import read_config

    wanted = read_config(filters, Filters) if filters else Filters()
    if explain is not None:
        for name, measure, threshold in explain_row(file, text, language, wanted, explain, source):
            print(f"{name:20} {measure:>12} {threshold:>10}".rstrip())
        return
    print_funnel(filter_table(file, text, language, wanted, source, out, mask))


@commands.command(
    epilog="Example: polypref translate prompts.jsonl -o out.jsonl --to de,sw --translator ct2:facebook/nllb-200-distilled-600M"
)
def translate(
    file: TableFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="The table to write: .jsonl or .parquet.")],
    to: Annotated[
        list[str],
        typer.Option(help="Target languages, by any name; separate by commas or repeat the option."),
    ],
    translator: Annotated[
        str, typer.Option(metavar="ENGINE:MODEL", help="ct2:MODEL, hf:MODEL, http:MODEL, or pseudo.")
    ],
    text: TextColumn = "prompt",
    base_url: Annotated[str | None, typer.Option(help="The server of http:MODEL.")] = None,
    workdir: TableWorkdir = None,
) -> None:
    """Translate a table and keep the structure of its texts; a row that lost something names it in `rejected_by`."""
    from polypref.builders.tables.translate import parse_translator, translate_table
    from polypref.store.workdir import Workdir

    config = parse_translator(translator, base_url)
    with Workdir(workdir or out.with_name(f"{out.name}.work")) as opened:
        reasons = translate_table(file, text, split_commas(to), config, out, opened)
    print(", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) + f": {out}")


@commands.command(
    epilog="Example: polypref complete in.jsonl -o out.jsonl --text question --base-url http://localhost:8000/v1 --model my-model"
)
def complete(
    file: TableFile,
    out: Annotated[Path, typer.Option("-o", "--out", help="The table to write: .jsonl or .parquet.")],
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible server, up to and including its /v1.")],
    model: Annotated[str, typer.Option(help="The model's name on the server.")],
    text: TextColumn = "prompt",
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="COLUMN", help="The rows' ids; `id` by default, else a hash of the row."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.3,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Nucleus sampling.")] = 0.75,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer, in tokens.")] = 1024,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Most calls at once; fewer while the server refuses some.")
    ] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds after which a call is given up.")] = 600.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a transient failure is retried.")] = 6,
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable that holds the key.")
    ] = "OPENAI_API_KEY",
    workdir: TableWorkdir = None,
    accept_failures: AcceptFailures = False,
) -> None:
    """Complete every row of a table. Run it again to continue after a stop; answered rows are not asked again."""
    from polypref.builders.tables.complete import complete_table
    from polypref.builders.tables.read import Table
    from polypref.engines.config import HttpGenerator, Sampling
    from polypref.store.workdir import Workdir

    engine = HttpGenerator(
        kind="http",
        base_url=base_url,
        model=model,
        system=system,
        sampling=Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens),
        concurrency=concurrency,
        timeout=timeout,
        retries=retries,
        key_env=key_env,
    )
    table = Table(path=file, text=text, id=(id_column,) if id_column else ())
    with Workdir(workdir or out.with_name(f"{out.name}.work")) as opened:
        rows = complete_table(table, out, engine, opened, accept_failures=accept_failures)
    print(f"{rows:,} rows: {out}")
