"""Recipes that cannot be meant, or are made to harm: one line each, and soon.

Sources: cases 8 to 11 of a new user's trial, huggingface_hub#797 and DiffSinger#291 (YAML's `no`), the known
attacks on YAML parsers, and our own.
"""

from pathlib import Path

import pytest

from polypref.builders.filters.apply import Filters
from polypref.builders.recipe import Recipe
from polypref.config import MAX_BYTES, read_config
from polypref.errors import InputError

GOOD = """
languages: [en, de]
prompts: {sources: [{path: p.jsonl, text: prompt}]}
complete: {generators: {mine: {engine: {kind: hf, model: m}}}}
score: {rule: {kind: language_rule}}
pair: {scorer: rule}
publish: {name: n, title: t, license: mit}
"""


def refusal(folder: Path, text: str) -> str:
    (folder / "r.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        read_config(folder / "r.yaml", Recipe)
    message = str(error.value).removeprefix(f"{folder}/")
    assert "\n" not in message
    assert len(message) < 300
    return message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "mine:",
            "../../x:",
            "r.yaml: complete.generators: found '../../x', expected a name of",
        ),
        ("mine:", '"":', "expected a name of letters, digits, '.', '_' and '-'"),
        ("mine:", "..:", "expected a name of letters, digits, '.', '_' and '-'"),
        ("mine:", '"a\\nb":', "expected a name of letters, digits, '.', '_' and '-'"),
        ("rule: {kind", "a/b: {kind", "r.yaml: score: found 'a/b', expected a name of letters"),
        ("name: n", "name: ../n", "r.yaml: publish.name: found '../n', expected a name of letters"),
        ("name: n", f"name: {'n' * 500}", "r.yaml: publish.name: found 'nnn"),
        (
            "[en, de]",
            "[no, de]",
            "r.yaml: languages.0: found False; YAML reads no, yes, on and off as such, so write them in quot",
        ),
        ("[en, de]", "Swahili", "r.yaml: languages: found 'Swahili', expected a list: [Swahili]"),
        ("pair: {", "pair: {margin: .nan, ", "r.yaml: pair.margin: found nan, expected a finite number"),
        ("pair: {", "pair: {margin: .inf, ", "r.yaml: pair.margin: found inf, expected a finite number"),
        ("mine: {", "mine: {samples: 1000000000, ", "samples: found 1000000000, expected a number less than"),
        (
            "publish: {",
            "budget: {max_usd: 5}\npublish: {",
            "r.yaml: unknown key 'budget.max_usd'; expected one of max_cost, max_tokens, max_hours",
        ),
        (
            "model: m}",
            "model: m, sampling: {tokens: 5}}",
            "'complete.generators.mine.engine.hf.sampling.tokens'; expected one of temperature, top_p, max_",
        ),
        (
            "{scorer: rule}",
            "{scorer: jugde}",
            "r.yaml: pair.scorer: unknown scorer 'jugde'; expected one of rule",
        ),
        ("pair: {scorer: rule}\n", "", "r.yaml: missing key 'pair'"),
        (
            "prompts: {",
            "prompts: {filters: {loop: true}, ",
            "r.yaml: prompts.filters.loop: found True, expected a threshold, or null",
        ),
        ("pair: {scorer: rule}", "seed: 1\nseed: 2", "r.yaml: not YAML: key 'seed' occurs again in line 7"),
        ("[en, de]", "2024-99-99", "r.yaml: not YAML: month must be in 1..12"),
    ],
)
def test_a_mistake_is_named_in_one_short_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    assert message in refusal(tmp_path, GOOD.replace(old, new))


def laughs(open_with: str) -> str:
    """Ten levels, each ten times the one before."""
    lines = ["a0: &a0 {x: 1}"]
    for level in range(1, 11):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} " + open_with.replace("...", f"[{aliases}]"))
    return "\n".join(lines)


@pytest.mark.parametrize("text", [laughs("..."), laughs("{y: ...}"), laughs("{<<: ...}"), "a: &a [*a]"])
def test_aliases_that_multiply_are_refused(tmp_path: Path, text: str) -> None:
    message = "r.yaml: expected at most 100,000 values, those of aliases included"
    assert refusal(tmp_path, text) == message


def test_an_alias_or_two_are_welcome(tmp_path: Path) -> None:
    text = GOOD.replace("mine: {engine: {kind", "mine: &a {engine: {kind").replace("m}}}}", "m}}, more: *a}}")
    (tmp_path / "r.yaml").write_text(text)
    assert list(read_config(tmp_path / "r.yaml", Recipe).complete.generators) == ["mine", "more"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "languages: [" + "de, " * 1_000_000 + "]",
            f"r.yaml: found 4,000,013 bytes, expected at most {MAX_BYTES:,}",
        ),
        ("a: " + "[" * 50_000, "r.yaml: nested too deeply"),
        (f"seed: {'9' * 10_000}", "r.yaml: not YAML: Exceeds the limit (4300 digits)"),
    ],
)
def test_a_recipe_made_to_be_slow_ends_soon(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


@pytest.mark.parametrize("value", ["null", "false", "no"])
@pytest.mark.parametrize("name", ["empty", "truncated", "equals_prompt", "refusal", "loop", "too_long"])
def test_null_and_false_switch_a_filter_off(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "f.yaml").write_text(f"{name}: {value}")
    assert name not in read_config(tmp_path / "f.yaml", Filters).enabled()
