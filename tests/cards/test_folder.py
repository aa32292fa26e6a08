import hashlib
import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from polypref.cards import folder as folders
from polypref.cards.folder import arrow_schema, publishable_facts, read_facts, write_dataset
from polypref.cards.funnel import counts_by_language, stage_rows
from polypref.cards.load import scan_published
from polypref.errors import InputError
from polypref.schemas import SCHEMA_VERSION, TABLES, split_of
from tests.frames import rows_to_frame

CODES = ["deu_Latn", "eng_Latn", "hin_Deva"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_the_same_rows_give_the_same_bytes(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path / "a", "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    write_dataset(
        tmp_path / "b",
        "pairs",
        {code: pairs(code, 60).lazy().reverse() for code in reversed(CODES)},
        facts(CODES),
    )
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    assert list(first) == [
        "README.md",
        *(f"assets/scores-{theme}.svg" for theme in ("dark", "light")),
        *(f"data/{code}/{split}-00000-of-00001.parquet" for code in CODES for split in ("test", "train")),
        "facts.json",
    ]
    write_dataset(tmp_path / "a", "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    assert digests(tmp_path / "a") == first


def test_columns_are_plain_and_rows_sorted_and_split_by_prompt(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    tests = set()
    for code in CODES:
        found = {
            split: scan_published(tmp_path, languages=code, split=split).collect()
            for split in ("train", "test")
        }
        assert pl.concat(found.values()).sort("prompt_id").equals(pairs(code, 60))
        for split, rows in found.items():
            assert rows["prompt_id"].is_sorted()
            assert {split_of(i, 0.1) for i in rows["prompt_id"]} == {split}
        tests.add(frozenset(found["test"]["prompt_id"]))
    assert len(tests) == 1
    schema = pq.read_schema(next(tmp_path.rglob("*.parquet")))
    assert schema.equals(arrow_schema("pairs"))
    assert str(schema.field("chosen").type) == "list<element: struct<role: string, content: string>>"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_an_arrow_schema_that_polars_reads_back(table: str) -> None:
    frame = rows_to_frame([], table)
    assert pl.DataFrame(frame.to_arrow().cast(arrow_schema(table))).schema == TABLES[table]


def test_facts_describe_the_files(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    written = json.loads((tmp_path / "facts.json").read_text())
    for code in CODES:
        for file in written["languages"][code]["files"]:
            path = tmp_path / file["path"]
            assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert file["bytes"] == path.stat().st_size
            assert file["rows"] == pq.read_metadata(path).num_rows
            assert file["arrow_bytes"] == pytest.approx(
                pq.read_table(path).nbytes, rel=0.01
            )  # null masks come and go
        assert sum(file["rows"] for file in written["languages"][code]["files"]) == 60


def test_large_languages_are_cut_into_even_shards_and_stale_ones_go(
    tmp_path, pairs, facts, monkeypatch
) -> None:
    monkeypatch.setattr(folders, "ROWS_PER_FILE", 20)
    write_dataset(tmp_path, "pairs", {"deu_Latn": pairs("deu_Latn", 60)}, facts(CODES, test_share=0.0))
    names = sorted(path.name for path in tmp_path.rglob("*.parquet"))
    assert names == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    assert scan_published(tmp_path).collect().equals(pairs("deu_Latn", 60))
    write_dataset(tmp_path, "pairs", {"deu_Latn": pairs("deu_Latn", 15)}, facts(CODES, test_share=0.0))
    assert [path.name for path in (tmp_path / "data" / "deu_Latn").iterdir()] == [
        "train-00000-of-00001.parquet"
    ]


def test_a_language_added_later_leaves_the_others_as_they_are(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    before = digests(tmp_path / "data")
    later = facts(["swh_Latn"], recipe="name: later\n", notes=["Swahili is new."])
    write_dataset(tmp_path, "pairs", {"swh_Latn": pairs("swh_Latn", 30)}, later)
    after = digests(tmp_path / "data")
    assert {path: after[path] for path in before} == before
    assert {path.split("/")[0] for path in after.keys() - before.keys()} == {"swh_Latn"}
    new = read_facts(tmp_path)
    assert list(new["languages"]) == [*CODES, "swh_Latn"]
    assert new["notes"] == ["These rows are synthetic."]
    assert new["languages"]["swh_Latn"]["notes"] == ["Swahili is new."]
    recipes = {code: new["builds"][about["build"]]["recipe"] for code, about in new["languages"].items()}
    assert recipes["swh_Latn"] == "name: later\n"
    assert recipes["deu_Latn"] == "name: test\nprice: $1\n"


def test_a_language_that_lost_all_its_rows_keeps_its_funnel(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    write_dataset(tmp_path, "pairs", {"hin_Deva": pairs("hin_Deva", 0)}, facts(CODES))
    assert not list(tmp_path.glob("data/hin_Deva/*"))
    assert load_dataset(str(tmp_path), split="train").unique("language") == ["deu_Latn", "eng_Latn"]
    prompts = counts_by_language(read_facts(tmp_path)["funnel"], "prompts")
    assert prompts["hin_Deva"] == {None: 80, "too_long": 3, "wrong_language": 7}


def test_a_publication_replaces_the_funnel_of_its_languages_only(tmp_path, pairs, facts) -> None:
    und = stage_rows("prompts", "und", 0, {"unknown_language": 2})
    first = facts(["deu_Latn", "eng_Latn"])
    first["funnel"] += stage_rows("prompts", "fra_Latn", 3, {}) + und
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in ("deu_Latn", "eng_Latn")}, first)
    german = stage_rows("prompts", "deu_Latn", 1, {})
    english = stage_rows("prompts", "eng_Latn", 5, {})  # not published now, so its first counts stay
    french = stage_rows("prompts", "fra_Latn", 4, {})
    second = facts(["deu_Latn"], funnel=german + english + french)
    write_dataset(tmp_path, "pairs", {"deu_Latn": pairs("deu_Latn", 60)}, second)
    kept = [row for row in first["funnel"] if row["language"] == "eng_Latn"]
    assert read_facts(tmp_path)["funnel"] == german + kept + french + und


def test_languages_that_are_not_pushed_are_not_in_the_funnel(tmp_path, pairs, facts) -> None:
    write_dataset(tmp_path, "pairs", {code: pairs(code, 60) for code in CODES}, facts(CODES))
    pushed = publishable_facts(tmp_path, ["deu_Latn"])
    assert pushed["funnel"] == [row for row in facts(CODES)["funnel"] if row["language"] == "deu_Latn"]


@pytest.mark.parametrize(("key", "value"), [("license", "cc-by-4.0"), ("test_share", 0.2)])
def test_languages_that_cannot_stand_together_are_refused_before_a_file_is_written(
    tmp_path, pairs, facts, key, value
) -> None:
    write_dataset(tmp_path, "pairs", {"deu_Latn": pairs("deu_Latn", 30)}, facts(CODES))
    before = digests(tmp_path)
    with pytest.raises(
        InputError, match=f"^acme/pairs: {key}: found {value!r}, but the languages already published have"
    ):
        write_dataset(tmp_path, "pairs", {"eng_Latn": pairs("eng_Latn", 30)}, facts(CODES, **{key: value}))
    assert digests(tmp_path) == before


def test_rows_of_another_language_and_folders_that_are_none(tmp_path, pairs, facts) -> None:
    with pytest.raises(InputError, match="found a row of 'deu_Latn' among the rows of 'eng_Latn'"):
        write_dataset(tmp_path, "pairs", {"eng_Latn": pairs("deu_Latn", 3)}, facts(CODES))
    with pytest.raises(InputError, match=r"no facts\.json"):
        scan_published(tmp_path)
    write_dataset(tmp_path, "pairs", {"eng_Latn": pairs("eng_Latn", 3)}, facts(CODES))
    with pytest.raises(InputError, match=r"no rows of 'deu_Latn'; found eng_Latn$"):
        scan_published(tmp_path, languages=["deu_Latn"])
    described = json.loads((tmp_path / "facts.json").read_text())
    (tmp_path / "facts.json").write_text(json.dumps({**described, "schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(InputError, match=r"facts\.json: schema version 3; this polypref reads up to 2"):
        read_facts(tmp_path)
    (tmp_path / "facts.json").write_text('{"rows": 3}')
    with pytest.raises(InputError, match=r"facts\.json: found another layout; expected table, "):
        read_facts(tmp_path)


def test_load_dataset_takes_the_rows_that_stand_there_now(tmp_path, pairs, facts) -> None:
    """datasets names its cache after the card, not after the rows or the path of the folder."""
    rebuilt, namesake = tmp_path / "one" / "pairs", tmp_path / "two" / "pairs"

    def chosen(folder: Path, *config: str) -> set[str]:
        rows = load_dataset(str(folder), *config, split="train")
        return {messages[0]["content"].split()[1] for messages in rows["chosen"]}

    for folder, salt in ((rebuilt, "old"), (rebuilt, "new"), (namesake, "two")):
        write_dataset(folder, "pairs", {code: pairs(code, 40, salt) for code in CODES[:2]}, facts(CODES))
        assert chosen(folder) == {salt}
        assert chosen(folder, "deu_Latn") == {salt}
    assert chosen(rebuilt) == {"new"}
