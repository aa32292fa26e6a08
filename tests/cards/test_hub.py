"""Publishing to and loading from a Hub over HTTP; the clients are processes of their own, for they read HF_ENDPOINT once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hubserver import HubServer

from cards.errors import InputError
from cards.folder import write_dataset
from cards.hub import load, publish, scan
from cards.languages import PAPER_23

ROOT = Path(__file__).parents[2]
REPO = "acme/pairs"
PROLOGUE = """
import json, sys
from pathlib import Path
from cards.errors import InputError
from cards.hub import load, publish, resolved, scan, tag
import cards.hub; cards.hub.FIRST_PAUSE = 0.05

def line(call, *args, **named):
    try:
        call(*args, **named)
    except InputError as error:
        return str(error)

def answer(value):
    print("answer:" + json.dumps(value))

"""


@pytest.fixture
def hub(tmp_path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def client(hub, tmp_path) -> Callable[..., SimpleNamespace]:
    """Runs Python text as a process of its own; `.answer` is what it called `answer` with last."""

    def run(text: str, *, token: str | None = "hf_writer", xet: bool = False, env: dict[str, str] | None = None) -> SimpleNamespace:
        variables = {
            **os.environ,
            **hub.env(token=token, home=tmp_path / "hf", xet=xet),
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            **(env or {}),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROLOGUE + text], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not token or token not in done.stdout + done.stderr
        answers = [row.removeprefix("answer:") for row in done.stdout.splitlines() if row.startswith("answer:")]
        return SimpleNamespace(answer=json.loads(answers[-1]) if answers else None, stderr=done.stderr)

    return run


@pytest.fixture
def folder(tmp_path, pairs, facts) -> Path:
    codes = ["deu_Latn", "eng_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    return tmp_path / "pairs"


def commits(hub: HubServer, repo: str = REPO, branch: str = "main") -> list[str]:
    git = hub.repo("dataset", repo)
    return [commit["title"] for commit in git.history(git.ref(f"refs/heads/{branch}"))]


def blobs(hub: HubServer, repo: str = REPO) -> dict[str, str]:
    git = hub.repo("dataset", repo)
    return git.files(git.ref("refs/heads/main"))


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_publish_23_languages_and_add_one_later(hub, client, tmp_path, pairs, facts, xet: bool) -> None:
    codes = list(PAPER_23)
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    seen = client(
        f"""
url = publish(Path("pairs"), "{REPO}")
again = publish(Path("pairs"), "{REPO}")
from datasets import load_dataset
german, everything = load_dataset("{REPO}", "deu_Latn"), load_dataset("{REPO}")
answer([url, again, german.num_rows, everything.num_rows, str(german["train"].features["chosen"]),
    everything["train"].unique("language"), german["train"][0]])
""",
        xet=xet,
    ).answer
    url, again, german, everything, feature, languages, row = seen
    assert url == again == f"{hub.url}/datasets/{REPO}/commit/{hub.repo('dataset', REPO).ref('refs/heads/main')}"
    assert commits(hub) == ["Publish pairs: 23 languages", "initial commit"]
    assert bool([r for r in hub.log if r["path"].startswith("/_lfs/")]) == (not xet)
    assert bool([r for r in hub.log if "xet-write-token" in r["path"]]) == xet
    assert sum(german.values()) == 40
    assert everything == {split: 23 * rows for split, rows in german.items()}
    assert feature == "List({'role': Value('string'), 'content': Value('string')})"
    assert languages == codes
    assert row["language"] == "deu_Latn"
    assert row["prompt"][0]["role"] == "user"

    before = blobs(hub)
    write_dataset(tmp_path / "swahili", "pairs", {"swh_Latn": pairs("swh_Latn", 30)}, facts(["swh_Latn"]))
    seen = client(
        f"""
from huggingface_hub import HfApi, hf_hub_download
card = Path(hf_hub_download("{REPO}", "README.md", repo_type="dataset")).read_text() + "\\n## Thanks\\n\\nTo all.\\n"
HfApi().upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id="{REPO}", repo_type="dataset")
publish(Path("swahili"), "{REPO}")
from datasets import load_dataset
answer([load_dataset("{REPO}", "swh_Latn", split="train").num_rows, load_dataset("{REPO}", split="train+test").num_rows,
    Path(hf_hub_download("{REPO}", "README.md", repo_type="dataset")).read_text()])
""",
        xet=xet,
    ).answer
    after = blobs(hub)
    changed = {path for path in after if after[path] != before.get(path)}
    swahili = {f"data/swh_Latn/{split}-00000-of-00001.parquet" for split in ("train", "test")}
    assert changed == {"README.md", "facts.json", *swahili}
    assert set(before) < set(after)
    assert commits(hub)[0] == "Publish pairs: swh_Latn"
    swahili, everything, card = seen
    assert swahili < 30
    assert everything == 23 * 40 + 30
    assert card.endswith("\n## Thanks\n\nTo all.\n")
    assert "| hin_Deva | Hindi |" in card
    assert "| swh_Latn | Swahili |" in card


def test_fewer_rows_replace_a_language_and_its_stale_shards(hub, client, folder, pairs, facts) -> None:
    client(f'publish(Path("pairs"), "{REPO}")')
    before = blobs(hub)
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 20)}, facts(["deu_Latn"], test_share=0.1))
    for path in folder.glob("data/deu_Latn/test-*"):
        path.unlink()
    described = json.loads((folder / "facts.json").read_text())
    described["languages"]["deu_Latn"]["files"] = [f for f in described["languages"]["deu_Latn"]["files"] if f["split"] == "train"]
    (folder / "facts.json").write_text(json.dumps(described))
    client(f'publish(Path("pairs"), "{REPO}", message="Smaller")')
    assert set(before) - set(blobs(hub)) == {"data/deu_Latn/test-00000-of-00001.parquet"}
    assert commits(hub) == ["Smaller", "Publish pairs: deu_Latn, eng_Latn", "initial commit"]


FAULTS: dict[str, dict[str, Any]] = {
    "commit 503": {"match": "POST .*/commit/", "status": 503, "times": 2},
    "commit 429": {"match": "POST .*/commit/", "status": 429, "headers": {"Retry-After": "0"}},
    "commit 412": {"match": "POST .*/commit/", "status": 412},
    "lost answer of the commit": {"match": "POST .*/commit/", "lost": True},
    "commit cut": {"match": "POST .*/commit/", "drop": "upload", "at": 100, "rst": True},
    "repo_info 503": {"match": "GET /api/datasets/acme/[^/]*$", "status": 503},
    "tree 500": {"match": "GET .*/tree/", "status": 500},
    "create 503": {"match": "POST /api/repos/create", "status": 503},
    "lost answer of create": {"match": "POST /api/repos/create", "lost": True},
    "validate-yaml 503 in HTML": {"match": "POST /api/validate-yaml", "status": 503, "body": "<html>busy</html>"},
    "upload 500": {"match": "PUT /_lfs/", "status": 500},
}


def test_passing_faults_leave_one_commit(hub, client, folder) -> None:
    """One client process; each fault meets the publication of a new repository."""
    client(f"""
from urllib.request import Request, urlopen
for n, fault in enumerate(json.loads({json.dumps(json.dumps(list(FAULTS.values())))})):
    urlopen(Request("{hub.url}/_hub/faults", data=json.dumps(fault).encode(), method="POST"))
    publish(Path("pairs"), f"acme/pairs-{{n}}")
""")
    assert [fault.times for fault in hub.faults] == [0] * len(FAULTS)
    for n, name in enumerate(FAULTS):
        assert commits(hub, f"acme/pairs-{n}") == ["Publish pairs: deu_Latn, eng_Latn", "initial commit"], name
        assert len(blobs(hub, f"acme/pairs-{n}")) == 7, name


def test_lasting_faults_and_refusals_are_one_line(hub, client, folder, tmp_path, pairs, facts) -> None:
    client(f'publish(Path("pairs"), "{REPO}"); publish(Path("pairs"), "acme/secret", private=True)')
    write_dataset(tmp_path / "other", "pairs", {"ita_Latn": pairs("ita_Latn", 20)}, facts(["ita_Latn"]))
    lines = client("""
import os
def with_token(token):
    os.environ["HF_TOKEN"] = token
    return line(publish, Path("other"), "acme/pairs")
answer([with_token(token) for token in ("hf_reader", "", "hf_unknown")])
""").answer
    assert lines == [
        "acme/pairs: this token may not do that here; it needs the right to write to the repository",
        "acme/pairs: no token to publish with; run `hf auth login` or set HF_TOKEN",
        "acme/pairs: the Hub did not accept the token; run `hf auth login` or set HF_TOKEN",
    ]
    hub.inject("POST .*/commit/", status=503, times=100)
    lines = client(
        """
other = Path("other")
answer([
    line(publish, other, "acme/pairs"), line(publish, other, "acme/pairs", private=True), line(publish, other, "acme/new", pr=True),
    line(load, "acme/pairs", language="fr"), line(load, "acme/pairs", revision="v9"), line(load, "acme/none"), line(load, "./none"),
    line(load, "acme/pairs", split="dev"),
])
"""
    ).answer
    missing = "found no such dataset repository, or a private one that this token may not see (`hf auth login`, HF_TOKEN)"
    assert lines[:3] == [
        "acme/pairs: the Hub answered 503 (injected 503); it is safe to try again",
        "acme/pairs: is a public repository, expected a private one; make it private first, or publish it as a public one",
        f"acme/new: {missing}",
    ]
    assert lines[3].startswith("acme/pairs: BuilderConfig 'fra_Latn' not found. Available: ['default', 'deu_Latn', 'eng_Latn']")
    assert lines[4:6] == ["acme/pairs: found no revision 'v9'", f"acme/none: {missing}"]
    assert lines[6] == "./none: found neither a folder nor the name of a repository, expected ORG/NAME"
    assert lines[7].startswith("acme/pairs: Unknown split")
    hub.repo("dataset", REPO).meta["gated"] = "manual"
    anonymous = {"HF_HOME": str(tmp_path / "anonymous")}
    lines = client(
        'answer([line(load, "acme/secret"), line(load, "acme/pairs"), line(scan, "acme/pairs")])', token=None, env=anonymous
    ).answer
    assert lines[0] == f"acme/secret: {missing}"
    assert "gated" in lines[1]
    assert lines[2] == "acme/pairs: gated: ask for access on its page, then run `hf auth login` or set HF_TOKEN"
    assert commits(hub) == ["Publish pairs: deu_Latn, eng_Latn", "initial commit"]


def test_what_is_wrong_with_a_folder_is_said_before_the_hub_is_asked(tmp_path, pairs, facts, folder) -> None:
    with pytest.raises(InputError, match=r"found no facts\.json"):
        publish(tmp_path, REPO)
    file = next(folder.glob("data/deu_Latn/train-*"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"parquet: found another size, expected the file that facts\.json describes$"):
        publish(folder, REPO)
    write_dataset(tmp_path / "bare", "pairs", {"deu_Latn": pairs("deu_Latn", 5)}, facts(["deu_Latn"], license=None))
    with pytest.raises(InputError, match="found no licence, expected one in the recipe"):
        publish(tmp_path / "bare", REPO)


def test_pull_requests_branches_and_tags(hub, client, folder, tmp_path, pairs, facts) -> None:
    client(f'publish(Path("pairs"), "{REPO}"); tag("{REPO}", "v1")')
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 40, "second")}, facts(["deu_Latn"]))
    first, second, sha, salts, taken = client(
        f"""
first = publish(Path("pairs"), "{REPO}", pr=True)
second = publish(Path("pairs"), "{REPO}", pr=True)
loaded = [load("{REPO}", language="de", split="train", revision=revision) for revision in ("v1", "refs/pr/1", "main")]
salts = [rows[0]["chosen"][0]["content"].split(" ")[1] for rows in loaded]
publish(Path("pairs"), "{REPO}", revision="next")
answer([first, second, resolved("{REPO}", "v1"), salts, line(tag, "{REPO}", "v1")])
"""
    ).answer
    git = hub.repo("dataset", REPO)
    assert first == second == f"{hub.url}/datasets/{REPO}/discussions/1"
    assert len(git.meta["discussions"]) == 1
    assert sha == git.ref("refs/heads/main")
    assert salts == ["", "second", ""]
    assert taken == "acme/pairs: the Hub answered 409 (Tag already exists: v1)"
    assert len(commits(hub)) == 2
    assert len(commits(hub, branch="next")) == 3


LOADED = """
source = {source}
everything = load(source)
mixture = dict(languages=["German", "eng_Latn"], rows=10)
mixed = load(source, mixture=mixture)
answer([
    {{split: rows.num_rows for split, rows in everything.items()}},
    load(source, language="de", split="train").num_rows,
    sorted(mixed["prompt_id"]), mixed.num_rows, mixed.unique("language"), str(mixed.features) == str(everything["train"].features),
    scan(source, languages=["en"], columns=["margin"]).sum().collect().item(),
    line(load, source, mixture="ml-5-50k"), line(scan, source, columns=["margins"]).partition(": ")[2],
])
"""


def test_a_folder_and_a_repository_load_alike(client, folder, pairs) -> None:
    client(f'publish(Path("pairs"), "{REPO}")')
    here, there = (client(LOADED.format(source=source)).answer for source in ('"pairs"', f'"{REPO}"'))
    assert here == there
    splits, german, ids, mixed, languages, same_features, margins, short, column = here
    assert sum(splits.values()) == 80
    assert german == splits["train"] / 2
    assert (mixed, languages, same_features) == (20, ["deu_Latn", "eng_Latn"], True)
    assert ids[::2] == ids[1::2]
    assert margins == pytest.approx(pairs("eng_Latn", 40)["margin"].sum())
    assert short.startswith("mixture: eng_Latn: have ")
    assert column.startswith("found no column 'margins', expected one of prompt_id")


def test_loading_a_folder_needs_no_hub(folder) -> None:
    assert load(folder, language="deu_Latn", split="train").num_rows > 30
    assert scan(folder).collect().height == 80
    with pytest.raises(InputError, match="found a language and a mixture"):
        load(folder, language="de", mixture="ml-5-50k")
    with pytest.raises(InputError, match="found revision 'v1' for a folder"):
        scan(folder, revision="v1")


def test_a_publisher_who_is_overtaken_plans_again(hub, client, folder, tmp_path, pairs, facts) -> None:
    for name, code in (("a", "fra_Latn"), ("b", "ita_Latn")):
        write_dataset(tmp_path / name, "pairs", {code: pairs(code, 20)}, facts([code]))
    client(f"""
publish(Path("pairs"), "{REPO}")
from huggingface_hub import HfApi
create_commit = HfApi.create_commit
def overtaken(*args, **named):
    HfApi.create_commit = create_commit
    publish(Path("b"), "{REPO}")
    return create_commit(*args, **named)
HfApi.create_commit = overtaken
publish(Path("a"), "{REPO}")
""")
    assert [r["status"] for r in hub.log if "/commit/" in r["path"]] == [200, 200, 412, 200]
    assert commits(hub)[:2] == ["Publish pairs: fra_Latn", "Publish pairs: ita_Latn"]
    described = json.loads(hub.repo("dataset", REPO).get(blobs(hub)["facts.json"], "blob"))
    assert list(described["languages"]) == ["deu_Latn", "eng_Latn", "fra_Latn", "ita_Latn"]
