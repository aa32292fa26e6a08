"""Ready pairs and ranked completions come in as they are published elsewhere.

Sources of the layouts: HuggingFaceH4/ultrafeedback_binarized, openbmb/UltraFeedback, nvidia/HelpSteer3,
Anthropic/hh-rlhf, CohereLabsCommunity/multilingual-reward-bench. The texts are ours.
"""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from polypref.builders.recipe import Recipe
from polypref.config import read_config
from polypref.errors import InputError
from tests.field.builds import ANSWERS, Built, Q, R, build, write_rows

GOOD, BAD = ANSWERS["good"], ANSWERS["bad"]
PUBLISH = {"name": "n", "title": "t", "license": "mit", "test_share": 0}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def build_pairs(folder: Path, rows: list[dict[str, Any]], table: dict[str, Any], **fields: Any) -> Built:
    path = write_rows(folder / "uf.jsonl", rows)
    languages = ["en", "de"] if any(row.get("language") == "german" for row in rows) else ["en"]
    sections = {"pairs": {"import": {"path": path, **table}, **fields}, "languages": languages}
    return build(folder, **sections)


def test_ultrafeedback_binarized(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": question,
            "prompt_id": f"id{number}",
            "chosen": [user(question), assistant(GOOD[question])],
            "rejected": [user(question), assistant(BAD[question])],
            "score_chosen": 8.5,
            "score_rejected": 8.5 if question == R else 4.0,
        }
        for number, question in enumerate((Q, R))
    ]
    built = build_pairs(
        tmp_path,
        rows,
        {"text": "prompt", "id": ["prompt_id"]},
        answers=["chosen", "rejected"],
        scores=["score_chosen", "score_rejected"],
    )
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert built.pairs.select("chosen_score", "rejected_score", "margin").row(0) == (8.5, 4.0, 4.5)
    assert built.pairs.select("chosen_model", "chosen_sample", "rejected_sample").row(0) == ("uf", 0, 1)
    assert built.counts("pairs") == {None: 1, "tie": 1}
    assert built.counts("uf-native") == {None: 4}
    assert built.counts("model scores") == {None: 4}


def test_chosen_and_rejected_alone_hold_the_prompt(tmp_path: Path) -> None:
    rows = [
        {
            "chosen": [user("Hello!"), assistant("Hello, how can I help you?"), user(Q), assistant(GOOD[Q])],
            "rejected": [user("Hello!"), assistant("Hello, how can I help you?"), user(Q), assistant(BAD[Q])],
        },
        {  # the answers belong to other prompts
            "chosen": [user(R), assistant(GOOD[R])],
            "rejected": [user(Q), assistant(BAD[R])],
        },
    ]
    built = build_pairs(tmp_path, rows, {"text": "chosen"}, answers=["chosen", "rejected"])
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert len(built.pairs["prompt"][0]) == 3
    assert built.pairs["margin"].to_list() == [1.0]
    assert built.counts("uf-native") == {None: 3, "other_prompt": 1}


def test_transcripts_as_in_hh_rlhf(tmp_path: Path) -> None:
    rows = [
        {
            "chosen": f"\n\nHuman: {Q}\n\nAssistant: {GOOD[Q]}",
            "rejected": f"\n\nHuman: {Q}\n\nAssistant: {BAD[Q]}",
        }
    ]
    built = build_pairs(tmp_path, rows, {"text": "chosen"}, answers=["chosen", "rejected"])
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]


def test_strings_with_a_prompt_and_the_names_of_models(tmp_path: Path) -> None:
    rows = [
        {
            "id": 7,
            "prompt": Q,
            "chosen": GOOD[Q],
            "rejected": BAD[Q],
            "chosen_model": "gpt-4",
            "rejected_model": "falcon",
        }
    ]
    built = build_pairs(
        tmp_path,
        rows,
        {"text": "prompt", "id": ["id"]},
        answers=["chosen", "rejected"],
        models=["chosen_model", "rejected_model"],
    )
    assert built.pairs.select("chosen_model", "rejected_model").row(0) == ("gpt-4", "falcon")


@pytest.mark.parametrize("shape", ["list of structs", "struct of lists"])
def test_ultrafeedback_with_a_list_of_completions(tmp_path: Path, shape: str) -> None:
    completions: Any = [
        {"model": "falcon", "response": BAD[Q], "overall_score": "2.0"},
        {"model": "gpt-4", "response": GOOD[Q], "overall_score": "8.5"},
        {"model": "llama", "response": "Sort it by hand, number by number.", "overall_score": "5"},
    ]
    if shape == "struct of lists":
        completions = {key: [row[key] for row in completions] for key in completions[0]}
    built = build_pairs(
        tmp_path,
        [{"source": "evol", "instruction": Q, "completions": completions}],
        {"text": "instruction"},
        answers="completions.response",
        scores="completions.overall_score",
        models="completions.model",
    )
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert built.pairs.select("chosen_model", "rejected_model", "margin").row(0) == ("gpt-4", "falcon", 6.5)
    completions_file = tmp_path / "work/published/completions/data/eng_Latn"
    published = pl.read_parquet(completions_file / "*.parquet").sort("rank")
    assert published["generator"].to_list() == ["gpt-4", "llama", "falcon"]


@pytest.mark.parametrize("completions", [None, [], "no list", [{"model": "m"}]])
def test_a_row_without_answers_is_accounted_for(tmp_path: Path, completions: Any) -> None:
    first = {"instruction": R, "completions": [{"response": GOOD[R]}, {"response": BAD[R]}]}
    rows = [first, {"instruction": Q, "completions": completions}]
    built = build_pairs(tmp_path, rows, {"text": "instruction"}, answers="completions.response")
    assert built.texts() == [(R, GOOD[R], BAD[R])]
    assert built.counts("uf-native") == {None: 2, "not_text": 1}


def test_helpsteer3(tmp_path: Path) -> None:
    rows = [
        {"context": [user(Q)], "response1": BAD[Q], "response2": GOOD[Q], "overall_preference": 3},
        {"context": [user(R)], "response1": GOOD[R], "response2": BAD[R], "overall_preference": -2},
        {
            "context": [user("Name a number.")],
            "response1": "Seven.",
            "response2": "Eight.",
            "overall_preference": 0,
        },
        {
            "context": [user("Name a city.")],
            "response1": "Rome.",
            "response2": "Paris.",
            "overall_preference": None,
        },
        {
            "context": [user("Welche Stadt ist die Hauptstadt von Italien?")],
            "response1": "Die Hauptstadt von Italien ist die Stadt Rom.",
            "response2": "Die Hauptstadt von Italien ist die Stadt Mailand.",
            "overall_preference": -1,
        },
    ]
    for row, language in zip(rows, ["english", "english", "english", "english", "german"], strict=True):
        row["language"] = language
    built = build_pairs(
        tmp_path,
        rows,
        {"text": "context", "language": "language"},
        answers=["response1", "response2"],
        preference="overall_preference",
        annotators="human",
    )
    english = built.pairs.filter(language="eng_Latn")
    assert sorted(english["margin"]) == [2.0, 3.0]
    assert built.counts("pairs") == {None: 2, "tie": 1, "missing_score": 1}
    assert built.counts("pairs", "deu_Latn") == {None: 1}
    assert built.counts("human scores") == {None: 6, "missing_score": 2}
    card = (tmp_path / "work/published/pairs/README.md").read_text()
    assert "| human scores | human | `imported from uf.jsonl` |" in card
    assert yaml.safe_load(card.split("---")[1])["annotations_creators"] == ["crowdsourced"]


@pytest.mark.parametrize(
    ("values", "preferred"),
    [
        (["model_a", "model_b", "tie", None], ["model_a", "model_b"]),  # lmsys/chatbot_arena_conversations
        ([1, 0.0, 2, None], [1, 0]),  # stanfordnlp/SHP
        ([True, False, "", None], [True, False]),
    ],
)
def test_the_better_answer_may_have_a_name(tmp_path: Path, values: list[Any], preferred: list[Any]) -> None:
    questions = [Q, R, "Name a number.", "Name a city."]
    answers = {Q: (GOOD[Q], BAD[Q]), R: (BAD[R], GOOD[R])}
    rows = []
    for question, value in zip(questions, values, strict=True):
        first, second = answers.get(question, ("Seven or Rome.", "Eight or Paris."))
        rows.append(
            {"a": [user(question), assistant(first)], "b": [user(question), assistant(second)], "w": value}
        )
    built = build_pairs(
        tmp_path,
        rows,
        {"text": "a"},
        answers=["a", "b"],
        preference="w",
        preferred=preferred,
        annotators="human",
    )
    assert built.texts() == [(Q, GOOD[Q], BAD[Q]), (R, GOOD[R], BAD[R])]
    assert built.counts("pairs") == {None: 2, "tie": 1, "missing_score": 1}


def test_of_pairs_with_the_same_id_the_first_counts(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": Q, "a": GOOD[Q], "b": BAD[Q], "sa": 5, "sb": 2},
        {"id": 1, "prompt": Q, "a": BAD[Q], "b": GOOD[Q], "sa": 4, "sb": 3},
    ]
    table = {"text": "prompt", "id": ["id"]}
    built = build_pairs(tmp_path, rows, table, answers=["a", "b"], scores=["sa", "sb"])
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert built.pairs["margin"].to_list() == [3.0]
    assert built.counts("uf-native") == {None: 2, "duplicate": 2}
    assert built.counts("model scores") == {None: 2, "duplicate": 2}


def test_a_column_that_is_missing_is_named_before_anything_is_made(tmp_path: Path) -> None:
    rows = [{"prompt": Q, "chosen": GOOD[Q], "rejected": BAD[Q]}]
    with pytest.raises(InputError, match=r"uf\.jsonl: missing column 'score'"):
        build_pairs(tmp_path, rows, {"text": "prompt"}, answers=["chosen", "rejected"], preference="score")
    assert not (tmp_path / "work/tables").exists()


def test_filters_of_a_build_apply_to_ready_pairs(tmp_path: Path) -> None:
    rows = [{"prompt": Q, "chosen": GOOD[Q], "rejected": BAD[Q] * 2000}]
    built = build_pairs(tmp_path, rows, {"text": "prompt"}, answers=["chosen", "rejected"])
    assert built.counts("uf-native") == {None: 1, "too_long": 1}
    assert built.counts("pairs") == {"no_candidates": 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"answer": ["a", "b"]}, "r.yaml: unknown key 'pairs.answer'; did you mean 'answers'?"),
        ({}, "r.yaml: missing key 'pairs.answers'"),
        (
            {"answers": ["a", "b"], "scores": ["c", "d"], "preference": "e"},
            "r.yaml: pairs: expected either 'scores' or 'preference'",
        ),
    ],
)
def test_a_recipe_of_pairs_that_is_wrong(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    content = {
        "languages": ["en"],
        "pairs": {"import": {"path": "p.jsonl", "text": "t"}, **fields},
        "publish": PUBLISH,
    }
    (tmp_path / "r.yaml").write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        read_config(tmp_path / "r.yaml", Recipe)
    assert str(error.value).endswith(message)


def test_the_recipes_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/build.md").read_text()
    recipes = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(recipes) == 2
    for recipe in recipes:
        (tmp_path / "r.yaml").write_text(recipe)
        read_config(tmp_path / "r.yaml", Recipe)
