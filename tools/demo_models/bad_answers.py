"""Bad answers of the miniature world, of eight kinds, and what kind a completion is of."""

import re
from functools import cache

from polypref.demo import world
from polypref.demo.world import Combination, combinations_by_id, normalized

# Of no use, refused, a false statement, about another word, in another language, stuck in a loop, cut short,
# and the prompt once more.
BAD_KINDS = ("bad", "refusal", "wrong_fact", "other_word", "wrong_language", "loop", "cut", "copy")
LOOP = re.compile(r"(.{4,}?)\1{2,}")  # four characters or more, three times in a row


def bad_answers(combination: Combination, language: str) -> dict[str, str]:
    """Return a bad answer of each kind that the task can have, in the order of BAD_KINDS.

    `wrong_fact` needs a fact in the right answer, and `other_word` the word.
    """
    template, values = world.template_of(combination, language), world.fillings(combination, language)
    right = world.right_answers(combination, language)[0]
    stranger = world.stranger_to(combination, "stranger")
    bad: dict[str, str | None] = {
        "bad": world.fill(world.phrases(language).tasks[combination.task]["bad"], values),
        "refusal": world.phrases(language).refusal,
        "wrong_fact": _wrong_fact(combination, language, stranger),
        "wrong_language": world.right_answers(combination, _wrong_language(combination, language))[0],
        "loop": _looped(right),
        "cut": _cut(right),
        "copy": world.prompt(combination, language),
    }
    if "{x}" in template and combination.task != "choose":
        bad["other_word"] = world.fill(template, {**values, "x": world.phrases(language).words[stranger]})
    answers = {}
    for kind in BAD_KINDS:
        answer = bad.get(kind)
        if answer is not None:
            answers[kind] = answer
    return answers


def _wrong_fact(combination: Combination, language: str, stranger: str) -> str | None:
    """Return the right answer with a false fact, mostly that of a word of another group; None without one."""
    phrases, values = world.phrases(language), world.fillings(combination, language)
    template, name = world.template_of(combination, language), phrases.words[stranger]
    match combination.task:
        case "group" | "one_word":
            return world.fill(template, {**values, "group": phrases.groups[world.group_of(stranger)]})
        case "is_animal":
            opposite = "good_no" if world.group_of(combination.word) == "animal" else "good"
            return world.fill(phrases.tasks["is_animal"][opposite], values)
        case "english":
            return world.fill(template, {**values, "english": world.phrases(world.ENGLISH).words[stranger]})
        case "another" | "list":
            return world.fill(template, {**values, "y": name})
        case "repeat":
            head, _, tail = template.rpartition("{x}")
            return world.fill(head, values) + name + world.fill(tail, values)
        case "choose":
            wrong = values["b"] if values["a"] == values["x"] else values["a"]
            return world.fill(template, {**values, "x": wrong})
        case "count":
            following = 2 + (int(values["n"]) - 1) % 4  # of 2 to 5, cyclically
            return world.fill(template, {**values, "n": str(following)})
        case _:
            return None


def _wrong_language(combination: Combination, language: str) -> str:
    """Return English, or for English some other language."""
    if language != world.ENGLISH:
        return world.ENGLISH
    others = [code for code in world.LANGUAGES if code != world.ENGLISH]
    return others[world.draw(combination, "language") % len(others)]


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


def verdict(prompt_id: str, language: str, completion: str) -> str:
    """Judge the completion of the prompt with the id `prompt_id`, any white space taken as one space.

    Returns `right`, one of BAD_KINDS, or `other` for a text that the world does not know.
    """
    combination = combinations_by_id()[prompt_id]
    text = normalized(completion)
    kind = _kind(combination, language, text)
    if kind != "other":
        return kind
    for elsewhere in world.LANGUAGES:
        if elsewhere != language and _kind(combination, elsewhere, text) not in ("other", "cut", "loop"):
            return "wrong_language"
    return "loop" if LOOP.search(text + " ") else "other"


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
    bad = {normalized(text): kind for kind, text in bad_answers(combination, language).items()}
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
