"""The miniature world: 12 tasks about 40 words in 23 languages, with the right answers to every prompt.

Its phrases are in world/<FLORES code>.yaml, written by hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polypref import schemas
from polypref.config import read_yaml
from polypref.errors import InputError
from polypref.languages.codes import PAPER_23

FOLDER = Path(__file__).parent / "world"
ENGLISH = "eng_Latn"
LANGUAGES = PAPER_23
GROUP_SIZE = 8  # words
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, order=True)
class Combination:
    """A task and a word, by their English keys: one prompt, the same in every language."""

    task: str
    word: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """The world in one language; the keys of its mappings are English."""

    groups: Mapping[str, str]
    words: Mapping[str, str]
    refusal: str
    tasks: Mapping[str, Mapping[str, str]]  # {task: {"prompt" | "good" | "good_no" | "bad": phrase}}
    quoted: str  # a word in the language's quotation marks: "“{x}”"


@cache
def phrases(language: str) -> Phrases:
    """Return the phrases of one language; every language has the same keys, placeholders and lines."""
    tree = read_yaml(FOLDER / f"{language}.yaml")
    last_line = tree["tasks"]["list"]["bad"].splitlines()[-1]
    quoted = last_line.removeprefix("1. ")
    return Phrases(tree["groups"], tree["words"], tree["refusal"], tree["tasks"], quoted)


@cache
def tasks() -> tuple[str, ...]:
    """Return the keys of the 12 tasks."""
    return tuple(phrases(ENGLISH).tasks)


@cache
def words() -> tuple[str, ...]:
    """Return the keys of the 40 words, group by group."""
    return tuple(phrases(ENGLISH).words)


@cache
def group_of(word: str) -> str:
    """Return the key of the group that a word belongs to."""
    return list(phrases(ENGLISH).groups)[words().index(word) // GROUP_SIZE]


def group_words(word: str) -> list[str]:
    """Return the other words of a word's group, cyclically from the next one on."""
    group, place = divmod(words().index(word), GROUP_SIZE)
    members = words()[group * GROUP_SIZE : (group + 1) * GROUP_SIZE]
    return [*members[place + 1 :], *members[:place]]


def combinations() -> list[Combination]:
    """Return all 480 combinations."""
    return [Combination(task, word) for task in tasks() for word in words()]


def demo_combinations() -> list[Combination]:
    """Return the 192 combinations on which the demo builds; no tiny model was trained on them."""
    return [combination for combination in combinations() if not is_training(combination)]


def is_training(combination: Combination) -> bool:
    """Return True for the 288 combinations (60%) that train the tiny models.

    They have 24 words of every task, 6 to 8 tasks of every word, and 4 to 6 words of every group in a task.
    """
    diagonal = _shuffled_words().index(combination.word) + tasks().index(combination.task)
    return diagonal % 5 < 3


@cache
def _shuffled_words() -> list[str]:
    """Return the words, shuffled within their groups."""
    return sorted(words(), key=lambda word: (words().index(word) // GROUP_SIZE, schemas.hash16(word)))


def prompt(combination: Combination, language: str) -> str:
    """Return the prompt as a person would type it in `language`."""
    return fill(phrases(language).tasks[combination.task]["prompt"], fillings(combination, language))


def prompt_id(combination: Combination) -> str:
    """Return the id that published tables give this prompt in every language."""
    return schemas.prompt_id([{"role": "user", "content": prompt(combination, ENGLISH)}])


def right_answers(combination: Combination, language: str) -> list[str]:
    """Return every answer that the world calls right, the canonical one first."""
    values, template = fillings(combination, language), template_of(combination, language)
    names = phrases(language).words
    others = [names[word] for word in group_words(combination.word)]
    if combination.task == "another":
        return [fill(template, {**values, "y": y}) for y in others]
    if combination.task != "list":
        return [fill(template, values)]
    answers = []
    for place, y in enumerate(others):
        for z in others[place + 1 :] + others[:place]:
            answers.append(fill(template, {**values, "y": y, "z": z}))
    return answers


@cache
def fillings(combination: Combination, language: str) -> Mapping[str, str]:
    """Return the value of every placeholder in the combination's phrases.

    x is the word, y and z are others of its group, a and b the two words to choose from (one of them is x),
    and `row` has the quoted word n times.
    """
    world, word = phrases(language), combination.word
    near = group_words(word)
    a, b = world.words[word], world.words[stranger_to(combination, "choice")]
    if draw(combination, "order") % 2 == 0:
        a, b = b, a
    n = 2 + draw(combination, "count") % 4
    return {
        "x": world.words[word],
        "y": world.words[near[0]],
        "z": world.words[near[1]],
        "group": world.groups[group_of(word)],
        "english": phrases(ENGLISH).words[word],
        "a": a,
        "b": b,
        "n": str(n),
        "row": " ".join([quoted(language, world.words[word])] * n),
    }


def template_of(combination: Combination, language: str) -> str:
    """Return the phrase of the right answer; "Is it an animal?" has one for yes and one for no."""
    task = phrases(language).tasks[combination.task]
    return task["good_no" if "good_no" in task and group_of(combination.word) != "animal" else "good"]


def stranger_to(combination: Combination, salt: str) -> str:
    """Return a word of another group."""
    strangers = [word for word in words() if group_of(word) != group_of(combination.word)]
    return strangers[draw(combination, salt) % len(strangers)]


def quoted(language: str, name: str) -> str:
    """Return a name in the language's own quotation marks."""
    return fill(phrases(language).quoted, {"x": name})


def fill(phrase: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], phrase)


def draw(combination: Combination, salt: str) -> int:
    return int(schemas.hash16([salt, combination.task, combination.word]), 16)


def is_right(prompt_id: str, language: str, completion: str) -> bool:
    """Return True for a right completion of a prompt, any white space taken as one space.

    This is the oracle. It knows this world only: a correct answer in other words is wrong to it.
    Raises InputError for a prompt that is not of this world.
    """
    combination = combinations_by_id().get(prompt_id)
    if combination is None:
        raise InputError(f"prompt {prompt_id!r} is not of the miniature world")
    return normalized(completion) in _normalized_answers(combination, language)


def normalized(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


@cache
def _normalized_answers(combination: Combination, language: str) -> frozenset[str]:
    return frozenset(normalized(answer) for answer in right_answers(combination, language))


@cache
def combinations_by_id() -> dict[str, Combination]:
    """Return {prompt_id: combination} of the whole world."""
    return {prompt_id(combination): combination for combination in combinations()}
