"""Prompts of every layout, and every row that cannot be used ends with its reason."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from polypref.builders.filters.measures import kept_rows
from polypref.builders.prompts import filtered_prompts, read_prompts, sample_prompts, write_prompts
from polypref.builders.recipe import Prompts
from polypref.builders.tables.read import Table, read_rows
from polypref.errors import InputError
from polypref.schemas import prompt_id
from polypref.store.parts import read_parts
from polypref.store.workdir import Workdir


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prompts(table: Table, turns: str = "first") -> list[Any]:
    return [[m["content"] for m in prompt] for prompt in read_prompts([table], turns)["prompt"]]


TWO_TURNS = {"question_id": 81, "turns": ["Write a post.", "Rewrite it."]}
SHAREGPT = {
    "id": "x",
    "conversations": [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "Who are you?"},
        {"from": "gpt", "value": "Vicuna."},
        {"from": "human", "value": "Bye"},
        {"from": "gpt", "value": "Bye!"},
    ],
}


def test_two_turns(tmp_path: Path) -> None:
    table = Table(path=jsonl(tmp_path / "q.jsonl", TWO_TURNS), text="turns", id=("question_id",))
    assert prompts(table) == [["Write a post."]]
    assert prompts(table, "all") == [["Write a post.\n\nRewrite it."]]


def test_sharegpt(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps([SHAREGPT]))
    table = Table(path=path, text="conversations", id=("id",))
    assert prompts(table) == [["Be kind.", "Who are you?"]]
    (prompt,) = read_prompts([table], "all")["prompt"]
    assert [(m["role"], m["content"]) for m in prompt] == [
        ("system", "Be kind."),
        ("user", "Who are you?"),
        ("assistant", "Vicuna."),
        ("user", "Bye"),
    ]


def test_parquet_csv_and_gz_give_the_same_rows(tmp_path: Path) -> None:
    rows = [{"a": "x", "p": "Hallo, Welt"}, {"a": "y", "p": 'Zwei "Wörter"'}]
    pl.DataFrame(rows).write_parquet(tmp_path / "f.parquet")
    pl.DataFrame(rows).write_csv(tmp_path / "f.csv")
    pl.DataFrame(rows).write_csv(tmp_path / "f.tsv", separator="\t")
    with gzip.open(tmp_path / "f.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for suffix in ("parquet", "csv", "tsv", "jsonl.gz"):
        table = Table(path=tmp_path / f"f.{suffix}", text="p", id=("a",), language="German")
        assert [(row.id, row.text, row.language) for row in read_rows(table)] == [
            ("x", "Hallo, Welt", "deu_Latn"),
            ("y", 'Zwei "Wörter"', "deu_Latn"),
        ]


def test_every_bad_row_is_kept_with_its_reason(tmp_path: Path) -> None:
    bad = [None, 7, 3.5, {"a": 1}, [], "lone \ud800 surrogate", "nul \0 here"]
    rows = [
        {"p": "Tell me about the history of the printing press.", "l": "en"},
        *({"p": value, "l": "en"} for value in bad),
        {"p": "  Tell me about the history of the printing press. ", "l": "eng_Latn"},
        {"p": "Tell me about the history of the printing press.", "l": "Klingon"},
        {"p": "Erzähle mir etwas über die Geschichte des Buchdrucks.", "l": "de"},
        {"p": "\u200f \n\t ", "l": "ar"},
        {"p": "long " * 200_000, "l": "en"},
        {"p": "Расскажи мне об истории книгопечатания в Европе.", "l": "de"},
    ]
    config = Prompts(sources=(Table(path=jsonl(tmp_path / "p.jsonl", *rows), text="p", language="l"),))
    with Workdir(tmp_path / "run") as workdir:
        counts = write_prompts(config, 1, workdir)
        frame = read_parts(
            part
            for code in counts
            for part in workdir.table("prompts", "source", code, parts=workdir.part_count(0))
        )
    assert frame.height == len(rows)
    assert dict(frame["rejected_by"].value_counts().iter_rows()) == {
        None: 2,
        "not_text": len(bad),
        "duplicate": 1,
        "unknown_language": 1,
        "empty": 1,
        "too_long": 1,
        "wrong_language": 1,
    }
    kept = frame.filter(pl.col("rejected_by").is_null()).sort("language")
    assert kept["prompt_id"].to_list() == [
        prompt_id(
            [{"role": "user", "content": "Erzähle mir etwas über die Geschichte des Buchdrucks."}], "deu_Latn"
        ),
        prompt_id([{"role": "user", "content": "Tell me about the history of the printing press."}]),
    ]
    assert kept["prompt_en"].is_null().to_list() == [True, False]


def test_a_larger_sample_holds_a_smaller_one(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "p.jsonl",
        *({"p": f"Please explain the number {i} to me in a few words."} for i in range(60)),
    )
    config = Prompts(sources=(Table(path=path, text="p"),))
    rows = filtered_prompts(read_prompts(config.sources, "first"), config)

    def kept(sample: int | None, seed: int = 1) -> set[str]:
        return set(kept_rows(sample_prompts(rows, sample, seed))["prompt_id"])

    assert len(kept(None)) == 60
    assert [len(kept(n)) for n in (5, 20)] == [5, 20]
    assert kept(5) < kept(20)
    assert kept(5, seed=2) != kept(5)
    assert sample_prompts(rows, 20, 1)["rejected_by"].to_list().count("not_sampled") == 40


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "p.jsonl",
            '{"p": "a"}\n{"p": ]}\n',
            "line 2: not JSON: Expecting value at column 7; expected an object",
        ),
        ("p.jsonl", "[1]\n", "row 1: found int, expected an object"),
        ("p.jsonl", '{"q": "a"}\n', "missing column 'p'; found q"),
        ("p.jsonl", "", "no rows; expected at least one"),
        ("p.json", "7", "row 1: found int, expected an object"),
        ("p.txt", "x", "unknown kind of file '.txt'"),
        ("p.parquet", "x", "cannot be read"),
        ("p.jsonl.gz", "x", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as error:
        list(read_rows(Table(path=tmp_path / name, text="p")))
    assert name in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
