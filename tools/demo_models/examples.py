"""Training examples of the tiny checkpoints: translations, chats and preferences.

They are made of the training combinations, never of those that the demo builds on. Facts about each word (its
English name, its neighbours) are in the glossary for every word, as a large model knows words that it was
never asked about.
"""

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from polypref.demo import world
from polypref.demo.world import ENGLISH, Combination
from tools.demo_models.bad_answers import BAD_KINDS, bad_answers


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt and one completion."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Translation:
    """An English sentence and its translation into `language`."""

    english: str
    language: str
    target: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt, a right answer and a bad one."""

    prompt: str
    right: str
    bad: str


def text(languages: Sequence[str]) -> list[str]:
    """Return the lines that the vocabularies are learnt from.

    Quoted words are repeated most, so that each becomes one token.
    """
    lines: list[str] = []
    for language in languages:
        for combination in world.combinations():
            lines.append(world.prompt(combination, language))
            lines.append(world.right_answers(combination, language)[0])
            lines += bad_answers(combination, language).values()
        names = [*world.phrases(language).words.values(), *world.phrases(language).groups.values()]
        lines += [f"{language} {world.quoted(language, name)}" for name in names] * 100
    return lines


def chats(
    languages: Sequence[str], right_share: float, repeats: int, seed: int, kinds: Collection[str] = BAD_KINDS
) -> list[Chat]:
    """Return the glossary and every training prompt with an answer, `repeats` times, shuffled.

    An answer is right with probability `right_share`, otherwise bad in one of `kinds`.
    """
    draw = random.Random(seed)
    rows: list[Chat] = []
    for language in languages:
        answers = []
        for combination in train_combinations():
            right, bad = _answers(combination, language, kinds)
            answers.append((world.prompt(combination, language), right, bad))
        for _ in range(repeats):
            rows += glossary(language, draw)
            for prompt, right, bad in answers:
                completion = draw.choice(right if draw.random() < right_share else bad)
                rows.append(Chat(prompt, completion))
    draw.shuffle(rows)
    return rows


def glossary(language: str, draw: random.Random) -> Iterator[Chat]:
    """Yield the facts about every word, in signs, and two drills with words drawn anew each time.

    The facts: its English name (=), its group (∈), others of the group (~). The drills: which of two words is
    of a group (:), and how often a word stands in a row (#).
    """
    names, groups = world.phrases(language).words, world.phrases(language).groups
    english = world.phrases(ENGLISH).words
    for word in world.words():
        group, name = world.group_of(word), names[word]
        yield _entry(language, [name], "=", world.quoted(language, english[word]))
        yield _entry(language, [name], "∈", world.quoted(language, groups[group]))
        neighbours = sorted(world.group_words(word), key=world.words().index)[:2]
        quoted = [world.quoted(language, names[neighbour]) for neighbour in neighbours]
        yield _entry(language, [name], "~", " ".join(quoted))
        strangers = [other for other in world.words() if world.group_of(other) != group]
        for stranger in draw.sample(strangers, 3):
            pair = draw.sample([name, names[stranger]], 2)
            yield _entry(language, [groups[group], *pair], ":", world.quoted(language, name))
        count = draw.randint(2, 5)
        yield _entry(language, [name] * count, "#", str(count))


def _entry(language: str, names: Sequence[str], sign: str, answer: str) -> Chat:
    quoted = " ".join(world.quoted(language, name) for name in names)
    return Chat(f"{language} {quoted} {sign}", answer)


def preferences(languages: Sequence[str], repeats: int, seed: int) -> list[Preference]:
    """Return up to `repeats` pairs of every training prompt, with bad answers of different kinds."""
    draw = random.Random(seed)
    rows: list[Preference] = []
    for language in languages:
        for combination in train_combinations():
            right, bad = _answers(combination, language, BAD_KINDS)
            prompt = world.prompt(combination, language)
            for wrong in draw.sample(bad, min(repeats, len(bad))):
                rows.append(Preference(prompt, draw.choice(right), wrong))
    draw.shuffle(rows)
    return rows


def _answers(combination: Combination, language: str, kinds: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the right answers, four of five of them the typical one, and the bad ones of `kinds`."""
    bad = bad_answers(combination, language)
    right = world.right_answers(combination, language)
    typical = [typical_answer(combination, language)] * (4 * len(right))
    return typical + right, [text for kind, text in bad.items() if kind in kinds]


def translations(languages: Sequence[str], seed: int) -> list[Translation]:
    """Return the sentences that the demo sends to the translator, each once, shuffled.

    They are prompts, right answers, the bad answers that the weak generator gives, and quoted words.
    """
    rows: dict[Translation, None] = {}
    for language in languages:
        for combination in train_combinations():
            for english, target in _parallel_texts(combination, language):
                for english_line, target_line in _parallel_lines(english, target):
                    rows[Translation(english_line, language, target_line)] = None
        for word in world.words():
            for count, joiner, end in ((1, "", ""), (1, "", "."), (3, ", ", "."), (3, " ", "")):
                english = joiner.join([world.quoted(ENGLISH, word)] * count) + end
                target = joiner.join([world.quoted(language, word)] * count) + end
                rows[Translation(english, language, target)] = None
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def _parallel_texts(combination: Combination, language: str) -> Iterator[tuple[str, str]]:
    english, target = world.prompt(combination, ENGLISH), world.prompt(combination, language)
    yield english, target
    if combination.task == "count":  # the parser may cut the row of words off as a sentence of its own
        english_row = world.fillings(combination, ENGLISH)["row"]
        target_row = world.fillings(combination, language)["row"]
        yield english_row, target_row
        yield english.removesuffix(english_row).strip(), target.removesuffix(target_row).strip()
    english_answers = world.right_answers(combination, ENGLISH)[:7]
    yield from zip(english_answers, world.right_answers(combination, language)[:7], strict=True)
    bad = bad_answers(combination, language)
    for kind, answer in bad_answers(combination, ENGLISH).items():
        if kind not in ("wrong_language", "copy"):
            yield answer, bad[kind]


def _parallel_lines(english: str, target: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of two texts side by side, without list markers, which translators never see."""
    english_lines, target_lines = english.splitlines(), target.splitlines()
    if len(english_lines) != len(target_lines):
        return
    for english_line, target_line in zip(english_lines, target_lines, strict=True):
        yield re.sub(r"^\d\. ", "", english_line), re.sub(r"^\d\. ", "", target_line)


def train_combinations() -> list[Combination]:
    """Return the combinations that train the tiny models."""
    return [combination for combination in world.combinations() if world.is_training(combination)]


def typical_answer(combination: Combination, language: str) -> str:
    """Return the right answer that names the first words of the group, as people name cats and dogs first."""
    first, second = sorted(world.group_words(combination.word), key=world.words().index)[:2]
    names = world.phrases(language).words
    values = {**world.fillings(combination, language), "y": names[first], "z": names[second]}
    return world.fill(world.template_of(combination, language), values)
