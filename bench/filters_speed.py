"""How fast filters are, and near-duplicates; ratios taken from interleaved runs, since other work may share the machine."""

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

PEAK = """
import resource, sys
sys.path.insert(0, ".")
from pathlib import Path
from bench.filters_speed import peak
peak(Path(sys.argv[1]), int(sys.argv[2]))
"""


def working_rows(rows: Iterable[Mapping[str, str | None]]) -> pl.DataFrame:
    """Return rows with `text`, `language` and perhaps `source` as the frame that filters work on."""
    frame = pl.DataFrame(list(rows), schema=WORKING_COLUMNS)
    return frame.with_columns(pl.col("finish_reason").fill_null("stop"))


def rows_a_second(data: Path) -> Iterator[Row]:
    """All filters on rows of 500 characters in 23 languages, beside a loop of langdetect.detect on the same rows; one core, two, memory."""
    texts = long_rows(data)
    rows = working_rows([{"language": code, "text": text} for code, text in texts * 5])
    sample = texts[::7]
    one, two = Filters(processes=1), Filters(processes=2)
    measure_rows(rows.head(500), one)
    measure_rows(rows.head(2500), two)
    langdetect.DetectorFactory.seed = 0
    ratios, scaling, ours, theirs = [], [], [], []
    for _ in range(3):
        theirs.append(len(sample) / _seconds(lambda: [langdetect.detect(text) for _, text in sample]))
        alone, both = _seconds(lambda: measure_rows(rows, one)), _seconds(lambda: measure_rows(rows, two))
        ours.append(rows.height / alone)
        ratios.append(ours[-1] / theirs[-1])
        scaling.append(alone / both)
    speed = f"{statistics.median(ours):,.0f} rows/s, x {statistics.median(ratios):.1f}"
    yield (
        "all filters, 500 characters, one core",
        speed,
        ">= 10 x langdetect",
        f"langdetect {statistics.median(theirs):.0f} rows/s",
    )
    yield (
        "two processes against one",
        f"x {statistics.median(scaling):.2f} (best {max(scaling):.2f})",
        ">= 1.8",
        "-",
    )
    peaks = [_peak(data, times) for times in (1, 4)]
    yield (
        "memory of polypref filter's chunks, 20,000 and 80,000 rows",
        "{} and {} MB".format(*peaks),
        "flat",
        "-",
    )


def peak(data: Path, times: int) -> None:
    """Prints the peak memory, in MB, of this process and its largest worker, after `times` x 20,000 rows in chunks."""
    chunk = working_rows([{"language": code, "text": text} for code, text in long_rows(data)[:1000]])
    for _ in range(20 * times):
        measure_rows(chunk, Filters(processes=1))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _peak(data: Path, times: int) -> int:
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(data), str(times)], capture_output=True, text=True, check=True
    )
    return int(run.stdout)


def duplicates() -> Iterator[Row]:
    """Near-duplicates among 200,000 made-up prompts, a tenth of which are others with a word or two changed."""
    from polypref.builders.filters.duplicates import near_duplicates

    draw = random.Random(7)
    vocabulary = [
        "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(20_000)
    ]
    prompts = [" ".join(draw.choices(vocabulary, k=draw.randint(8, 60))) for _ in range(180_000)]
    copies = draw.sample(range(len(prompts)), 20_000)
    for source in copies:
        words = prompts[source].split()
        words[draw.randrange(len(words))] = draw.choice(vocabulary)
        prompts.append(" ".join(words))
    ids = [str(i).zfill(9) for i in range(len(prompts))]
    found: list[int | None] = []
    seconds = _seconds(lambda: found.extend(near_duplicates(prompts, ids)))
    caught = sum(
        found[source] == 180_000 + i or found[180_000 + i] == source for i, source in enumerate(copies)
    )
    wrong = sum(first is not None for first in found) - caught
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    similar = sum(_alike(prompts[source], prompts[180_000 + i]) for i, source in enumerate(copies))
    figure = f"{seconds:.0f} s, {memory:.1f} GB, {caught / similar:.1%} of those alike"
    yield (
        "near-duplicates among 200,000 prompts",
        figure,
        "<= 60 s, <= 2 GB",
        _datasketch(prompts[:10_000], seconds * 0.05),
    )
    yield "taken for duplicates of something else", f"{wrong} of 200,000", "-", "-"


def _alike(one: str, other: str) -> bool:
    from polypref.builders.filters.duplicates import SIMILARITY, runs

    a, b = runs(one), runs(other)
    return len(a & b) / len(a | b) >= SIMILARITY


def _datasketch(prompts: list[str], ours: float) -> str:
    """The rival on a twentieth of the prompts: its time is linear, too."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        return "datasketch: not installed"
    from polypref.builders.filters.duplicates import PERMUTATIONS, SIMILARITY, runs

    def rival() -> None:
        index = MinHashLSH(threshold=SIMILARITY, num_perm=PERMUTATIONS)
        for i, text in enumerate(prompts):
            signature = MinHash(PERMUTATIONS)
            signature.update_batch([run.encode() for run in runs(text)])
            if not index.query(signature):
                index.insert(str(i), signature)

    seconds = _seconds(rival)
    return f"datasketch {seconds:.1f} s for {len(prompts):,} prompts, where ours takes {ours:.1f} s"


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
