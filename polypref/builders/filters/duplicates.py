"""Near-duplicates: prompts that say almost the same, found by MinHash over runs of characters, so in every script.

Of each group the row whose id hashes lowest stays. It does not know
paraphrases, and takes two short texts that differ in one word for different,
and two that differ in punctuation alone for the same.
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence

import regex

from polypref.schemas import hash16

PERMUTATIONS = 128
BANDS = 16  # of 8 numbers each: two texts that share 7 runs in 10 become candidates with P = .61, those that share 8 in 10 with .95
SIMILARITY = 0.8  # estimated share of common runs from which two texts are duplicates
RUN = 5  # characters
SEED = 1
BETWEEN_WORDS = regex.compile(
    r"[^\p{L}\p{M}\p{N}\p{S}]+"
)  # marks are vowels in many scripts, and symbols all that an emoji or a sum has


def near_duplicates(
    texts: Sequence[str], ids: Sequence[str], similarity: float = SIMILARITY
) -> list[int | None]:
    """For each text the position of the one that stays in its place, None where it stays itself.

    `similarity`: the Jaccard similarity of runs of five characters, without punctuation, case folded. A text is compared with those
    that stay, in the order of their ids' hashes, so the answer does not depend on the order of the rows.
    """
    import numpy as np

    order = sorted(range(len(texts)), key=lambda i: hash16(ids[i]))
    signatures = _signatures([texts[i] for i in order])
    width = PERMUTATIONS // BANDS
    keys = [[band.tobytes() for band in signatures[:, i * width : (i + 1) * width]] for i in range(BANDS)]
    stays: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]
    found: list[int | None] = [None] * len(texts)
    for row in range(len(order)):
        candidates = sorted(
            {other for band in range(BANDS) for other in stays[band].get(keys[band][row], ())}
        )
        if candidates:
            shared = np.mean(signatures[candidates] == signatures[row], axis=1)
            best = int(np.argmax(shared))
            if shared[best] >= similarity:
                found[order[row]] = order[candidates[best]]
                continue
        for band in range(BANDS):
            stays[band][keys[band][row]].append(row)
    return found


def runs(text: str, length: int = RUN) -> set[str]:
    """The runs of characters of a text, its punctuation and spaces one space each, case folded."""
    plain = BETWEEN_WORDS.sub(" ", text.casefold()).strip() or " ".join(text.split())
    return {plain[i : i + length] for i in range(max(1, len(plain) - length + 1))}


def _signatures(texts: Sequence[str]):  # type: ignore[no-untyped-def]  # numpy, (texts, PERMUTATIONS) of uint32
    import numpy as np
    from rensa import RMinHash

    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for i, text in enumerate(texts):
        minhash = RMinHash(PERMUTATIONS, SEED)
        minhash.update(sorted(runs(text)))
        signatures[i] = array("I", minhash.digest())
    return signatures
