"""The command line: help with examples, and bad input, which gives one clear line and an exit code."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from polypref.cards.funnel import counts_by_language
from polypref.cli.main import app, main
from polypref.version import __version__

ROOT = Path(__file__).parents[2]
RECIPE = """
languages: [en]
prompts: {sources: [{path: "${here}/p.jsonl", text: prompt, language: language}]}
complete:
  generators:
    mine: {import: {path: "${here}/c.jsonl", text: completion, language: language}}
    german: {import: {path: "${here}/g.jsonl", text: answer}}
  filters: {wrong_language: null}
score: {rule: {kind: language_rule}}
pair: {builder: best-vs-worst, scorer: rule}
publish: {name: n, title: t, license: mit}
"""


def polypref(*words: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "polypref", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"Please say something nice about the number {i}.", "language": "en"} for i in range(40)
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "c.jsonl").write_text(
        "".join(
            json.dumps({"completion": f"{i} is a nice number.", "language": "en"}) + "\n" for i in range(40)
        )
    )
    german = [json.dumps({"answer": f"Die Zahl {i} ist ganz besonders schön."}) + "\n" for i in range(40)]
    (tmp_path / "g.jsonl").write_text("".join(german))
    (tmp_path / "r.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scorer: rule", "scorrer: rule", "r.yaml: unknown key 'pair.scorrer'; did you mean 'scorer'?"),
        (
            "[en]",
            "[en, germn]",
            "unknown language 'germn'; did you mean 'deu_Latn' (German)?",
        ),
        ("p.jsonl", "q.jsonl", "q.jsonl: cannot be read: No such file or directory"),
        ("text: prompt", "text: prompts", "p.jsonl: missing column 'prompts'; found prompt, language"),
        (
            "{kind: language_rule}",
            "{kind: reward_model, model: ./nowhere}",
            "./nowhere: no such folder, and not a Hub id (ORG/NAME)",
        ),
    ],
)
def test_a_recipe_that_cannot_be_used(folder: Path, old: str, new: str, message: str) -> None:
    (folder / "r.yaml").write_text(RECIPE.replace(old, new))
    run = polypref("build", "r.yaml", cwd=folder)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith(message)
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "a", "language": "en"}\n{"prompt": \n', "p.jsonl: line 2: not JSON"),
        ("", "p.jsonl: no rows; expected at least one"),
    ],
)
def test_a_file_that_cannot_be_used(folder: Path, content: str, message: str) -> None:
    (folder / "p.jsonl").write_text(content)
    run = polypref("build", "r.yaml", cwd=folder)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert message in run.stderr


def test_a_second_run_in_the_same_work_dir(folder: Path) -> None:
    opened = f"with Workdir(Path({str(folder / 'w')!r})): print(1, flush=True); input()"
    holder = f"from polypref.store.workdir import Workdir\nfrom pathlib import Path\n{opened}"
    with subprocess.Popen(
        [sys.executable, "-c", holder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        run = polypref("build", "r.yaml", "--workdir", "w", cwd=folder)
        other.kill()
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
    assert f"w: in use by process {other.pid}" in run.stderr


def test_a_full_disk_and_then_a_free_one(folder: Path) -> None:
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    run = polypref("build", "r.yaml", "--workdir", "w", cwd=folder, preexec_fn=small_disk)
    assert run.returncode == 4
    assert "nothing made is lost, run again to continue" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert polypref("build", "r.yaml", "--workdir", "w", cwd=folder).returncode == 0


def test_imported_rows_that_do_not_fit_are_counted(folder: Path) -> None:
    rows = [
        {"completion": "One is a fine number.", "language": "en", "id": "1"},
        {"completion": "One again is a fine number.", "language": "en", "id": "1"},
        {"completion": None, "language": "en", "id": "2"},
        {"completion": "lone \udc80", "language": "en", "id": "3"},
        {"completion": "For a prompt that is not there.", "language": "en", "id": "99"},
        {"completion": "x" * 1_000_000, "language": "en", "id": "4"},
        {"completion": "🙂", "language": "en", "id": "5"},
    ]
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "r.yaml").write_text(RECIPE.replace("text: completion", "text: completion, id: [id]"))
    run = polypref("build", "r.yaml", "--workdir", "w", cwd=folder)
    assert run.returncode == 0, run.stderr
    facts = json.loads((folder / "w/published/pairs/facts.json").read_text())
    assert counts_by_language(facts["funnel"], "mine-native")["eng_Latn"] == {
        None: 2,
        "duplicate": 1,
        "no_prompt": 1,
        "not_text": 2,
        "too_long": 1,
    }


COMMANDS = ["build", "translate", "filter", "plan", "complete", "status", "publish", "show", "trace"]
COMMANDS += ["train dpo", "train rloo", "eval winrate", "report", "demo"]


def test_the_version_is_printed(tmp_path: Path) -> None:
    run = polypref("--version", cwd=tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"polypref {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_with_options_that_exist(command: str, tmp_path: Path) -> None:
    run = polypref(*command.split(), "--help", cwd=tmp_path, env={**os.environ, "COLUMNS": "80"})
    assert run.returncode == 0
    assert max(map(len, run.stdout.splitlines())) <= 80
    assert "..." not in run.stdout  # a text that was cut
    text, _, example = run.stdout.partition("Example: ")
    words = example.split()
    assert words[: 1 + len(command.split())] == ["polypref", *command.split()]
    options = {word for word in words if word.startswith("-")}
    assert options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def test_every_command_has_its_help_tested(tmp_path: Path) -> None:
    assert sorted(COMMANDS) == sorted(command_names(typer.main.get_command(app)))


def command_names(command: Any, prefix: str = "") -> list[str]:
    """Return the names of all commands, those of groups included."""
    names = []
    for name, inner in command.commands.items():
        names += command_names(inner, f"{prefix}{name} ") if hasattr(inner, "commands") else [prefix + name]
    return names


def test_status_says_what_there_is(folder: Path) -> None:
    run = polypref("status", "w", cwd=folder)
    assert (run.returncode, run.stderr) == (2, "polypref: w: not a work dir, or nothing was made in it yet\n")
    polypref("build", "r.yaml", "--workdir", "w", cwd=folder)
    assert "completions/mine-native" in polypref("status", "w", cwd=folder).stdout


def test_a_table_of_ones_own_is_translated_in_its_shape(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": 1, "prompt": "Say hello to {name}. Be kind!"},
        {
            "id": 2,
            "prompt": [
                {"role": "user", "content": "First `x`."},
                {"role": "assistant", "content": ""},
                {"role": "user", "content": "Then 7."},
            ],
        },
        {"id": 3, "prompt": ["One turn.", "Another turn."]},
        {"id": 4, "prompt": None},
    ]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("translate", "p.jsonl", "-o", "out.jsonl", "--to", "de,Japanese", "--translator", "pseudo")
    run = polypref(*words, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "6 kept, 2 not_text: out.jsonl\n"
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["language"], row["rejected_by"]) for row in made] == [
        (number, code, "not_text" if number == 4 else None)
        for code in ("deu_Latn", "jpn_Jpan")
        for number in (1, 2, 3, 4)
    ]
    assert made[0]["prompt"] == "⟦~~~~~ Šáý ĥéļļö ţö {name}.⟧ ⟦~~ ßé ķîñð!⟧"
    assert [message["role"] for message in made[1]["prompt"]] == ["user", "assistant", "user"]
    assert [message["content"] for message in made[1]["prompt"]] == ["⟦~~~ Ƒîŕšţ `x`.⟧", "", "⟦~~ Ţĥéñ 7.⟧"]
    assert made[6]["prompt"] == ["⟦~~~ Öñé ţûŕñ.⟧", "⟦~~~~ Åñöţĥéŕ ţûŕñ.⟧"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"--to": "germn"},
            "unknown language 'germn'; did you mean 'deu_Latn' (German)?",
        ),
        ({"--to": "en"}, "--to en: expected languages other than English"),
        (
            {"--translator": "nllb"},
            "--translator nllb: expected KIND:MODEL, KIND one of ct2, hf, http, pseudo",
        ),
        (
            {"--translator": "http:m"},
            "--base-url: the address of an OpenAI-compatible server; it goes with --translator http:MODEL",
        ),
        ({"--text": "question"}, "p.jsonl: missing column 'question'; found prompt, language"),
        ({"-o": "."}, ".: found a folder, expected a file to write"),
        ({"-o": "out.txt"}, "out.txt: unknown kind of file '.txt'; expected .jsonl, .csv, .tsv or .parquet"),
    ],
)
def test_a_translation_that_cannot_start(folder: Path, changes: dict[str, str], message: str) -> None:
    options = {"-o": "out.jsonl", "--to": "de", "--translator": "pseudo"} | changes
    run = polypref("translate", "p.jsonl", *(word for pair in options.items() for word in pair), cwd=folder)
    assert (run.returncode, run.stderr) == (2, f"polypref: {message}\n")


def test_a_report_is_not_written_over_a_folder(tmp_path: Path) -> None:
    run = polypref("report", "run", "--output", ".", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (2, "polypref: .: found a folder, expected a file to write\n")


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polypref.builders.tables.filter.filter_table", interrupted)
    monkeypatch.setattr(sys, "argv", ["polypref", "filter", "t.jsonl", "--text", "t", "--language", "de"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "polypref: stopped; run the same command to continue\n"


@pytest.mark.parametrize(
    ("options", "folder"),
    [([], "runs/demo"), (["--quick"], "runs/demo-quick"), (["--quick", "--rundir", "mine"], "mine")],
)
def test_the_quick_demo_leaves_the_full_one_alone(
    monkeypatch: pytest.MonkeyPatch, options: list[str], folder: str
) -> None:
    asked: list[tuple[Path, int, bool]] = []
    monkeypatch.setattr("polypref.demo.run.run", lambda *arguments: asked.append(arguments))
    app(["demo", *options], standalone_mode=False)
    assert asked == [(Path(folder), 1, bool(options))]
