"""The house: imports run one way, without circles, file by file; importing is light; files stay small."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import style

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "polypref"
GROUND = {"version", "errors", "files", "config", "schemas", "progress", "languages"}
BELOW_BUILDERS = GROUND | {"store", "engines", "cards"}
# What each room may import beside itself; the ground is one room.
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    "store": GROUND,
    "engines": GROUND | {"store"},
    "cards": GROUND,
    "builders": BELOW_BUILDERS,
    "training": BELOW_BUILDERS,
    "eval": BELOW_BUILDERS,
    "demo": BELOW_BUILDERS | {"builders", "training", "eval"},
    "cli": BELOW_BUILDERS | {"builders", "training", "eval", "demo"},
    "__init__": GROUND | {"cards"},
    "__main__": {"cli"},
}
HEAVY = (
    *("torch", "transformers", "datasets", "trl", "vllm", "aiohttp", "ctranslate2", "peft"),
    *("huggingface_hub", "langdetect", "lingua", "numpy", "pyarrow", "jinja2", "sentencex"),
)


def room(file: str) -> str:
    """The first part of a file's path within the package."""
    return file.split("/")[1].removesuffix(".py")


GRAPH = style.import_graph(style.read(PACKAGE))


@pytest.mark.parametrize("file", GRAPH)
def test_imports_run_one_way(file: str) -> None:
    allowed = MAY_IMPORT[room(file)] | {room(file)}
    assert [other for other in sorted(GRAPH[file]) if room(other) not in allowed] == []


def test_no_file_imports_itself_through_others() -> None:
    assert sum(map(len, GRAPH.values())) > 300  # the imports were found at all
    assert style.circles(GRAPH) == []


def test_a_circle_would_be_found() -> None:
    assert style.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a -> b -> c -> a"]


def test_importing_everything_loads_nothing_heavy() -> None:
    modules = [file.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for file in GRAPH]
    modules.remove("polypref.__main__")
    script = f"import sys, {', '.join(modules)}; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_file_is_over_400_lines() -> None:
    lines = {
        file: len(file.read_text("utf-8").splitlines())
        for folder in (PACKAGE, ROOT / "tests")
        for file in folder.rglob("*.py")
    }
    assert len(lines) > 100
    too_long = {str(file.relative_to(ROOT)): count for file, count in lines.items() if count > 400}
    assert too_long == {}
