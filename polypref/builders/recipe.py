"""The shape of a recipe: what to build, as YAML. One config a stage, in the order in which a row passes through them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from polypref.builders.filters.apply import Filters
from polypref.builders.tables.read import Table
from polypref.config import Config, Operational
from polypref.engines.budget import Budget
from polypref.engines.config import Generator, RewardModel, Translator, VllmRewardModel


class Prompts(Config):
    """Where prompts come from, what is dropped of them, and how many are kept (drawn by hashing their ids).

    `near_duplicates`: the similarity (0.8 is usual) from which one of two prompts of a language goes; none go by default.
    `evaluation_sets`: tables whose items no prompt may hold, or hold an `overlap` of.
    """

    sources: tuple[Table, ...] = Field(min_length=1)
    turns: Literal["first", "all"] = "first"
    filters: Filters = Filters()
    near_duplicates: float | None = Field(None, gt=0, le=1)
    evaluation_sets: tuple[Table, ...] = ()
    overlap: float = Field(0.6, gt=0, le=1)
    sample: int | None = Field(None, gt=0)


class Translate(Config):
    """How English prompts, and completions with a pivot, get into the other languages.

    `back_translation` is the least chrF (0 to 100) between the English sentences and their translation back into English.
    """

    engine: Translator | None = None
    imported: Table | None = Field(None, alias="import")
    filters: Filters = Filters()
    back_translation: float | None = Field(None, gt=0, le=100)

    @model_validator(mode="after")
    def _one_way(self) -> "Translate":
        if (self.engine is None) == (self.imported is None):
            raise ValueError("expected either 'engine' or 'import'")
        if self.back_translation is not None and (self.engine is None or self.engine.kind == "http"):
            raise ValueError("back_translation: expected a translator of sentences ('ct2' or 'hf')")
        return self

    @property
    def translator(self) -> str:
        """The engine's name in the tables: the last part of its model's."""
        assert self.engine is not None
        return self.engine.model.rstrip("/").rsplit("/", 1)[-1]


class Completer(Config):
    """One generator: an engine, or rows that somebody else made. With a `pivot` it writes in that language and is translated."""

    engine: Generator | None = None
    imported: Table | None = Field(None, alias="import")
    samples: int = Field(1, gt=0)
    pivot: Literal["eng_Latn"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Completer":
        if (self.engine is None) == (self.imported is None):
            raise ValueError("expected either 'engine' or 'import'")
        return self


class Complete(Config):
    """The generators by name, and what is dropped of their completions."""

    generators: dict[str, Completer] = Field(min_length=1)
    filters: Filters = Filters()


class LanguageRule(Config):
    """Scores a completion by the share of its lines that are in the wanted language."""

    kind: Literal["language_rule"]


class ImportedScores(Config):
    """Scores that somebody else made: a file with the names of its columns; `id` is the prompt's, as in its source."""

    kind: Literal["import"]
    path: Path
    id: tuple[str, ...]
    language: str = "language"
    generator: str = "generator"
    score: str = "score"


Scorer = Annotated[RewardModel | VllmRewardModel | LanguageRule | ImportedScores, Field(discriminator="kind")]


class Pair(Config):
    """Which two completions of a prompt become chosen and rejected, by whose scores, and by how much they must differ.

    native-vs-translated: two candidates, the higher score is chosen whatever its origin (the paper).
    native-chosen: the chosen one is native and scores higher, else no pair. native-vs-native and translate-all: both of
    that origin. best-vs-worst: of all candidates.
    """

    builder: Literal[
        "native-vs-translated", "native-chosen", "native-vs-native", "translate-all", "best-vs-worst"
    ] = "native-vs-translated"
    scorer: str
    margin: float = Field(0.0, ge=0)


class Publish(Config):
    """What the published folders say, and which share of the prompts is their test split.

    Without a `license` the one holds that follows from those of sources and models, where these are known.
    """

    name: str
    title: str
    license: str | None = None
    test_share: float = Field(0.1, ge=0, lt=1)
    notes: tuple[str, ...] = ()


class Recipe(Config):
    """A whole build."""

    languages: Operational[tuple[str, ...]]
    seed: int = 0
    prompts: Prompts
    translate: Translate | None = None
    complete: Complete
    score: dict[str, Scorer] = Field(min_length=1)
    pair: Pair
    publish: Publish
    budget: Operational[Budget] = Budget()
    throughput: Operational[dict[str, float]] = Field(
        {}
    )  # tokens a second, by generator or scorer, or `translate`: for `polypref plan`

    @model_validator(mode="after")
    def _names_exist(self) -> "Recipe":
        if self.pair.scorer not in self.score:
            raise ValueError(
                f"pair.scorer: unknown scorer '{self.pair.scorer}'; expected one of {', '.join(self.score)}"
            )
        if any(completer.pivot for completer in self.complete.generators.values()) and not (
            self.translate and self.translate.engine
        ):
            raise ValueError("complete: a generator with a pivot needs translate.engine")
        return self
