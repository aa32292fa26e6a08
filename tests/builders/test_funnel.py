"""The funnel adds up to the rows that came in, none lost and none counted twice, and the card shows it."""

import json
from pathlib import Path

import pytest

from polypref.builders.build import Build
from polypref.builders.publish import write_folders
from polypref.builders.recipe import Recipe
from polypref.cards.funnel import Funnel, counts_by_language, reasons, rejected_by_reason, stage_rows, stages
from polypref.store.workdir import Workdir


def card_table(card: str, heading: str) -> list[dict[str, str]]:
    """The table under a heading, a dict a row."""
    lines = [
        line
        for line in card.split(f"## {heading}", 1)[1].split("\n## ", 1)[0].splitlines()
        if line.startswith("|")
    ]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


ROWS, ANSWERS = 29, 6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Funnel, list[dict[str, str]]]:
    """The funnel of a build, and the table that its card shows."""
    tmp_path = tmp_path_factory.mktemp("funnel")
    english = [f"Please tell me something nice about the number {i} and its friends." for i in range(12)]
    german = [f"Bitte erzähle mir etwas Schönes über die Zahl {i} und ihre Freunde." for i in range(8)]
    rows: list[dict[str, object]] = [{"p": text, "l": "en"} for text in english] + [
        {"p": text, "l": "de"} for text in german
    ]
    rows += [{"p": text, "l": "de"} for text in (english[0], english[1], german[0], None, "?!")]
    rows += [
        {"p": "Say it.", "l": "Klingon"},
        {"p": 7, "l": "en"},
        {"p": "x " * 20_000, "l": "en"},
        {"p": english[3], "l": "fr"},
    ]
    answers: list[dict[str, object]] = [
        {"id": "1", "c": "One is a nice number, and it has many friends.", "l": "en"} for _ in range(2)
    ]
    answers += [
        {"id": "2", "c": None, "l": "en"},
        {"id": "14", "c": "Eins ist eine schöne Zahl und hat viele Freunde.", "l": "de"},
    ]
    answers += [
        {"id": "15", "c": "Two is a nice number and it has many, many friends.", "l": "de"},
        {"id": "99", "c": "Who?", "l": "en"},
    ]
    numbered = [row | {"id": str(n)} for n, row in enumerate(rows)]
    recipe = {
        "languages": ["en", "de"],
        "prompts": {
            "sources": [
                {"path": jsonl(tmp_path / "p.jsonl", numbered), "text": "p", "language": "l", "id": ["id"]}
            ],
            "sample": 10,
        },
        "complete": {
            "generators": {
                "mine": {
                    "import": {
                        "path": jsonl(tmp_path / "c.jsonl", answers),
                        "text": "c",
                        "language": "l",
                        "id": ["id"],
                    }
                }
            }
        },
        "score": {"rule": {"kind": "language_rule"}},
        "pair": {"builder": "best-vs-worst", "scorer": "rule"},
        "publish": {"name": "n", "title": "t", "license": "mit"},
    }
    with Workdir(tmp_path / "run") as workdir:
        build = Build(Recipe.model_validate(recipe), workdir)
        build.make()
        funnel = write_folders(build, "")
        tables = {name: workdir.published / name / "README.md" for name in ("prompts", "pairs")}
        shown = card_table(tables["pairs"].read_text(), "Rows kept and rejected")
        assert card_table(tables["prompts"].read_text(), "Rows kept and rejected") == shown
    assert (len(rows), len(answers)) == (ROWS, ANSWERS)
    return funnel, shown


def test_the_funnel_adds_up_to_the_input(built: tuple[Funnel, list[dict[str, str]]]) -> None:
    funnel, _ = built
    prompts = counts_by_language(funnel, "prompts")
    assert prompts == {
        "eng_Latn": {None: 10, "not_text": 1, "too_long": 1, "not_sampled": 2},
        "fra_Latn": {None: 0, "wrong_language": 1},
        "deu_Latn": {None: 8, "wrong_language": 2, "duplicate": 1, "not_text": 1, "empty": 1},
        "und": {None: 0, "unknown_language": 1},
    }
    assert list(prompts) == ["eng_Latn", "fra_Latn", "deu_Latn", "und"]  # by English name: German is third
    assert sum(row["count"] for row in funnel if row["stage"] == "prompts") == ROWS
    for code, counts in counts_by_language(funnel, "pairs").items():
        assert (
            sum(counts.values()) == prompts[code][None]
        )  # every kept prompt is a pair, or has the reason why not
    assert sum(row["count"] for row in funnel if row["stage"] == "mine-native") == ANSWERS


def test_the_card_shows_the_rows_of_every_other_language(built: tuple[Funnel, list[dict[str, str]]]) -> None:
    funnel, shown = built
    expected: dict[str, dict[str, str]] = {row["language"]: {} for row in shown}
    for code, cells in expected.items():
        for stage, title in (("prompts", "prompts"), ("mine-native", "mine-native completions")):
            counts = counts_by_language(funnel, stage).get(code, {})
            if counts:
                cells[title] = str(sum(counts.values()))
            cells |= {f"{title}: {reason}": str(n) for reason, n in counts.items() if reason}
        pairs = counts_by_language(funnel, "pairs").get(code, {})
        cells |= {f"no pair: {reason}" if reason else "pairs": str(n) for reason, n in pairs.items()}
    cells_shown = {row["language"]: {title: n for title, n in row.items() if n} for row in shown}
    assert cells_shown == {code: {"language": code, **cells} for code, cells in expected.items()}
    assert sum(int(row["prompts"]) for row in shown) == ROWS
    assert [row["language"] for row in shown] == ["eng_Latn", "fra_Latn", "deu_Latn", "und"]


def test_stages_stand_in_the_order_of_the_build() -> None:
    funnel = stage_rows("pairs", "deu_Latn", 1, {}) + stage_rows("weak-native", "deu_Latn", 1, {})
    funnel += stage_rows("strong-native", "deu_Latn", 1, {}) + stage_rows("prompts", "deu_Latn", 1, {})
    assert stages(funnel) == ["prompts", "weak-native", "strong-native", "pairs"]


def test_reasons_with_the_most_rows_come_first() -> None:
    funnel = stage_rows("prompts", "deu_Latn", 1, {"empty": 2, "loop": 2})
    funnel += stage_rows("prompts", "eng_Latn", 0, {"loop": 1, "copied": 2})
    assert reasons(funnel, "prompts") == ["loop", "copied", "empty"]
    assert rejected_by_reason(funnel) == {
        "empty": {"deu_Latn": 2},
        "loop": {"deu_Latn": 2, "eng_Latn": 1},
        "copied": {"eng_Latn": 2},
    }
