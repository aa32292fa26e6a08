"""Users' tables written in every format: whole or not at all, whatever the rows hold."""

import json
import os
import resource
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from polypref.builders.tables.files import Record
from polypref.builders.tables.read import Table, read_records
from polypref.builders.tables.write import write_table
from polypref.errors import InputError

ROOT = Path(__file__).parents[3]
ROWS: list[Record] = [
    {"id": "007", "text": 'Zwei "Wörter",\nund eine Zeile', "n": None},
    {"id": "8", "text": "tab\there", "n": "1"},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"new folder/t{suffix}"
    with write_table(path) as add_rows:
        add_rows(ROWS[:1])
        assert not path.exists()
        add_rows(ROWS[1:])
    assert list(read_records(Table(path=path, text="text"))) == list(enumerate(ROWS, 1))
    assert os.listdir(path.parent) == [path.name]


def test_values_that_json_lacks_are_replaced(tmp_path: Path) -> None:
    row = {
        "a": float("nan"),
        "b": [float("inf"), 1.5],
        "c": b"\xff\0",
        "d": date(2026, 1, 2),
        "e\udfff": "\ud800x",
    }
    with write_table(tmp_path / "t.jsonl") as add_rows:
        add_rows([row])
    assert json.loads((tmp_path / "t.jsonl").read_bytes()) == {
        "a": None,
        "b": [None, 1.5],
        "c": "ff00",
        "d": "2026-01-02",
        "e\ufffd": "\ufffdx",
    }


def test_a_type_that_shows_in_the_last_row_is_kept(tmp_path: Path) -> None:
    with write_table(tmp_path / "t.parquet") as add_rows:
        add_rows({"n": None} for _ in range(2000))
        add_rows([{"n": 1.5, "new": "x"}])
    frame = pl.read_parquet(tmp_path / "t.parquet")
    assert frame.schema == {"n": pl.Float64, "new": pl.String}
    assert frame.row(2000) == (1.5, "x")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_an_error_leaves_the_older_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("what was there\n")

    def stop_halfway() -> None:
        with write_table(path) as add_rows:
            add_rows(ROWS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop_halfway()
    assert path.read_text() == "what was there\n"
    assert os.listdir(tmp_path) == [path.name]


def test_lists_do_not_fit_into_a_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("what was there\n")
    with (
        pytest.raises(InputError, match=r"t\.csv: cannot be written as \.csv: .*; try \.jsonl$"),
        write_table(tmp_path / "t.csv") as add_rows,
    ):
        add_rows([{"text": ["a", "b"]}])
    assert os.listdir(tmp_path) == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "what was there\n"


@pytest.mark.parametrize(
    ("suffix", "rows", "limit"),
    [(".jsonl", 50, 20), (".csv", 50, 20), (".parquet", 1, 20)],  # one row has room, but not as parquet
)
def test_a_full_disk_is_an_error_of_the_disk(tmp_path: Path, suffix: str, rows: int, limit: int) -> None:
    script = f"""
from pathlib import Path
from polypref.builders.tables.write import write_table
from polypref.errors import Unavailable
try:
    with write_table(Path("t{suffix}")) as add_rows:
        add_rows([{{"a": 1}}] * {rows})
except Unavailable as error:
    print(error)
"""

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=small_disk,
    )
    assert (run.stdout, run.stderr) == (
        f"t{suffix}: File too large; nothing made is lost, run again to continue\n",
        "",
    )
    assert os.listdir(tmp_path) == []
