"""Options that several commands share, and how a recipe is read with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polypref.errors import InputError
from polypref.files import refuse_folder

if TYPE_CHECKING:
    from polypref.builders.recipe import Recipe
    from polypref.store.workdir import Workdir

RecipeFile = Annotated[
    Path,
    typer.Argument(metavar="RECIPE", help="A recipe (YAML), or the name of a shipped one, such as demo."),
]
Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value for ${NAME} in the recipe.")
]
Overlay = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="YAML to merge over the recipe.")]
WorkdirPath = Annotated[
    str | None,
    typer.Option(
        "--workdir",
        metavar="FOLDER",
        help="Where work is kept: a folder or s3://BUCKET/NAME; by default runs/RECIPE.",
    ),
]
Languages = Annotated[
    list[str] | None,
    typer.Option(metavar="NAMES", help="Only these languages, such as de,Swahili,tha_Thai; repeatable."),
]
Language = typer.Option(metavar="NAME", help="A language by any name, such as de, German or deu_Latn.")
Limit = Annotated[
    int | None, typer.Option(metavar="NUMBER", min=1, help="At most this many prompts per language.")
]
Revision = Annotated[str | None, typer.Option(metavar="NAME", help="A branch, tag or commit.")]
Output = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="The folder to write, instead of the recipe's.")
]

# The commands on users' tables: filter, translate, complete.
TableFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A table: .jsonl, .json, .csv, .tsv or .parquet, also .gz.")
]
_OUT = typer.Option("-o", "--out", metavar="FILE", help="The table to write: .jsonl, .csv, .tsv or .parquet.")
TableOut = Annotated[Path, _OUT]
OptionalTableOut = Annotated[Path | None, _OUT]
TextColumn = Annotated[
    str, typer.Option(metavar="COLUMN", help="The column of texts: strings, lists of strings, or messages.")
]
TableWorkdir = Annotated[
    Path | None,
    typer.Option("--workdir", metavar="FOLDER", help="Where answers are kept; by default OUT.work."),
]
AcceptFailures = Annotated[
    bool, typer.Option("--accept-failures", help="Keep calls that fail now as failures for good.")
]
RetryFailures = Annotated[
    bool, typer.Option("--retry-failures", help="Ask again for what was kept as a failure.")
]

RECIPES = Path(__file__).parent.parent / "recipes"


def recipe_path(recipe: Path) -> Path:
    """Return the path itself or, if there is no such file, the shipped recipe of that name."""
    shipped = RECIPES / f"{recipe.name.removesuffix('.yaml')}.yaml"
    if not recipe.exists() and recipe.parent == Path() and shipped.exists():
        return shipped
    return recipe


def open_workdir(workdir: Path | None, out: Path) -> "Workdir":
    """Return the work dir of a command on a table, not entered yet; raise InputError for a folder `out`."""
    from polypref.store.workdir import Workdir

    refuse_folder(out)  # before a work dir is made beside it

    return Workdir(workdir or out.with_name(f"{out.name}.work"))


def split_commas(names: Sequence[str] | None) -> list[str]:
    """Split each of the repeated values of an option at its commas."""
    return ",".join(names).split(",") if names else []


def language_codes(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the FLORES-200 codes of language names; None if none are given."""
    from polypref.languages.codes import languages

    return languages(split_commas(names)) if names else None


def parse_values(values: Sequence[str] | None) -> dict[str, str]:
    """Parse the values of --set. Raises InputError for one without `=`."""
    for value in values or ():
        if "=" not in value:
            raise InputError(f"--set {value}: expected NAME=VALUE")
    return dict(value.split("=", 1) for value in values or ())


def read_recipe(
    path: Path,
    values: Sequence[str] | None,
    overlay: Sequence[Path] | None,
    languages: Sequence[str] | None,
    limit: int | None,
) -> "Recipe":
    """Read a build recipe, changed as the options of the command line say."""
    from polypref.builders.recipe import Recipe
    from polypref.config import read_config

    overrides = {"languages": language_codes(languages)}
    recipe = read_config(path, Recipe, parse_values(values), overlay or (), overrides)
    if limit:
        sample = min(limit, recipe.prompts.sample or limit)
        recipe = recipe.model_copy(update={"prompts": recipe.prompts.model_copy(update={"sample": sample})})
    return recipe
