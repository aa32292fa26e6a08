"""Files of rows as people and their tools write them.

Sources: datasets#7169 and #7092 (columns that only some rows or files have), pandas, Excel, and our own.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hubserver import HubServer, User

from polypref.builders.tables.read import Table, read_rows
from polypref.errors import InputError

ROWS = [{"prompt": "How do I sort?", "id": "1"}, {"prompt": "Où est la mer ?", "id": "2"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
CSV = "prompt,id\nHow do I sort?,1\nOù est la mer ?,2\n"


WANTED = [("How do I sort?", "1"), ("Où est la mer ?", "2")]


def read(path: Path, text: Any = "prompt", **columns: Any) -> list[tuple[object, str | None]]:
    return [(row.text, row.id) for row in read_rows(Table(path=path, text=text, **{"id": ("id",)} | columns))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.json", LINES),
        ("upper.JSONL", LINES),
        ("array.jsonl", json.dumps(ROWS)),
        ("pretty.jsonl", "\n".join(json.dumps(row, indent=2) for row in ROWS)),
        ("pretty.json", json.dumps(ROWS, indent=2)),
        ("wrapped.json", json.dumps({"version": 1, "data": ROWS})),
        ("wrapped.jsonl", json.dumps({"data": ROWS}, indent=1)),
        ("columns.json", json.dumps({key: [row[key] for row in ROWS] for key in ROWS[0]})),
        ("pandas.json", json.dumps({k: {str(i): row[k] for i, row in enumerate(ROWS)} for k in ROWS[0]})),
        ("blank.jsonl", "\n" + LINES.replace("\n", "\n\n")),
        ("crlf.jsonl", LINES.replace("\n", "\r\n")),
        ("comma.csv", CSV),
        ("upper.CSV", CSV),
        ("semicolon.csv", CSV.replace(",", ";")),
        ("tab.csv", CSV.replace(",", "\t")),
        ("tab.tsv", CSV.replace(",", "\t")),
        ("comma.tsv", CSV),
        ("spaces.csv", CSV.replace(",", ", ")),
        ("quotes.csv", '"prompt", "id"\n' + CSV.split("\n", 1)[1]),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("blank.csv", CSV + "\n\n"),
        ("trailing.csv", CSV.replace("\n", ",\n")),
        ("repeated.csv", "prompt,id,prompt,id\n" + "".join(f"{p},{i},x,y\n" for p, i in WANTED)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_is_read_in_its_layout_and_encoding(
    tmp_path: Path, name: str, content: str, encoding: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    assert read(path) == WANTED
    with gzip.open(tmp_path / f"{name}.gz", "wb") as file:
        file.write(content.encode(encoding))
    assert read(tmp_path / f"{name}.gz") == WANTED


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json"])
def test_another_encoding_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((CSV if name == "t.csv" else LINES).encode("latin-1"))
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value) == f"{path}: cannot be read: not UTF-8, perhaps Latin-1; save it as UTF-8"


def test_quoted_values_hold_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id;prompt\n1;"one; ""two""\nthree"\n2;\n007;"x"\n')
    assert read(tmp_path / "t.csv") == [('one; "two"\nthree', "1"), (None, "2"), ("x", "007")]


def test_a_value_may_be_longer_than_any_limit(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"id,prompt\n1,{'x' * 1_000_000}\n")
    assert read(tmp_path / "t.csv") == [("x" * 1_000_000, "1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,prompt\n1,Hello, you\n", "line 2: found 3 values, expected 2 as in the first line; a text with"),
        ('id,prompt\n1,"Hello\n2,you\n', "line 3: not CSV: unexpected end of data"),
    ],
)
def test_a_damaged_csv_file_names_the_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError) as error:
        read(tmp_path / "t.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "a", "id": 1}\n[]\n', "line 2: found list, expected an object"),
        ('[{"prompt": "a", "id": 1}, 7]', "row 2: found int, expected an object"),
        ('{"prompt": "a"\n', "line 2: not JSON: Expecting ',' delimiter at column 1; expected an object"),
        ("[" * 100_000, "cannot be read: JSON nested too deeply"),
    ],
)
def test_a_damaged_json_file_names_the_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(InputError) as error:
        read(tmp_path / "t.jsonl")
    assert str(error.value).endswith(message)


def test_splits_in_one_json_file_are_named_and_none_is_lost(tmp_path: Path) -> None:
    # Own case: {"train": […], "test": […]}, of which only `train` was read.
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"train": ROWS, "test": ROWS[:1]}))
    with pytest.raises(InputError, match=r"t\.json: found rows in train, test; expected one list of rows$"):
        read(path)
    path.write_text(json.dumps({"train": ROWS, "test": []}))
    assert read(path) == WANTED


def test_a_column_may_stand_in_later_rows_only(tmp_path: Path) -> None:
    # datasets#7169, #7092
    rows = [{"id": 1}, {"id": 2, "prompt": "Hallo", "lang": "de"}, {"id": 3, "prompt": "Hi"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = Table(path=tmp_path / "t.jsonl", text="prompt", id=("id",), language="lang")
    assert [(row.id, row.text, row.language) for row in read_rows(table)] == [
        ("1", None, None),
        ("2", "Hallo", "deu_Latn"),
        ("3", "Hi", None),
    ]


def test_the_column_of_languages_may_be_part_of_the_id(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 1, "lang": "de", "English": "Hi"}\n')
    table = Table(path=tmp_path / "t.jsonl", text="English", id=("lang", "id"), language="lang")
    assert [(row.id, row.language) for row in read_rows(table)] == [("de/1", "deu_Latn")]
    named = Table(path=tmp_path / "t.jsonl", text="English", id=("id",), language="English")
    assert [row.language for row in read_rows(named)] == ["eng_Latn"]


def test_a_column_that_no_row_has_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 1, "a": {"b": 1}}\n{"id": 2, "c": 3}\n')
    for column in ("prompt", "a.c", "c.b"):
        with pytest.raises(InputError) as error:
            read(tmp_path / "t.jsonl", column)
        assert str(error.value) == f"t.jsonl: missing column {column!r}; found id, a, c"


def test_a_text_may_be_in_several_columns_and_inside_others(tmp_path: Path) -> None:
    # Alpaca's instruction and input, which is empty in most rows.
    rows = [
        {"meta": {"id": 1.0}, "instruction": {"text": "Sort this."}, "input": "3, 1, 2"},
        {"meta": {"id": 2}, "instruction": {"text": "Say hello."}, "input": ""},
        {"meta": {"id": 3}, "instruction": {"text": "Say bye."}, "input": None},
        {"meta": None, "instruction": None, "input": None},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path / "t.jsonl", ("instruction.text", "input"), id=("meta.id",)) == [
        ("Sort this.\n\n3, 1, 2", "1"),
        ("Say hello.", "2"),
        ("Say bye.", "3"),
        (None, None),
    ]


def test_a_source_on_the_hub_may_have_files_with_other_columns(tmp_path: Path) -> None:
    # datasets#7169, #7092: two files, one with a column more, of which only `prompt` is wanted.
    with HubServer(tmp_path / "hub", users={"hf_writer": User("alice", "write", ("acme",))}) as server:
        code = """
import json, sys
from huggingface_hub import HfApi
from polypref.builders.tables.read import Table, read_rows
api = HfApi()
api.create_repo("acme/d", repo_type="dataset")
for name, row in (("a", {"prompt": "one"}), ("b", {"prompt": "two", "extra": {"x": 1}})):
    line = (json.dumps(row) + "\\n").encode()
    path = f"data/train-{name}.jsonl"
    api.upload_file(path_or_fileobj=line, path_in_repo=path, repo_id="acme/d", repo_type="dataset")
print([row.text for row in read_rows(Table(repo="acme/d", text="prompt"))])
"""
        env = {**os.environ, **server.env(token="hf_writer", home=tmp_path / "home")}
        run = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300
        )
    assert run.stdout == "['one', 'two']\n", run.stderr
