"""DPO of a tiny random policy: the pinned trajectory, resume, LoRA, the control, the files it leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from polypref.errors import InputError
from polypref.training import data, dpo, trainer
from polypref.training.recipe import DpoRecipe
from tests.training.tiny import have_equal_weights, read_log, read_weights

LOSSES = [0.693147, 0.644323, 0.522426, 0.467524, 0.40666, 0.400228, 0.440745, 0.440101]
MARGINS = [0.0, 0.100327, 0.378493, 0.529258, 0.693616, 0.71348, 0.598747, 0.605385]


def recipe(policy: Path, published: Path, output: Path, **fields: Any) -> DpoRecipe:
    small = {
        "batch_size": 8,
        "max_steps": 8,
        "learning_rate": 2e-3,
        "warmup": 0,
        "beta": 0.1,
        "max_length": 128,
    }
    operation = {"micro_batch_size": 4, "device": "cpu", "logging_steps": 1, "saving_steps": 3}
    return DpoRecipe.model_validate(
        {"model": str(policy), "data": str(published), "output": output, **small, **operation, **fields}
    )


@pytest.fixture(scope="module")
def trained(policy: Path, published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dpo.train(recipe(policy, published, tmp_path_factory.mktemp("dpo") / "tuned"))


def test_the_trajectory_is_pinned(trained: Path) -> None:
    rows = read_log(trained)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert [row["loss"] for row in rows] == pytest.approx(LOSSES, rel=1e-3)
    assert [row["reward_margin"] for row in rows] == pytest.approx(MARGINS, rel=1e-2, abs=1e-6)


def test_the_checkpoint_loads_with_its_chat_template(trained: Path, policy: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(trained)
    tokenizer, base = AutoTokenizer.from_pretrained(trained), AutoTokenizer.from_pretrained(policy)
    assert type(model).__name__ == "CohereForCausalLM"
    assert tokenizer.chat_template == base.chat_template
    chat = [{"role": "user", "content": "Say 2 times: 猫"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == base.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>")
    ids = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    generated = model.generate(**ids, min_new_tokens=3, max_new_tokens=3, do_sample=False)
    assert generated.shape[1] == ids["input_ids"].shape[1] + 3


def test_only_the_result_stays_in_the_folder(trained: Path) -> None:
    files = {file.name for file in trained.iterdir()}
    assert {"model.safetensors", "chat_template.jinja", "README.md"} <= files
    assert {"training_log.jsonl", "training.json"} <= files
    assert not files & {"checkpoints", "training_args.bin"}


def test_a_resumed_run_equals_an_uninterrupted_one(
    trained: Path, policy: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):
        pass

    again = recipe(policy, published, tmp_path / "tuned")
    watching_callback = trainer._watching_callback

    def stopping_callback(*arguments: Any) -> Any:
        callback = watching_callback(*arguments)
        step_end = callback.on_step_end

        def on_step_end(args: Any, state: Any, control: Any, **others: Any) -> None:
            step_end(args, state, control, **others)
            if state.global_step == 5:
                raise Stopped

        callback.on_step_end = on_step_end
        return callback

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "_watching_callback", stopping_callback)
        with pytest.raises(Stopped):
            dpo.train(again)
    assert [folder.name for folder in (again.output / "checkpoints").glob("checkpoint-*")] == ["checkpoint-3"]
    torn = again.output / "checkpoints" / "checkpoint-6"
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"best_metric": nu')
    with pytest.raises(InputError, match="another learning_rate; remove it or choose another output"):
        dpo.train(again.model_copy(update={"learning_rate": 1.0}))

    dpo.train(again)
    assert have_equal_weights(again.output, trained)
    assert read_log(again.output) == read_log(trained)
    assert not (again.output / "checkpoints").exists()


def test_a_run_stopped_after_its_last_step_trains_nothing_again(
    trained: Path, policy: Path, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(facts: Any) -> dict[str, bytes]:
        raise OSError(28, "No space left on device")

    again = recipe(policy, published, tmp_path / "tuned")
    with monkeypatch.context() as patched:
        patched.setattr(trainer, "documents", disk_is_full)
        with pytest.raises(OSError, match="No space left"):
            dpo.train(again)
    assert not (again.output / "training.json").exists()
    assert (again.output / "checkpoints" / "checkpoint-8").exists()
    dpo.train(again)
    assert read_log(again.output) == read_log(trained)
    assert have_equal_weights(again.output, trained)


def test_a_finished_run_returns_at_once_and_another_recipe_is_refused(
    trained: Path, policy: Path, published: Path, tmp_path: Path
) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in trained.iterdir()}
    dpo.train(recipe(policy, published, trained, micro_batch_size=2, logging_steps=4))
    assert {file.name: file.stat().st_mtime_ns for file in trained.iterdir()} == before
    with pytest.raises(
        InputError,
        match="holds a checkpoint made with another beta, data; remove it or choose another output",
    ):
        dpo.train(recipe(policy, published, trained, beta=0.2, languages=["deu_Latn"]))

    other = recipe(policy, published, tmp_path / "tuned", max_steps=1)
    dpo.train(other)
    dpo.train(other.model_copy(update={"max_steps": 2}), overwrite=True)
    assert [row["step"] for row in read_log(other.output)] == [1, 2]


def test_lora_saves_an_adapter_that_peft_loads(policy: Path, published: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    output = dpo.train(
        recipe(policy, published, tmp_path / "adapter", lora={"r": 4, "alpha": 8}, max_steps=3)
    )
    assert not (output / "model.safetensors").exists()
    adapter = read_weights(output)
    assert {name.split(".")[-2] for name in adapter} == {"lora_A", "lora_B"}
    assert any(weight.abs().max() > 0 for name, weight in adapter.items() if "lora_B" in name)
    model = AutoPeftModelForCausalLM.from_pretrained(output)
    assert model.peft_config["default"].base_model_name_or_path == str(policy)
    assert (
        AutoTokenizer.from_pretrained(output).chat_template
        == AutoTokenizer.from_pretrained(policy).chat_template
    )
    assert "library_name: peft" in (output / "README.md").read_text("utf-8")


def test_the_control_trains_on_swapped_pairs(
    trained: Path, policy: Path, published: Path, tmp_path: Path
) -> None:
    control = recipe(policy, published, tmp_path / "control", control="shuffle")
    dpo.train(control)
    made_from = json.loads((control.output / "training.json").read_text("utf-8"))
    rows = data.read_pairs(control)
    assert (
        made_from["key"]["data"]
        == data.rows_digest(data.swap_at_random(rows, control.seed))
        != data.rows_digest(rows)
    )
    loss, control_loss = (sum(row["loss"] for row in read_log(path)) for path in (trained, control.output))
    assert control_loss > loss + 1
    assert "**A control, not for use**" in (control.output / "README.md").read_text("utf-8")


def test_dpo_trainer_takes_published_rows_unchanged(policy: Path, published: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = Dataset.from_parquet([str(file) for file in published.glob("data/*/train-*.parquet")])
    args = DPOConfig(
        str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=False, max_steps=1, save_strategy="no"
    )
    trainer = DPOTrainer(model=str(policy), args=args, train_dataset=rows)
    assert trainer.train().training_loss == pytest.approx(0.6931, abs=1e-3)


def test_pairs_whose_prompt_fills_max_length_are_left_out(
    policy: Path, published: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    chats = data.read_pairs(recipe(policy, published, tmp_path))["prompt"].to_list()
    lengths = [
        len(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))
        for chat in chats
    ]
    limit = max(lengths)
    output = dpo.train(recipe(policy, published, tmp_path / "tuned", max_length=limit, max_steps=1))
    card = (output / "README.md").read_text("utf-8")
    assert (
        f"\n{lengths.count(limit)} of them were left out: the prompt alone fills `max_length` tokens." in card
    )


def test_the_card_states_what_was_trained_on(trained: Path, published: Path) -> None:
    card = (trained / "README.md").read_text("utf-8")
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["language"] == ["de", "en", "ja"]
    assert metadata["license"] == "cc-by-nc-4.0"
    assert metadata["library_name"] == "transformers"
    assert {"dpo", "trl", "preference", "multilingual"} <= set(metadata["tags"])
    assert "base_model" not in metadata  # a local folder has no id on the Hub
    rows = data.read_pairs(recipe(Path("policy"), published, trained))
    for code, count in rows["language"].value_counts().iter_rows():
        assert f"| `{code}` | {count} |" in card
    assert data.rows_digest(rows) in card
    assert json.loads((trained / "training.json").read_text("utf-8"))["method"] == dpo.METHOD
    assert "| method | DPO, full weights |" in card
    assert "trained by direct preference optimisation ([2305.18290]" in card
    assert f"| 8 | {read_log(trained)[-1]['loss']:.4g} |" in card
    assert str(trained.parent) not in card + (trained / "training.json").read_text("utf-8")


def test_bad_input_is_one_line(policy: Path, published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch_size 8 is not a multiple of micro_batch_size 3 on 1 device"):
        dpo.train(recipe(policy, published, tmp_path / "a", micro_batch_size=3))
    with pytest.raises(InputError, match="no such folder, and not a Hub id"):
        dpo.train(recipe(tmp_path / "missing", published, tmp_path / "b"))
    with pytest.raises(InputError, match="policy: holds files that no training wrote"):
        dpo.train(recipe(policy, published, policy), overwrite=True)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text("{}")
    with pytest.raises(InputError, match="bare: cannot be loaded"):
        dpo.train(recipe(bare, published, tmp_path / "c"))
    assert not [file for folder in "abc" for file in (tmp_path / folder).rglob("*")]


def test_a_base_model_in_a_pickle_or_with_a_hostile_template_is_one_line(
    policy: Path, published: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(policy, tmp_path / "model"))
    template = (model / "chat_template.jinja").read_text()
    (model / "chat_template.jinja").write_text("{{ messages.__class__.__mro__ }}")
    with pytest.raises(InputError, match=r"^model: cannot be loaded: access to attribute '__class__'"):
        dpo.train(recipe(model, published, tmp_path / "tuned"))
    (model / "chat_template.jinja").write_text(template)
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"^model: cannot be loaded: .*safetensors"):
        dpo.train(recipe(model, published, tmp_path / "tuned"))
