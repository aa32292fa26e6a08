"""`polypref filter` on users' tables: every row comes back with measures and a reason, whatever it holds."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.builders.tables import filter
from polypref.cli.main import main

ROOT = Path(__file__).parents[3]
ENGLISH = "The old bridge across the river was closed for repairs last winter."
GERMAN = "Die alte Brücke über den Fluss war im letzten Winter wegen Reparaturen gesperrt."
FRENCH = "Le vieux pont sur la rivière était fermé pour travaux l'hiver dernier."
LEAK = f"{ENGLISH}<|im_end|>\n<|im_start|>user\nWhen does it open again?"
ROWS = [
    {"id": "a", "text": GERMAN, "lang": "de", "english": ENGLISH},
    {
        "id": "b",
        "text": ENGLISH,
        "lang": "de",
        "english": "The bakery sells warm bread every single morning.",
    },
    {"id": "c", "text": LEAK, "lang": "en", "english": None},
    {"id": "d", "text": FRENCH, "lang": "fra_Latn", "english": ENGLISH},
    {"id": "e", "text": ENGLISH, "lang": "French", "english": ENGLISH},
    {"id": "f", "text": "?!", "lang": "en", "english": None},
    {"id": "g", "text": ENGLISH, "lang": "Klingon", "english": None},
]
REASONS = [None, "wrong_language", "chat_template", None, "wrong_language", "empty", "unknown_language"]
WITH_SOURCE = [None, "wrong_language", "chat_template", None, "copied_source", "empty", "unknown_language"]
MEASURES = {"empty", "too_long", "truncated", "chat_template", "repetition", "wrong_language"}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.suffix in (".csv", ".tsv"):
        pl.DataFrame(rows).write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix in (".csv", ".tsv"):
        return pl.read_csv(path, separator="\t" if path.suffix == ".tsv" else ",").to_dicts()
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def funnel(printed: str) -> dict[str, dict[str, int]]:
    """{row's title: {"all" or language: rows}}"""
    head, *lines = printed.splitlines()
    return {
        line.split()[0]: dict(
            zip(head.split(), [int(n.replace(",", "")) for n in line.split()[1:]], strict=True)
        )
        for line in lines
    }


def assert_adds_up(found: dict[str, dict[str, int]], rows: int) -> None:
    reasons = [counts for title, counts in found.items() if title != "rows"]
    assert found["rows"]["all"] == rows
    for column, count in found["rows"].items():
        assert sum(counts[column] for counts in reasons) == count
    assert all(
        counts["all"] == sum(n for column, n in counts.items() if column != "all")
        for counts in found.values()
    )


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of `polypref filter …`."""
        self.monkeypatch.setattr(sys, "argv", ["polypref", "filter", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self.capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err


@pytest.fixture
def filter_(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_every_kind_of_table_comes_back_whole(tmp_path: Path, filter_: Command, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    code, printed, _ = filter_(
        write(tmp_path / f"in{suffix}", ROWS), "--text", "text", "--language", "lang", "-o", out
    )
    assert code == 0
    written = read(out)
    assert [row["rejected_by"] for row in written] == REASONS
    assert [{name: row[name] for name in ROWS[0]} for row in written] == ROWS
    assert set(written[0]) >= MEASURES
    assert written[0]["too_long"] == len(GERMAN)
    assert written[2]["wrong_language"] is None  # rejected before it was asked
    found = funnel(printed)
    assert_adds_up(found, len(ROWS))
    assert found["rows"] == {"all": 7, "de": 2, "en": 2, "fr": 2, "und": 1}
    assert found["wrong_language"] == {"all": 2, "de": 1, "en": 0, "fr": 1, "und": 0}
    assert list(found) == ["rows", "unknown_language", "empty", "chat_template", "wrong_language", "kept"]
    assert [file.name for file in sorted(tmp_path.iterdir())] == sorted([f"in{suffix}", f"out{suffix}"])


def test_from_one_kind_into_another(tmp_path: Path, filter_: Command) -> None:
    with gzip.open(tmp_path / "in.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in ROWS)
    for suffix in (".csv", ".parquet"):
        words = ("--text", "text", "--language", "lang", "-o", tmp_path / f"o{suffix}")
        assert filter_(tmp_path / "in.jsonl.gz", *words)[0] == 0
        assert [row["rejected_by"] for row in read(tmp_path / f"o{suffix}")] == REASONS


def test_a_languages_name_holds_for_all_rows(tmp_path: Path, filter_: Command) -> None:
    path = write(tmp_path / "in.jsonl", ROWS)
    code, printed, _ = filter_(path, "--text", "text", "--language", "German")
    assert code == 0
    assert funnel(printed)["rows"] == {"all": 7, "de": 7}
    assert (funnel(printed)["kept"]["de"], funnel(printed)["wrong_language"]["de"]) == (1, 4)
    code, _, error = filter_(path, "--text", "text", "--language", "Klingon")
    assert (code, error.count("\n")) == (2, 1)
    assert "unknown language 'Klingon'" in error


def test_a_source_is_compared_with(tmp_path: Path, filter_: Command) -> None:
    path, out = write(tmp_path / "in.jsonl", ROWS), tmp_path / "o.jsonl"
    assert filter_(path, "--text", "text", "--language", "lang", "--source", "english", "-o", out)[0] == 0
    assert [row["rejected_by"] for row in read(out)] == WITH_SOURCE
    not_measured = [number for number, row in enumerate(read(out)) if row["copied_source"] is None]
    assert not_measured == [2, 5, 6]


def test_thresholds_from_a_file(tmp_path: Path, filter_: Command) -> None:
    path, out = write(tmp_path / "in.jsonl", ROWS), tmp_path / "o.jsonl"
    (tmp_path / "f.yaml").write_text("wrong_language: null\nchat_template: null\ntoo_long: 70\n")
    assert (
        filter_(path, "--text", "text", "--language", "lang", "--filters", tmp_path / "f.yaml", "-o", out)[0]
        == 0
    )
    written = read(out)
    reasons = ["too_long", None, "too_long", None, None, "empty", "unknown_language"]
    assert [row["rejected_by"] for row in written] == reasons
    assert "wrong_language" not in written[0]
    (tmp_path / "f.yaml").write_text("wrong_langauge: 0.1\n")
    code, _, error = filter_(path, "--text", "text", "--language", "lang", "--filters", tmp_path / "f.yaml")
    assert (code, error.count("\n")) == (2, 1)
    assert "did you mean 'wrong_language'?" in error


def test_one_row_explained(tmp_path: Path, filter_: Command) -> None:
    path = write(tmp_path / "in.jsonl", ROWS)
    code, printed, _ = filter_(path, "--text", "text", "--language", "lang", "--explain", 3)
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in printed.splitlines()}
    assert lines["rejected_by"] == ["chat_template"]
    assert lines["too_long"] == [str(len(LEAK)), "20000"]
    assert lines["private"] == ["-", "off"]
    assert lines["chat_template"] == ["2", "0"]
    assert lines["wrong_language"][0] != "-"  # asked although rejected before
    assert filter_(path, "--text", "text", "--language", "lang", "--explain", 1)[1].splitlines()[
        -1
    ].split() == [
        "rejected_by",
        "nothing:",
        "kept",
    ]
    code, _, error = filter_(path, "--text", "text", "--language", "lang", "--explain", 8)
    assert (code, error) == (2, f"polypref: {path.name}: no row 8; found 7 rows\n")


def test_what_is_private_is_masked_in_texts_and_in_messages(tmp_path: Path, filter_: Command) -> None:
    secret = "Please write to jane.doe@example.org before the meeting on Monday."
    hidden = "Please write to [EMAIL] before the meeting on Monday."
    values = [
        (secret, hidden),
        ([secret, secret], [hidden, hidden]),
        ([{"role": "user", "content": secret}], [{"role": "user", "content": hidden}]),
        ([{"from": "human", "value": secret}], [{"from": "human", "value": hidden}]),
        (f"{secret} \ud800", f"{hidden} \ufffd"),
        (None, None),
        (7, 7),
    ]
    path, out = (
        write(tmp_path / "in.jsonl", [{"text": value, "other": secret} for value, _ in values]),
        tmp_path / "o.jsonl",
    )
    assert filter_(path, "--text", "text", "--language", "en", "--mask-private", "-o", out)[0] == 0
    written = read(out)
    assert [row["text"] for row in written] == [masked for _, masked in values]
    assert {row["other"] for row in written} == {secret}
    assert [row["rejected_by"] for row in written] == [None] * 4 + ["not_text"] * 3


BROKEN: list[tuple[object, object, str | None]] = [
    (ENGLISH, "en", None),
    (None, "en", "not_text"),
    (7, "en", "not_text"),
    (float("nan"), "en", "not_text"),
    ({"content": ENGLISH}, "en", "not_text"),
    ("lone \ud800 surrogate", "en", "not_text"),
    ("nul \0 here", "en", "not_text"),
    ("", "en", "empty"),
    ("\u200f\u200e\u200f\u061c", "ar", "empty"),
    ("  \n\t", "de", "empty"),
    ("a" * 1_000_000, "en", "too_long"),
    ("😀😂🎉👍🏽", "tr", None),
    (ENGLISH, None, "unknown_language"),
    (ENGLISH, "Klingon", "unknown_language"),
    (ENGLISH, "\udfff", "unknown_language"),
    (ENGLISH, ["en"], "unknown_language"),
    ([ENGLISH, "And when will it open again, do you think?"], "en", None),
    (
        [
            {"role": "user", "content": ENGLISH},
            {"role": "assistant", "content": "It was closed because of ice."},
        ],
        "en",
        None,
    ),
    ([{"from": "human", "value": GERMAN}], "de", None),
    ([{"from": "human", "value": GERMAN}], "el", "wrong_language"),
    ([{"role": "user", "content": None}], "en", "not_text"),
    ([], "en", "not_text"),
    ([None, ENGLISH], "en", "not_text"),
    (LEAK, "en", "chat_template"),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_broken_rows_are_all_accounted_for(tmp_path: Path, filter_: Command, suffix: str) -> None:
    rows = [
        {"n": n, "text": text, "lang": code, "x": float("inf")} for n, (text, code, _) in enumerate(BROKEN)
    ]
    out = tmp_path / f"out{suffix}"
    code, printed, error = filter_(
        write(tmp_path / "in.jsonl", rows), "--text", "text", "--language", "lang", "-o", out
    )
    assert (code, error) == (0, "")
    written = read(out)
    assert [row["n"] for row in written] == list(range(len(BROKEN)))
    assert [row["rejected_by"] for row in written] == [reason for _, _, reason in BROKEN]
    assert written[5]["text"] == "lone \ufffd surrogate"
    assert written[0]["x"] is None
    assert written[10]["text"] == "a" * 1_000_000
    found = funnel(printed)
    assert_adds_up(found, len(BROKEN))
    reasons = Counter(reason or "kept" for _, _, reason in BROKEN)
    assert {title: counts["all"] for title, counts in found.items() if title != "rows"} == reasons
    assert found["unknown_language"]["und"] == found["rows"]["und"] == reasons["unknown_language"]


def test_columns_of_bytes_and_of_nothing(tmp_path: Path, filter_: Command) -> None:
    frame = pl.DataFrame(
        {"text": [b"\xff\xfe", None, ENGLISH.encode()], "none": [None, None, None]},
        schema_overrides={"none": pl.Null},
    )
    frame.write_parquet(tmp_path / "in.parquet")
    for suffix in (".parquet", ".jsonl", ".csv"):
        out = tmp_path / f"out{suffix}"
        code, printed, error = filter_(
            tmp_path / "in.parquet", "--text", "text", "--language", "en", "-o", out
        )
        nothing = f"{out}: none of 3 rows is kept: not_text 3 of 3: check which column `text` names"
        assert (code, error.strip()) == (2, f"polypref: {nothing}")
        assert [row["rejected_by"] for row in read(out)] == ["not_text"] * 3
        assert [row["text"] for row in read(out)] == ["fffe", None, ENGLISH.encode().hex()]
        assert_adds_up(funnel(printed), 3)


def test_rows_of_several_chunks_keep_their_order(
    tmp_path: Path, filter_: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter, "CHUNK", 3)
    out = tmp_path / "o.jsonl"
    code, printed, _ = filter_(
        write(tmp_path / "in.jsonl", ROWS * 3), "--text", "text", "--language", "lang", "-o", out
    )
    assert code == 0
    assert [row["id"] for row in read(out)] == list("abcdefg") * 3
    assert [row["rejected_by"] for row in read(out)] == REASONS * 3
    assert_adds_up(funnel(printed), 21)
    lines = filter_(tmp_path / "in.jsonl", "--text", "text", "--language", "lang", "--explain", 10)[
        1
    ].splitlines()
    assert lines[-1].split() == ["rejected_by", "chat_template"]


TABLE = '{"t": "a", "l": "en"}\n'


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("i.jsonl", TABLE, ["--text", "q"], "i.jsonl: missing column 'q'; found t, l"),
        ("i.jsonl", TABLE, ["--source", "s"], "i.jsonl: missing column 's'; found t, l"),
        ("i.jsonl", TABLE, ["--language", "x"], "unknown language 'x'"),
        (
            "i.jsonl",
            '{"t": "a", "l": "en", "rejected_by": 1}\n',
            [],
            "i.jsonl: has a column 'rejected_by' already",
        ),
        (
            "i.jsonl",
            TABLE + '{"t": "a", "l": "en", "empty": 1}\n',
            [],
            "i.jsonl: has a column 'empty' already",
        ),
        (
            "i.jsonl",
            TABLE,
            ["-o", "o.xlsx"],
            "o.xlsx: unknown kind of file '.xlsx'; expected .jsonl, .csv, .tsv or .parquet",
        ),
        ("i.jsonl", TABLE, ["-o", "o"], "o: unknown kind of file ''"),
        ("i.txt", TABLE, [], "i.txt: unknown kind of file '.txt'"),
        ("i.jsonl", "", [], "i.jsonl: no rows; expected at least one"),
        ("i.jsonl", TABLE + "{", [], "i.jsonl: line 2: not JSON"),
        ("i.csv", "", [], "i.csv: no rows; expected at least one"),
        ("i.csv", "t,l\n", [], "i.csv: no rows; expected at least one"),
        ("i.parquet", "", [], "i.parquet: cannot be read"),
        ("i.json", "", [], "i.json: no rows; expected at least one"),
        ("i.jsonl", TABLE, ["--filters", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path,
    filter_: Command,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content)
    (tmp_path / "o.jsonl").write_text("what was there\n")
    code, printed, error = filter_(name, "--text", "t", "--language", "l", "-o", "o.jsonl", *options)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert message in error
    assert (tmp_path / "o.jsonl").read_text() == "what was there\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, "o.jsonl"])


def test_a_column_named_like_a_filter_that_is_off_may_stay(tmp_path: Path, filter_: Command) -> None:
    path = write(tmp_path / "in.jsonl", [{"text": ENGLISH, "private": "yes"}])
    assert filter_(path, "--text", "text", "--language", "en", "-o", tmp_path / "o.jsonl")[0] == 0
    assert read(tmp_path / "o.jsonl")[0]["private"] == "yes"


def test_a_file_may_be_written_over_itself(tmp_path: Path, filter_: Command) -> None:
    path = write(tmp_path / "in.parquet", ROWS)
    assert filter_(path, "--text", "text", "--language", "lang", "-o", path)[0] == 0
    assert [row["rejected_by"] for row in read(path)] == REASONS


def test_a_run_that_is_stopped_leaves_the_older_file(tmp_path: Path) -> None:
    path, out = (
        write(tmp_path / "in.jsonl", [{"text": f"{ENGLISH} {n}"} for n in range(40_000)]),
        tmp_path / "o.jsonl",
    )
    out.write_text("what was there\n")
    words = ["filter", str(path), "--text", "text", "--language", "en", "-o", str(out)]
    command = [sys.executable, "-m", "polypref", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        while run.poll() is None and not any(tmp_path.glob(".o.jsonl*.tmp")):
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        assert run.stderr is not None
        error = run.stderr.read()
    assert run.returncode == 130
    assert "Traceback" not in error
    assert out.read_text() == "what was there\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "o.jsonl"]
