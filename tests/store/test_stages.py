"""Parts are views: made when missing, when made of something else, or when incomplete; else left alone."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from polypref.errors import InputError
from polypref.progress import Progress
from polypref.store import stages
from polypref.store.parts import Part
from polypref.store.stages import Asking, PartTask, make_parts
from tests.frames import rows_to_frame


class Echo:
    """Answers every request with itself, but those in `down`."""

    any_order = True

    def __init__(self, down: Sequence[str] = ()) -> None:
        self.down, self.asked = set(down), list[str]()

    async def ask(self, requests: Sequence[str]) -> list[str | None]:
        self.asked += requests
        return [None if request in self.down else request for request in requests]

    async def room(self) -> None: ...

    async def close(self) -> None: ...


def prompt(identity: str) -> dict[str, object]:
    return {"prompt_id": identity, "language": "eng_Latn", "prompt": [{"role": "user", "content": identity}]}


def asks(prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
    answers = yield prompts["prompt_id"].to_list()
    return rows_to_frame([prompt(answer) for answer in answers if answer], "prompts")


def source(tmp_path: Path, *ids: str, key: str = "k") -> Part:
    part = Part(tmp_path / "source" / "0000.parquet")
    part.write(rows_to_frame(map(prompt, ids), "prompts"), "prompts", key, 0)
    return part


def go(step: PartTask, engine: Echo | None = None) -> None:
    with Progress("test", 1) as progress:
        make_parts([step], progress, (lambda: engine) if engine else None)


def test_a_part_whose_key_holds_is_left_alone(tmp_path: Path) -> None:
    step = PartTask(
        Part(tmp_path / "out.parquet"), "prompts", (source(tmp_path, "a", "b"),), "identity", asks
    )
    engine = Echo()
    go(step, engine)
    before = step.part.path.stat().st_mtime_ns
    go(step, engine)
    assert engine.asked == ["a", "b"]
    assert step.part.path.stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["identity", "input"])
def test_a_part_made_of_something_else_is_made_again(tmp_path: Path, change: str) -> None:
    out, first = Part(tmp_path / "out.parquet"), source(tmp_path, "a")
    go(PartTask(out, "prompts", (first,), "identity", asks), Echo())
    if change == "input":
        first = source(tmp_path, "a", "b", key="k2")
    engine = Echo()
    go(PartTask(out, "prompts", (first,), "identity" if change == "input" else "other", asks), engine)
    assert engine.asked == (["a", "b"] if change == "input" else ["a"])


def test_an_incomplete_part_asks_again_and_marks_what_is_made_of_it(tmp_path: Path) -> None:
    first = PartTask(Part(tmp_path / "one/0.parquet"), "prompts", (source(tmp_path, "a", "b"),), 1, asks)
    second = PartTask(Part(tmp_path / "two/0.parquet"), "prompts", (first.part,), 2, lambda frame: frame)
    go(first, Echo(down=["b"]))
    go(second)
    abouts = [step.part.read_info() for step in (first, second)]
    assert [(about.rows, about.incomplete) for about in abouts if about] == [(1, 1), (1, 1)]
    go(first, Echo())
    go(second)
    abouts = [step.part.read_info() for step in (first, second)]
    assert [(about.rows, about.incomplete) for about in abouts if about] == [(2, 0), (2, 0)]


def test_parts_have_the_same_bytes_whatever_the_order_of_their_rows(tmp_path: Path) -> None:
    one, other = Part(tmp_path / "1.parquet"), Part(tmp_path / "2.parquet")
    one.write(rows_to_frame(map(prompt, "abc"), "prompts"), "prompts", "k", 0)
    other.write(rows_to_frame(map(prompt, "cab"), "prompts"), "prompts", "k", 0)
    assert one.path.read_bytes() == other.path.read_bytes()


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    step = PartTask(Part(tmp_path / "out.parquet"), "prompts", (Part(tmp_path / "no.parquet"),), 1, asks)
    with pytest.raises(InputError, match=r"no\.parquet: not made yet; the stage that makes it runs first"):
        go(step, Echo())


class Ordered(Echo):
    """Must be asked in a fixed order, and notes it."""

    any_order = False


def asks_twice(prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
    """The first part is the slowest after its first answers."""
    identity = prompts["prompt_id"][0]
    yield [f"{identity} 1"]
    time.sleep(0.1 if identity == "0" else 0)
    yield [f"{identity} 2"]
    return prompts


def asks_once(prompts: pl.DataFrame) -> Asking[pl.DataFrame]:
    yield [f"{prompts['prompt_id'][0]} 1"]
    return prompts


@pytest.mark.parametrize("workers", [1, 3])
def test_an_engine_in_this_process_is_asked_in_the_same_order_by_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(stages, "MIN_ROWS", 0)
    monkeypatch.setattr(stages, "cores", lambda: 2)
    executors = [ThreadPoolExecutor(1) for _ in range(workers)]
    monkeypatch.setattr(stages, "start_workers", lambda count: executors)
    tasks = []
    for number in range(10):
        inputs = Part(tmp_path / f"in/{number}.parquet")
        inputs.write(rows_to_frame([prompt(str(number))], "prompts"), "prompts", "k", 0)
        make = asks_once if number == 1 else asks_twice
        tasks.append(PartTask(Part(tmp_path / f"out/{number}.parquet"), "prompts", (inputs,), 1, make))
    engine = Ordered()
    with Progress("test", 1) as progress:
        make_parts(tasks, progress, lambda: engine)
    first = [f"{part} 1" for part in range(8)]
    second = [f"{part} 2" for part in range(8) if part != 1]
    assert engine.asked == [*first, *second, "8 1", "9 1", "8 2", "9 2"]
