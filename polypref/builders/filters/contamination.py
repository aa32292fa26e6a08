"""Overlap with evaluation sets: prompts that contain an evaluation item, or most of one.

Items and prompts are compared by runs of characters, so in every script. Translations of an item into another
language and paraphrases are not detected.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from polypref.builders.filters.duplicates import runs
from polypref.builders.tables.read import Table, read_rows
from polypref.builders.tables.texts import read_message, read_turns
from polypref.languages.scripts import is_dense

RUN = 16  # characters of a run
DENSE_RUN = 6  # the same where one character stands for a syllable or a word
MIN_RUNS = 8  # items with fewer runs are skipped: they are in many texts by chance


def evaluation_items(tables: Iterable[Table]) -> list[str]:
    """Return the texts of evaluation sets, each once.

    Every user turn is an item of its own: a prompt may contain only the first turn of a conversation.
    """
    items = []
    for table in tables:
        for row in read_rows(table):
            for turn in read_turns(row.text):
                message = read_message(turn)
                if message is not None and message["role"] == "user":
                    items.append(message["content"])
    return list(dict.fromkeys(items))


def overlaps(texts: Sequence[str], items: Sequence[str]) -> list[float]:
    """Return for each text the largest share (0 to 1) of an item's runs that the text contains."""
    alphabetic = [item for item in items if not _is_dense(item)]
    dense = [item for item in items if _is_dense(item)]
    pairs = zip(_overlaps(texts, alphabetic, RUN), _overlaps(texts, dense, DENSE_RUN), strict=True)
    return [max(pair) for pair in pairs]


def _overlaps(texts: Sequence[str], items: Sequence[str], length: int) -> list[float]:
    """Do the work of `overlaps` for items that are compared by runs of `length` characters."""
    numbers_by_run: dict[str, list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for number, item in enumerate(items):
        item_runs = runs(item, length)
        if len(item_runs) >= MIN_RUNS:
            sizes[number] = len(item_runs)
            for run in item_runs:
                numbers_by_run[run].append(number)
    if not sizes:
        return [0.0] * len(texts)
    shares = []
    for text in texts:
        shared: Counter[int] = Counter()
        for run in runs(text, length):
            shared.update(numbers_by_run.get(run, ()))
        shares.append(max((count / sizes[number] for number, count in shared.items()), default=0.0))
    return shares


def _is_dense(text: str) -> bool:
    """Return True where most letters of a text stand for a syllable or a word each."""
    letters = [character for character in text if character.isalpha()]
    return sum(map(is_dense, letters)) > len(letters) / 2
