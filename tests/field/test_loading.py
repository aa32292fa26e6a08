"""Loading: the revision that is asked for or an error, with and without the Hub; and folders of users."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hubserver import HubServer

from polypref.cards.folder import write_dataset
from polypref.cards.load import load_published, scan_published
from polypref.errors import InputError
from polypref.training.data import read_pairs
from polypref.training.recipe import DpoRecipe
from tests.cards.conftest import ROOT

SCRIPT = """
import json, pathlib, sys
import polypref
from polypref.training.data import read_pairs
from polypref.training.folder import pin_data_revision
from polypref.training.recipe import DpoRecipe

def train(repo, **fields):
    recipe = DpoRecipe(model="m", data=repo, output="o", **fields)
    return read_pairs(pin_data_revision(recipe)).height

def rows(call):
    try:
        value = call()
    except polypref.PolyprefError as error:
        return f"{type(error).__name__}: {error}"
    return value if isinstance(value, int) else value.num_rows

print(json.dumps([rows(eval("lambda: " + text)) for text in json.loads(sys.argv[1])]))
"""


@pytest.fixture
def ask(hub: HubServer, tmp_path: Path):
    """Evaluate expressions in a new process: `ask(*expressions, offline=…, endpoint=…)`."""

    def ask(*expressions: str, **variables: str) -> list[Any]:
        env = {**os.environ, **hub.env(token="hf_writer", home=tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SCRIPT, json.dumps(expressions)]
        done = subprocess.run(command, env=env | variables, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return ask


@pytest.fixture
def two_revisions(client, pairs, facts, tmp_path, hub, repo) -> list[str]:
    """Publish 20 pairs, tagged v1.0, then 40; return both commits."""
    shas = []
    for n in (20, 40):
        write_dataset(tmp_path / "pairs", "pairs", {"deu_Latn": pairs("deu_Latn", n)}, facts(["deu_Latn"]))
        client(f'publish("pairs", "{repo}")')
        shas.append(hub.repo("dataset", repo).ref("refs/heads/main"))
        if n == 20:
            client(f'set_tag("{repo}", "v1.0", "{shas[0]}")')
    return shas


def counts(repo: str, revision: str | None) -> list[str]:
    """Return the calls that count a revision's train rows by load, by scan and as training reads them."""
    return [
        f'polypref.load("{repo}", language="de", split="train", revision={revision!r})',
        f'polypref.scan("{repo}", split="train", revision={revision!r}).collect().height',
        f'train("{repo}", data_revision={revision!r})',
    ]


NOT_CACHED = "and HF_HUB_OFFLINE is set; load it once with the Hub in reach"


# datasets#7928: of two revisions only the newer one is cached.
def test_a_revision_that_is_not_cached_is_an_error_and_not_another_one(two_revisions, ask, repo) -> None:
    old, new = two_revisions
    calls = [*counts(repo, old), *counts(repo, "a" * 40), *counts(repo, "v1.0")]
    assert ask(*counts(repo, new)) == [37, 37, 37]
    revisions = [old] * 3 + ["a" * 40] * 3 + ["v1.0"] * 3
    assert ask(*calls, HF_HUB_OFFLINE="1") == [
        f"InputError: {repo}: not in the cache at revision {revision!r}, {NOT_CACHED}"
        for revision in revisions
    ]
    assert ask(*counts(repo, old)) == [17, 17, 17]
    assert ask(f'polypref.load("{repo}", revision={"a" * 40!r})') == [
        f"InputError: {repo}: no revision {'a' * 40!r}"
    ]


@pytest.mark.slow  # the Hub's library waits for 23 seconds
def test_a_commit_that_is_not_cached_is_an_error_while_the_hub_is_away(two_revisions, ask, repo) -> None:
    old, new = two_revisions
    assert ask(*counts(repo, new)) == [37, 37, 37]
    (away,) = ask(counts(repo, old)[0], HF_ENDPOINT="http://127.0.0.1:9")
    assert away.startswith(f"Unavailable: {repo}: no answer from the Hub")


# Own case, compute nodes: everything is cached, and HF_HUB_OFFLINE is set.
def test_what_is_cached_is_read_without_the_hub(two_revisions, ask, repo) -> None:
    old, new = two_revisions
    revisions = [None, "main", "v1.0", old, new]
    calls = [call for revision in revisions for call in counts(repo, revision)]
    expected = [37] * 6 + [17] * 6 + [37] * 3
    assert ask(*calls) == expected
    assert ask(*calls, HF_HUB_OFFLINE="1") == expected
    slices = [f'polypref.load("{repo}", split="train[:5]")', f'polypref.load("{repo}", split="train+test")']
    assert ask(*slices) == ask(*slices, HF_HUB_OFFLINE="1") == [5, 40]
    (never,) = ask('polypref.load("acme/never-loaded")', HF_HUB_OFFLINE="1")
    assert never == f"InputError: acme/never-loaded: not in the cache, {NOT_CACHED}"


# Own case: the cache was filled by load_dataset, which does not read facts.json.
@pytest.mark.usefixtures("two_revisions")
def test_what_load_dataset_has_cached_is_read_without_the_hub(ask, repo) -> None:
    load = "__import__('datasets').load_dataset"
    cached = ask(f"{load}({repo!r}, split='train')", f"{load}({repo!r}, revision='v1.0')['test']")
    assert cached == [37, 3]
    assert ask(*counts(repo, None), HF_HUB_OFFLINE="1") == [37, 37, 37]
    assert ask(*counts(repo, "v1.0"), HF_HUB_OFFLINE="1") == [17, 17, 17]


def test_a_pinned_commit_that_is_cached_needs_no_hub(two_revisions, ask, repo) -> None:
    old, _ = two_revisions
    assert ask(*counts(repo, old)) == [17, 17, 17]
    assert ask(*counts(repo, old), HF_ENDPOINT="http://127.0.0.1:9") == [17, 17, 17]


def test_a_models_revision_is_known_without_the_hub_once_it_was_asked_for(
    client, ask, repo, tmp_path
) -> None:
    client(f"""
HfApi().create_repo("{repo}")
upload("{repo}", "{{}}", "config.json", kind="model")
""")
    resolve = "__import__('polypref.store.revisions').store.revisions.resolve_model"
    commits = [
        f"int({resolve}({repo!r}, 'main', pathlib.Path('{tmp_path / name}')).revision, 16)" for name in "ab"
    ]
    (online,) = ask(commits[0])
    assert ask(commits[1], HF_HUB_OFFLINE="1") == [online]
    (unknown,) = ask(commits[1].replace("main", "v9"), HF_HUB_OFFLINE="1")
    assert unknown.startswith(f"Unavailable: {repo}: revision 'v9' cannot be resolved: ")


# Own case: one language of two is cached.
def test_a_language_that_is_not_cached_is_named(client, pairs, facts, tmp_path, ask, repo) -> None:
    codes = ["deu_Latn", "fra_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    client(f'publish("pairs", "{repo}")')
    assert ask(f'polypref.load("{repo}", language="de", split="train")') == [37]
    german, french = ask(
        f'polypref.load("{repo}", language="de", split="train")',
        f'polypref.load("{repo}", language="fr", split="train")',
        HF_HUB_OFFLINE="1",
    )
    assert german == 37
    assert french.startswith(f"InputError: {repo}: not in the cache at revision ")


# Own case: a repository that polypref did not publish was named by a path of the cache.
def test_a_foreign_repository_is_named(client, repo) -> None:
    lines = client(f"""
from datasets import Dataset
Dataset.from_dict({{"text": ["a"]}}).push_to_hub("{repo}")
answer([line(load_published, "{repo}", mixture="ml-5-50k"), line(scan_published, "{repo}")])
""")
    assert lines == [f"{repo}: no facts.json; expected a dataset published by polypref"] * 2


@pytest.fixture
def folder(tmp_path: Path, pairs, facts) -> Path:
    codes = ["deu_Latn", "fra_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    return tmp_path / "pairs"


# Own cases: KeyError: 'languages'; a slice of a split; TypeError: normalize() argument 2 must be str.
def test_what_a_folder_lacks_is_one_line(folder, run, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    lacking = "no facts.json; expected a dataset published by polypref"
    with pytest.raises(InputError, match=rf"empty: {lacking}$"):
        load_published(tmp_path / "empty")
    with pytest.raises(InputError, match=rf"run: {lacking}; this run has one in .*run/published/pairs$"):
        load_published(run(["deu_Latn"]), language="de")
    with pytest.raises(InputError, match=r"no rows of 'ita_Latn'; found deu_Latn, fra_Latn$"):
        load_published(folder, language="it")
    with pytest.raises(InputError, match=r"split 'train\[:x\]': "):
        load_published(folder, split="train[:x]")
    with pytest.raises(InputError, match="unknown language 5; expected a FLORES-200 code"):
        load_published(folder, language=5)  # type: ignore[arg-type]
    card = (folder / "README.md").read_text()
    outside = "configs:\n- config_name: swh_Latn\n  data_files: [{split: train, path: ../../*.parquet}]\n"
    (folder / "README.md").write_text(card.replace("configs:\n", outside, 1))
    with pytest.raises(InputError, match=r"\.\./\.\./\*\.parquet: expected a path in the dataset$"):
        load_published(folder, language="sw")
    (folder / "README.md").write_text(card)
    next(folder.glob("data/deu_Latn/test-*")).unlink()
    with pytest.raises(InputError, match=r"pairs: data/deu_Latn/test-00000-of-00001\.parquet is missing$"):
        scan_published(folder)
    facts = json.loads((folder / "facts.json").read_text())
    (folder / "facts.json").write_text(json.dumps({**facts, "languages": {"deu_Latn": {}}}))
    with pytest.raises(InputError, match=r"facts\.json: languages\.deu_Latn: expected build and files$"):
        load_published(folder)


@pytest.mark.parametrize(
    ("split", "rows"),
    [
        ("train[:5]", 5),
        ("train[-5:]", 5),
        ("train[:50%]", 37),
        ("train+test", 80),
        ("test[1:3]+train[:1]", 3),
        ("all", 80),
    ],
)
def test_splits_are_cut_and_added_as_in_datasets(folder, split: str, rows: int) -> None:
    assert load_published(folder, split=split).num_rows == rows
    if "[" in split:
        with pytest.raises(InputError, match=r"expected whole splits, as in train\+test$"):
            scan_published(folder, split=split)


def test_several_languages_are_a_list_of_any_names(folder) -> None:
    both = load_published(folder, language=["German", "fr"], split="train")
    assert both.unique("language") == ["deu_Latn", "fra_Latn"]
    assert scan_published(folder, languages="de").collect().height == 40
    mixture = {"languages": "de", "rows": 3}
    assert load_published(folder, mixture=mixture).num_rows == 3
    assert read_pairs(DpoRecipe(model="m", data=str(folder), output="o", mixture=mixture)).height == 3
