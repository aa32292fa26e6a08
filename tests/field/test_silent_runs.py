"""Runs that end with nothing, which once ended with success and in silence.

The cases are those of new users who tried polypref, and own ones where a test says so.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai_server import OpenAIServer

ROOT = Path(__file__).parents[2]
PROMPTS = 12
GOOD = "The answer to this question is certainly the number {}, as everybody knows."


def polypref(*words: str, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, its output and the last line of its messages."""
    run = subprocess.run(
        [sys.executable, "-m", "polypref", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert "Traceback" not in run.stderr
    return run.returncode, run.stdout, run.stderr


def write_recipe(folder: Path, url: str, **changes: Any) -> None:
    """Two generators behind one server, and English prompts."""
    prompts = [{"prompt": f"Please tell me about the number {i} in one sentence."} for i in range(PROMPTS)]
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    generators = {}
    for name in ("a", "b"):
        generators[name] = {"engine": {"kind": "http", "base_url": url, "model": name, "retries": 0}}
    recipe = {
        "languages": ["en"],
        "prompts": {"sources": [{"path": str(folder / "p.jsonl"), "text": "prompt"}]},
        "complete": {"generators": generators, "filters": {"wrong_language": None}},
        "score": {"rule": {"kind": "language_rule"}},
        "pair": {"builder": "best-vs-worst", "scorer": "rule"},
        "publish": {"name": "n", "title": "t", "license": "mit"},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe | changes))


def reply(body: dict[str, Any]) -> str:
    """Model b answers in German."""
    number = "".join(filter(str.isdigit, body["messages"][-1]["content"]))
    if body["model"] == "b":
        return f"Das weiß ich leider nicht, denn die Frage ist mir zu schwer, sagt {number}."
    return GOOD.format(number)


def build(folder: Path) -> tuple[int, str]:
    """Return the exit code and the last line."""
    code, _, messages = polypref("build", "r.yaml", "--workdir", "w", cwd=folder)
    return code, messages.splitlines()[-1]


@pytest.mark.parametrize("command", ["plan", "build"])
def test_a_language_that_gets_no_prompts(tmp_path: Path, command: str) -> None:
    """newcomer 6: [en, de, fr] without `translate` made "0 pairs in 1 languages", exit 0."""
    with OpenAIServer(reply) as server:
        write_recipe(tmp_path, server.url, languages=["en", "de", "fr"])
        code, _, messages = polypref(command, "r.yaml", "--workdir", "w", cwd=tmp_path)
        assert server.calls == []
    assert (code, messages.splitlines()[-1]) == (
        2,
        "polypref: no prompts in deu_Latn, fra_Latn; the sources have eng_Latn 12; add `translate` to the "
        "recipe (from English), or a source in these languages, or take them out of `languages`",
    )


def test_a_language_whose_translations_are_all_rejected(tmp_path: Path) -> None:
    """newcomer 33: the pseudo translator in a build, whose text is no German."""
    with OpenAIServer(reply) as server:
        translate = {"engine": {"kind": "pseudo"}}
        write_recipe(tmp_path, server.url, languages=["en", "de"], translate=translate)
        code, message = build(tmp_path)
    assert code == 2
    assert message == (
        "polypref: no prompts are left in deu_Latn: wrong_language 12 of 12 (prompts): "
        "ask a model that writes the language, or loosen the filter wrong_language"
    )


@pytest.mark.parametrize(
    ("finish_reason", "same_answer", "reason"),
    [
        (
            "length",
            False,
            "truncated 12 of 12 (a-native): raise sampling.max_tokens; "
            "truncated 12 of 12 (b-native): raise sampling.max_tokens; no_candidates 12 of 12 (pairs): "
            "pair.builder needs two kept completions of a prompt, of the origins that it names",
        ),
        ("stop", True, "tie 12 of 12 (pairs): use a scorer that tells the completions apart"),
    ],
    ids=["all truncated", "all ties"],
)
def test_a_build_without_pairs(tmp_path: Path, finish_reason: str, same_answer: bool, reason: str) -> None:
    """newcomer 7: "0 pairs in 2 languages", exit 0; truncated 22 of 36, and ties of the language rule."""

    def answer(body: dict[str, Any]) -> str:
        return GOOD.format(f"{body['model']} as in a word") if same_answer else reply(body)

    with OpenAIServer(answer, finish_reason=finish_reason) as server:
        write_recipe(tmp_path, server.url)
        code, message = build(tmp_path)
    assert (code, message) == (2, f"polypref: no pairs: {reason}")
    # What was made is kept.
    assert (tmp_path / "w/tables/completions/a-native/eng_Latn/0000.parquet").exists()
    assert (tmp_path / "w/published/rejected/README.md").exists()


def test_a_build_without_an_answer(tmp_path: Path) -> None:
    """engines A5: every call is refused (max_tokens is not supported); "0 pairs", exit 0."""
    error = {"error": {"message": "Unsupported parameter: 'max_tokens'"}}
    with OpenAIServer(reply) as server:
        server.fault(status=400, times=100, body=json.dumps(error))
        write_recipe(tmp_path, server.url)
        code, _ = build(tmp_path)
    assert code == 2


def test_one_language_without_pairs_is_said_and_the_others_count(tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str:
        german = body["messages"][-1]["content"].startswith("Bitte")
        return "Das weiß ich leider nicht so genau, sagt er." if german else reply(body)

    with OpenAIServer(answer) as server:
        write_recipe(tmp_path, server.url, languages=["en", "de"])
        rows = [{"prompt": "Bitte sag mir etwas über die Zahl zwölf.", "language": "de"}]
        rows += [{"prompt": f"Tell me about the number {i}.", "language": "en"} for i in range(4)]
        (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        recipe = yaml.safe_load((tmp_path / "r.yaml").read_text())
        recipe["prompts"]["sources"][0]["language"] = "language"
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
        code, message = build(tmp_path)
    assert (code, message) == (
        0,
        "no pairs in deu_Latn: identical 1 of 1 (pairs): use another generator, or a higher temperature",
    )


Command = Callable[[Path, str], tuple[str, ...]]
TABLE = ("in.jsonl", "-o", "out.jsonl", "--text", "text")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("filter", *TABLE, "--language", "de"),
            "wrong_language 3 of 3: ask a model that writes the language, "
            "or loosen the filter wrong_language",
        ),
        (
            ("filter", *TABLE, "--language", "en", "--filters", "f.yaml"),
            "too_long 3 of 3: loosen the filter too_long, or switch it off",
        ),
        (
            ("complete", *TABLE, "--model", "m", "--retries", "0", "--accept-failures", "--base-url"),
            "500: injected 3 of 3",
        ),
    ],
    ids=["filter", "own threshold", "complete"],
)
def test_a_table_of_which_nothing_is_kept(tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    """engines A5 (end) and own: a whole table was rejected, exit 0."""
    rows = [{"text": f"The river number {i} rises in the hills to the north of the town."} for i in range(3)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "f.yaml").write_text("too_long: 5")
    with OpenAIServer() as server:
        server.fault(status=500, times=100)
        if words[-1] == "--base-url":
            words = (*words, server.url)
        code, _, messages = polypref(*words, cwd=tmp_path)
    nothing = f"polypref: out.jsonl: none of 3 rows is kept: {reason}"
    assert (code, messages.splitlines()[-1]) == (2, nothing)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("command", ["plan", "build"])
def test_a_key_that_is_missing_is_said_before_a_call(tmp_path: Path, command: str) -> None:
    """engines A37: no word about the missing key; here the second generator's, after the first was paid."""
    with OpenAIServer(reply) as server:
        write_recipe(tmp_path, server.url)
        recipe = yaml.safe_load((tmp_path / "r.yaml").read_text())
        recipe["complete"]["generators"]["b"]["engine"]["key_env"] = "NO_SUCH_KEY"
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
        code, _, messages = polypref(command, "r.yaml", "--workdir", "w", cwd=tmp_path)
        assert server.calls == []
        expected = "complete.generators.b.engine: key_env NO_SUCH_KEY: no such environment variable"
        assert (code, messages) == (2, f"polypref: {expected}; export it first\n")
        code, _, _ = polypref("build", "r.yaml", "--workdir", "w", cwd=tmp_path, NO_SUCH_KEY="secret")
        assert code == 0


def test_a_key_that_is_missing_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "Hello?"}\n')
    with OpenAIServer(reply) as server:
        words = ("complete", *TABLE, "--base-url", server.url, "--model", "m", "--key-env", "NO_SUCH_KEY")
        code, _, messages = polypref(*words, cwd=tmp_path)
        assert server.calls == []
    assert (code, messages) == (
        2,
        "polypref: m: key_env NO_SUCH_KEY: no such environment variable; export it first\n",
    )


def test_rows_that_were_rejected_before_are_not_rows_to_do(tmp_path: Path) -> None:
    """newcomer 20: "36 of 60 rows done", where 24 had been rejected upstream."""
    with OpenAIServer(reply) as server:
        write_recipe(tmp_path, server.url)
        recipe = yaml.safe_load((tmp_path / "r.yaml").read_text())
        recipe["prompts"]["sample"] = 5
        server.fault(status=401, times=100)
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
        _, _, messages = polypref("build", "r.yaml", "--workdir", "w", cwd=tmp_path)
    assert "complete a: 0 of 5 rows stopped" in messages
