"""The miniature world: its 480 combinations, the fillings of its phrases, and its files."""

import json
from collections import Counter
from typing import Any

import pytest

from polypref.config import read_yaml
from polypref.demo import world
from polypref.demo.world import Combination
from polypref.errors import InputError
from polypref.schemas import prompt_id as id_of_messages

PEAR = Combination("list", "pear")


def test_every_task_meets_every_word_once() -> None:
    assert len(set(world.combinations())) == 480
    assert len(world.tasks()) == 12
    assert len(world.words()) == 40
    assert len({world.prompt_id(c) for c in world.combinations()}) == 480


def leaves(tree: dict[str, Any], key: str = "") -> dict[str, str]:
    """The texts of a language's file by their dotted keys."""
    texts = {}
    for name, value in tree.items():
        texts |= leaves(value, f"{key}.{name}") if isinstance(value, dict) else {f"{key}.{name}": value}
    return texts


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_a_language_has_the_keys_placeholders_and_lines_of_english(language: str) -> None:
    english, own = (leaves(read_yaml(world.FOLDER / f"{code}.yaml")) for code in ("eng_Latn", language))
    assert list(own) == list(english)
    for key, text in own.items():
        assert set(world.PLACEHOLDER.findall(text)) == set(world.PLACEHOLDER.findall(english[key])), key
        assert text.count("\n") == english[key].count("\n"), key
    assert len(set(world.phrases(language).words.values())) == 40
    assert len({world.prompt(c, language) for c in world.combinations()}) == 480


def test_the_oracle_knows_every_right_answer_whatever_its_white_space() -> None:
    for answer in world.right_answers(PEAR, "eng_Latn"):
        assert world.is_right(world.prompt_id(PEAR), "eng_Latn", answer.replace("\n", " "))
        assert not world.is_right(world.prompt_id(PEAR), "deu_Latn", answer)
    with pytest.raises(InputError, match="prompt 'f00' is not of the miniature world"):
        world.is_right("f00", "eng_Latn", "")


def test_fillings_in_german() -> None:
    assert (
        world.prompt(Combination("group", "cat"), "deu_Latn") == "Zu welcher Gruppe gehört das Wort „Katze“?"
    )
    assert world.right_answers(Combination("english", "cow"), "deu_Latn") == [
        "Das englische Wort für „Kuh“ lautet „cow“."
    ]
    assert world.right_answers(Combination("is_animal", "red"), "deu_Latn") == [
        "Nein, „rot“ ist nicht der Name eines Tieres."
    ]
    assert world.group_words("tiger") == ["cat", "dog", "horse", "cow", "lion", "bear", "elephant"]


def test_lists_go_on_cyclically_and_any_two_words_of_the_group_are_right() -> None:
    answers = world.right_answers(PEAR, "eng_Latn")
    assert answers[0] == "Here is the list you asked for:\n1. “pear”\n2. “mango”\n3. “pineapple”"
    assert len(set(answers)) == 7 * 6


def test_choices_are_from_two_groups_and_in_both_orders() -> None:
    fillings = [world.fillings(Combination("choose", word), "eng_Latn") for word in world.words()]
    first = sum(f["a"] == f["x"] for f in fillings)
    assert 10 <= first <= 30
    for f in fillings:
        assert world.group_of(f["a"].lower()) != world.group_of(f["b"].lower())


def test_rows_hold_the_quoted_word_two_to_five_times() -> None:
    counts = Counter()
    for word in world.words():
        f = world.fillings(Combination("count", word), "fra_Latn")
        assert f["row"].count(f"«\u00a0{f['x']}\u00a0»") == int(f["n"])
        counts[f["n"]] += 1
    assert set(counts) == {"2", "3", "4", "5"}


def test_the_shipped_prompts_are_those_that_no_model_was_trained_on() -> None:
    rows = [
        json.loads(line) for line in (world.FOLDER.parent / "prompts.jsonl").read_text("utf-8").splitlines()
    ]
    assert len({row["id"] for row in rows}) == 192
    ids = {id_of_messages([{"role": "user", "content": row["prompt"]}]) for row in rows}
    assert ids == {world.prompt_id(c) for c in world.demo_combinations()}
