"""The arguments of a run on several devices, and the licence of the base model."""

from pathlib import Path

import pytest

from polypref.cards.licences import card_license
from polypref.errors import InputError
from polypref.store.revisions import ResolvedModel
from polypref.training.recipe import DpoRecipe
from polypref.training.trainer import training_arguments

BASE = ResolvedModel("policy", "sha256:0", "policy", None)


def recipe(**fields: object) -> DpoRecipe:
    return DpoRecipe.model_validate(
        {"model": "policy", "data": "pairs", "output": "out", "device": "cpu", **fields}
    )


def test_a_batch_is_shared_between_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes(batch_size: int) -> tuple[int, int]:
        arguments = training_arguments(recipe(batch_size=batch_size, micro_batch_size=4), BASE)
        return arguments["per_device_train_batch_size"], arguments["gradient_accumulation_steps"]

    assert sizes(32) == (4, 8)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert sizes(32) == (4, 2)
    assert sizes(8) == (2, 1)
    with pytest.raises(InputError, match="batch_size 6 is not a multiple of micro_batch_size 1 on 4 device"):
        training_arguments(recipe(batch_size=6), BASE)


def test_dropout_of_an_adapter_is_left_on() -> None:
    assert training_arguments(recipe(), BASE)["disable_dropout"]
    assert training_arguments(recipe(lora={}), BASE)["disable_dropout"]
    assert not training_arguments(recipe(lora={"dropout": 0.1}), BASE)["disable_dropout"]


def test_the_revision_reaches_the_reference_model_too_and_no_code_of_a_checkpoint_runs() -> None:
    on_hub = ResolvedModel("ORG/NAME", "abc", "ORG/NAME", "abc")
    arguments = training_arguments(recipe(), on_hub)
    safe = {"trust_remote_code": False, "use_safetensors": True}
    assert arguments["model_init_kwargs"] == {"revision": "abc", "dtype": "float32", **safe}


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: mit\n---\ntext", "mit"),
        ("---\ntags: [a]\n---\n", None),
        ("# No metadata\n---\nlicense: mit\n---\n", None),
        ("", None),
    ],
)
def test_the_licence_is_read_from_the_base_models_card(
    card: str, license: str | None, tmp_path: Path
) -> None:
    assert card_license(str(tmp_path), None) is None
    (tmp_path / "README.md").write_text(card)
    assert card_license(str(tmp_path), None) == license
