"""The miniature world: 12 tasks x 40 words in 23 languages, what is right and wrong in it, and the oracle that tells the two apart.

The phrases stand in world/<FLORES code>.yaml, written by hand. The oracle knows this world only: a correct answer in other
words than the world's own is "other" to it, so its numbers say nothing about text outside.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polypref.errors import InputError
from polypref.languages.codes import PAPER_23
from polypref.schemas import hash16
from polypref.schemas import prompt_id as id_of_messages

FOLDER = Path(__file__).parent / "world"
ENGLISH = "eng_Latn"
LANGUAGES = PAPER_23
BAD_KINDS = ("bad", "refusal", "wrong_fact", "other_word", "wrong_language", "loop", "cut", "copy")
BLOCK = 8  # words in a group
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, order=True)
class Combination:
    """A task about a word, both by their English keys: one prompt, the same in every language."""

    task: str
    word: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """A language's world: names of groups and words, the refusal, the phrases of every task, and its quotation marks."""

    groups: Mapping[str, str]
    words: Mapping[str, str]
    refusal: str
    tasks: Mapping[str, Mapping[str, str]]
    quoted: str  # "“{x}”"


@cache
def phrases(language: str) -> Phrases:
    """The phrases of one language; raises InputError where they differ from the English ones in keys, placeholders or lines."""
    path = FOLDER / f"{language}.yaml"
    tree = _tree(path)
    if language != ENGLISH:
        _check_same_shape(tree, _tree(FOLDER / f"{ENGLISH}.yaml"), path, "")
    if len(set(tree["words"].values())) != len(tree["words"]):
        raise InputError(
            f"{path}: words: found {len(set(tree['words'].values()))} different words, expected {len(tree['words'])}"
        )
    quoted = tree["tasks"]["list"]["bad"].splitlines()[-1].removeprefix("1. ")
    return Phrases(tree["groups"], tree["words"], tree["refusal"], tree["tasks"], quoted)


def _tree(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: found {type(tree).__name__}, expected keys and values")
    return tree


def _check_same_shape(found: object, english: object, path: Path, key: str) -> None:
    if isinstance(english, dict):
        keys = list(found) if isinstance(found, dict) else type(found).__name__
        if not isinstance(found, dict) or keys != list(english):
            raise InputError(f"{path}: {key or 'top level'}: found {keys}, expected {list(english)}")
        for name, value in english.items():
            _check_same_shape(found[name], value, path, f"{key}.{name}".lstrip("."))
        return
    if not isinstance(found, str):
        raise InputError(f"{path}: {key}: found {type(found).__name__}, expected a text")
    if sorted(set(PLACEHOLDER.findall(found))) != sorted(set(PLACEHOLDER.findall(str(english)))):
        raise InputError(f"{path}: {key}: found {found!r}, expected the placeholders of {english!r}")
    if found.count("\n") != str(english).count("\n"):
        raise InputError(
            f"{path}: {key}: found {found.count(chr(10)) + 1} lines, expected {str(english).count(chr(10)) + 1}"
        )


@cache
def tasks() -> tuple[str, ...]:
    return tuple(phrases(ENGLISH).tasks)


@cache
def words() -> tuple[str, ...]:
    return tuple(phrases(ENGLISH).words)


@cache
def group_of(word: str) -> str:
    """The key of the group that a word belongs to: its block of eight."""
    return list(phrases(ENGLISH).groups)[words().index(word) // BLOCK]


def group_words(word: str) -> list[str]:
    """The words of the same group, cyclically from the next one on; the word itself is left out."""
    start, place = divmod(words().index(word), BLOCK)
    block = words()[start * BLOCK : (start + 1) * BLOCK]
    return [*block[place + 1 :], *block[:place]]


def combinations() -> list[Combination]:
    """All 480."""
    return [Combination(task, word) for task in tasks() for word in words()]


def train_combinations() -> list[Combination]:
    """The 60% that train the tiny models: 24 words of every task, 6 to 8 tasks of every word, 4 to 6 words of a group in a task."""
    return [c for c in combinations() if _trains(c)]


def demo_combinations() -> list[Combination]:
    """The other 192, on which the demo builds."""
    return [c for c in combinations() if not _trains(c)]


def _trains(combination: Combination) -> bool:
    return (_shuffled_words().index(combination.word) + tasks().index(combination.task)) % 5 < 3


@cache
def _shuffled_words() -> list[str]:
    return sorted(words(), key=lambda word: (words().index(word) // BLOCK, hash16(word)))


def prompt(combination: Combination, language: str) -> str:
    """The prompt as a person would type it in `language`."""
    return _fill(phrases(language).tasks[combination.task]["prompt"], fillings(combination, language))


def prompt_id(combination: Combination) -> str:
    """The id that the published tables give this prompt in every language."""
    return id_of_messages([{"role": "user", "content": prompt(combination, ENGLISH)}])


def right_answers(combination: Combination, language: str) -> list[str]:
    """Every answer that the world calls right; the first is the canonical one."""
    values, names = fillings(combination, language), phrases(language).words
    template = _template(combination, language)
    others = [names[word] for word in group_words(combination.word)]
    match combination.task:
        case "another":
            return [_fill(template, {**values, "y": y}) for y in others]
        case "list":
            return [
                _fill(template, {**values, "y": y, "z": z})
                for i, y in enumerate(others)
                for z in others[i + 1 :] + others[:i]
            ]
        case _:
            return [_fill(template, values)]


def typical_answer(combination: Combination, language: str) -> str:
    """The right answer that names the first words of the group, as people name cats and dogs first."""
    names = phrases(language).words
    first = [names[word] for word in sorted(group_words(combination.word), key=words().index)]
    return _fill(
        _template(combination, language), {**fillings(combination, language), "y": first[0], "z": first[1]}
    )


def bad_answers(combination: Combination, language: str) -> dict[str, str]:
    """A wrong answer of each kind that the task can have: `wrong_fact` needs a fact in the answer, `other_word` the word."""
    template, values, right = (
        _template(combination, language),
        fillings(combination, language),
        right_answers(combination, language)[0],
    )
    names = phrases(language).words
    stranger = _stranger(combination, "stranger")
    bad = {
        "bad": _fill(phrases(language).tasks[combination.task]["bad"], values),
        "refusal": phrases(language).refusal,
        "wrong_language": right_answers(combination, _wrong_language(combination, language))[0],
        "loop": _looped(right),
        "cut": _cut(right),
        "copy": prompt(combination, language),
    }
    if (wrong := _wrong_fact(combination, language, stranger)) is not None:
        bad["wrong_fact"] = wrong
    if "{x}" in template and combination.task != "choose":
        bad["other_word"] = _fill(template, {**values, "x": names[stranger]})
    return {kind: bad[kind] for kind in BAD_KINDS if kind in bad}


def _wrong_fact(combination: Combination, language: str, stranger: str) -> str | None:
    world, template, values = (
        phrases(language),
        _template(combination, language),
        fillings(combination, language),
    )
    name = world.words[stranger]
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
            return _fill(
                template, {**values, "x": values["b"] if values["a"] == values["x"] else values["a"]}
            )
        case "count":
            return _fill(template, {**values, "n": str(2 + (int(values["n"]) - 1) % 4)})
        case _:
            return None


def verdict(prompt_id: str, language: str, completion: str) -> str:
    """`right`, one of BAD_KINDS, or `other` for what the world does not know; white space is compared as one space.

    Raises InputError for a prompt that is not of this world.
    """
    combination = _by_id().get(prompt_id)
    if combination is None:
        raise InputError(
            f"prompt {prompt_id!r} is not of the miniature world; expected one of its {len(_by_id())} prompt ids"
        )
    text = _spaced(completion)
    if (kind := _kind(combination, language, text)) != "other":
        return kind
    elsewhere = (_kind(combination, other, text) for other in LANGUAGES if other != language)
    if any(kind not in ("other", "cut", "loop") for kind in elsewhere):
        return "wrong_language"
    return "loop" if re.search(r"(.{4,}?)\1{2,}", text + " ") else "other"


def _kind(combination: Combination, language: str, text: str) -> str:
    """The verdict by one language's phrases alone."""
    right, exact, forms = _known_texts(combination, language)
    if text in right:
        return "right"
    if text in exact:
        return exact[text]
    for form in forms:
        if found := re.fullmatch(form, text):
            word = found.groupdict().get("x")
            return "wrong_fact" if word is None or word in _offered(combination, language) else "other_word"
    return "cut" if text and any(answer.startswith(text) for answer in right) else "other"


@cache
def _known_texts(combination: Combination, language: str) -> tuple[frozenset[str], dict[str, str], list[str]]:
    """The right answers, the bad ones with their kinds, and the forms of a right answer as regular expressions."""
    task = phrases(language).tasks[combination.task]
    right = frozenset(map(_spaced, right_answers(combination, language)))
    bad = {_spaced(text): kind for kind, text in bad_answers(combination, language).items()}
    return right, bad, [_form(_spaced(task[key])) for key in ("good", "good_no") if key in task]


def _form(template: str) -> str:
    named: set[str] = set()

    def group(match: re.Match[str]) -> str:
        first = match[1] not in named
        named.add(match[1])
        return f"(?P<{match[1]}>.{{1,40}}?)" if first else "(.{1,40}?)"

    return PLACEHOLDER.sub(group, re.sub(r"[^\w\s{}]", lambda mark: re.escape(mark[0]), template))


def _offered(combination: Combination, language: str) -> set[str]:
    """The words that the prompt itself names."""
    values = fillings(combination, language)
    return {values["x"], values["a"], values["b"]} if combination.task == "choose" else {values["x"]}


@cache
def _by_id() -> dict[str, Combination]:
    return {prompt_id(combination): combination for combination in combinations()}


def write_prompts(path: Path) -> None:
    """The demo's English prompts as JSON lines of `id` and `prompt`."""
    lines = (
        json.dumps({"id": f"{c.task}-{c.word}", "prompt": prompt(c, ENGLISH)}, ensure_ascii=False)
        for c in demo_combinations()
    )
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


@cache
def fillings(combination: Combination, language: str) -> Mapping[str, str]:
    """What stands for every placeholder of the combination's phrases."""
    world, word = phrases(language), combination.word
    near = group_words(word)
    other = world.words[_stranger(combination, "choice")]
    a, b = (world.words[word], other) if _hash(combination, "order") % 2 else (other, world.words[word])
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
    task = phrases(language).tasks[combination.task]
    return task["good_no" if "good_no" in task and group_of(combination.word) != "animal" else "good"]


def _stranger(combination: Combination, salt: str) -> str:
    """A word of another group."""
    strangers = [word for word in words() if group_of(word) != group_of(combination.word)]
    return strangers[_hash(combination, salt) % len(strangers)]


def _wrong_language(combination: Combination, language: str) -> str:
    others = [code for code in LANGUAGES if code != ENGLISH]
    return others[_hash(combination, "language") % len(others)] if language == ENGLISH else ENGLISH


def _looped(text: str) -> str:
    """The text with its last words (in a script without spaces: characters) four times more."""
    tail = " " + " ".join(text.split()[-3:]) if _has_spaces(text) else text[-8:]
    return text + tail * 4


def _cut(text: str) -> str:
    """The first half of the words, or two fifths of the characters, as where a limit of tokens ended it."""
    words = re.findall(r"\S+\s*", text)
    return (
        "".join(words[: len(words) // 2]).rstrip()
        if _has_spaces(text)
        else text[: len(text) * 2 // 5].rstrip()
    )


def _has_spaces(text: str) -> bool:
    return len(text.splitlines()[0].split()) > 2


def quoted(language: str, name: str) -> str:
    """A name in the language's own quotation marks."""
    return _fill(phrases(language).quoted, {"x": name})


def _fill(phrase: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: values[match[1]], phrase)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _hash(combination: Combination, salt: str) -> int:
    return int(hash16([salt, combination.task, combination.word]), 16)
