"""Users' ids, scores and languages, as their files hold them: never a wrong pair, every row accounted for.

Sources: neuVid#55 and lsr-benchmark#64 (ids that collide across sources), openbmb/UltraFeedback and its
issue 8 (ratings as text), pandas (ids that became floats), and our own.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from polypref.errors import InputError
from tests.field.builds import ANSWERS, Q, R, build, two_generators, write_rows

GOOD, BAD = ANSWERS["good"], ANSWERS["bad"]


def sources(folder: Path, *rows: dict[str, Any], name: str = "p.jsonl") -> dict[str, Any]:
    return {"path": write_rows(folder / name, rows), "text": "prompt", "id": ["id"]}


def score(identity: Any, good: Any, bad: Any, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": identity, "generator": "good", "score": good, **more},
        {"id": identity, "generator": "bad", "score": bad, **more},
    ]


@pytest.mark.parametrize(
    ("in_prompts", "in_answers", "in_scores"),
    [(0, 0.0, "0"), ("0", 0, 0.0), (0.0, "0.0", 0), ("007", "007", " 007 "), (2**60, str(2**60), 2**60)],
)
def test_an_id_matches_whatever_type_a_file_gives_it(
    tmp_path: Path, in_prompts: Any, in_answers: Any, in_scores: Any
) -> None:
    # pandas writes integers with missing values as floats, CSV and JSON of others as text.
    prompts = {"sources": [sources(tmp_path, {"id": in_prompts, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: in_answers}, score(in_scores, 2, 1))
    assert build(tmp_path, prompts=prompts, **sections).texts() == [(Q, GOOD[Q], BAD[Q])]


def test_ids_of_one_source_never_match_prompts_of_another(tmp_path: Path) -> None:
    # neuVid#55, lsr-benchmark#64: both sources count from 0.
    first = sources(tmp_path, {"id": 0, "prompt": Q}, name="first.jsonl")
    second = sources(tmp_path, {"id": 0, "prompt": R}, name="second.jsonl")
    prompts = {"sources": [first, second]}
    sections = two_generators(tmp_path, {Q: 0}, score(0, 2, 1))
    with pytest.raises(InputError) as error:
        build(tmp_path, prompts=prompts, **sections)
    assert str(error.value).endswith(
        "r.yaml: complete.generators.good.import: its ids may belong to first.jsonl or second.jsonl; "
        "expected `source`, which names one of them or a column"
    )
    sections = two_generators(tmp_path, {Q: 0}, score(0, 2, 1), source="first.jsonl")
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert built.counts("pairs") == {None: 1, "no_candidates": 1}


def test_an_import_without_an_id_is_refused_where_the_prompts_have_one(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 2, "prompt": Q}, {"id": 1, "prompt": R})]}
    sections = two_generators(tmp_path, {Q: 2, R: 1}, score(1, 2, 1))
    del sections["complete"]["generators"]["bad"]["import"]["id"]  # the rows' numbers would match, wrongly
    with pytest.raises(InputError) as error:
        build(tmp_path, prompts=prompts, **sections)
    assert str(error.value).endswith(
        "complete.generators.bad.import: expected `id`: the prompts' ids are not the numbers of their rows"
    )


def test_an_id_of_several_columns_matches_column_by_column(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": "a/b", "part": "c", "prompt": Q})]}
    prompts["sources"][0]["id"] = ["id", "part"]
    generators = {}
    for name, identity, part in (("good", "a/b", "c"), ("bad", "a", "b/c")):
        path = write_rows(tmp_path / f"{name}.jsonl", [{"id": identity, "part": part, "text": GOOD[Q]}])
        generators[name] = {"import": {"path": path, "text": "text", "id": ["id", "part"]}}
    built = build(tmp_path, prompts=prompts, complete={"generators": generators})
    assert built.counts("good-native") == {None: 1}
    assert built.counts("bad-native") == {"no_prompt": 1}


def test_a_column_names_the_source_of_each_row(tmp_path: Path) -> None:
    first = sources(tmp_path, {"id": 0, "prompt": Q}, name="first.jsonl")
    second = sources(tmp_path, {"id": 0, "prompt": R}, name="second.jsonl")
    generators = {}
    for name, answers in ANSWERS.items():
        rows = [
            {"id": 0, "text": answers[Q], "from": "first.jsonl"},
            {"id": 0, "text": answers[R], "from": "second.jsonl"},
        ]
        path = write_rows(tmp_path / f"{name}.jsonl", rows)
        generators[name] = {"import": {"path": path, "text": "text", "id": ["id"], "source": "from"}}
    rows = score(0, 2, 1, **{"from": "first.jsonl"}) + score(0, 2, 1, **{"from": "second.jsonl"})
    path = write_rows(tmp_path / "s.jsonl", rows)
    scores = {"human": {"kind": "import", "path": path, "id": ["id"], "language": "en", "source": "from"}}
    built = build(
        tmp_path,
        prompts={"sources": [first, second]},
        complete={"generators": generators},
        score=scores,
    )
    assert built.texts() == [(Q, GOOD[Q], BAD[Q]), (R, GOOD[R], BAD[R])]


def test_rows_without_an_id_match_nothing(tmp_path: Path) -> None:
    rows = [{"id": None, "prompt": Q}, {"prompt": R}, {"id": "x", "prompt": "What is the capital of Peru?"}]
    prompts = {"sources": [sources(tmp_path, *rows)]}
    sections = two_generators(tmp_path, {Q: None, R: ""}, score(None, 2, 1))
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.pairs.is_empty()
    assert built.counts("good-native") == {"missing_id": 2}
    assert built.counts("human scores") == {"missing_id": 2}


def test_rows_with_one_id_are_samples_if_the_recipe_says_so(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    rows = [{"id": 1, "text": text} for text in (GOOD[Q], BAD[Q], "A third answer to this question.")]
    table = {"path": write_rows(tmp_path / "a.jsonl", rows), "text": "text", "id": ["id"]}
    built = build(
        tmp_path,
        prompts=prompts,
        complete={"generators": {"one": {"import": table}, "two": {"import": table, "samples": 2}}},
    )
    assert built.counts("one-native") == {None: 1, "duplicate": 2}
    assert built.counts("two-native") == {None: 2, "duplicate": 1}


def test_an_id_of_two_prompts_is_ambiguous(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q}, {"id": 1, "prompt": R})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1))
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.pairs.is_empty()
    assert built.counts("good-native") == {"ambiguous_id": 1}


def test_the_same_prompt_twice_is_not_ambiguous(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q}, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1))
    assert build(tmp_path, prompts=prompts, **sections).texts() == [(Q, GOOD[Q], BAD[Q])]


@pytest.mark.parametrize(("good", "bad"), [("8.5", "2"), (8.5, 2), ("1e1", "-1"), (" 3 ", "0.5")])
def test_scores_are_numbers_also_as_text(tmp_path: Path, good: Any, bad: Any) -> None:
    # openbmb/UltraFeedback: Rating is a string.
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, good, bad))
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.texts() == [(Q, GOOD[Q], BAD[Q])]
    assert built.pairs["margin"].to_list() == [float(good) - float(bad)]


def test_scores_of_a_csv_file_are_numbers(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, [])
    (tmp_path / "s.csv").write_text("id,generator,score,language\n1.0,good,2.5,English\n1.0,bad,1,en\n")
    sections["score"]["human"] = {"kind": "import", "path": str(tmp_path / "s.csv"), "id": ["id"]}
    assert build(tmp_path, prompts=prompts, **sections).pairs["chosen_score"].to_list() == [2.5]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not_finite"),
        (float("inf"), "not_finite"),
        ("-Infinity", "not_finite"),
        (10**400, "not_finite"),
        (True, "not_a_number"),
        ("good", "not_a_number"),
        ([3], "not_a_number"),
        (None, "missing_score"),
    ],
)
def test_what_is_no_finite_number_is_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: Any, reason: str
) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, value, 2))
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.pairs.is_empty()
    assert built.counts("human scores") == {None: 1, reason: 1}
    assert built.counts("pairs") == {"missing_score": 1}
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("read scores.jsonl")]
    assert line.endswith(f"; 1 rejected ({reason} 1)")


def test_two_scores_of_one_completion_are_an_error(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1) + score("1", 3, 1))
    with pytest.raises(InputError) as error:
        build(tmp_path, prompts=prompts, **sections)
    assert str(error.value) == (
        "scores.jsonl:3: score 3 of generator 'good' for id '1' in eng_Latn, but 2 at scores.jsonl:1; "
        "expected one score for a completion"
    )


def test_every_score_is_accounted_for(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    rows = [
        *score(1, 2, 1, language="en"),
        *score(1, 2, 1, language="en"),
        *score(9, 2, 1, language="en"),
        *score(1, 2, 1, language="de"),
        *score(1, 2, 1, language="Klingon"),
    ]
    sections = two_generators(tmp_path, {Q: 1}, rows)
    sections["score"]["human"]["language"] = "language"
    built = build(tmp_path, prompts=prompts, **sections)
    assert built.counts("human scores") == {None: 2, "duplicate": 2, "no_completion": 2}
    assert built.counts("human scores", "deu_Latn") == {"other_language": 2}
    assert built.counts("human scores", "und") == {"unknown_language": 2}


def test_rows_in_other_languages_are_accounted_for(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    rows = [
        {"id": 1, "text": GOOD[Q], "language": "en"},
        {"id": 1, "text": "Mit sorted.", "language": "de"},
        {"id": 1, "text": "?", "language": "Klingon"},
        {"id": 1, "text": "?", "language": None},
    ]
    path = write_rows(tmp_path / "a.jsonl", rows)
    table = {"path": path, "text": "text", "id": ["id"], "language": "language"}
    built = build(
        tmp_path, prompts=prompts, complete={"generators": {"a": {"import": table}, "b": {"import": table}}}
    )
    assert built.counts("a-native") == {None: 1}
    assert built.counts("a-native", "deu_Latn") == {"other_language": 1}
    assert built.counts("a-native", "und") == {"unknown_language": 2}
    card = (tmp_path / "work/published/pairs/README.md").read_text()
    assert "other_language" in card


def test_translations_in_other_languages_are_accounted_for(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    rows = [
        {"id": "1", "text": "Wie sortiere ich in Python eine Liste von Zahlen?", "language": "de"},
        {"id": "1", "text": "Comment trier une liste ?", "language": "fr"},
    ]
    table = {"path": write_rows(tmp_path / "t.jsonl", rows), "text": "text", "id": ["id"]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1))
    built = build(
        tmp_path,
        languages=["en", "de"],
        prompts=prompts,
        translate={"import": {**table, "language": "language"}},
        **sections,
    )
    assert built.counts("prompts", "deu_Latn") == {None: 1}
    assert built.counts("prompts", "fra_Latn") == {"other_language": 1}


def test_a_table_that_is_missing_is_named_before_anything_is_made(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1))
    sections["score"]["human"]["path"] = str(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match=r"nowhere.csv: cannot be read: .* No such file or directory"):
        build(tmp_path, prompts=prompts, **sections)
    assert not (tmp_path / "work/tables").exists()


def test_a_missing_language_column_is_named(tmp_path: Path) -> None:
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q})]}
    sections = two_generators(tmp_path, {Q: 1}, score(1, 2, 1))
    sections["score"]["human"]["language"] = "language"
    with pytest.raises(InputError) as error:
        build(tmp_path, prompts=prompts, **sections)
    assert str(error.value).startswith(
        "scores.jsonl: language: no column 'language' (found id, generator, score), and unknown language"
    )


def test_a_completion_may_come_as_its_whole_conversation(tmp_path: Path) -> None:
    # HuggingFaceH4/ultrafeedback_binarized: chosen and rejected are [user, assistant].
    prompts = {"sources": [sources(tmp_path, {"id": 1, "prompt": Q}, {"id": 2, "prompt": R})]}

    def conversation(question: str, answer: str) -> str:
        return json.dumps([{"role": "user", "content": question}, {"role": "assistant", "content": answer}])

    answers = {Q: conversation(Q, GOOD[Q]), R: conversation(Q, GOOD[R])}
    rows = [{"id": number, "text": answers[prompt]} for number, prompt in enumerate((Q, R), 1)]
    table = {"path": write_rows(tmp_path / "a.jsonl", rows), "text": "text", "id": ["id"]}
    built = build(
        tmp_path, prompts=prompts, complete={"generators": {"a": {"import": table}, "b": {"import": table}}}
    )
    assert built.counts("a-native") == {None: 1, "other_prompt": 1}
