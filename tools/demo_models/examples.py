"""What the tiny checkpoints are trained on: translations, conversations and preferences of the training combinations, and the glossary.

The combinations that the demo builds on are never among them; what a word is (its English name, its neighbours) stands in
the glossary for every word, as a large model knows words it was never asked about.
"""

import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from polypref.demo import world
from polypref.demo.world import BAD_KINDS, Combination


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt and one completion."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class Translation:
    """An English sentence and the same in `language`."""

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
    """The text that the vocabularies are learnt from; quoted words weigh most, so that each becomes one token."""
    lines: list[str] = []
    for language in languages:
        for c in world.combinations():
            lines += [
                world.prompt(c, language),
                world.right_answers(c, language)[0],
                *world.bad_answers(c, language).values(),
            ]
        names = [*world.phrases(language).words.values(), *world.phrases(language).groups.values()]
        lines += [f"{language} {world.quoted(language, name)}" for name in names] * 100
    return lines


def chats(
    languages: Sequence[str], right_share: float, repeats: int, seed: int, kinds: Collection[str] = BAD_KINDS
) -> list[Chat]:
    """`repeats` times the glossary, and every training prompt, answered right with probability `right_share`, else in a bad kind."""
    draw = random.Random(seed)
    rows: list[Chat] = []
    for language in languages:
        questions = [
            (world.prompt(c, language), *_answers(c, language, kinds)) for c in world.train_combinations()
        ]
        for _ in range(repeats):
            rows += glossary(language, draw)
            rows += [
                Chat(asked, draw.choice(right if draw.random() < right_share else bad))
                for asked, right, bad in questions
            ]
    draw.shuffle(rows)
    return rows


def glossary(language: str, draw: random.Random) -> Iterator[Chat]:
    """What every word is, in signs: its English name (=), its group (∈), others of the group (~), and drills with other draws every time.

    The drills: which of two words is of a group (:), and how often a word stands in a row (#).
    """
    names, groups, english = (
        world.phrases(language).words,
        world.phrases(language).groups,
        world.phrases(world.ENGLISH).words,
    )
    for word in world.words():
        group, name = world.group_of(word), names[word]
        others = sorted(world.group_words(word), key=world.words().index)[:2]
        yield _entry(language, [name], "=", world.quoted(language, english[word]))
        yield _entry(language, [name], "∈", world.quoted(language, groups[group]))
        yield _entry(
            language, [name], "~", " ".join(world.quoted(language, names[other]) for other in others)
        )
        for stranger in draw.sample([w for w in world.words() if world.group_of(w) != group], 3):
            pair = draw.sample([name, names[stranger]], 2)
            yield _entry(language, [groups[group], *pair], ":", world.quoted(language, name))
        count = draw.randint(2, 5)
        yield _entry(language, [name] * count, "#", str(count))


def _entry(language: str, names: Sequence[str], sign: str, answer: str) -> Chat:
    return Chat(f"{language} {' '.join(world.quoted(language, name) for name in names)} {sign}", answer)


def preferences(languages: Sequence[str], repeats: int, seed: int) -> list[Preference]:
    """`repeats` pairs of every training prompt, the bad answer of a random kind."""
    draw = random.Random(seed)
    rows: list[Preference] = []
    for language in languages:
        for c in world.train_combinations():
            right, bad = _answers(c, language, BAD_KINDS)
            asked = world.prompt(c, language)
            rows += [
                Preference(asked, draw.choice(right), wrong)
                for wrong in draw.sample(bad, min(repeats, len(bad)))
            ]
    draw.shuffle(rows)
    return rows


def _answers(combination: Combination, language: str, kinds: Collection[str]) -> tuple[list[str], list[str]]:
    bad = world.bad_answers(combination, language)
    others = world.right_answers(combination, language)
    typical = [world.typical_answer(combination, language)] * (4 * len(others))  # four times of five
    return typical + others, [text for kind, text in bad.items() if kind in kinds]


def translations(languages: Sequence[str], seed: int) -> list[Translation]:
    """The sentences that the product sends to the translator: prompts, right answers, what the weak generator says instead, words."""
    rows: dict[Translation, None] = {}
    for language in languages:
        for c in world.train_combinations():
            for english, target in _parallel_texts(c, language):
                rows.update(
                    (Translation(en, language, to), None) for en, to in _parallel_lines(english, target)
                )
        for word in world.words():
            for count, joiner, end in ((1, "", ""), (1, "", "."), (3, ", ", "."), (3, " ", "")):
                english, target = (
                    joiner.join([world.quoted(of, word)] * count) + end for of in (world.ENGLISH, language)
                )
                rows[Translation(english, language, target)] = None
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def _parallel_texts(combination: Combination, language: str) -> Iterator[tuple[str, str]]:
    both = (world.ENGLISH, language)
    prompts = [world.prompt(combination, of) for of in both]
    yield prompts[0], prompts[1]
    if combination.task == "count":  # the product may cut the row of words off as a sentence of its own
        rows = [world.fillings(combination, of)["row"] for of in both]
        yield rows[0], rows[1]
        yield prompts[0].removesuffix(rows[0]).strip(), prompts[1].removesuffix(rows[1]).strip()
    yield from zip(*(world.right_answers(combination, of)[:7] for of in both), strict=True)
    english, target = (world.bad_answers(combination, of) for of in both)
    yield from ((english[kind], target[kind]) for kind in english if kind not in ("wrong_language", "copy"))


def _parallel_lines(english: str, target: str) -> Iterator[tuple[str, str]]:
    """Line by line, without the list markers that the product keeps to itself."""
    lines, others = (text.splitlines() for text in (english, target))
    if len(lines) == len(others):
        yield from (
            (re.sub(r"^\d\. ", "", line), re.sub(r"^\d\. ", "", other))
            for line, other in zip(lines, others, strict=True)
        )
