"""The miniature world: 12 tasks about 40 words in 23 languages, with right and bad answers to every prompt.

Its phrases are in world/<FLORES code>.yaml, written by hand. oracle.py tells the answers apart.
"""

import json
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
# Of no use, refused, a false statement, about another word, in another language, stuck in a loop, cut short,
# and the prompt once more.
BAD_KINDS = ("bad", "refusal", "wrong_fact", "other_word", "wrong_language", "loop", "cut", "copy")
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
    """Return the phrases of one language.

    Raises InputError where its keys, placeholders or numbers of lines differ from the English ones.
    """
    path = FOLDER / f"{language}.yaml"
    tree = read_yaml(path)
    if language != ENGLISH:
        _check_shape(tree, read_yaml(FOLDER / f"{ENGLISH}.yaml"), path, "")
    count, different = len(tree["words"]), len(set(tree["words"].values()))
    if different != count:
        raise InputError(f"{path}: words: found {different} different words, expected {count}")
    last_line = tree["tasks"]["list"]["bad"].splitlines()[-1]
    quoted = last_line.removeprefix("1. ")
    return Phrases(tree["groups"], tree["words"], tree["refusal"], tree["tasks"], quoted)


def _check_shape(node: object, english: object, path: Path, key: str) -> None:
    """Raise InputError unless `node`, which stands under `key`, has the shape of its English counterpart."""
    if isinstance(english, dict):
        keys = list(node) if isinstance(node, dict) else type(node).__name__
        if not isinstance(node, dict) or keys != list(english):
            raise InputError(f"{path}: {key or 'top level'}: found {keys}, expected {list(english)}")
        for name, value in english.items():
            _check_shape(node[name], value, path, f"{key}.{name}".lstrip("."))
        return
    if not isinstance(node, str):
        raise InputError(f"{path}: {key}: found {type(node).__name__}, expected a text")
    if set(PLACEHOLDER.findall(node)) != set(PLACEHOLDER.findall(str(english))):
        raise InputError(f"{path}: {key}: found {node!r}, expected the placeholders of {english!r}")
    lines, expected = node.count("\n") + 1, str(english).count("\n") + 1
    if lines != expected:
        raise InputError(f"{path}: {key}: found {lines} lines, expected {expected}")


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


def train_combinations() -> list[Combination]:
    """Return the 288 combinations (60%) that train the tiny models.

    They have 24 words of every task, 6 to 8 tasks of every word, and 4 to 6 words of every group in a task.
    """
    return [combination for combination in combinations() if _trains(combination)]


def demo_combinations() -> list[Combination]:
    """Return the other 192 combinations, on which the demo builds."""
    return [combination for combination in combinations() if not _trains(combination)]


def _trains(combination: Combination) -> bool:
    diagonal = _shuffled_words().index(combination.word) + tasks().index(combination.task)
    return diagonal % 5 < 3


@cache
def _shuffled_words() -> list[str]:
    """Return the words, shuffled within their groups."""
    return sorted(words(), key=lambda word: (words().index(word) // GROUP_SIZE, schemas.hash16(word)))


def prompt(combination: Combination, language: str) -> str:
    """Return the prompt as a person would type it in `language`."""
    return _fill(phrases(language).tasks[combination.task]["prompt"], fillings(combination, language))


def prompt_id(combination: Combination) -> str:
    """Return the id that published tables give this prompt in every language."""
    return schemas.prompt_id([{"role": "user", "content": prompt(combination, ENGLISH)}])


def right_answers(combination: Combination, language: str) -> list[str]:
    """Return every answer that the world calls right, the canonical one first."""
    values, template = fillings(combination, language), _template(combination, language)
    names = phrases(language).words
    others = [names[word] for word in group_words(combination.word)]
    if combination.task == "another":
        return [_fill(template, {**values, "y": y}) for y in others]
    if combination.task != "list":
        return [_fill(template, values)]
    answers = []
    for place, y in enumerate(others):
        for z in others[place + 1 :] + others[:place]:
            answers.append(_fill(template, {**values, "y": y, "z": z}))
    return answers


def typical_answer(combination: Combination, language: str) -> str:
    """Return the right answer that names the first words of the group, as people name cats and dogs first."""
    first, second = sorted(group_words(combination.word), key=words().index)[:2]
    names = phrases(language).words
    values = {**fillings(combination, language), "y": names[first], "z": names[second]}
    return _fill(_template(combination, language), values)


def bad_answers(combination: Combination, language: str) -> dict[str, str]:
    """Return a bad answer of each kind that the task can have, in the order of BAD_KINDS.

    `wrong_fact` needs a fact in the right answer, and `other_word` the word.
    """
    template, values = _template(combination, language), fillings(combination, language)
    right = right_answers(combination, language)[0]
    stranger = _stranger(combination, "stranger")
    bad: dict[str, str | None] = {
        "bad": _fill(phrases(language).tasks[combination.task]["bad"], values),
        "refusal": phrases(language).refusal,
        "wrong_fact": _wrong_fact(combination, language, stranger),
        "wrong_language": right_answers(combination, _wrong_language(combination, language))[0],
        "loop": _looped(right),
        "cut": _cut(right),
        "copy": prompt(combination, language),
    }
    if "{x}" in template and combination.task != "choose":
        bad["other_word"] = _fill(template, {**values, "x": phrases(language).words[stranger]})
    answers = {}
    for kind in BAD_KINDS:
        answer = bad.get(kind)
        if answer is not None:
            answers[kind] = answer
    return answers


def _wrong_fact(combination: Combination, language: str, stranger: str) -> str | None:
    """Return the right answer with a false fact, mostly that of a word of another group; None without one."""
    world, values = phrases(language), fillings(combination, language)
    template, name = _template(combination, language), world.words[stranger]
    match combination.task:
        case "group" | "one_word":
            return _fill(template, {**values, "group": world.groups[group_of(stranger)]})
        case "is_animal":
            opposite = "good_no" if group_of(combination.word) == "animal" else "good"
            return _fill(world.tasks["is_animal"][opposite], values)
        case "english":
            return _fill(template, {**values, "english": phrases(ENGLISH).words[stranger]})
        case "another" | "list":
            return _fill(template, {**values, "y": name})
        case "repeat":
            head, _, tail = template.rpartition("{x}")
            return _fill(head, values) + name + _fill(tail, values)
        case "choose":
            wrong = values["b"] if values["a"] == values["x"] else values["a"]
            return _fill(template, {**values, "x": wrong})
        case "count":
            following = 2 + (int(values["n"]) - 1) % 4  # of 2 to 5, cyclically
            return _fill(template, {**values, "n": str(following)})
        case _:
            return None


def write_prompts(path: Path) -> None:
    """Write the demo's English prompts as JSON lines with `id` and `prompt`."""
    lines = []
    for combination in demo_combinations():
        row = {"id": f"{combination.task}-{combination.word}", "prompt": prompt(combination, ENGLISH)}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), "utf-8")


@cache
def fillings(combination: Combination, language: str) -> Mapping[str, str]:
    """Return the value of every placeholder in the combination's phrases.

    x is the word, y and z are others of its group, a and b the two words to choose from (one of them is x),
    and `row` has the quoted word n times.
    """
    world, word = phrases(language), combination.word
    near = group_words(word)
    a, b = world.words[word], world.words[_stranger(combination, "choice")]
    if _hash(combination, "order") % 2 == 0:
        a, b = b, a
    n = 2 + _hash(combination, "count") % 4
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


def _template(combination: Combination, language: str) -> str:
    """Return the phrase of the right answer; "Is it an animal?" has one for yes and one for no."""
    task = phrases(language).tasks[combination.task]
    return task["good_no" if "good_no" in task and group_of(combination.word) != "animal" else "good"]


def _stranger(combination: Combination, salt: str) -> str:
    """Return a word of another group."""
    strangers = [word for word in words() if group_of(word) != group_of(combination.word)]
    return strangers[_hash(combination, salt) % len(strangers)]


def _wrong_language(combination: Combination, language: str) -> str:
    """Return English, or for English some other language."""
    if language != ENGLISH:
        return ENGLISH
    others = [code for code in LANGUAGES if code != ENGLISH]
    return others[_hash(combination, "language") % len(others)]


def _looped(text: str) -> str:
    """Return the text with its last three words (without spaces: eight characters) four times more."""
    tail = " " + " ".join(text.split()[-3:]) if _has_spaces(text) else text[-8:]
    return text + tail * 4


def _cut(text: str) -> str:
    """Return the first half of the words, or two fifths of the characters, as a limit of tokens would."""
    if not _has_spaces(text):
        return text[: len(text) * 2 // 5].rstrip()
    words = re.findall(r"\S+\s*", text)
    return "".join(words[: len(words) // 2]).rstrip()


def _has_spaces(text: str) -> bool:
    return len(text.splitlines()[0].split()) > 2


def quoted(language: str, name: str) -> str:
    """Return a name in the language's own quotation marks."""
    return _fill(phrases(language).quoted, {"x": name})


def _fill(phrase: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], phrase)


def _hash(combination: Combination, salt: str) -> int:
    return int(schemas.hash16([salt, combination.task, combination.word]), 16)
