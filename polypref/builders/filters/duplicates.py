"""Near-duplicates: prompts that say almost the same, by MinHash over runs of characters, in every script.

Of each group the row whose id has the lowest hash stays. Paraphrases are not detected. Two short texts that
differ in one word count as different, and two that differ in punctuation alone as the same. Memory: 512 bytes
of signature a text, and its place in 16 tables.
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import regex

from polypref.schemas import hash16

if TYPE_CHECKING:
    import numpy as np

PERMUTATIONS = 128
# Texts whose signatures agree in a whole band are compared. With bands of 8 numbers, two texts that share 7
# in 10 runs are compared with P = 1 - (1 - 0.7^8)^16 = 0.61, and two that share 8 in 10 with P = 0.95.
BANDS = 16
WIDTH = PERMUTATIONS // BANDS
SIMILARITY = 0.8  # the estimated share of common runs from which two texts are duplicates
RUN = 5  # characters
SEED = 1
# Marks (\p{M}) are vowels in many scripts; symbols (\p{S}) are all that an emoji or a sum has.
BETWEEN_WORDS = regex.compile(r"[^\p{L}\p{M}\p{N}\p{S}]+")


def near_duplicates(
    texts: Sequence[str], ids: Sequence[str], similarity: float = SIMILARITY
) -> list[int | None]:
    """Return for each text the position of the text that stays in its place, None where it stays itself.

    `similarity` is the Jaccard similarity of runs of five characters, case folded and without punctuation. A
    text is compared with those that stay, in the order of the hashes of their ids, so the order of the rows
    does not matter.
    """
    import numpy as np

    order = sorted(range(len(texts)), key=lambda position: hash16(ids[position]))
    signatures = _signatures([texts[position] for position in order])
    rows_by_band: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]
    originals: list[int | None] = [None] * len(texts)
    for row, position in enumerate(order):
        bands = [signatures[row, start : start + WIDTH].tobytes() for start in range(0, PERMUTATIONS, WIDTH)]
        candidates: set[int] = set()
        for rows, band in zip(rows_by_band, bands, strict=True):
            candidates.update(rows.get(band, ()))
        if candidates:
            kept = sorted(candidates)
            shares = np.mean(signatures[kept] == signatures[row], axis=1)
            best = int(np.argmax(shares))
            if shares[best] >= similarity:
                originals[position] = order[kept[best]]
                continue
        for rows, band in zip(rows_by_band, bands, strict=True):
            rows[band].append(row)
    return originals


def runs(text: str, length: int = RUN) -> set[str]:
    """Return the runs of `length` characters of a text, case folded, punctuation and spaces as one space.

    A text of punctuation alone keeps it; a text shorter than a run is its own only run.
    """
    plain = BETWEEN_WORDS.sub(" ", text.casefold()).strip() or " ".join(text.split())
    return {plain[i : i + length] for i in range(max(1, len(plain) - length + 1))}


def _signatures(texts: Sequence[str]) -> "np.ndarray":
    """Return the MinHash signatures: (texts, PERMUTATIONS) of uint32."""
    import numpy as np
    from rensa import RMinHash

    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for row, text in enumerate(texts):
        minhash = RMinHash(PERMUTATIONS, SEED)
        minhash.update(sorted(runs(text)))
        signatures[row] = array("I", minhash.digest())
    return signatures
