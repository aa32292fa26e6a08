"""The miniature world's build, killed at random moments: the published bytes stay the same."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BUILD = [sys.executable, "-m", "polypref", "build", "demo", "--languages", "en,de,zh,ar", "--limit", "100"]


@pytest.mark.slow
def test_a_build_killed_five_times_publishes_the_bytes_of_an_uninterrupted_one(tmp_path: Path) -> None:
    began = time.monotonic()
    build_whole(tmp_path / "whole")
    seconds = time.monotonic() - began
    command = [*BUILD, "--workdir", str(tmp_path / "killed")]
    draw = random.Random(7)
    killed = 0
    for _ in range(5):
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as build:
            try:
                build.wait(draw.uniform(0.3, 0.8) * seconds)
            except subprocess.TimeoutExpired:
                build.kill()
                killed += 1
    assert killed >= 2
    build_whole(tmp_path / "killed")
    assert read_files(tmp_path / "killed") == read_files(tmp_path / "whole")


def build_whole(workdir: Path) -> None:
    subprocess.run([*BUILD, "--workdir", str(workdir)], check=True, capture_output=True, cwd=ROOT)


def read_files(workdir: Path) -> dict[str, bytes]:
    """Return the published files and the answer logs, which must hold the same answers, each once."""
    contents = {}
    for folder in ("published", "answers"):
        for file in sorted((workdir / folder).rglob("*")):
            if file.is_file() and file.suffix != ".index":  # made from the log, and saved now and then
                contents[str(file.relative_to(workdir))] = file.read_bytes()
    assert len(contents) > 10
    return contents
