"""Two tiny policies, a reward model and published pairs, made once per session."""

from pathlib import Path

import polars as pl
import pytest

from tests.training import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Use one thread: models this small gain nothing from more."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pairs() -> pl.DataFrame:
    return tiny.make_pairs()


@pytest.fixture(scope="session")
def world(pairs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `pairs`, `base`, `tuned` and `reward`."""
    folder = tmp_path_factory.mktemp("world")
    tiny.publish(pairs, folder / "pairs")
    tiny.make_policy(pairs, folder / "base", seed=1)
    tiny.make_policy(pairs, folder / "tuned", seed=2)
    tiny.make_reward_model(pairs, folder / "reward")
    return folder
