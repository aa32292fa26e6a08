"""The miniature world's checkpoints, opened as a recipe opens them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polypref.store.workdir import Workdir

CHECKPOINTS = Path(__file__).parent.parent.parent / "polypref" / "demo" / "checkpoints"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workdir]:
    with Workdir(tmp_path_factory.mktemp("run")) as opened:
        yield opened
