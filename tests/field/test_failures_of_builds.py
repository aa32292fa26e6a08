"""What a build and a table make of rows that fail, by the commands as strangers run them."""

import json
import subprocess
import sys
from pathlib import Path

from openai_server import Fault, OpenAIServer

RECIPE = """
languages: [en]
prompts: {{sources: [{{path: prompts.jsonl, text: prompt}}]}}
complete:
  generators:
    a: {{engine: {{kind: http, base_url: "{url}", model: a}}}}
    b: {{engine: {{kind: http, base_url: "{url}", model: b}}}}
  filters: {{wrong_language: null}}
score: {{rule: {{kind: language_rule}}}}
pair: {{builder: best-vs-worst, scorer: rule}}
publish: {{name: n, title: t, license: mit}}
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "polypref", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def write_prompts(folder: Path, count: int) -> None:
    rows = [{"id": number, "prompt": f"What is the number {number} good for?"} for number in range(count)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def counts(folder: Path) -> "dict[str, int]":
    """Return the rows of the published funnel that were rejected for a failed call, by stage."""
    facts = json.loads((folder / "run/published/pairs/facts.json").read_text())
    return {row["stage"]: row["count"] for row in facts["funnel"] if row.get("reason") == "failed_call"}


def test_a_build_asks_again_for_its_failures_and_makes_what_follows_from_them(tmp_path: Path) -> None:
    flagged = Fault(status=403, body='{"error": {"message": "flagged"}}')

    def moderate(body: "dict[str, object]") -> "str | Fault":
        return (
            flagged if "number 3" in str(body["messages"]) else f"It is a good number, says {body['model']}."
        )

    write_prompts(tmp_path, 10)
    with OpenAIServer(moderate) as server:
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(url=server.url))
        build = ("build", "recipe.yaml", "--workdir", "run")
        first = run(tmp_path, *build)
        assert counts(tmp_path) == {"a-native": 1, "b-native": 1}, first.stderr
        server.reply = lambda body: f"It is a good number, says {body['model']}."
        run(tmp_path, *build)
        assert (len(server.calls), len(counts(tmp_path))) == (20, 2)
        run(tmp_path, *build, "--retry-failures")
        assert (len(server.calls), counts(tmp_path)) == (22, {})


def test_a_table_with_a_server_of_another_kind_takes_its_settings_from_a_file(tmp_path: Path) -> None:
    write_prompts(tmp_path, 3)
    (tmp_path / "server.yaml").write_text("{rename: {max_tokens: max_completion_tokens}, drop: [top_p]}")
    with OpenAIServer() as server:
        command = ("complete", "prompts.jsonl", "-o", "out.jsonl", "--base-url", server.url, "--model", "m")
        done = run(tmp_path, *command, "--settings", "server.yaml")
        assert done.returncode == 0, done.stderr
        assert set(server.calls[0]) == {"model", "messages", "temperature", "max_completion_tokens"}
        (tmp_path / "server.yaml").write_text("{renam: {}}")
        done = run(tmp_path, *command, "--settings", "server.yaml")
        assert (done.returncode, done.stderr.splitlines()[-1]) == (
            2,
            "polypref: complete: unknown key 'renam'; did you mean 'rename'?",
        )
        done = run(tmp_path, *command, "--top-p", "0")
        assert (done.returncode, "top_p: found 0.0, expected a number greater than 0" in done.stderr) == (
            2,
            True,
        )


# engines A16: a password, and an internal host, in README.md and facts.json of all published folders.
def test_an_address_is_published_without_credentials_and_internal_hosts(tmp_path: Path) -> None:
    write_prompts(tmp_path, 10)
    with OpenAIServer(lambda body: f"It is a good number, says {body['model']}.") as server:
        place = server.url.removeprefix("http://127.0.0.1")
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(url="${url}"))
        address = f"url=HTTP://user:sekret-PASS@localhost{place}"
        done = run(tmp_path, "build", "recipe.yaml", "--workdir", "run", "--set", address)
        assert len(server.calls) == 20, done.stderr
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert [file for file in files if b"sekret" in file.read_bytes()] == []
    published = [file for file in files if "published" in file.parts]
    assert sum(file.name == "README.md" for file in published) == 4
    assert [file for file in published if b"localhost" in file.read_bytes()] == []
