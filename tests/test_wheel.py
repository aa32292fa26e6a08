"""The wheel by itself: installed into a new environment outside the clone, it runs its own demo."""

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since a build leaves files in its tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "runs", "tests", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored, symlinks=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        source,
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("polypref-*.whl"))


def test_nothing_but_polypref_is_installed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"polypref"}
    for file in (
        *(
            "py.typed",
            "recipes/demo.yaml",
            "recipes/paper.yaml",
            "languages/languages.csv",
            "cards/licences.csv",
            "cards/licence_terms.csv",
        ),
        *("demo/prompts.jsonl", "demo/world/heb_Hebr.yaml", "demo/checkpoints/translator/model.safetensors"),
    ):
        assert f"polypref/{file}" in names
    assert [name for name in names if "/templates/" in name] != []


@pytest.mark.slow
def test_the_wheel_runs_its_demo_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    """Takes two minutes, nearly all of it pip's."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "-r", ROOT / "requirements-cpu.txt"], check=True)
    subprocess.run([*pip, wheel], check=True)

    # A user's folder: its modules have the names that polypref's packages once had.
    folder = tmp_path / "project"
    (folder / "training").mkdir(parents=True)
    (folder / "training" / "__init__.py").write_text("raise RuntimeError('not polypref')")
    (folder / "cards.py").write_text("raise RuntimeError('not polypref')")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def run(*words: str) -> str:
        python = str(tmp_path / "venv/bin/python")
        command = [python, "-m", "polypref", *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith("polypref ")
    began = time.monotonic()
    assert "Win minus loss" in run("demo", "--quick")
    print(f"demo --quick: {time.monotonic() - began:.0f} s")
    assert (folder / "runs/demo-quick" / "report.html").stat().st_size > 30_000
