"""The sections of the report, before they become HTML."""

import json
from pathlib import Path

from polypref.cards.funnel import stage_rows, without_languages
from polypref.eval.report.funnel import completion_tables, prompt_table
from polypref.eval.report.page import duration, points
from polypref.eval.report.samples import sampled_languages
from polypref.eval.report.training import training_runs
from tests.eval.report_run import FUNNEL, PAIRS


def test_a_prompt_that_went_nowhere_is_unaccounted_for() -> None:
    table = prompt_table(FUNNEL, ("arb_Arab", "deu_Latn", "eng_Latn"))
    assert table is not None
    assert [column.name for column in table.columns] == [
        "not sampled",
        "wrong language",
        "duplicate",
        "tie",
        "identical",
        "unaccounted for",
        "pairs",
    ]
    assert table.rows()["eng_Latn"] == [7, 0, 0, 2, 0, 0, 5, 0]
    assert (table.ended("aside"), table.ended("reason"), table.ended("reason", "prompt left out")) == (
        1100,
        117,
        102,
    )
    assert table.headings() == [("prompt left out", 3), ("no pair", 2), ("", 2)]
    whole = prompt_table(without_languages(FUNNEL, ["eng_Latn"]), PAIRS)
    assert whole is not None
    assert whole.columns[-2].name == "identical"


def test_kept_prompts_of_a_language_that_is_not_built_are_set_aside() -> None:
    table = prompt_table([*FUNNEL, *stage_rows("prompts", "und", 0, {"unknown_language": 2})], PAIRS)
    assert table is not None
    assert [(column.name, column.kind) for column in table.columns[-2:]] == [
        ("language not built", "aside"),
        ("pairs", "kept"),
    ]
    assert table.rows()["eng_Latn"][-2:] == [5, 0]
    assert list(table.rows()) == ["arb_Arab", "eng_Latn", "deu_Latn", "und"]
    assert sum(table.rows()["und"]) == 4  # two in, two left out


def test_completions_by_generator_and_origin() -> None:
    strong, weak = completion_tables(FUNNEL)
    assert (strong.title, weak.title) == ("strong-native", "weak-translated")
    assert strong.rows() == {"arb_Arab": [1230, 1200, 3, 27], "deu_Latn": [50, 0, 0, 50]}
    assert weak.total() == [1230, 1200, 30]
    assert completion_tables(stage_rows("prompts", "deu_Latn", 3, {})) == []


def test_a_log_without_training_json_is_drawn_with_all_its_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "dpo"
    folder.mkdir()
    lines = [{"step": step, "loss": 1 / step, "grad_norm": 2, "note": "x"} for step in (1, 2)]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,) = training_runs(tmp_path)
    assert list(run["curves"]) == ["loss", "grad norm"]


def test_sampled_languages_have_many_scripts_and_one_from_right_to_left() -> None:
    pairs = {
        "deu_Latn": 9,
        "fra_Latn": 9,
        "eng_Latn": 99,
        "ell_Grek": 8,
        "rus_Cyrl": 7,
        "hin_Deva": 6,
        "kor_Hang": 5,
        "jpn_Jpan": 4,
        "heb_Hebr": 1,
    }
    assert sampled_languages(pairs) == [
        "deu_Latn",
        "ell_Grek",
        "rus_Cyrl",
        "hin_Deva",
        "kor_Hang",
        "heb_Hebr",
    ]
    assert sampled_languages({"eng_Latn": 3, "fra_Latn": 1, "deu_Latn": 1, "spa_Latn": 0}) == [
        "deu_Latn",
        "fra_Latn",
        "eng_Latn",
    ]


def test_numbers() -> None:
    assert (points(0.1234), points(-0.05), duration(59.6), duration(327), duration(7260)) == (
        "+12.3",
        "\N{MINUS SIGN}5.0",
        "1 min 0 s",
        "5 min 27 s",
        "2 h 1 min",
    )
