import unicodedata

import polars as pl
import pytest

from polypref.errors import InputError
from polypref.schemas import KEYS, TABLES, cast, prompt_id, split_of, uniform
from tests.frames import rows_to_frame


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_the_same_prompt_typed_twice_has_one_id() -> None:
    composed, decomposed = "Où est le café ?", unicodedata.normalize("NFD", "Où est le café ?")
    assert composed != decomposed
    assert prompt_id(user(composed)) == prompt_id(user(f"  {decomposed}\n"))
    assert prompt_id(user(composed)) != prompt_id(user("Où est le cafe ?"))
    assert len(prompt_id(user(composed))) == 16


def test_roles_turns_and_case_make_other_prompts() -> None:
    ids = {
        prompt_id(user("Hello")),
        prompt_id(user("hello")),
        prompt_id([{"role": "system", "content": "Hello"}]),
        prompt_id([*user("Hello"), {"role": "assistant", "content": "Hi"}]),
    }
    assert len(ids) == 4


def test_native_ids_belong_to_their_language() -> None:
    ids = {prompt_id(user("Taxi"), language) for language in ("eng_Latn", "deu_Latn", "fra_Latn")}
    assert len(ids) == 3
    assert prompt_id(user("Taxi"), "deu_Latn") == prompt_id(user(" Taxi "), "deu_Latn")


def test_a_lone_surrogate_has_an_id() -> None:
    assert prompt_id(user("\ud800")) != prompt_id(user("\udbff"))


def test_cast_sorts_by_key_and_fixes_types() -> None:
    rows = [{"prompt_id": "b", "language": "fra_Latn"}, {"prompt_id": "a", "language": "fra_Latn"}]
    frame = rows_to_frame(rows, "prompts")
    assert frame.schema == TABLES["prompts"]
    assert frame["prompt_id"].to_list() == ["a", "b"]
    assert cast(frame.with_columns(extra=pl.lit(1)).reverse(), "prompts").equals(frame)


def test_cast_names_what_is_missing() -> None:
    with pytest.raises(InputError, match=r"^prompts: missing column 'prompt'; found prompt_id, language$"):
        cast(pl.DataFrame({"prompt_id": ["a"], "language": ["fra_Latn"]}), "prompts")


def test_cast_names_a_key_that_stands_twice() -> None:
    rows = [{"prompt_id": "a", "language": "fra_Latn", "prompt_en": None}] * 2
    with pytest.raises(InputError, match=r"^prompts: several rows have the key a fra_Latn; every row"):
        rows_to_frame(rows, "prompts")


def test_keys_stand_first_in_every_table() -> None:
    for table, key in KEYS.items():
        assert tuple(TABLES[table])[: len(key)] == key


def test_splits_take_their_share_and_are_the_same_everywhere() -> None:
    ids = [prompt_id(user(f"Question {i}")) for i in range(10_000)]
    test = {i for i in ids if split_of(i, 0.1) == "test"}
    assert 900 < len(test) < 1100  # three standard deviations are 90
    assert test < {i for i in ids if split_of(i, 0.2) == "test"}
    assert not [i for i in ids if split_of(i, 0.0) == "test"]
    assert uniform("0123456789abcdef", "split") == uniform("0123456789abcdef", "split")
    assert uniform("0123456789abcdef", "split") != uniform("0123456789abcdef", "other")
