"""The miniature world: its 480 combinations, the fillings of its phrases, and its files."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def test_all_23_languages_have_the_same_shape() -> None:
    assert len(world.LANGUAGES) == 23
    for language in world.LANGUAGES:
        assert list(world.phrases(language).words) == list(world.words())
        assert len({world.prompt(c, language) for c in world.combinations()}) == 480, language


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


def test_the_training_share_reaches_every_task_word_and_group() -> None:
    train, held = world.train_combinations(), world.demo_combinations()
    assert (len(train), len(held)) == (288, 192)
    assert not set(train) & set(held)
    assert set(Counter(c.task for c in train).values()) == {24}
    assert set(Counter(c.word for c in train).values()) == {6, 7, 8}
    assert min(Counter((c.task, world.group_of(c.word)) for c in train).values()) == 4


def test_bad_kinds_are_left_out_only_where_a_task_cannot_have_them() -> None:
    for task in world.tasks():
        kinds = set(world.bad_answers(Combination(task, "cat"), "eng_Latn"))
        lacks = {"wrong_fact"} if task in ("sentence", "title", "question") else set()
        lacks |= {"other_word"} if task in ("one_word", "another", "choose") else set()
        assert set(world.BAD_KINDS) - kinds == lacks


def test_prompts_are_written_as_the_builders_read_them(tmp_path: Path) -> None:
    world.write_prompts(tmp_path / "prompts.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text("utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == 192
    ids = {id_of_messages([{"role": "user", "content": row["prompt"]}]) for row in rows}
    assert ids == {world.prompt_id(c) for c in world.demo_combinations()}
    assert (tmp_path / "prompts.jsonl").read_bytes() == (world.FOLDER.parent / "prompts.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree["words"].pop("cat"), "deu_Latn.yaml: words: found ['dog'"),
        (
            lambda tree: tree["tasks"]["group"].update(good="Das Wort „{x}“."),
            "tasks.group.good: found 'Das Wort „{x}“.', expected the placeholders",
        ),
        (
            lambda tree: tree["tasks"]["list"].update(bad="1. „{x}“"),
            "tasks.list.bad: found 1 lines, expected 2",
        ),
        (lambda tree: tree.update(refusal=7), "refusal: found int, expected a text"),
        (lambda tree: tree["words"].update(cat="Hund"), "words: found 39 different words, expected 40"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language in ("eng_Latn", "deu_Latn"):
        tree = yaml.safe_load((world.FOLDER / f"{language}.yaml").read_text("utf-8"))
        if language == "deu_Latn":
            change(tree)
        (tmp_path / f"{language}.yaml").write_text(
            yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), "utf-8"
        )
    monkeypatch.setattr(world, "FOLDER", tmp_path)
    with pytest.raises(InputError) as raised:
        world.phrases.__wrapped__("deu_Latn")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
