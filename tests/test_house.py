"""The house: imports run one way, file by file and without circles; importing is light; no file grows too large."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "polypref"
GROUND = {"version", "errors", "config", "schemas", "progress", "languages"}
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


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_file(module: str) -> Path | None:
    """The file of a module of ours, or None."""
    path = ROOT / module.replace(".", "/")
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").is_file() else None


def imported_files(file: Path) -> set[Path]:
    """The files of ours that a file imports, anywhere in it, also within functions and for type checkers only."""
    found: set[Path | None] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                module_file(alias.name) for alias in node.names if alias.name.split(".")[0] == "polypref"
            }
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "polypref":
            for alias in node.names:
                found.add(module_file(f"{node.module}.{alias.name}") or module_file(str(node.module)))
    return {path for path in found if path is not None}


def circles(graph: dict[Path, set[Path]]) -> list[list[Path]]:
    """Chains of imports that end where they began, each found once from the file that closes it."""
    found, finished = [], set[Path]()

    def visit(file: Path, chain: list[Path]) -> None:
        if file in chain:
            found.append([*chain[chain.index(file) :], file])
        elif file not in finished:
            for other in sorted(graph.get(file, ())):
                visit(other, [*chain, file])
            finished.add(file)

    for file in graph:
        visit(file, [])
    return found


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_run_one_way(file: Path) -> None:
    allowed = MAY_IMPORT[room(file)] | {room(file)}
    wrong = [str(other.relative_to(ROOT)) for other in imported_files(file) if room(other) not in allowed]
    assert wrong == []


def test_no_file_imports_itself_through_others() -> None:
    graph = {file: imported_files(file) for file in files()}
    assert sum(map(len, graph.values())) > 300  # the imports were found at all
    assert [[str(file.relative_to(PACKAGE)) for file in chain] for chain in circles(graph)] == []


def test_a_circle_would_be_found() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert circles({a: {b}, b: {c}, c: {a}}) == [[a, b, c, a]]


def test_importing_everything_loads_nothing_heavy() -> None:
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files()]
    modules = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
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
