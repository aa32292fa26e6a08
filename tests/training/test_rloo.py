"""RLOO of a tiny random policy: the pinned trajectory, resume, LoRA, and the reward of a cut completion."""

from pathlib import Path
from typing import Any

import pytest

from polypref.training import rloo, trainer
from polypref.training.recipe import RlooRecipe
from tests.training.tiny import have_equal_weights, read_log

REWARDS = [-0.809886, -0.748013, -0.746029, -0.49612, -0.244736]
GRAD_NORMS = [13.802636, 17.560907, 18.038801, 19.173717, 19.770788]
KL = [0.0, -0.000214, -0.003685, 0.008605, 0.088352]
WITHOUT_EOS = [0.8125, 0.75, 0.75, 0.5, 0.25]


def recipe(policy: Path, reward_model: Path, published: Path, output: Path, **fields: Any) -> RlooRecipe:
    small = {
        "batch_size": 16,
        "max_steps": 5,
        "learning_rate": 1e-4,
        "warmup": 0,
        "max_length": 128,
        "max_new_tokens": 12,
    }
    operation = {
        "micro_batch_size": 8,
        "device": "cpu",
        "logging_steps": 1,
        "saving_steps": 4,
        "languages": ["deu_Latn"],
    }
    reward = {"kind": "reward_model", "model": str(reward_model), "device": "cpu"}
    named = {"model": str(policy), "data": str(published), "output": output, "reward": reward}
    return RlooRecipe.model_validate({**named, **small, **operation, **fields})


@pytest.fixture(scope="module")
def trained(
    policy: Path, reward_model: Path, published: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return rloo.train(recipe(policy, reward_model, published, tmp_path_factory.mktemp("rloo") / "tuned"))


def test_the_trajectory_is_pinned(trained: Path) -> None:
    rows = read_log(trained)
    assert [row["reward"] for row in rows] == pytest.approx(REWARDS, rel=1e-3)
    assert [row["grad_norm"] for row in rows] == pytest.approx(GRAD_NORMS, rel=1e-2)
    assert [row["kl"] for row in rows] == pytest.approx(KL, rel=1e-2, abs=1e-5)
    assert [row["without_eos"] for row in rows] == WITHOUT_EOS


def test_the_checkpoint_and_its_card(trained: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert type(AutoModelForCausalLM.from_pretrained(trained)).__name__ == "CohereForCausalLM"
    assert AutoTokenizer.from_pretrained(trained).chat_template
    card = (trained / "README.md").read_text("utf-8")
    assert "| reward model | `reward`, a local folder at `sha256:" in card
    assert "| `num_generations` | 2 |" in card
    assert "trained by REINFORCE with a leave-one-out baseline ([2402.14740]" in card
    assert "| step | reward | KL to the base | tokens per completion | share cut |" in card
    assert f"| 5 | {read_log(trained)[-1]['reward']:.4g} |" in card


def test_a_resumed_run_equals_an_uninterrupted_one(
    trained: Path,
    policy: Path,
    reward_model: Path,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = recipe(policy, reward_model, published, tmp_path / "tuned")
    watching_callback = trainer._watching_callback

    def stopping_callback(*arguments: Any) -> Any:
        callback = watching_callback(*arguments)

        def on_log(args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 5:
                raise KeyboardInterrupt

        callback.on_log = on_log
        return callback

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "_watching_callback", stopping_callback)
        with pytest.raises(KeyboardInterrupt):
            rloo.train(again)
    # 22 prompts, 8 per step: step 4 lies in the second pass.
    assert [folder.name for folder in (again.output / "checkpoints").glob("checkpoint-*")] == ["checkpoint-4"]
    rloo.train(again)
    assert have_equal_weights(again.output, trained)
    assert read_log(again.output) == read_log(trained)


def test_lora_and_masked_completions(
    policy: Path, reward_model: Path, published: Path, tmp_path: Path
) -> None:
    from peft import AutoPeftModelForCausalLM

    adapter = {"lora": {"r": 4, "alpha": 8}, "missing_eos_penalty": None, "num_generations": 4}
    output = rloo.train(recipe(policy, reward_model, published, tmp_path / "adapter", **adapter, max_steps=2))
    assert AutoPeftModelForCausalLM.from_pretrained(output).peft_config["default"].r == 4
    assert all(row["reward"] is None or row["reward"] > -0.1 for row in read_log(output))  # not penalised


def test_groups_must_divide_the_batch() -> None:
    with pytest.raises(ValueError, match="batch_size 16 is not a multiple of num_generations 3"):
        recipe(Path("p"), Path("r"), Path("d"), Path("o"), num_generations=3)
    with pytest.raises(ValueError, match="leaves no room for a prompt within max_length 12"):
        recipe(Path("p"), Path("r"), Path("d"), Path("o"), max_length=12)
