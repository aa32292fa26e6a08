"""The speed of filters and near-duplicates, as ratios of runs in turns: other work may share the machine."""

import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import langdetect
import polars as pl

from bench.real_text import long_rows
from bench.table import Row
from polypref.builders.filters.apply import WORKING_COLUMNS, Filters, measure_rows
from polypref.builders.filters.duplicates import PERMUTATIONS, SIMILARITY, near_duplicates, runs

RUNS = 3
PROMPTS, COPIES = 180_000, 20_000
PEAK = "import sys; from bench.filters_speed import print_peak; print_peak(sys.argv[1], int(sys.argv[2]))"


def working_rows(rows: Iterable[Mapping[str, str | None]]) -> pl.DataFrame:
    """Return rows with `text`, `language` and perhaps `source` as the frame that filters work on."""
    frame = pl.DataFrame(list(rows), schema=WORKING_COLUMNS)
    return frame.with_columns(pl.col("finish_reason").fill_null("stop"))


def rows_per_second(data: Path) -> Iterator[Row]:
    """Measure all filters on rows of 500 characters in 23 languages, beside a loop of langdetect.detect."""
    texts = long_rows(data)
    rows = working_rows([{"language": code, "text": text} for code, text in texts * 5])
    sample = [text for _, text in texts[::7]]  # langdetect is too slow for all of them
    one, two = Filters(processes=1), Filters(processes=2)
    measure_rows(rows.head(500), one)  # loads the models of the identifiers
    measure_rows(rows.head(2500), two)
    langdetect.DetectorFactory.seed = 0
    ratios, scaling, ours, rival = [], [], [], []
    for _ in range(RUNS):
        rival.append(len(sample) / _seconds(lambda: [langdetect.detect(text) for text in sample]))
        alone = _seconds(lambda: measure_rows(rows, one))
        both = _seconds(lambda: measure_rows(rows, two))
        ours.append(rows.height / alone)
        ratios.append(ours[-1] / rival[-1])
        scaling.append(alone / both)
    yield Row(
        "all filters, 500 characters, one core",
        f"{statistics.median(ours):,.0f} rows/s, x {statistics.median(ratios):.1f}",
        ">= 10 x langdetect",
        f"langdetect {statistics.median(rival):.0f} rows/s",
    )
    figure = f"x {statistics.median(scaling):.2f} (best {max(scaling):.2f})"
    yield Row("two processes against one", figure, ">= 1.8")
    figure = f"{_peak(data, 1)} and {_peak(data, 4)} MB"
    yield Row("memory of polypref filter's chunks, 20,000 and 80,000 rows", figure, "flat")


def _peak(data: Path, times: int) -> int:
    command = [sys.executable, "-c", PEAK, str(data), str(times)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_peak(data: str, times: int) -> None:
    """Print the peak memory of this process in MB, after `times` x 20,000 rows in chunks of 1,000."""
    chunk = working_rows([{"language": code, "text": text} for code, text in long_rows(Path(data))[:1000]])
    for _ in range(20 * times):
        measure_rows(chunk, Filters(processes=1))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def duplicates(prompts: int = PROMPTS, copies: int = COPIES) -> Iterator[Row]:
    """Find near-duplicates among random prompts, `copies` of which are others with one word changed."""
    draw = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(3, 9))) for _ in range(20_000)]
    texts = [" ".join(draw.choices(vocabulary, k=draw.randint(8, 60))) for _ in range(prompts)]
    sources = draw.sample(range(prompts), copies)
    for source in sources:
        words = texts[source].split()
        words[draw.randrange(len(words))] = draw.choice(vocabulary)
        texts.append(" ".join(words))
    ids = [str(number).zfill(9) for number in range(len(texts))]
    stays: list[int | None] = []
    seconds = _seconds(lambda: stays.extend(near_duplicates(texts, ids)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    caught = similar = 0
    for source, copy in zip(sources, range(prompts, len(texts)), strict=True):
        caught += stays[source] == copy or stays[copy] == source
        similar += _similarity(texts[source], texts[copy]) >= SIMILARITY
    wrong = sum(first is not None for first in stays) - caught
    total = f"{len(texts):,}"
    yield Row(
        f"near-duplicates among {total} prompts",
        f"{seconds:.0f} s, {memory:.1f} GB, {caught / similar:.1%} of those alike",
        "<= 60 s, <= 2 GB",
        _datasketch(texts[: len(texts) // 20], seconds / 20),
    )
    yield Row("taken for duplicates of something else", f"{wrong} of {total}")


def _similarity(text: str, other: str) -> float:
    """Return the Jaccard similarity of the runs of two texts."""
    ours, theirs = runs(text), runs(other)
    return len(ours & theirs) / len(ours | theirs)


def _datasketch(texts: list[str], ours: float) -> str:
    """Return datasketch's seconds on these texts, beside ours; both are linear in their number."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        return "datasketch: not installed"

    def find_duplicates() -> None:
        index = MinHashLSH(threshold=SIMILARITY, num_perm=PERMUTATIONS)
        for number, text in enumerate(texts):
            signature = MinHash(PERMUTATIONS)
            signature.update_batch([run.encode() for run in runs(text)])
            if not index.query(signature):
                index.insert(str(number), signature)

    seconds = _seconds(find_duplicates)
    return f"datasketch {seconds:.1f} s for {len(texts):,} prompts, where ours takes {ours:.1f} s"


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
