"""A bad day at the Hub: after a fault at any call, a repository is as before or completely published."""

import json
from typing import Any

import pytest

from polypref.cards.folder import write_dataset

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
    "validate-yaml 503 in HTML": {
        "match": "POST /api/validate-yaml",
        "status": 503,
        "body": "<html>busy</html>",
    },
    "upload 500": {"match": "PUT /_lfs/", "status": 500},
}


def test_passing_faults_leave_one_commit(hub, client, tmp_path, pairs, facts, look) -> None:
    """Each fault meets the publication of a new repository."""
    codes = ["deu_Latn", "eng_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    client(f"""
from urllib.request import Request, urlopen
for n, fault in enumerate(json.loads({json.dumps(json.dumps(list(FAULTS.values())))})):
    urlopen(Request("{hub.url}/_hub/faults", data=json.dumps(fault).encode(), method="POST"))
    publish("pairs", f"acme/faulty-{{n}}")
""")
    assert [fault.times for fault in hub.faults] == [0] * len(FAULTS)
    for n, name in enumerate(FAULTS):
        assert look.commits(hub, f"acme/faulty-{n}") == [
            "Publish pairs: deu_Latn, eng_Latn",
            "initial commit",
        ], name
        assert len(look.blobs(hub, f"acme/faulty-{n}")) == 9, name


WALK: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "412": {"status": 412},
    "reset mid-upload": {"drop": "upload", "at": 20, "rst": True},
    "lost answer": {"lost": True},
    "lost request": {"drop": "request", "rst": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "later"), [("lfs", False), ("xet", False), ("lfs", True)], ids=["lfs", "xet", "a language more"]
)
def test_a_fault_at_every_call_of_a_publication(hub, client, run, look, mode: str, later: bool) -> None:
    """Main was never half published: its history is an empty commit and one or two whole ones."""
    run(["deu_Latn", "swh_Latn"] if later else ["deu_Latn"], 20)
    xet, first = mode == "xet", f"{mode}-later" if later else mode
    before = 'publish_run(Path("run"), {0}, Options(languages=("deu_Latn",)))' if later else "None"
    whole = f"acme/{first}-whole"
    client(before.format(f'"{whole}"'), xet=xet)
    hub.log.clear()
    client(f'publish_run(Path("run"), "{whole}", Options())', xet=xet)
    calls = [f"{r['method']} {r['path']}" for r in hub.log]
    assert len(calls) > 25
    said = client(
        f"""
from urllib.request import Request, urlopen
said = {{}}
for name, fault in json.loads({json.dumps(json.dumps(WALK))}).items():
    for k in range({len(calls)}):
        called = f"acme/{first}-{{name.replace(' ', '-')}}-{{k}}"
        {before.format("called")}
        skipping = json.dumps(fault | dict(match=".", skip=k)).encode()
        urlopen(Request("{hub.url}/_hub/faults", data=skipping, method="POST"))
        said[called] = line(publish_run, Path("run"), called, Options())
        urlopen(Request("{hub.url}/_hub/faults", method="DELETE"))
        if said[called]:
            assert not line(publish_run, Path("run"), called, Options()), called
answer(said)
""",
        xet=xet,
        timeout=3000,
    )
    assert len(said) == len(WALK) * len(calls)
    assert all("\n" not in line for line in said.values() if line)
    repeated = sum(bool(line) for line in said.values())
    print(f"{first}: {len(calls)} calls x {len(WALK)} faults; {repeated} needed a repeat")
    expected = {
        name: rows_and_paths(look, hub, f"{whole}{name}") for name in ("", "-prompts", "-completions")
    }
    for called in said:
        for name, there in expected.items():
            assert len(look.commits(hub, f"{called}{name}")) == 2 + later, f"{called}{name}: {said[called]}"
            assert rows_and_paths(look, hub, f"{called}{name}") == there, called
        related = json.loads(look.text(hub, called, "facts.json"))["related"]
        for name, other in related.items():
            assert other["commit"] == hub.repo("dataset", f"{called}-{name}").ref("refs/heads/main"), called
        collections = [c for c in hub.collections.values() if c["title"] == called.split("/")[1]]
        assert [len(c["items"]) for c in collections] == [3], called


def rows_and_paths(look, hub, repo: str) -> dict[str, str]:
    return {path: blob if path.startswith("data/") else "" for path, blob in look.blobs(hub, repo).items()}
