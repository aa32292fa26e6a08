"""Measures how readable the package is, and fails where a bound of CONTRIBUTING.md is passed.

    python tools/style.py            the figures, and every place that breaks a bound
    python tools/style.py PACKAGE    the same for another folder

Code is parsed with `ast`. Lines are physical lines; rates are per 1,000 of them.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
QUESTION = re.compile(r"\W*(What|Whether|Who|Where|How)\b")


@dataclass(frozen=True)
class File:
    """A parsed source file; `name` is its path from the repository's root."""

    path: Path
    name: str
    lines: list[str]
    tree: ast.Module


def read(package: Path) -> list[File]:
    """Parse every file of a package, in order."""
    files = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text("utf-8")
        name = str(path.relative_to(package.parent))
        files.append(File(path, name, text.splitlines(), ast.parse(text)))
    return files


def nested_comprehensions(file: File) -> Iterator[int]:
    """Yield the lines of comprehensions with several `for`, or with another comprehension inside."""
    for node in ast.walk(file.tree):
        if not isinstance(node, COMPREHENSIONS):
            continue
        inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS) and child is not node]
        if inner or len(node.generators) > 1:
            yield node.lineno


def walruses(file: File) -> Iterator[int]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.NamedExpr):
            yield node.lineno


def long_lines(file: File) -> Iterator[int]:
    for number, line in enumerate(file.lines, 1):
        if len(line) > 110:
            yield number


def long_functions(file: File) -> Iterator[int]:
    for node in ast.walk(file.tree):
        if (
            isinstance(node, FUNCTIONS)
            and node.end_lineno is not None
            and node.end_lineno - node.lineno >= 50
        ):
            yield node.lineno


def docstrings(file: File) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every docstring."""
    for node in ast.walk(file.tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def question_docstrings(file: File) -> Iterator[int]:
    """Yield the lines of docstrings that open with What, Whether, Who, Where or How."""
    for line, text in docstrings(file):
        if QUESTION.match(text):
            yield line


def renaming_imports(file: File) -> Iterator[int]:
    """Yield the lines where a module or name of ours is imported under another name."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom):
            ours = str(node.module).split(".")[0] == "polypref"
            renamed = any(alias.asname not in (None, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            ours = any(alias.name.split(".")[0] == "polypref" for alias in node.names)
            renamed = any(alias.asname is not None for alias in node.names)
        else:
            continue
        if ours and renamed:
            yield node.lineno


def imported_names(file: File) -> set[str]:
    """Return the dotted names of ours that a file imports anywhere, as candidates for modules."""
    names = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name.split(".")[0] == "polypref"}


def import_graph(files: list[File]) -> dict[str, set[str]]:
    """Return {file: the files it imports}; a package counts only where a name of its `__init__` is taken."""
    by_module = {}
    for file in files:
        module = file.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        by_module[module] = file.name
    graph: dict[str, set[str]] = {}
    for file in files:
        imported = imported_names(file)
        parents = {name.rpartition(".")[0] for name in imported if name in by_module}
        modules = {by_module[name] for name in imported - parents if name in by_module}
        graph[file.name] = modules - {file.name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return the chains of imports that end where they began, each as one line."""
    found: list[str] = []
    finished: set[str] = set()

    def visit(name: str, chain: list[str]) -> None:
        if name in chain:
            found.append(" -> ".join([*chain[chain.index(name) :], name]))
        elif name not in finished:
            for other in sorted(graph.get(name, ())):
                visit(other, [*chain, name])
            finished.add(name)

    for name in graph:
        visit(name, [])
    return found


def main(package: Path) -> int:
    """Print the figures and return 1 where one passes its bound."""
    files = read(package)
    total = sum(len(file.lines) for file in files)
    documented = sum(len(list(docstrings(file))) for file in files)
    failed = False

    def figure(title: str, places: list[str], value: float, bound: float, unit: str = "") -> None:
        nonlocal failed
        print(f"{title:48} {value:8.1f}{unit}  (at most {bound:g}{unit})")
        if value > bound:
            failed = True
            for place in places:
                print(f"    {place}")

    def places(rule: Callable[[File], Iterator[int]]) -> list[str]:
        return [f"{file.name}:{line}" for file in files for line in rule(file)]

    print(f"{package.name}: {len(files)} files, {total:,} lines")
    nested = places(nested_comprehensions)
    figure("nested or multi-for comprehensions per 1,000 lines", nested, 1000 * len(nested) / total, 3)
    named = places(walruses)
    figure("walrus operators per 1,000 lines", named, 1000 * len(named) / total, 1)
    for title, rule in (
        ("lines over 110 characters", long_lines),
        ("functions over 50 lines", long_functions),
    ):
        found = places(rule)
        figure(title, found, len(found), 0)
    large = [f"{file.name}: {len(file.lines)} lines" for file in files if len(file.lines) > 400]
    figure("files over 400 lines", large, len(large), 0)
    questions = places(question_docstrings)
    figure("docstrings that open with a question word", questions, 100 * len(questions) / documented, 2, "%")
    renamed = places(renaming_imports)
    figure("imports of ours under another name", renamed, len(renamed), 0)
    chains = circles(import_graph(files))
    figure("circles of files", chains, len(chains), 0)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "polypref"))
