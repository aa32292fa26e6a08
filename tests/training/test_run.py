"""What a run leaves to the machine: devices, processes, the licence of the base model."""

from pathlib import Path

import pytest

from polypref.cards.model_card import base_license
from polypref.errors import InputError
from polypref.store.workdir import Resolved
from polypref.training import run
from polypref.training.recipe import DpoRecipe

BASE = Resolved("policy", "sha256:0", "policy", None)


def recipe(**fields: object) -> DpoRecipe:
    return DpoRecipe.model_validate(
        {"model": "policy", "data": "pairs", "output": "out", "device": "cpu", **fields}
    )


def test_a_batch_is_shared_between_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.arguments(recipe(batch_size=32, micro_batch_size=4), BASE)["gradient_accumulation_steps"] == 8
    monkeypatch.setenv("WORLD_SIZE", "4")
    given = run.arguments(recipe(batch_size=32, micro_batch_size=4), BASE)
    assert (given["per_device_train_batch_size"], given["gradient_accumulation_steps"]) == (4, 2)
    given = run.arguments(recipe(batch_size=8, micro_batch_size=4), BASE)
    assert (given["per_device_train_batch_size"], given["gradient_accumulation_steps"]) == (2, 1)
    with pytest.raises(InputError, match="batch_size 6 is not a multiple of micro_batch_size 1 on 4 device"):
        run.arguments(recipe(batch_size=6), BASE)


def test_dropout_of_an_adapter_is_left_on() -> None:
    assert run.arguments(recipe(), BASE)["disable_dropout"]
    assert run.arguments(recipe(lora={}), BASE)["disable_dropout"]
    assert not run.arguments(recipe(lora={"dropout": 0.1}), BASE)["disable_dropout"]


def test_the_revision_reaches_the_reference_model_too() -> None:
    on_hub = Resolved("ORG/NAME", "abc", "ORG/NAME", "abc")
    assert run.arguments(recipe(), on_hub)["model_init_kwargs"] == {"revision": "abc", "dtype": "float32"}


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: mit\n---\ntext", "mit"),
        ("---\ntags: [a]\n---\n", None),
        ("# No metadata\n---\nlicense: mit\n---\n", None),
        ("", None),
    ],
)
def test_the_base_models_licence(card: str, license: str | None, tmp_path: Path) -> None:
    assert base_license(str(tmp_path), None) is None
    (tmp_path / "README.md").write_text(card)
    assert base_license(str(tmp_path), None) == license
