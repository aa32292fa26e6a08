"""The recipe of a build, as YAML: one config for each stage, in the order in which a row passes them."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from polypref.builders.filters.apply import Filters
from polypref.builders.tables.read import Import, Pairs, Rows, Table
from polypref.config import Config, Name, Operational, merge_keys
from polypref.engines.budget import Budget
from polypref.engines.config import Generator, RewardModel, Translator, VllmRewardModel

PIVOT = "eng_Latn"  # the language that everything is translated from


class Prompts(Config):
    """The sources of prompts, the reasons to reject them, and the number to keep in each language (`sample`).

    near_duplicates: one of two prompts that are so similar is rejected; 0.8 is usual, None rejects none
    overlap: a prompt is rejected if it contains so large a share of an item of the `evaluation_sets`.
    """

    sources: tuple[Table, ...] = Field(min_length=1)
    turns: Literal["first", "all"] = "first"
    filters: Filters = Filters()
    near_duplicates: float | None = Field(None, gt=0, le=1)
    evaluation_sets: tuple[Table, ...] = ()
    overlap: float = Field(0.6, gt=0, le=1)
    sample: int | None = Field(None, gt=0)


class Translate(Config):
    """A translator, or a table of translated prompts, and the reasons to reject translations.

    The translator also translates the completions of generators with a pivot.
    back_translation: the lowest chrF (0 to 100) of the English sentences translated there and back.
    """

    engine: Translator | None = None
    imported: Import | None = Field(None, alias="import")
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
    def table(self) -> Table | None:
        """The table that the translated prompts come from, if there is one."""
        return self.imported

    @property
    def translator(self) -> str:
        """The engine's name in the tables: the last part of its model's name."""
        assert self.engine is not None
        return self.engine.model.rstrip("/").rsplit("/", 1)[-1]


class Completer(Config):
    """One generator: an engine, or a table of completions or of ready pairs.

    With a `pivot` it writes in that language only.

    Its completions are then translated.
    """

    engine: Generator | None = None
    imported: Import | None = Field(None, alias="import")
    pairs: Pairs | None = None
    samples: int = Field(1, gt=0, le=1000)
    pivot: Literal["eng_Latn"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Completer":
        if [self.engine, self.imported, self.pairs].count(None) != 2:
            raise ValueError("expected either 'engine' or 'import'")
        return self

    @property
    def table(self) -> Table | None:
        """The table that the completions come from, if there is one."""
        return self.pairs.table if self.pairs else self.imported


class Complete(Config):
    """The generators by name, and the filters of their completions."""

    generators: dict[Name, Completer] = Field(min_length=1)
    filters: Filters = Filters()

    @property
    def has_pivot(self) -> bool:
        """True if a generator writes in English and is translated."""
        return any(generator.pivot for generator in self.generators.values())


class LanguageRule(Config):
    """Scores a completion by the share of its lines that are in the wanted language."""

    kind: Literal["language_rule"]


class ImportedScores(Rows):
    """Scores of completions from a table, with the names of its columns; `id` and `source` as in an import.

    annotators: who gave the scores, for the cards.
    """

    kind: Literal["import"]
    id: tuple[str, ...] = Field(min_length=1)
    source: str | None = None
    language: str = "language"
    generator: str = "generator"
    score: str = "score"
    annotators: Operational[Literal["human", "model"]] = "model"

    @property
    def table(self) -> Rows:
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.generator, self.score


class PairScores(Config):
    """The scores of ready pairs."""

    kind: Literal["pairs"]
    generator: str
    pairs: Pairs

    @property
    def annotators(self) -> str:
        return self.pairs.annotators

    @property
    def table(self) -> Table:
        return self.pairs.table


Scorer = Annotated[
    RewardModel | VllmRewardModel | LanguageRule | ImportedScores | PairScores, Field(discriminator="kind")
]


class Pair(Config):
    """The choice of two completions of a prompt by their scores, which must differ by `margin`.

    native-vs-translated: a native and a translated one; the higher score is chosen (the paper).
    native-chosen: the native one is chosen; it must score higher than the translated one.
    native-vs-native, translate-all: the best and the worst of the native ones, of the translated ones.
    best-vs-worst: the best and the worst of all.
    """

    builder: Literal[
        "native-vs-translated", "native-chosen", "native-vs-native", "translate-all", "best-vs-worst"
    ] = "native-vs-translated"
    scorer: str
    margin: float = Field(0.0, ge=0)


class Publish(Config):
    """The texts of the published cards, and the share of prompts in the test split.

    Without a `license`, the cards name the one that follows from those of sources and models, if known.
    """

    name: Name
    title: str
    license: str | None = None
    test_share: float = Field(0.1, ge=0, lt=1)
    notes: tuple[str, ...] = ()


class Recipe(Config):
    """A whole build.

    pairs: ready pairs, in place of a source of prompts, a generator, a scorer and the choice of pairs, which
    the other sections may add to.
    throughput: tokens per second by generator or scorer, or of `translate`, for `polypref plan`.
    """

    languages: Operational[tuple[str, ...]]
    seed: int = 0
    pairs: Pairs | None = None
    prompts: Prompts
    translate: Translate | None = None
    complete: Complete
    score: dict[Name, Scorer] = Field(min_length=1)
    pair: Pair
    publish: Publish
    budget: Operational[Budget] = Budget()
    throughput: Operational[dict[str, float]] = Field({})

    @model_validator(mode="before")
    @classmethod
    def _expand_pairs(cls, tree: Any) -> Any:
        if not isinstance(tree, dict) or not tree.get("pairs"):
            return tree
        try:
            pairs = Pairs.model_validate(tree["pairs"])
        except ValidationError:  # raised again for the field, with its place
            return tree
        scorer = pairs.annotators
        name = pairs.table.name
        name = name.partition(".")[0] if pairs.table.path else name.rpartition("/")[2]
        generator = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-") or "pairs"
        sections = {
            "prompts": {"sources": [pairs.table], "turns": "all"},
            "complete": {"generators": {generator: {"pairs": pairs}}},
            "score": {scorer: {"kind": "pairs", "generator": generator, "pairs": pairs}},
            "pair": {"builder": "best-vs-worst", "scorer": scorer},
        }
        return merge_keys(sections, tree)

    @model_validator(mode="after")
    def _names_exist(self) -> "Recipe":
        if self.pair.scorer not in self.score:
            raise ValueError(
                f"pair.scorer: unknown scorer '{self.pair.scorer}'; expected one of {', '.join(self.score)}"
            )
        sources = dict.fromkeys(source.name for source in self.prompts.sources)
        for place, table in self.imports().items():
            if len(sources) > 1 and table.source is None:
                raise ValueError(
                    f"{place}: its ids may belong to {' or '.join(sources)}; "
                    "expected `source`, which names one of them or a column"
                )
            if not table.id and any(source.id for source in self.prompts.sources):
                raise ValueError(
                    f"{place}: expected `id`: the prompts' ids are not the numbers of their rows"
                )
        if self.complete.has_pivot and not (self.translate and self.translate.engine):
            raise ValueError("complete: a generator with a pivot needs translate.engine")
        return self

    def imports(self) -> dict[str, Import | ImportedScores]:
        """Return the tables whose rows belong to prompts of the sources, by their place in the recipe."""
        tables: dict[str, Import | ImportedScores] = {}
        if self.translate and self.translate.imported:
            tables["translate.import"] = self.translate.imported
        for name, completer in self.complete.generators.items():
            if completer.imported:
                tables[f"complete.generators.{name}.import"] = completer.imported
        for name, scorer in self.score.items():
            if isinstance(scorer, ImportedScores):
                tables[f"score.{name}"] = scorer
        return tables

    def translation_filters(self) -> dict[str, Filters]:
        """Return the filters of translated rows by table: `prompts`, and with a pivot `completions`."""
        if self.translate is None:
            return {}
        filters = {"prompts": self.translate.filters}
        if self.complete.has_pivot:
            filters["completions"] = self.complete.filters
        return filters
