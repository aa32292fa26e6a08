"""The recipes of training. Defaults follow arXiv 2407.02552; M marks what is remembered from it and was not verified, S what it states.

Nothing here knows what suits a model of another size than Aya-23-8B.
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from polypref.cards import mixtures
from polypref.config import Config, Operational
from polypref.engines.config import RewardModel
from polypref.languages.codes import languages


class Lora(Config):
    """Low-rank adapters on every linear layer but the output's, instead of full weights."""

    r: int = Field(16, gt=0)
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)


class TrainRecipe(Config):
    """What DPO and RLOO share: a base model, published data, an output folder, and the optimiser (AdamW, linear decay after the warmup)."""

    model: str
    revision: str = "main"
    data: str  # a published folder, or ORG/NAME on the Hub
    data_revision: str | None = None  # of a repository; its main branch
    languages: tuple[str, ...] | None = None  # all that the data has
    mixture: str | dict[str, Any] | None = None  # by name, or the fields of cards.mixtures.Mixture
    output: Operational[Path]
    license: str | None = None  # of the checkpoint; without it, the base model's
    seed: int = 0
    epochs: float = Field(1.0, gt=0)
    max_steps: int | None = Field(None, gt=0)  # optimiser steps; where given, it decides instead of `epochs`
    batch_size: int = Field(
        32, gt=0
    )  # M; pairs (DPO) or completions (RLOO) an optimiser step, over all devices
    micro_batch_size: Operational[int] = Field(4, gt=0)  # of them at once on a device
    learning_rate: float = Field(gt=0)
    warmup: float = Field(0.1, ge=0)  # steps, or below 1 a share of all steps
    max_length: int = Field(1024, gt=0)  # tokens of a prompt and its completion
    lora: Lora | None = None
    dtype: Literal["float32", "bfloat16"] = (
        "float32"  # of the weights; bfloat16 loses updates as small as the default learning rates
    )
    device: Operational[Literal["auto", "cpu"]] = "auto"
    logging_steps: Operational[int] = Field(10, gt=0)
    saving_steps: Operational[int] = Field(100, gt=0)

    @field_validator("languages")
    @classmethod
    def _codes(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else languages(names)

    @field_validator("mixture")
    @classmethod
    def _is_a_mixture(cls, wanted: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if wanted is not None:
            mixtures.mixture(wanted)
        return wanted


class DpoRecipe(TrainRecipe):
    """Offline: direct preference optimisation on published pairs."""

    learning_rate: float = Field(5e-7, gt=0)  # M
    epochs: float = Field(
        2.0, gt=0
    )  # M, at 50K pairs; more than about half an epoch on the largest mixture hurt (S)
    beta: float = Field(0.5, gt=0)  # M
    control: Literal["shuffle"] | None = (
        None  # chosen and rejected swapped at random: what a control run trains on
    )


class RlooRecipe(TrainRecipe):
    """Online: REINFORCE with a leave-one-out baseline, on the prompts of published pairs, against a reward model.

    The baseline of a completion is the mean reward of the other `num_generations - 1`, the whole completion one action (S).
    """

    learning_rate: float = Field(5e-6, gt=0)  # M
    reward: RewardModel
    beta: float = Field(0.01, ge=0)  # M; weight of the sequence KL to the base model in the reward
    num_generations: int = Field(2, ge=2)  # M; k
    max_new_tokens: int = Field(512, gt=0)
    temperature: float = Field(1.0, gt=0)
    missing_eos_penalty: float | None = Field(
        1.0, ge=0
    )  # taken off the score of a completion cut at max_new_tokens; null masks it instead

    @model_validator(mode="after")
    def _groups(self) -> Self:
        if self.batch_size % self.num_generations:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of num_generations {self.num_generations}"
            )
        if self.max_new_tokens >= self.max_length:
            raise ValueError(
                f"max_new_tokens {self.max_new_tokens} leaves no room for a prompt within max_length {self.max_length}"
            )
        return self
