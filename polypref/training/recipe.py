"""The recipes of training.

Defaults follow arXiv 2407.02552 and suit Aya-23-8B; a model of another size needs other values. Defaults
marked (S) are stated in the paper; those marked (M) are from memory and not verified.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from polypref.cards.mixtures import parse_mixture
from polypref.config import Config, Operational
from polypref.engines.config import RewardModel
from polypref.languages import codes


class Lora(Config):
    """Low-rank adapters on every linear layer except the output layer, instead of full weights."""

    r: int = Field(16, gt=0)
    alpha: int = Field(32, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)


class TrainRecipe(Config):
    """The fields that DPO and RLOO share: base model, published data, output folder and optimiser.

    The optimiser is AdamW, with linear decay after the warmup.
    """

    model: str
    revision: str = "main"
    data: str  # a published folder, or ORG/NAME on the Hub
    data_revision: str | None = None  # of a repository; its main branch by default
    # All languages of the data by default.
    languages: Annotated[tuple[str, ...], AfterValidator(codes.languages)] | None = None
    mixture: str | dict[str, Any] | None = None  # a name, or the fields of cards.mixtures.Mixture
    output: Operational[Path]
    license: str | None = None  # of the checkpoint; the base model's by default
    seed: int = 0
    epochs: float = Field(1.0, gt=0)
    max_steps: int | None = Field(None, gt=0)  # optimiser steps; overrides `epochs`
    # Pairs (DPO) or completions (RLOO) per optimiser step, over all devices (M).
    batch_size: int = Field(32, gt=0)
    # How many of them a device takes at once; changes memory and speed, not the result.
    micro_batch_size: Operational[int] = Field(4, gt=0)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(0.1, ge=0)  # steps; a value below 1 is a share of all steps
    max_length: int = Field(1024, gt=0)  # tokens of a prompt and its completion together
    lora: Lora | None = None
    # Of the weights. bfloat16 keeps 8 bits: updates at the default learning rates would round to nothing.
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: Operational[Literal["auto", "cpu"]] = "auto"
    logging_steps: Operational[int] = Field(10, gt=0)
    saving_steps: Operational[int] = Field(100, gt=0)

    @field_validator("mixture")
    @classmethod
    def _check_mixture(cls, mixture: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
        if mixture is not None:
            parse_mixture(mixture)
        return mixture


class DpoRecipe(TrainRecipe):
    """Direct preference optimisation, offline, on published pairs."""

    learning_rate: float = Field(5e-7, gt=0)  # (M)
    # (M) for 50,000 pairs. On the largest mixture, more than about half an epoch hurt (S).
    epochs: float = Field(2.0, gt=0)
    beta: float = Field(0.5, gt=0)  # (M)
    # "shuffle" swaps chosen and rejected at random: a control run, which should gain nothing.
    control: Literal["shuffle"] | None = None


class RlooRecipe(TrainRecipe):
    """REINFORCE with a leave-one-out baseline, online, on published prompts, against a reward model.

    The whole completion is one action; its baseline is the mean reward of the prompt's other completions (S).
    """

    learning_rate: float = Field(5e-6, gt=0)  # (M)
    reward: RewardModel
    beta: float = Field(0.01, ge=0)  # weight of the sequence KL to the base model in the reward (M)
    num_generations: int = Field(2, ge=2)  # completions per prompt, k in the paper (M)
    max_new_tokens: int = Field(512, gt=0)
    temperature: float = Field(1.0, gt=0)
    # Subtracted from the score of a completion cut at max_new_tokens; null leaves the completion out instead.
    missing_eos_penalty: float | None = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if self.batch_size % self.num_generations:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of num_generations {self.num_generations}"
            )
        if self.max_new_tokens >= self.max_length:
            raise ValueError(
                f"max_new_tokens {self.max_new_tokens} leaves no room for a prompt "
                f"within max_length {self.max_length}"
            )
        return self
