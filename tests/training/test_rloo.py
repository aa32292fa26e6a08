"""RLOO of a tiny random policy: the pinned trajectory, resume, LoRA, and what a completion without an end is worth."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from polypref.engines.base import Answer, Request
from polypref.training import rloo, run
from polypref.training.recipe import RlooRecipe

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


def curve(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "training_log.jsonl").read_text("utf-8").splitlines()]


def weights(output: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(next(output.glob("*model.safetensors")))


@pytest.fixture(scope="module")
def trained(
    policy: Path, reward_model: Path, published: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return rloo.train(recipe(policy, reward_model, published, tmp_path_factory.mktemp("rloo") / "tuned"))


def test_the_trajectory_is_pinned(trained: Path) -> None:
    rows = curve(trained)
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
    assert "after REINFORCE with a leave-one-out baseline ([2402.14740]" in card
    assert "| step | reward | kl | completion_tokens | without_eos |" in card
    assert f"| 5 | {curve(trained)[-1]['reward']:.4g} |" in card


def test_resumed_is_uninterrupted(
    trained: Path,
    policy: Path,
    reward_model: Path,
    published: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = recipe(policy, reward_model, published, tmp_path / "tuned")
    watch = run._watch

    def stopping(*given: Any) -> Any:
        callback = watch(*given)

        def on_log(args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 5:
                raise KeyboardInterrupt

        callback.on_log = on_log
        return callback

    with monkeypatch.context() as patched:
        patched.setattr(run, "_watch", stopping)
        with pytest.raises(KeyboardInterrupt):
            rloo.train(again)
    assert [folder.name for folder in (again.output / "checkpoints").glob("checkpoint-*")] == [
        "checkpoint-4"
    ]  # in the second pass over 22 prompts, 8 a step
    rloo.train(again)
    assert all((weights(again.output)[name] == weight).all() for name, weight in weights(trained).items())
    assert curve(again.output) == curve(trained)


def test_lora_and_masked_completions(
    policy: Path, reward_model: Path, published: Path, tmp_path: Path
) -> None:
    from peft import AutoPeftModelForCausalLM

    adapter = {"lora": {"r": 4, "alpha": 8}, "missing_eos_penalty": None, "num_generations": 4}
    output = rloo.train(recipe(policy, reward_model, published, tmp_path / "adapter", **adapter, max_steps=2))
    assert AutoPeftModelForCausalLM.from_pretrained(output).peft_config["default"].r == 4
    assert all(row["reward"] is None or row["reward"] > -0.1 for row in curve(output))  # no penalty in it


class LengthAsScore:
    """A reward model whose score is the number of characters of the whole chat."""

    name = fingerprint = "length"

    def plan(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[i] for i in reversed(range(len(requests)))]

    def answer(self, batch: Sequence[Request], seed: int) -> list[Answer]:
        return [Answer(score=float(sum(len(m["content"]) for m in request.messages))) for request in batch]


def test_an_end_is_looked_for_in_the_completion_alone() -> None:
    prompt, completions = (
        [{"role": "user", "content": "abc"}],
        [[{"role": "assistant", "content": text}] for text in ("de", "defg", "")],
    )
    ids = [[7, 8, 2], [7, 8, 9, 9], [2]]  # 2 and 3 end a turn
    given = {
        "prompts": [prompt] * 3,
        "completions": completions,
        "completion_ids": ids,
        "trainer_state": None,
    }
    assert rloo.reward_of(LengthAsScore(), lambda: {2, 3}, 1.5)(**given) == [5.0, 5.5, 3.0]
    masked = rloo.reward_of(LengthAsScore(), lambda: {2, 3}, None)(**given)
    assert masked[0] == 5.0
    assert math.isnan(masked[1])
    assert masked[2] == 3.0


def test_groups_must_divide_the_batch() -> None:
    with pytest.raises(ValueError, match="batch_size 16 is not a multiple of num_generations 3"):
        recipe(Path("p"), Path("r"), Path("d"), Path("o"), num_generations=3)
    with pytest.raises(ValueError, match="leaves no room for a prompt within max_length 12"):
        recipe(Path("p"), Path("r"), Path("d"), Path("o"), max_length=12)


def test_every_prompt_is_asked_once_a_pass_in_an_order_of_the_seed() -> None:
    def order(**fields: Any) -> list[int]:
        return rloo.passes(
            10,
            recipe(
                Path("p"), Path("r"), Path("d"), Path("o"), **{"batch_size": 4, "max_steps": None, **fields}
            ),
        )

    assert sorted(order(epochs=1)) == list(range(10))
    assert sorted(order(epochs=3)[10:20]) == list(range(10))
    assert order(epochs=3)[:10] == order(epochs=1) != order(epochs=3)[10:20]
    assert len(order(epochs=0.5)) == 4  # whole steps of 2 prompts
    assert len(order(max_steps=9)) == 18
    assert order(seed=1) != order(seed=2)
