"""Every number in the card is recomputed from the published rows."""

import hashlib
import re
import statistics
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from polypref.cards import charts
from polypref.cards.dataset_card import SHARES, dataset_card
from polypref.cards.folder import read_facts, write_dataset
from polypref.cards.funnel import stage_rows
from polypref.cards.markers import join_card
from polypref.cards.metadata import dataset_metadata
from polypref.cards.render import format_number
from polypref.errors import InputError
from polypref.languages.codes import LANGUAGES
from polypref.schemas import hash16
from tests.frames import rows_to_frame

CODES = ["deu_Latn", "eng_Latn", "hin_Deva", "nob_Latn"]


@pytest.fixture
def folder(tmp_path, pairs, facts) -> Path:
    counts = {"deu_Latn": 60, "eng_Latn": 50, "hin_Deva": 40, "nob_Latn": 5}
    write_dataset(tmp_path, "pairs", {code: pairs(code, n) for code, n in counts.items()}, facts(CODES))
    return tmp_path


def rows_of(folder: Path, code: str) -> pl.DataFrame:
    return pl.read_parquet(str(folder / "data" / code / "*.parquet"))


def tables(card: str) -> dict[str, dict[str, dict[str, str]]]:
    """Return the card's tables as {table: {first cell of a row: {column: cell}}}.

    A table is named by its heading and its number below it: "Scores 0".
    """
    found: dict[str, Any] = {}
    for section in re.split(r"^## ", card, flags=re.M)[1:]:
        for n, table in enumerate(re.findall(r"(?:^\|.*\|\n?)+", section, flags=re.M)):
            head, _, *rows = [
                [cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().split("\n")
            ]
            found[f"{section.splitlines()[0]} {n}"] = {
                row[0]: dict(zip(head, row, strict=True)) for row in rows
            }
    return found


def test_every_number_equals_one_recomputed(folder: Path) -> None:
    found = tables((folder / "README.md").read_text())
    sizes, funnel, scores = (
        found["Languages and sizes 0"],
        found["Rows kept and rejected 0"],
        found["Scores 0"],
    )
    origins, models = found["Composition 0"], found["Composition 1"]
    digests = found["Files 0"]
    assert set(found) == {
        *(
            "Languages and sizes 0",
            "Rows kept and rejected 0",
            "Scores 0",
            "Columns 0",
        ),
        *("Composition 0", "Composition 1", "How it was made 0", "Licence 0", "Files 0"),
    }  # a table that is not here has numbers that nobody checks
    splits = {"train": 0, "test": 0}
    everything = []
    for i, code in enumerate(CODES):
        rows = rows_of(folder, code)
        everything.append(rows)
        for split in splits:
            files = list((folder / "data" / code).glob(f"{split}-*.parquet"))
            count = sum(pq.read_metadata(file).num_rows for file in files)
            assert sizes[code][split] == str(count)
            splits[split] += count
        size = sum(file.stat().st_size for file in (folder / "data" / code).iterdir())
        assert (
            sizes[code]
            | {"language": LANGUAGES[code].name, "MB": f"{size / 1e6:.2f}", "prompts": str(rows.height)}
            == sizes[code]
        )
        for column in ("prompt", "chosen", "rejected"):
            lengths = pl.Series([sum(len(m["content"]) for m in messages) for messages in rows[column]])
            assert sizes[code][f"{column} characters"] == format_number(lengths.median())
        for column in ("chosen_tokens", "rejected_tokens"):
            assert sizes[code][column.replace("_", " ")] == f"{rows[column].sum():,}"
        lengths = [
            [sum(len(m["content"]) for m in messages) for messages in rows[side]]
            for side in ("chosen", "rejected")
        ]
        share = sum(a > b for a, b in zip(*lengths, strict=True)) / rows.height
        assert scores[code]["chosen is longer"] == f"{share:.1%}"
        for file in (folder / "data" / code).iterdir():
            digest, count = hashlib.sha256(file.read_bytes()).hexdigest(), pq.read_metadata(file).num_rows
            name = f"`{file.relative_to(folder)}`"
            assert digests[name] == {"file": name, "rows": str(count), "sha256": f"`{digest}`"}
        assert funnel[code] == {
            "language": code,
            "prompts": "90",
            "prompts: wrong_language": "7",
            "prompts: too_long": "3",
            "pairs": str(80 - i),
            "no pair: tie": str(i),
        }
        for column in ("chosen_score", "rejected_score", "margin"):
            for percent in (5, 50, 95):
                value = rows[column].quantile(percent / 100, "linear")
                assert scores[code][f"{column.replace('_', ' ')} {percent}%"] == format_number(
                    round(value, 6)
                )
        for table, column in ((origins, "chosen_origin"), (models, "chosen_model")):
            assert table[code] == {"language": code, **shares(rows[column])}
    assert {split: sizes["default"][split] for split in splits} == {
        split: str(n) for split, n in splits.items()
    }
    assert origins["all"] == {"language": "all", **shares(pl.concat(everything)["chosen_origin"])}
    for column in ("chosen_tokens", "rejected_tokens"):
        assert sizes["default"][column.replace("_", " ")] == f"{pl.concat(everything)[column].sum():,}"
    assert len(digests) == len(list(folder.glob("data/*/*.parquet")))
    made = found["How it was made 0"]["translator"]
    assert (made["revision"], made["settings"]) == (f"`{'f' * 40}`", "beams 4")
    assert found["Licence 0"] == {
        "source questions with numbers": {
            "made from": "source questions with numbers",
            "licence": "not known",
        },
        "translator facebook/m2m100_418M": {"made from": "translator facebook/m2m100_418M", "licence": "mit"},
    }


@pytest.mark.parametrize("name", ["prompts", "completions", "rejected", "pairs"])
def test_every_table_is_counted_right(run, name: str) -> None:
    """Recompute the numbers of all four repositories without the code that measured them."""
    folder = run(CODES, 30) / "published" / name
    card = tables((folder / "README.md").read_text())
    frames = {code: rows_of(folder, code) for code in CODES}
    sizes, seen = card["Languages and sizes 0"], {"config", "language", "train", "test", "prompts", "MB"}
    texts = {
        "prompts": ["prompt"],
        "completions": ["prompt", "completion"],
        "rejected": ["messages"],
        "pairs": ["prompt", "chosen", "rejected"],
    }
    tokens = {"completions": ["tokens"], "pairs": ["chosen_tokens", "rejected_tokens"]}
    for code, rows in frames.items():
        for split in ("train", "test"):
            found = sum(
                pq.read_metadata(file).num_rows for file in folder.glob(f"data/{code}/{split}-*.parquet")
            )
            assert sizes[code][split] == str(found)
        assert sizes[code]["prompts"] == str(len(set(rows["prompt_id"])))
        for column in texts[name]:
            lengths = [
                sum(len(m["content"]) for m in v) if isinstance(v, list) else len(v)
                for v in rows[column].to_list()
            ]
            title = "text characters" if column == "messages" else f"{column} characters"
            assert sizes[code][title] == format_number(statistics.median(lengths))
            seen.add(title)
        for column in tokens.get(name, ()):
            assert sizes[code][column.replace("_", " ")] == f"{sum(rows[column]):,}"
            seen.add(column.replace("_", " "))
    assert set(sizes["default"]) == seen, "a column that is not here has numbers that nobody checks"
    if name == "completions":
        for code, rows in frames.items():
            scores = sorted(score["value"] for of_row in rows["scores"] for score in of_row)
            for percent in (5, 50, 95):
                cut = statistics.quantiles(scores, n=100, method="inclusive")[percent - 1]
                assert card["Scores 0"][code][f"reward score {percent}%"] == format_number(round(cut, 6))
    elif name != "pairs":
        assert "Scores 0" not in card
    shown = [table for title, table in card.items() if title.startswith("Composition")]
    columns = [
        column
        for column in SHARES["candidates" if name == "completions" else name]
        if any(r[column].count() for r in frames.values())
    ]
    for table, column in zip(shown, columns, strict=True):
        for code, rows in [*frames.items(), ("all", pl.concat(frames.values()))]:
            assert {value: share for value, share in table[code].items() if share != "0.0%"} == {
                "language": code,
                **shares(rows[column]),
            }
    assert {row["rows"] for row in card["Files 0"].values()} == {
        str(pq.read_metadata(file).num_rows) for file in folder.glob("data/*/*.parquet")
    }


def test_a_reason_stands_after_its_step_whichever_language_had_it_first(folder: Path) -> None:
    facts = read_facts(folder)
    facts["funnel"] = [
        *stage_rows("prompts", "deu_Latn", 3, {}),
        *stage_rows("a", "deu_Latn", 3, {}),
        *stage_rows("pairs", "deu_Latn", 2, {"tie": 1}),
        *stage_rows("prompts", "eng_Latn", 3, {"empty": 1}),
        *stage_rows("a", "eng_Latn", 3, {}),
        *stage_rows("a", "hin_Deva", 0, {"copied": 1}),
    ]
    (head, *_) = tables(dataset_card(facts))["Rows kept and rejected 0"].values()
    expected = [
        "language",
        "prompts",
        "prompts: empty",
        "a completions",
        "a completions: copied",
        "pairs",
        "no pair: tie",
    ]
    assert list(head) == expected


def test_the_picture_shows_the_quantiles(folder: Path) -> None:
    for theme in ("light", "dark"):
        svg = (folder / "assets" / f"scores-{theme}.svg").read_text()
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        lines = [(float(a), float(b)) for a, b in re.findall(r'd="M([\d.]+) [\d.]+H([\d.]+)"', svg)]
        expected = []
        for n, columns in enumerate((["chosen_score", "rejected_score"], ["margin"])):
            ends = [
                [rows_of(folder, code)[column].quantile(q, "linear") for q in (0.05, 0.95)]
                for code in ("eng_Latn", "deu_Latn", "hin_Deva", "nob_Latn")  # by English name
                for column in columns
            ]
            low, high = min(end[0] for end in ends), max(end[1] for end in ends)
            low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
            left = charts.NAMES + n * (charts.PANEL + charts.GAP)
            expected += [
                [left + charts.PANEL * (value - low) / (high - low) for value in end] for end in ends
            ]
        assert [x for pair in lines for x in pair] == pytest.approx(
            [x for pair in expected for x in pair], abs=0.1
        )
        assert all(LANGUAGES[code].name.split(" (")[0] in svg for code in CODES)


def test_the_lineage_is_that_of_everything_made_with_it(folder: Path, tmp_path, pairs, facts) -> None:
    build = read_facts(folder)["builds"]
    assert [hash16(made) for made in build.values()] == list(build)
    assert f"- `{next(iter(build))}`: {', '.join(CODES)}\n" in (folder / "README.md").read_text()
    candidates = rows_to_frame([], "candidates")
    write_dataset(
        tmp_path / "other",
        "candidates",
        {"deu_Latn": candidates},
        facts(CODES, name="acme/pairs-completions"),
    )
    assert list(read_facts(tmp_path / "other")["builds"]) == list(build)


def shares(values: pl.Series) -> dict[str, str]:
    values = values.drop_nulls()
    return {value: f"{(values == value).mean():.1%}" for value in values.unique().sort()}


def test_the_metadata_is_valid_and_counts_right(folder: Path) -> None:
    card = DatasetCard.load(folder / "README.md")
    meta = card.data.to_dict()
    assert meta["language"] == ["de", "en", "hi", "nb"]
    assert meta["license"] == "apache-2.0"
    assert meta["size_categories"] == ["n<1K"]
    assert {"preference", "dpo", "rlhf", "multilingual"} < set(meta["tags"])
    assert [config["config_name"] for config in meta["configs"]] == ["default", *CODES]
    assert [config.get("default") for config in meta["configs"]] == [True, None, None, None, None]
    for info, config in zip(meta["dataset_info"], meta["configs"], strict=True):
        files = [file for part in config["data_files"] for file in folder.glob(part["path"])]
        assert sum(split["num_examples"] for split in info["splits"]) == sum(
            pq.read_metadata(file).num_rows for file in files
        )
        assert info["download_size"] == sum(file.stat().st_size for file in files)
        assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])
    assert len({info["description"] for info in meta["dataset_info"]}) == 5


def test_the_features_are_those_that_datasets_would_write(folder: Path) -> None:
    from datasets import Features

    info = DatasetCard.load(folder / "README.md").data.to_dict()["dataset_info"][0]
    schema = pq.read_schema(next(folder.glob("data/deu_Latn/*.parquet")))
    assert info["features"] == Features.from_arrow_schema(schema)._to_yaml_list()


def test_every_language_tag_stays_a_string_in_yaml(folder: Path) -> None:
    """`no` is false in YAML, and `y` or `on` would be true."""
    facts = read_facts(folder)
    facts["languages"] = {code: {**facts["languages"]["deu_Latn"]} for code in LANGUAGES}
    found = {"language": dataset_metadata(facts, {})["language"]}
    tags = yaml.safe_load(join_card(found, "", "", "").split("---\n")[1])["language"]
    assert tags == sorted({language.iso639_1 or language.iso639_3 for language in LANGUAGES.values()})
    assert all(isinstance(tag, str) for tag in tags)


def test_what_people_wrote_is_kept(folder: Path, pairs, facts) -> None:
    readme = folder / "README.md"
    text = readme.read_text()
    text = text.replace("\n---\n", "\npaperswithcode_id: mine\n---\n\nRead this first.\n\n", 1).replace(
        "- rlhf\n", "- rlhf\n- law\n", 1
    )
    text = text.replace("configs:\n", "configs:\n- config_name: mine\n  data_files: mine.parquet\n", 1)
    readme.write_text(text + "\n## Thanks\n\nTo everyone | with $1 and {braces}.\n")
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 61)}, facts(CODES))
    new = readme.read_text()
    assert new.endswith("\n## Thanks\n\nTo everyone | with $1 and {braces}.\n")
    assert "\n---\n\nRead this first.\n\n<!-- polypref" in new
    meta = yaml.safe_load(new.split("---\n")[1])
    assert meta["paperswithcode_id"] == "mine"
    assert "law" in meta["tags"]
    assert {"config_name": "mine", "data_files": "mine.parquet"} in meta["configs"]
    assert new.count("# Pairs for tests") == 1
    assert tables(new)["Languages and sizes 0"]["deu_Latn"]["prompts"] == "61"
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 61)}, facts(CODES))
    assert readme.read_text() == new


def test_a_card_that_somebody_else_pushed_keeps_its_text_and_its_configs(folder: Path) -> None:
    info = {"config_name": "swh_Latn", "splits": [{"name": "train", "num_bytes": 1, "num_examples": 1}]}
    header = yaml.safe_dump(
        {"license": "mit", "tags": "old", "configs": [{"config_name": "swh_Latn"}], "dataset_info": info}
    )
    card = dataset_card(read_facts(folder), f"---\n{header}---\n# Mine\n\nWritten by hand.\n")
    assert card.endswith("<!-- polypref: generated text ends here. -->\n\n# Mine\n\nWritten by hand.\n")
    meta = yaml.safe_load(card.split("---\n")[1])
    assert meta["license"] == "apache-2.0"
    assert "old" in meta["tags"]
    assert [config["config_name"] for config in meta["configs"]] == ["default", *CODES, "swh_Latn"]
    assert meta["dataset_info"][-1] == info


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (
            lambda card: card.replace("<!-- polypref: generated text ends here. -->", ""),
            "found only one of the two lines",
        ),
        (lambda card: card.replace("license:", "license: [", 1), "metadata is not YAML"),
        (lambda card: "---\n- a list\n---\n", "metadata: found list, expected keys and values"),
    ],
)
def test_a_card_that_cannot_be_taken_apart_is_one_line(folder: Path, damage, line: str) -> None:
    with pytest.raises(InputError, match=rf"^README\.md: {line}[^\n]*$"):
        dataset_card(read_facts(folder), damage((folder / "README.md").read_text()))


def test_other_tables_leave_out_what_they_do_not_have(tmp_path, facts) -> None:
    prompt = [{"role": "user", "content": "Hallo?"}]
    rows = [
        {"prompt_id": f"{i:016x}", "language": "deu_Latn", "prompt": prompt, "source": "questions"}
        for i in range(20)
    ]
    write_dataset(
        tmp_path,
        "prompts",
        {"deu_Latn": rows_to_frame(rows, "prompts")},
        facts([], license=None, recipe="", sources=[]),
    )
    card = (tmp_path / "README.md").read_text()
    assert re.findall(r"^## (.*)", card, flags=re.M) == [
        *(
            "Languages and sizes",
            "Loading",
            "Composition",
            "Columns",
            "How it was made",
            "Lineage",
            "Filtering",
        ),
        *("Limitations", "Licence", "Citation", "Files"),
    ]
    assert "# Pairs for tests: prompts\n" in card
    assert "{%" not in card
    assert "\n\n\n" not in card
    assert tables(card)["Composition 0"]["deu_Latn"] == {"language": "deu_Latn", "questions": "100.0%"}


@pytest.mark.parametrize("license", ["other", None])
def test_sections_are_set_apart_by_one_blank_line(folder: Path, license: str | None) -> None:
    facts = read_facts(folder)
    build = next(iter(facts["builds"].values()))
    for parts in ({}, {"models": [], "sources": []}):
        facts["builds"] = dict.fromkeys(facts["builds"], build | parts)
        body = dataset_card({**facts, "license": license}).split("-->", 1)[1]
        assert "\n\n\n" not in body
        assert not re.findall(r"[^\n]\n##+ ", body)
