"""Multilingual preference data: build it, publish it, train on it, and measure the effect in every language.

    import polypref

    pairs = polypref.load("ORG/NAME", language="de")

Importing polypref is cheap: what a function needs is imported when it is called.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from polypref.errors import BudgetReached, InputError, PolyprefError, Unavailable
from polypref.version import __version__

if TYPE_CHECKING:
    import polars as pl
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

    from polypref.cards.mixtures import Mixture

__all__ = ["BudgetReached", "InputError", "PolyprefError", "Unavailable", "__version__", "load", "scan"]


def load(
    name: str,
    *,
    language: str | Sequence[str] | None = None,
    mixture: "str | Mixture | Mapping[str, object] | None" = None,
    revision: str | None = None,
    split: str | None = None,
    streaming: bool = False,
) -> "Dataset | DatasetDict | IterableDataset | IterableDatasetDict":
    """Load a published dataset from the Hub ("ORG/NAME") or a folder.

    Args:
        name: A Hub id or a published folder.
        language: Any name of a language, or several: `de`, `deu_Latn`, `German`. All languages by default.
        mixture: A named subset such as "ml-5-50k", or the fields of your own (see
            `polypref.cards.mixtures.Mixture`).
        revision: A branch, tag or commit of the repository. Its rows are loaded, or an error is raised;
            with HF_HUB_OFFLINE=1, from the cache.
        split: "train" or "test", or parts such as "train[:100]". Both by default, as a DatasetDict.
        streaming: Read rows as they are used instead of downloading them first.

    Raises:
        InputError: The dataset, language, split or revision does not exist.
        Unavailable: The Hub cannot be reached.
    """
    from polypref.cards.load import load_published

    return load_published(
        name, language=language, mixture=mixture, revision=revision, split=split, streaming=streaming
    )


def scan(
    name: str,
    *,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    revision: str | None = None,
) -> "pl.LazyFrame":
    """Scan the rows of a published dataset as a polars LazyFrame; see `load` for the arguments.

    The files that are needed are downloaded first. `languages` are by any names, all by default.
    """
    from polypref.cards.load import scan_published

    return scan_published(name, languages=languages, split=split, revision=revision)


def __dir__() -> list[str]:
    return __all__
