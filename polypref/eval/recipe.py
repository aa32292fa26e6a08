"""The recipe of a win-rate evaluation."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from polypref.config import Config, Name, Operational
from polypref.engines.config import Generator, HfGenerator, RewardModel, Sampling, VllmRewardModel
from polypref.languages import codes


class WinrateRecipe(Config):
    """Every model completes the same prompts; each model but `base` is compared with `base`, game by game."""

    prompts: str  # a published folder, or ORG/NAME on the Hub, of prompts or pairs
    revision: str | None = None  # of a repository; its main branch by default
    split: Literal["train", "test"] = "test"
    # All languages of the prompts by default.
    languages: Annotated[tuple[str, ...], AfterValidator(codes.languages)] | None = None
    # Prompts per language, the same ones in every language as far as it has them; all by default.
    per_language: int | None = Field(None, gt=0)
    models: dict[Name, str | Generator] = Field(min_length=2)  # a folder or Hub id, or a generator config
    base: str  # one of `models`
    sampling: Sampling = Sampling()  # of the models given by folder or id
    # Completions per prompt and model; sample i of one model plays against sample i of the other.
    samples: int = Field(1, gt=0)
    judge: RewardModel | VllmRewardModel = Field(discriminator="kind")
    margin: float = Field(0.0, ge=0)  # scores at most this far apart are a tie
    seed: int = 0  # of the choice of prompts and of the bootstrap
    resamples: int = Field(1000, gt=0)
    output: Operational[Path]

    @model_validator(mode="after")
    def _check_base(self) -> Self:
        if self.base not in self.models:
            raise ValueError(f"base {self.base!r} is none of the models {', '.join(self.models)}")
        return self

    def generators(self) -> dict[str, Generator]:
        """Return every model as a generator."""
        generators: dict[str, Generator] = {}
        for name, model in self.models.items():
            if isinstance(model, str):
                generators[name] = HfGenerator(kind="hf", model=model, sampling=self.sampling)
            else:
                generators[name] = model
        return generators
