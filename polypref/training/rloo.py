"""REINFORCE with a leave-one-out baseline (arXiv 2402.14740) on a published revision's prompts, by TRL's RLOOTrainer.

The reward is a published reward model's score, less `missing_eos_penalty` where the completion was cut before its end. Whether it
ended is read off the completion's own tokens: a prompt's turns hold end-of-turn tokens, too, and hide a missing one (trl#6805).
"""

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from polypref.engines.base import InProcess, Request
from polypref.errors import InputError
from polypref.schemas import Message
from polypref.training import data, run
from polypref.training.recipe import RlooRecipe

METHOD = {
    "name": "rloo",
    "title": "RLOO",
    "citation": "REINFORCE with a leave-one-out baseline ([2402.14740](https://arxiv.org/abs/2402.14740))",
    # Without the loss: it is about 0 by construction.
    "curve": {
        "reward": "reward",
        "kl": "KL to the base",
        "completion_tokens": "tokens per completion",
        "without_eos": "share cut",
    },
}


def train(recipe: RlooRecipe, overwrite: bool = False) -> Path:
    """Trains and returns `recipe.output`; what it holds, resuming and errors as in `polypref.training.dpo.train`."""
    recipe = run.pinned(recipe)
    rows = data.prompts(recipe)
    run.quiet()
    with run.folder(recipe.output) as workdir:
        base = workdir.resolve(recipe.model, recipe.revision)
        judge = workdir.resolve(recipe.reward.model, recipe.reward.revision)
        identity = {**recipe.reward.identity(), "model": judge.revision, "revision": None}
        made_from = run.facts(recipe, METHOD, base, rows, reward=identity)
        made_from["reward"] = {
            "model": judge.model,
            "revision": judge.revision,
            "on_hub": judge.hub_revision is not None,
        }
        if run.finished(recipe.output, made_from, overwrite):
            return recipe.output

        from trl import RLOOConfig, RLOOTrainer

        from polypref.engines.rewards import SequenceClassifier

        tokenizer = run.tokenizer(base)
        room = recipe.max_length - recipe.max_new_tokens
        prompts = data.dataset(rows).filter(
            lambda row: (
                len(
                    tokenizer.apply_chat_template(
                        row["prompt"], add_generation_prompt=True, return_dict=False
                    )
                )
                <= room
            )
        )
        if len(prompts) == 0:
            raise InputError(
                f"{recipe.data}: no prompt of at most {room} tokens (max_length - max_new_tokens)"
            )
        order = passes(len(prompts), recipe)
        # One long pass in our own order: TRL's sampler, resumed in a later epoch, would begin again with the first one's order.
        steps = {
            "max_steps": len(order) * recipe.num_generations // recipe.batch_size,
            "shuffle_dataset": False,
        }
        args = RLOOConfig(
            **{**run.arguments(recipe, base), **steps},
            num_generations=recipe.num_generations,
            max_completion_length=recipe.max_new_tokens,
            temperature=recipe.temperature,
            mask_truncated_completions=recipe.missing_eos_penalty is None,
        )
        reward_model = SequenceClassifier(recipe.reward, "reward", judge)
        trainer = RLOOTrainer(
            model=base.location,
            reward_funcs=reward_of(
                reward_model, lambda: set(trainer.eos_token_ids), recipe.missing_eos_penalty
            ),
            args=args,
            train_dataset=prompts.select(order),
            processing_class=tokenizer,
            peft_config=run.adapter(recipe.lora, base),
        )
        return run.go(trainer, recipe, {**made_from, "left_out": rows.height - len(prompts)})


def passes(prompts: int, recipe: RlooRecipe) -> list[int]:
    """Positions of the prompts in the order in which they are asked: seeded permutations, as many whole steps as the recipe asks for."""
    a_step = recipe.batch_size // recipe.num_generations
    steps = recipe.max_steps or max(1, int(recipe.epochs * prompts) // a_step)
    epochs = -(-steps * a_step // prompts)
    order = [
        i
        for epoch in range(epochs)
        for i in random.Random(f"{recipe.seed} {epoch}").sample(range(prompts), prompts)
    ]
    return order[: steps * a_step]


def reward_of(
    engine: InProcess, ends: Callable[[], set[int]], missing_eos_penalty: float | None
) -> Callable[..., list[float]]:
    """TRL's reward function around a reward model; NaN, which TRL leaves out of the baseline, for a cut completion that is to be masked."""

    def reward(
        prompts: Sequence[Sequence[Message]],
        completions: Sequence[Sequence[Message]],
        completion_ids: Sequence[Sequence[int]],
        **_: Any,
    ) -> list[float]:
        requests = [
            Request([*prompt, *completion]) for prompt, completion in zip(prompts, completions, strict=True)
        ]
        scores = [math.nan] * len(requests)
        for batch in engine.plan(requests):
            for i, answer in zip(batch, engine.answer([requests[i] for i in batch], seed=0), strict=True):
                scores[i] = math.nan if answer.score is None else answer.score
        penalty = math.nan if missing_eos_penalty is None else missing_eos_penalty
        return [
            s if ids and ids[-1] in ends() else s - penalty
            for s, ids in zip(scores, completion_ids, strict=True)
        ]

    return reward
