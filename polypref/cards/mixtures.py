"""Named subsets of a published table: so many rows a language, computed when it is loaded, from its rows alone.

A language's prompts are ranked by a seeded hash and taken from the top: among mixtures of the same languages, seed and overlap
the smaller one is contained in the larger one. Between mixtures of other languages it is so only as far as the prompts agree.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from polypref.errors import InputError
from polypref.languages.codes import PAPER_23
from polypref.languages.codes import languages as codes
from polypref.schemas import KEYS, uniform


class Mixture(BaseModel):
    """`rows` rows of each language; languages by any name.

    overlap `same`: the prompts that stand in all of the languages come first, so that every language has the same ones as far
    as there are enough; `disjoint`: no prompt is taken in two languages. `allow_short`: a language that has too few gives what
    it has, instead of an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    languages: Annotated[tuple[str, ...], AfterValidator(codes)] = Field(min_length=1)
    rows: int = Field(gt=0)
    overlap: Literal["same", "disjoint"] = "same"
    seed: int = 0
    allow_short: bool = False


NAMED: Mapping[str, Mixture] = MappingProxyType(
    {  # arXiv 2407.02552, section 3; 23 x 2,174 = 50,002
        "en-1-50k": Mixture(languages=("eng_Latn",), rows=50_000),
        "ml-5-50k": Mixture(
            languages=("eng_Latn", "vie_Latn", "deu_Latn", "tur_Latn", "por_Latn"), rows=10_000
        ),
        "ml-23-50k": Mixture(languages=PAPER_23, rows=2_174),
        "ml-23-230k": Mixture(languages=PAPER_23, rows=10_000),
    }
)


def mixture(wanted: "str | Mixture | Mapping[str, object]") -> Mixture:
    """A mixture by name, as it is, or from its fields. Raises InputError for an unknown name or a wrong field."""
    if isinstance(wanted, Mixture):
        return wanted
    if isinstance(wanted, str):
        if wanted not in NAMED:
            near = difflib.get_close_matches(wanted, NAMED, n=1)
            raise InputError(
                f"unknown mixture {wanted!r}; "
                + (f"did you mean {near[0]!r}?" if near else f"expected {', '.join(NAMED)}")
            )
        return NAMED[wanted]
    try:
        return Mixture.model_validate(dict(wanted))
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(
            f"mixture: {'.'.join(map(str, problem['loc']))}: found {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
        ) from None


def apply(frame: pl.DataFrame | pl.LazyFrame, mixture: Mixture) -> pl.DataFrame:
    """The rows of `frame` (any table with prompt_id and language) that `mixture` takes, sorted by language and key.

    Raises InputError with have and want for the first language that has too few rows, unless the mixture allows it.
    """
    rows = frame.lazy().filter(pl.col("language").is_in(mixture.languages))
    columns = rows.collect_schema().names()
    key = [
        "language",
        *dict.fromkeys(
            c for table_key in KEYS.values() for c in table_key if c in columns and c != "language"
        ),
    ]
    keys = rows.select(key).collect()
    ranked = _ranked(keys.select("prompt_id", "language").unique(), mixture)
    taken = (
        keys.join(ranked, on=["prompt_id", "language"])
        .sort("place", *key)
        .group_by("language", maintain_order=True)
        .head(mixture.rows)
        .drop("place")
    )
    have = dict(taken["language"].value_counts().iter_rows())
    for language in mixture.languages:
        if have.get(language, 0) < mixture.rows and not mixture.allow_short:
            alone = " that no other language has" if mixture.overlap == "disjoint" else ""
            raise InputError(
                f"mixture: {language}: have {have.get(language, 0)} rows{alone}, want {mixture.rows}; allow_short takes them"
            )
    return rows.join(taken.lazy(), on=key, how="semi").sort(key).collect()


def _ranked(prompts: pl.DataFrame, mixture: Mixture) -> pl.DataFrame:
    """prompt_id, language, place: the order in which a language's prompts are taken.

    Places do not depend on how many rows are wanted: that nests the mixtures.
    """
    ids = sorted(
        prompts["prompt_id"].unique().to_list(),
        key=lambda prompt: (uniform(prompt, f"mixture {mixture.seed}"), prompt),
    )
    placed = prompts.join(
        pl.DataFrame({"prompt_id": ids, "place": range(len(ids))}, schema_overrides={"prompt_id": pl.String}),
        on="prompt_id",
    )
    if mixture.overlap == "same":
        in_all = pl.len().over("prompt_id") == len(mixture.languages)
        return placed.with_columns(place=pl.when(in_all).then("place").otherwise(pl.col("place") + len(ids)))
    # Dealt like cards: the prompt in place n goes to language n, or to the next one that has it.
    seats = pl.DataFrame({"language": mixture.languages, "seat": range(len(mixture.languages))})
    distance = (pl.col("seat") - pl.col("place")) % len(mixture.languages)
    dealt = placed.join(seats, on="language").filter(distance == distance.min().over("prompt_id"))
    return dealt.drop("seat")
