"""The oracle agrees with the hand-written answers, and judges texts that no list holds by their form."""

import pytest

from polypref.demo import world
from polypref.demo.oracle import verdict
from polypref.demo.world import Combination
from polypref.errors import InputError

CAT, PEAR = Combination("choose", "cat"), Combination("list", "pear")


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_the_oracle_knows_every_answer(language: str) -> None:
    for c in world.combinations()[world.LANGUAGES.index(language) % 8 :: 8]:
        for text in world.right_answers(c, language):
            assert verdict(world.prompt_id(c), language, text) == "right", c
        for kind, text in world.bad_answers(c, language).items():
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


def test_the_oracle_refuses_prompts_of_elsewhere() -> None:
    with pytest.raises(InputError, match="prompt '0123456789abcdef' is not of the miniature world"):
        verdict("0123456789abcdef", "eng_Latn", "x")
