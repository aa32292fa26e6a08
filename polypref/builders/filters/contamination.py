"""Overlap with evaluation sets: prompts that hold an evaluation item, or most of one, by runs of characters, so in every script.

It does not know translations of an item into another language, and paraphrases.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from polypref.builders.filters.duplicates import runs
from polypref.builders.tables.read import Table, messages, read
from polypref.languages.scripts import is_dense

RUN = {False: 16, True: 6}  # characters of a run; where one character stands for a syllable or a word, fewer
LEAST = 8  # runs of an item; a shorter one is in many texts by chance


def evaluation_items(tables: Iterable[Table]) -> list[str]:
    """The texts of evaluation sets; of an item with several turns each of the user's, for a prompt may hold the first alone."""
    items = []
    for table in tables:
        for row in read(table):
            for turn in row.text if isinstance(row.text, list) else [row.text]:
                items += [message["content"] for message in messages(turn, "all") or []]
    return list(dict.fromkeys(items))


def overlaps(texts: Sequence[str], items: Sequence[str]) -> list[float]:
    """For each text the largest share of an evaluation item's runs that it holds, 0 to 1; items of few letters are not looked for."""
    found = [0.0] * len(texts)
    for dense in (False, True):
        index: dict[str, list[int]] = defaultdict(list)
        sizes: dict[int, int] = {}
        for number, item in enumerate(items):
            if _dense(item) == dense and len(of_item := runs(item, RUN[dense])) >= LEAST:
                sizes[number] = len(of_item)
                for run in of_item:
                    index[run].append(number)
        if sizes:
            found = [
                max(before, _overlap(text, index, sizes, RUN[dense]))
                for before, text in zip(found, texts, strict=True)
            ]
    return found


def _overlap(text: str, index: dict[str, list[int]], sizes: dict[int, int], length: int) -> float:
    counts = Counter(number for run in runs(text, length) for number in index.get(run, ()))
    return max((count / sizes[number] for number, count in counts.items()), default=0.0)


def _dense(text: str) -> bool:
    """Return whether most letters of a text stand for a syllable or a word each."""
    letters = [character for character in text if character.isalpha()]
    return sum(map(is_dense, letters)) > len(letters) / 2
