"""Mixtures: named subsets of a published table, computed from its rows alone when it is loaded.

A language's prompts are ranked by a seeded hash and taken from the top. So among mixtures of the same
languages, seed and overlap, the larger one contains the smaller one; among mixtures of different languages
this holds as far as their prompts agree.
"""

import difflib
import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from polypref.errors import InputError
from polypref.languages import codes
from polypref.schemas import KEYS, uniform


def _as_names(value: object) -> object:
    """Return one name as a list of names, and anything else as it is."""
    return [value] if isinstance(value, str) else value


class Mixture(BaseModel):
    """A number of rows from each of several languages.

    languages: by any name. rows: from each language.
    overlap: with `same`, prompts that all of the languages have come first, so that every language has the
    same prompts as far as there are enough of them; with `disjoint`, no prompt is taken in two languages.
    allow_short: let a language with too few rows give what it has, instead of raising an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    languages: Annotated[tuple[str, ...], BeforeValidator(_as_names), AfterValidator(codes.languages)] = (
        Field(min_length=1)
    )
    rows: int = Field(gt=0)
    overlap: Literal["same", "disjoint"] = "same"
    seed: int = 0
    allow_short: bool = False


ML_5 = ("eng_Latn", "vie_Latn", "deu_Latn", "tur_Latn", "por_Latn")
NAMED: Mapping[str, Mixture] = MappingProxyType(
    {  # arXiv 2407.02552, section 3; 23 x 2,174 = 50,002
        "en-1-50k": Mixture(languages=("eng_Latn",), rows=50_000),
        "ml-5-50k": Mixture(languages=ML_5, rows=10_000),
        "ml-23-50k": Mixture(languages=codes.PAPER_23, rows=2_174),
        "ml-23-230k": Mixture(languages=codes.PAPER_23, rows=10_000),
    }
)


def parse_mixture(value: "str | Mixture | Mapping[str, object]") -> Mixture:
    """Return the mixture of this name or with these fields; `name` among them gives the others' defaults.

    Raises InputError for an unknown name or a wrong field.
    """
    if isinstance(value, Mixture):
        return value
    if isinstance(value, str):
        if value in NAMED:
            return NAMED[value]
        near = difflib.get_close_matches(value, NAMED, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(NAMED)}"
        raise InputError(f"unknown mixture {value!r}; {hint}")
    try:
        fields = dict(value)
        if "name" in fields:
            fields = parse_mixture(str(fields.pop("name"))).model_dump() | fields
        return Mixture.model_validate(fields)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        reason = problem["msg"].removeprefix("Value error, ")
        raise InputError(f"mixture: {field}: found {problem['input']!r}: {reason}") from None


def select_rows(frame: pl.DataFrame | pl.LazyFrame, mixture: Mixture) -> pl.DataFrame:
    """Return the rows of a published table that `mixture` takes, sorted by language and key.

    Raises InputError for the first language with too few rows, unless the mixture allows that.
    """
    rows = frame.lazy().filter(pl.col("language").is_in(mixture.languages))
    key = _key_columns(rows.collect_schema().names())
    # The keys alone are collected and ranked; the texts are read once, for the rows that are taken.
    keys = rows.select(key).collect()
    ranked = _rank_prompts(keys.select("prompt_id", "language").unique(), mixture)
    taken = (
        keys.join(ranked, on=["prompt_id", "language"])
        .sort("place", *key)
        .group_by("language", maintain_order=True)
        .head(mixture.rows)
        .drop("place")
    )
    counts = dict(taken["language"].value_counts().iter_rows())
    for language in mixture.languages:
        count = counts.get(language, 0)
        if count < mixture.rows and not mixture.allow_short:
            unique = " that no other language has" if mixture.overlap == "disjoint" else ""
            raise InputError(
                f"mixture: {language}: have {count} rows{unique}, want {mixture.rows}; "
                "allow_short takes what there is"
            )
    return rows.join(taken.lazy(), on=key, how="semi").sort(key).collect()


def _key_columns(columns: list[str]) -> list[str]:
    """Return the key columns that a table has, `language` first."""
    names = dict.fromkeys(["language", *itertools.chain.from_iterable(KEYS.values())])
    return [name for name in names if name in columns]


def _rank_prompts(prompts: pl.DataFrame, mixture: Mixture) -> pl.DataFrame:
    """Return prompt_id, language and `place`: the order in which a language's prompts are taken.

    Places do not depend on the number of rows wanted: that is why mixtures nest.
    """
    salt = f"mixture {mixture.seed}"
    ids = sorted(prompts["prompt_id"].unique().to_list(), key=lambda prompt: (uniform(prompt, salt), prompt))
    places = pl.DataFrame(
        {"prompt_id": ids, "place": range(len(ids))}, schema_overrides={"prompt_id": pl.String}
    )
    placed = prompts.join(places, on="prompt_id")
    if mixture.overlap == "same":
        in_all = pl.len().over("prompt_id") == len(mixture.languages)
        return placed.with_columns(place=pl.when(in_all).then("place").otherwise(pl.col("place") + len(ids)))
    # Dealt like cards: the prompt in place n goes to language n, or to the next one that has it.
    seats = pl.DataFrame({"language": mixture.languages, "seat": range(len(mixture.languages))})
    distance = (pl.col("seat") - pl.col("place")) % len(mixture.languages)
    dealt = placed.join(seats, on="language").filter(distance == distance.min().over("prompt_id"))
    return dealt.drop("seat")
