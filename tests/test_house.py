"""The house: which way imports run, that importing is light, and that no room grows too large."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "cards": set[str](),
    "store": {"cards"},
    "engines": {"cards", "store"},
    "builders": {"cards", "store", "engines"},
    "training": {"cards", "store", "engines"},
    "eval": {"cards", "store", "engines"},
    "demo": {"cards", "store", "engines", "builders", "training", "eval"},
    "polypref": {"cards", "store", "engines", "builders", "training", "eval", "demo"},
}
HEAVY = ("torch", "transformers", "datasets", "trl", "vllm", "aiohttp", "ctranslate2", "peft", "huggingface_hub", "langdetect")


def sources(package: str) -> list[Path]:
    return [ROOT / "polypref.py"] if package == "polypref" else sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package: str) -> None:
    for file in sources(package):
        wrong = (imported(file) & set(MAY_IMPORT)) - MAY_IMPORT[package] - {package}
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_importing_the_packages_and_their_configs_loads_nothing_heavy() -> None:
    modules = [
        *MAY_IMPORT,
        "builders.config",
        "training.config",
        "eval.config",
        "engines.pool",
        "builders.build",
        "builders.publish",
        "cards.hub",
    ]
    script = f"import sys, {', '.join(modules)}; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_module_is_over_400_lines() -> None:
    files = [file for package in MAY_IMPORT for file in sources(package)] + sorted((ROOT / "tests").rglob("*.py"))
    assert len(files) > 60
    assert [f"{file.relative_to(ROOT)}: {n}" for file in files if (n := len(file.read_text("utf-8").splitlines())) > 400] == []
