"""The funnel of reasons and languages adds up to the rows that came in, none lost and none twice, and the card shows it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from polypref.builders.build import Build
from polypref.builders.publish import Funnel, write_folders
from polypref.builders.recipe import Recipe
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
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Funnel], dict[str, Funnel]]:
    """The funnels of a build, and those that its card shows."""
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
        funnels = write_folders(build, "")
        tables = {name: workdir.published / name / "README.md" for name in ("prompts", "pairs")}
        shown = card_table(
            tables["pairs"].read_text(), "How many rows were kept, and why the others were not"
        )
        assert (
            card_table(tables["prompts"].read_text(), "How many rows were kept, and why the others were not")
            == shown
        )
    assert (len(rows), len(answers)) == (ROWS, ANSWERS)
    return funnels, {
        row.pop("language"): {step: int(n.replace(",", "")) for step, n in row.items() if n} for row in shown
    }


def test_the_funnel_adds_up_to_the_input(made: tuple[dict[str, Funnel], dict[str, Funnel]]) -> None:
    counts, _ = made
    prompts = {
        code: {step: n for step, n in steps.items() if step.startswith("prompts")}
        for code, steps in counts.items()
    }
    assert {code: steps["prompts"] for code, steps in prompts.items()} == {
        "deu_Latn": 13,
        "eng_Latn": 14,
        "fra_Latn": 1,
        "und": 1,
    }
    assert sum(steps["prompts"] for steps in prompts.values()) == ROWS
    reasons = Counter(
        {
            (code, step.partition(": ")[2]): n
            for code, steps in prompts.items()
            for step, n in steps.items()
            if ": " in step
        }
    )
    assert reasons == {
        ("deu_Latn", "wrong_language"): 2,
        ("deu_Latn", "duplicate"): 1,
        ("deu_Latn", "not_text"): 1,
        ("deu_Latn", "empty"): 1,
        ("eng_Latn", "not_text"): 1,
        ("eng_Latn", "too_long"): 1,
        ("eng_Latn", "not_sampled"): 2,
        ("fra_Latn", "wrong_language"): 1,
        ("und", "unknown_language"): 1,
    }
    kept = {
        code: steps["prompts"] - sum(n for (of, _), n in reasons.items() if of == code)
        for code, steps in prompts.items()
    }
    assert kept == {"deu_Latn": 8, "eng_Latn": 10, "fra_Latn": 0, "und": 0}
    for code in ("deu_Latn", "eng_Latn"):  # every kept prompt becomes a pair, or has the reason why not
        ends = [n for step, n in counts[code].items() if step == "pairs" or step.startswith("no pair: ")]
        assert sum(ends) == kept[code]
    completions = [
        n for steps in counts.values() for step, n in steps.items() if step == "mine-native completions"
    ]
    assert sum(completions) == ANSWERS


def test_the_card_shows_the_rows_of_every_other_language(
    made: tuple[dict[str, Funnel], dict[str, Funnel]],
) -> None:
    funnels, shown = made
    assert shown == funnels
    assert sum(steps["prompts"] for steps in shown.values()) == ROWS
