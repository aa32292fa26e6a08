"""The miniature world's build, whose engines run in this process, killed at random moments: the same bytes as uninterrupted."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_killed_five_times_the_published_bytes_are_those_of_an_uninterrupted_build(tmp_path: Path) -> None:
    languages = ["--languages", "en,de,zh,ar"]
    command = [
        sys.executable,
        "-m",
        "polypref",
        "build",
        "recipes/demo.yaml",
        *languages,
        "--limit",
        "100",
        "--workdir",
    ]
    began = time.monotonic()
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True, cwd=ROOT)
    seconds = time.monotonic() - began
    draw, killed = random.Random(7), 0
    for _ in range(5):
        with subprocess.Popen(
            [*command, str(tmp_path / "killed")],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as build:
            try:
                build.wait(draw.uniform(0.3, 0.8) * seconds)
            except subprocess.TimeoutExpired:
                os.kill(build.pid, signal.SIGKILL)
                killed += 1
    assert killed >= 2
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True, cwd=ROOT)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def files(workdir: Path) -> dict[str, bytes]:
    """What was published, and the answer logs: every answer once, the same ones."""
    found = [
        file
        for name in ("published", "answers")
        for file in sorted((workdir / name).rglob("*"))
        if file.is_file()
    ]
    assert len(found) > 10
    return {str(file.relative_to(workdir)): file.read_bytes() for file in found}
