"""The oracle of the miniature world, which knows for every prompt which completions are right.

It knows this world only: a correct answer in other words than the world's own is "other" to it, so its
numbers say nothing about text outside.
"""

import re
from functools import cache

from polypref.demo import world
from polypref.demo.world import Combination
from polypref.errors import InputError

LOOP = re.compile(r"(.{4,}?)\1{2,}")  # four characters or more, three times in a row


def verdict(prompt_id: str, language: str, completion: str) -> str:
    """Judge the completion of the prompt with the id `prompt_id`, any white space taken as one space.

    Returns `right`, one of BAD_KINDS, or `other` for a text that the world does not know.
    Raises InputError for a prompt that is not of this world.
    """
    combination = _combinations_by_id().get(prompt_id)
    if combination is None:
        ids = len(_combinations_by_id())
        raise InputError(
            f"prompt {prompt_id!r} is not of the miniature world; expected one of its {ids} prompt ids"
        )
    text = normalized(completion)
    kind = _kind(combination, language, text)
    if kind != "other":
        return kind
    for elsewhere in world.LANGUAGES:
        if elsewhere != language and _kind(combination, elsewhere, text) not in ("other", "cut", "loop"):
            return "wrong_language"
    return "loop" if LOOP.search(text + " ") else "other"


def normalized(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def _kind(combination: Combination, language: str, text: str) -> str:
    """Return the verdict by the phrases of one language alone."""
    right, bad, forms = _known_texts(combination, language)
    if text in right:
        return "right"
    if text in bad:
        return bad[text]
    for form in forms:
        filled = form.fullmatch(text)
        if filled:
            word = filled.groupdict().get("x")
            return "wrong_fact" if word is None or word in _offered(combination, language) else "other_word"
    is_cut = text != "" and any(answer.startswith(text) for answer in right)
    return "cut" if is_cut else "other"


@cache
def _known_texts(
    combination: Combination, language: str
) -> tuple[frozenset[str], dict[str, str], list[re.Pattern[str]]]:
    """Return the right answers, {bad answer: its kind}, and the forms of right answers with any filling."""
    task = world.phrases(language).tasks[combination.task]
    right = frozenset(map(normalized, world.right_answers(combination, language)))
    bad = {normalized(text): kind for kind, text in world.bad_answers(combination, language).items()}
    forms = [_form(normalized(task[key])) for key in ("good", "good_no") if key in task]
    return right, bad, forms


def _form(template: str) -> re.Pattern[str]:
    """Return the expression for a template with any filling; the first of each placeholder names a group."""
    named: set[str] = set()

    def group(placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        if name in named:
            return "(.{1,40}?)"
        named.add(name)
        return f"(?P<{name}>.{{1,40}}?)"

    escaped = re.sub(r"[^\w\s{}]", lambda mark: re.escape(mark[0]), template)
    return re.compile(world.PLACEHOLDER.sub(group, escaped))


def _offered(combination: Combination, language: str) -> set[str]:
    """Return the words that the prompt itself names."""
    values = world.fillings(combination, language)
    if combination.task == "choose":
        return {values["x"], values["a"], values["b"]}
    return {values["x"]}


@cache
def _combinations_by_id() -> dict[str, Combination]:
    return {world.prompt_id(combination): combination for combination in world.combinations()}
