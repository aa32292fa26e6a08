"""`polypref filter` with a quality model: asked once about each translation that other filters keep."""

import json
import subprocess
import sys
from pathlib import Path

from tests.checkers.encoders import write_encoder

ROWS = [
    {"text": "the house is old", "source": "the house is old"},
    {"text": "das haus", "source": "the house is old"},
    {"text": "the house is old", "source": None},
    {"text": "?!", "source": "the house"},
]


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "polypref", "filter", "in.jsonl", "--text", "text", "--language", "en"]
    command += ["--source", "source", "--filters", "f.yaml", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_quality_is_asked_last_and_kept_in_the_work_dir(tmp_path: Path) -> None:
    model = write_encoder(tmp_path / "model")
    filters = f"quality: {{model: {model}, least: 0.99}}\nwrong_language: null\ncopied_source: null\n"
    (tmp_path / "f.yaml").write_text(filters + "length_ratio: null\nhalf_translated: null\n")
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    run(tmp_path, "-o", "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["rejected_by"] for row in rows] == [None, "quality", None, "empty"]
    assert [row["quality"] is None for row in rows] == [False, False, True, True]
    answers = sum(
        len(path.read_text().splitlines()) for path in tmp_path.glob("out.jsonl.work/answers/*.jsonl")
    )
    assert answers > 0
    explained = run(tmp_path, "--explain", "4", "--workdir", "out.jsonl.work").splitlines()
    quality = next(line.split() for line in explained if line.startswith("quality"))
    assert quality[1] != "-"  # asked although `empty` rejects the row
    assert quality[2] == "0.99"
