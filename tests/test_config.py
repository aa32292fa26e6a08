"""Recipes: an unknown key names the nearest known one; identity and operation are told apart."""

from pathlib import Path

import pytest

from polypref.builders.recipe import Recipe
from polypref.config import read_config
from polypref.engines.config import HfGenerator, HttpGenerator, Sampling
from polypref.errors import InputError

GOOD = """
languages: [paper-23]
prompts: {sources: [{path: "${data}/p.jsonl", text: prompt}]}
complete: {generators: {a: {engine: {kind: hf, model: m}}}}
score: {rule: {kind: language_rule}}
pair: {scorer: rule}
publish: {name: n, title: t, license: mit}
"""


def read(tmp_path: Path, text: str, **values: str) -> Recipe:
    (tmp_path / "r.yaml").write_text(text)
    return read_config(tmp_path / "r.yaml", Recipe, values)


def test_values_fill_the_recipe(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, data="D").prompts.sources[0].path == Path("D/p.jsonl")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pair: {scorer", "pair: {scoree", "unknown key 'pair.scoree'; did you mean 'scorer'?"),
        ("prompts: {", "prompts: {sampel: 3, ", "unknown key 'prompts.sampel'; did you mean 'sample'?"),
        ("scorer: rule", "scorer: rules", "pair.scorer: unknown scorer 'rules'; expected one of rule"),
        (
            "prompts: {",
            "prompts: {sample: -3, ",
            "prompts.sample: found -3, expected a number greater than 0",
        ),
        (
            "kind: hf",
            "kind: hff",
            "complete.generators.a.engine.kind: found 'hff', expected one of 'hf', 'http', 'vllm'",
        ),
        (
            "kind: hf, model: m}}",
            "kind: hf, model: m}, import: {path: x, text: y}}",
            "expected either 'engine' or 'import'",
        ),
        (
            "kind: hf,",
            "kind: vllm, max_model_len: 512,",
            "max_model_len 512 leaves no room for a prompt beside sampling.max_tokens 1024",
        ),
        ("kind: hf, model", "model", "missing key 'complete.generators.a.engine.kind'"),
        ("name: n, ", "", "r.yaml: missing key 'publish.name'"),
        ("languages: [paper-23]", "languages: [", "r.yaml: not YAML"),
        (GOOD, "[1]", "r.yaml: found list, expected keys and values"),
        ("${data}", "${date}", "'${date}' has no value; give it with --set date=VALUE"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, GOOD.replace(old, new), data="D")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_overlay_is_merged_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("complete: {generators: {a: {samples: 4}}}")
    (tmp_path / "r.yaml").write_text(GOOD)
    recipe = read_config(tmp_path / "r.yaml", Recipe, {"data": "D"}, [tmp_path / "over.yaml"])
    assert recipe.complete.generators["a"].samples == 4
    assert recipe.complete.generators["a"].engine == HfGenerator(kind="hf", model="m")


def test_only_identity_fields_enter_keys() -> None:
    config = HttpGenerator(kind="http", base_url="http://a", model="m")
    for name, value in {"concurrency": 3, "timeout": 1.0, "retries": 0, "key_env": "K"}.items():
        assert config.model_copy(update={name: value}).identity() == config.identity()
    for name, value in {
        "base_url": "http://b",
        "model": "n",
        "system": "s",
        "sampling": Sampling(temperature=1.0),
    }.items():
        assert config.model_copy(update={name: value}).identity() != config.identity()
