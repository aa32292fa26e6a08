"""Synthetic rows, few and different in every language; a Hub, and client processes."""

import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hubserver import HubServer

from polypref.cards.folder import write_dataset
from polypref.cards.funnel import stage_rows
from polypref.languages.codes import PAPER_23
from polypref.schemas import prompt_id
from tests.frames import rows_to_frame

ROOT = Path(__file__).parents[2]
CLIENT = """
import io, json, os, sys, traceback
from contextlib import redirect_stdout
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download
import polypref.cards.retries
from polypref.errors import PolyprefError
from polypref.cards.dataset import dataset_publication
from polypref.cards.load import load_published, scan_published
from polypref.cards.published import resolve_revision
from polypref.cards.push import Options
from polypref.cards.release import plan_run, publish_run, set_tag

polypref.cards.retries.FIRST_PAUSE = 0.02

def read_card(repo, kind="dataset"):
    return Path(hf_hub_download(repo, "README.md", repo_type=kind)).read_text()

def upload(repo, text, path="README.md", kind="dataset"):
    HfApi().upload_file(path_or_fileobj=text.encode(), path_in_repo=path, repo_id=repo, repo_type=kind)

def publish(folder, repo, **options):
    return dataset_publication(Path(folder), repo, Options(**options)).push().url

def line(call, *args, **named):
    try:
        call(*args, **named)
    except PolyprefError as error:
        return str(error)

out = sys.stdout
for asked in map(json.loads, sys.stdin):
    os.chdir(asked["cwd"])
    os.environ["HF_TOKEN"] = "hf_writer"
    answers, said, error = [None], io.StringIO(), None
    try:
        with redirect_stdout(said):
            exec(asked["text"], globals() | {"answer": answers.append})
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps({"answer": answers[-1], "said": said.getvalue(), "error": error}), file=out, flush=True)
"""


def messages(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def make_pairs(language: str, n: int, salt: str = "", start: int = 0) -> pl.DataFrame:
    """Return `n` pairs about the English prompts `start`, `start` + 1, …

    In every third one the translated completion is the chosen one.
    """
    first, second = ("strong", "native"), ("weak", "translated")
    shift = PAPER_23.index(language) / 10 if language in PAPER_23 else 5.0
    rows = []
    for i in range(start, start + n):
        chosen, rejected = (second, first) if i % 3 == 0 else (first, second)
        rows.append(
            {
                "prompt_id": prompt_id(messages("user", f"Question {i}")),
                "language": language,
                "builder": "native-vs-translated",
                "rank": 0,
                "prompt": messages("user", f"{language}: {i}?"),
                "chosen": messages("assistant", f"{language} {salt} " + "é" * (i % 17)),
                "rejected": messages("assistant", "…" * (1 + i % 20)),
                "chosen_model": chosen[0],
                "rejected_model": rejected[0],
                "chosen_origin": chosen[1],
                "rejected_origin": rejected[1],
                "chosen_sample": 0,
                "rejected_sample": 0,
                "chosen_score": shift + (i * 7 % 23) / 4,
                "rejected_score": shift - 1 - (i * 5 % 19) / 8,
                "margin": 1 + (i * 7 % 23) / 4 + (i * 5 % 19) / 8,
                "chosen_tokens": 3 + i % 17,
                "rejected_tokens": 1 + i % 5,
            }
        )
    return rows_to_frame(rows, "pairs")


def make_candidates(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the completions that the pairs were made from."""
    rows = []
    for pair in pairs.to_dicts():
        for rank, side in enumerate(("chosen", "rejected"), 1):
            rows.append(
                {
                    "prompt_id": pair["prompt_id"],
                    "language": pair["language"],
                    "generator": pair[f"{side}_model"],
                    "origin": pair[f"{side}_origin"],
                    "sample": 0,
                    "prompt": pair["prompt"],
                    "completion": pair[side],
                    "scores": [{"name": "reward", "value": pair[f"{side}_score"]}],
                    "rank": rank,
                    "pivot_language": "eng_Latn" if pair[f"{side}_origin"] == "translated" else None,
                    "finish_reason": "stop",
                    "tokens": pair[f"{side}_tokens"],
                    "measures": [],
                }
            )
    return rows_to_frame(rows, "candidates")


def make_prompts(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the prompts of the pairs, translated by `small`."""
    shared = {"source": "questions", "source_id": "7", "translator": "small", "measures": []}
    english = [
        messages("user", f"Question {row['prompt'][0]['content'].split()[-1]}") for row in pairs.to_dicts()
    ]
    kept = pairs.select("prompt_id", "language", "prompt").to_dicts()
    return rows_to_frame(
        [row | shared | {"prompt_en": text} for row, text in zip(kept, english, strict=True)], "prompts"
    )


def make_rejected(language: str) -> pl.DataFrame:
    row = {
        "prompt_id": "f" * 16,
        "language": language,
        "stage": "prompts",
        "rejected_by": "too_long",
        "messages": messages("user", "x"),
    }
    other = {
        "generator": "weak",
        "origin": "native",
        "sample": 0,
        "stage": "completions",
        "rejected_by": "empty",
        "messages": [],
    }
    return rows_to_frame([row, {**row, "prompt_id": "e" * 16, **other}], "rejected")


def make_facts(languages: list[str], **changes: Any) -> dict[str, Any]:
    model = {
        "role": "translator",
        "name": "small",
        "model": "facebook/m2m100_418M",
        "revision": "f" * 40,
        "settings": {"beams": 4},
        "license": "mit",
    }
    funnel = []
    for i, code in enumerate(languages):
        funnel += stage_rows("prompts", code, 80, {"wrong_language": 7, "too_long": 3})
        funnel += stage_rows("pairs", code, 80 - i, {"tie": i})
    return {
        "name": "acme/pairs",
        "title": "Pairs for tests",
        "license": "apache-2.0",
        "test_share": 0.1,
        "recipe": "name: test\nprice: $1\n",
        "models": [model],
        "sources": ["questions with numbers"],
        "notes": ["These rows are synthetic."],
        "funnel": funnel,
        **changes,
    }


def make_run(folder: Path, languages: list[str], n: int = 40, salt: str = "") -> Path:
    """Write a run's folder with the four published tables."""
    facts, pairs = make_facts(languages), {code: make_pairs(code, n, salt) for code in languages}
    published = folder / "published"
    write_dataset(
        published / "prompts", "prompts", {code: make_prompts(rows) for code, rows in pairs.items()}, facts
    )
    write_dataset(
        published / "completions",
        "candidates",
        {code: make_candidates(rows) for code, rows in pairs.items()},
        facts,
    )
    write_dataset(
        published / "rejected", "rejected", {code: make_rejected(code) for code in languages}, facts
    )
    write_dataset(published / "pairs", "pairs", pairs, facts)
    return folder


@pytest.fixture
def pairs() -> Callable[..., pl.DataFrame]:
    return make_pairs


@pytest.fixture
def facts() -> Callable[..., dict[str, Any]]:
    return make_facts


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    return lambda *args, **named: make_run(tmp_path / "run", *args, **named)


class Client:
    """A process that runs one Python text after another, with the Hub's libraries set to our server.

    They read its address from the environment when they are imported, so our own process cannot change it.
    """

    def __init__(self, hub: HubServer, home: Path, xet: bool) -> None:
        home.mkdir()
        self.errors = home / "stderr"
        variables = {
            **os.environ,
            **hub.env(token="hf_writer", home=home, xet=xet),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
        }
        variables |= {
            "HF_HUB_DOWNLOAD_TIMEOUT": "120",
            "HF_HUB_ETAG_TIMEOUT": "120",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CLIENT],
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def run(self, text: str, cwd: Path, timeout: float) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"text": text, "cwd": str(cwd)}), file=self.process.stdin, flush=True)
        assert select.select([self.process.stdout], [], [], timeout)[0], (
            f"no answer; {self.errors.read_text()[-2000:]}"
        )
        answered = json.loads(self.process.stdout.readline())
        assert answered["error"] is None, answered["error"] + self.errors.read_text()[-2000:]
        assert not re.search("hf_(writer|reader|unknown)", answered["said"] + self.errors.read_text())
        return answered["answer"]


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="session")
def clients(server, tmp_path_factory) -> Iterator[Callable[[bool], Client]]:
    started: dict[bool, Client] = {}

    def get(xet: bool) -> Client:
        if xet not in started:
            started[xet] = Client(server, tmp_path_factory.mktemp("client") / "home", xet)
        return started[xet]

    yield get
    for client in started.values():
        client.process.kill()
        client.process.communicate()


@pytest.fixture
def hub(server: HubServer) -> HubServer:
    """The server, its log empty and without faults."""
    server.log.clear()
    server.faults.clear()
    return server


@pytest.fixture
def repo(request) -> str:
    """A repository that no other test uses."""
    return f"acme/{re.sub('[^a-z0-9]+', '-', request.node.name)[:60].strip('-')}"


@pytest.fixture
def client(hub, clients, tmp_path) -> Callable[..., Any]:
    """Run Python text in a client process, in this test's folder; return the last argument of `answer`."""

    def call(text: str, *, xet: bool = False, timeout: float = 240) -> Any:
        return clients(xet).run(text, tmp_path, timeout)

    return call


def commits(hub: HubServer, repo: str, branch: str = "main") -> list[str]:
    git = hub.repo("dataset", repo)
    return [commit["title"] for commit in git.history(git.ref(f"refs/heads/{branch}"))]


def blobs(hub: HubServer, repo: str, kind: str = "dataset") -> dict[str, str]:
    git = hub.repo(kind, repo)
    return git.files(git.ref("refs/heads/main"))


def text(hub: HubServer, repo: str, path: str, kind: str = "dataset") -> str:
    return hub.repo(kind, repo).get(blobs(hub, repo, kind)[path], "blob").decode()


@pytest.fixture
def look() -> SimpleNamespace:
    """Look at the server: `commits`, `blobs`, `text`."""

    return SimpleNamespace(commits=commits, blobs=blobs, text=text)
