"""The recipe of a win-rate evaluation."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from polypref.config import Config, Operational
from polypref.engines.config import Generator, HfGenerator, RewardModel, Sampling, VllmRewardModel
from polypref.languages.codes import languages


class WinrateRecipe(Config):
    """Completions of every model for the same prompts; each model but `base` is compared with `base`, game by game."""

    prompts: str  # a published folder, or ORG/NAME, of prompts or pairs
    revision: str | None = None  # of a repository; its main branch
    split: Literal["train", "test"] = "test"
    languages: tuple[str, ...] | None = None
    per_language: int | None = Field(
        None, gt=0
    )  # prompts; the same ones in every language, as far as it has them
    models: dict[str, str | Generator] = Field(
        min_length=2
    )  # a checkpoint's folder or Hub id, or a generator of its own
    base: str
    sampling: Sampling = Sampling()  # of the models that are given by folder or id
    samples: int = Field(
        1, gt=0
    )  # completions a prompt and model; the i-th of one plays the i-th of the other
    judge: RewardModel | VllmRewardModel = Field(discriminator="kind")
    margin: float = Field(0.0, ge=0)  # scores no further apart are a tie
    seed: int = 0  # of the choice of prompts and of the bootstrap
    resamples: int = Field(1000, gt=0)
    output: Operational[Path]

    @field_validator("languages")
    @classmethod
    def _codes(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else languages(names)

    @model_validator(mode="after")
    def _known_base(self) -> Self:
        if self.base not in self.models:
            raise ValueError(f"base {self.base!r} is none of the models {', '.join(self.models)}")
        return self

    def generators(self) -> dict[str, Generator]:
        """Every model as a generator."""
        return {
            name: HfGenerator(kind="hf", model=model, sampling=self.sampling)
            if isinstance(model, str)
            else model
            for name, model in self.models.items()
        }
