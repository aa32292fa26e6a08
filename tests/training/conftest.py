"""Tiny checkpoints and published pairs, made once per session."""

from pathlib import Path

import polars as pl
import pytest

from tests.training import tiny


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Use one thread: models this small gain nothing from more, and the pinned sums keep their order."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pairs() -> pl.DataFrame:
    return tiny.make_pairs()


@pytest.fixture(scope="session")
def published(pairs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "pairs"
    tiny.publish(pairs, folder)
    return folder


@pytest.fixture(scope="session")
def policy(pairs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "policy"
    tiny.make_policy(pairs, folder)
    return folder


@pytest.fixture(scope="session")
def reward_model(pairs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "reward"
    tiny.make_reward_model(pairs, folder)
    return folder
