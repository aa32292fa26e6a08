"""Kinds of bad answers: hand-written ones are told apart; texts on no list are judged by their form."""

from collections import Counter

import pytest

from polypref.demo import world
from polypref.demo.world import Combination
from tools.demo_models.bad_answers import BAD_KINDS, bad_answers, verdict
from tools.demo_models.examples import train_combinations

CAT, PEAR = Combination("choose", "cat"), Combination("list", "pear")


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_the_oracle_knows_every_answer(language: str) -> None:
    for c in world.combinations()[world.LANGUAGES.index(language) % 8 :: 8]:
        for text in world.right_answers(c, language):
            assert verdict(world.prompt_id(c), language, text) == "right", c
        for kind, text in bad_answers(c, language).items():
            assert verdict(world.prompt_id(c), language, text) == kind, c


def test_white_space_does_not_matter() -> None:
    answer = world.right_answers(PEAR, "eng_Latn")[0]
    assert verdict(world.prompt_id(PEAR), "eng_Latn", answer.replace("\n", " ")) == "right"


@pytest.mark.parametrize(
    ("completion", "kind"),
    [
        ("Of these two words, “dog” belongs to the group “animal”.", "other_word"),
        ("Of these two  words,\n“cat” belongs to the group “animal”.", "right"),
        ("Of these two words, “cat” belongs to the group “fruit”.", "wrong_fact"),
        ("Of these two words, “cat” belongs to the", "cut"),
        ("Von diesen beiden Wörtern gehört „Katze“ zur Gruppe „Tier“.", "wrong_language"),
        ("Es tut mir leid, aber ich kann diese Frage nicht beantworten.", "wrong_language"),
        ("the animal the animal the animal the animal", "loop"),
        ("It is the cat.", "other"),
        ("", "other"),
    ],
)
def test_the_oracle_judges_what_no_list_holds(completion: str, kind: str) -> None:
    assert verdict(world.prompt_id(CAT), "eng_Latn", completion) == kind


def test_the_training_share_reaches_every_task_word_and_group() -> None:
    train, held = train_combinations(), world.demo_combinations()
    assert (len(train), len(held)) == (288, 192)
    assert not set(train) & set(held)
    assert set(Counter(c.task for c in train).values()) == {24}
    assert set(Counter(c.word for c in train).values()) == {6, 7, 8}
    assert min(Counter((c.task, world.group_of(c.word)) for c in train).values()) == 4


def test_bad_kinds_are_left_out_only_where_a_task_cannot_have_them() -> None:
    for task in world.tasks():
        kinds = set(bad_answers(Combination(task, "cat"), "eng_Latn"))
        lacks = {"wrong_fact"} if task in ("sentence", "title", "question") else set()
        lacks |= {"other_word"} if task in ("one_word", "another", "choose") else set()
        assert set(BAD_KINDS) - kinds == lacks
