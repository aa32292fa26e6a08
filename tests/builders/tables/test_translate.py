"""`polypref translate` on users' tables: every row in every language and format, and only English is sent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from openai_server import OpenAIServer

from polypref.builders.tables import translate
from polypref.builders.tables.read import Table
from polypref.builders.tables.translate import parse_translator, translate_table
from polypref.errors import Unavailable
from polypref.store.workdir import Workdir

ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "Say hello to the world.", "lang": "en"},
    {"id": "b", "prompt": "Dis bonjour au monde.", "lang": "French"},
    {"id": "c", "prompt": "Say goodbye.", "lang": "eng_Latn"},
    {"id": "d", "prompt": "Say nothing.", "lang": "Klingon"},
    {"id": "e", "prompt": None, "lang": "en"},
]
REASONS = [None, "not_english", None, "unknown_language", "not_text"]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "polypref", "translate", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_rows_are_counted_once_for_each_language(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [ROWS[0], ROWS[2], ROWS[4]])
    done = run(tmp_path, "in.jsonl", "-o", "out.jsonl", "--to", "de,sw", "--translator", "pseudo")
    assert done.stdout == "4 kept, 2 not_text: out.jsonl\n"
    assert done.stderr.startswith("translate in.jsonl: 6 rows done, ")
    assert ", 2 rejected (not_text 2)" in done.stderr
    assert "; 4 answers (" in done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_every_format_is_read_and_written(tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    separator = "\t" if suffix == ".tsv" else ","
    frame = pl.DataFrame(ROWS)
    if suffix == ".parquet":
        frame.write_parquet(source)
    else:
        frame.write_csv(source, separator=separator)
    done = run(
        tmp_path, source.name, "-o", out.name, "--to", "de", "--translator", "pseudo", "--language", "lang"
    )
    assert done.stdout == f"2 kept, 1 not_english, 1 unknown_language, 1 not_text: {out.name}\n"
    made = pl.read_parquet(out) if suffix == ".parquet" else pl.read_csv(out, separator=separator)
    assert made.columns == ["id", "prompt", "lang", "language", "rejected_by"]
    assert made["id"].to_list() == list("abcde")
    assert made["rejected_by"].to_list() == REASONS
    assert made["prompt"][1] == ROWS[1]["prompt"]


def test_only_english_is_sent(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", ROWS)
    with OpenAIServer(reply=lambda body: "Hallo.") as server:
        words = ["in.jsonl", "-o", "out.jsonl", "--to", "de", "--language", "lang"]
        done = run(tmp_path, *words, "--translator", "http:m", "--base-url", server.url)
        assert done.returncode == 0
        sent = json.dumps(server.calls)
    assert "Say hello to the world." in sent
    assert "Say goodbye." in sent
    assert "Dis bonjour" not in sent
    assert "Say nothing" not in sent
    by_id = {row["id"]: row for row in read(tmp_path / "out.jsonl")}
    assert [by_id[name]["rejected_by"] for name in "bde"] == ["not_english", "unknown_language", "not_text"]
    assert {row["language"] for row in by_id.values()} == {"deu_Latn"}


def test_a_table_of_another_language_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", ROWS)
    words = ["in.jsonl", "-o", "out.jsonl", "--to", "de", "--translator", "pseudo", "--language", "French"]
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr) == (
        2,
        "polypref: --language French: only English is translated; expected English, or a column\n",
    )


def test_failures_are_asked_again_or_accepted(tmp_path: Path) -> None:
    table = Table(path=write(tmp_path / "in.jsonl", [ROWS[0], ROWS[2]]), text="prompt")
    out = tmp_path / "out.jsonl"
    with OpenAIServer(reply=lambda body: "Sag Hallo zur Welt.") as server, Workdir(tmp_path / "w") as workdir:
        config = parse_translator("http:m", server.url)
        assert config.engine is not None
        config = config.model_copy(
            update={"engine": config.engine.model_copy(update={"retries": 0, "concurrency": 1})}
        )
        server.fault(status=500)
        with pytest.raises(
            Unavailable, match=r"^1 of 2 rows have no answer for now: 500: injected \(1\); run again"
        ):
            translate_table(table, ["de"], config, out, workdir)
        assert not out.exists()
        answered = len(server.answered)
        server.fault(status=500)
        rejected = translate_table(table, ["de"], config, out, workdir, accept_failures=True)
        assert rejected["failed_call"] == 1
        assert len(server.answered) == answered
    failed = read(out)[0]
    assert (failed["id"], failed["rejected_by"]) == ("a", "failed_call")


def test_rows_come_by_language_and_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "CHUNK", 2)
    rows = [{"prompt": f"Say {number}.", "id": number} for number in range(7)]
    table = Table(path=write(tmp_path / "in.jsonl", rows), text="prompt")
    with Workdir(tmp_path / "w") as workdir:
        translate_table(table, ["de", "sw"], parse_translator("pseudo", None), tmp_path / "o.jsonl", workdir)
    assert [(row["language"], row["id"]) for row in read(tmp_path / "o.jsonl")] == [
        (code, number) for code in ("deu_Latn", "swh_Latn") for number in range(7)
    ]


def test_a_column_of_texts_may_be_named_like_their_language(tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [{"English": "Say hello."}])
    words = ["in.jsonl", "-o", "out.jsonl", "--to", "de", "--translator", "pseudo", "--text", "English"]
    assert run(tmp_path, *words).stdout == "1 kept: out.jsonl\n"
