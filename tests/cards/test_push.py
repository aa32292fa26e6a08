"""One folder published as one repository over HTTP, in LFS and in Xet mode."""

import json
from pathlib import Path

import pytest

from polypref.cards.dataset import dataset_publication
from polypref.cards.folder import write_dataset
from polypref.cards.push import Options
from polypref.cards.retries import LOG_IN
from polypref.errors import InputError
from polypref.languages.codes import PAPER_23


@pytest.fixture
def folder(tmp_path, pairs, facts) -> Path:
    codes = ["deu_Latn", "eng_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    return tmp_path / "pairs"


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_publish_23_languages_and_add_one_later(
    hub, client, tmp_path, pairs, facts, look, repo, xet: bool
) -> None:
    codes = list(PAPER_23)
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    url, again, german, everything, feature, languages, row = client(
        f"""
url = publish("pairs", "{repo}")
again = publish("pairs", "{repo}")
from datasets import load_dataset
german, everything = load_dataset("{repo}", "deu_Latn"), load_dataset("{repo}")
answer([url, again, german.num_rows, everything.num_rows, str(german["train"].features["chosen"]),
    everything["train"].unique("language"), german["train"][0]])
""",
        xet=xet,
    )
    assert (
        url == again == f"{hub.url}/datasets/{repo}/commit/{hub.repo('dataset', repo).ref('refs/heads/main')}"
    )
    assert look.commits(hub, repo) == ["Publish pairs: 23 languages", "initial commit"]
    assert bool([r for r in hub.log if r["path"].startswith("/_lfs/")]) == (not xet)
    assert bool([r for r in hub.log if "xet-write-token" in r["path"]]) == xet
    assert sum(german.values()) == 40
    assert everything == {split: 23 * rows for split, rows in german.items()}
    assert feature == "List({'role': Value('string'), 'content': Value('string')})"
    assert languages == codes
    assert (row["language"], row["prompt"][0]["role"]) == ("deu_Latn", "user")

    before = look.blobs(hub, repo)
    write_dataset(tmp_path / "swahili", "pairs", {"swh_Latn": pairs("swh_Latn", 30)}, facts(["swh_Latn"]))
    swahili, everything, card = client(
        f"""
upload("{repo}", read_card("{repo}") + "\\n## Thanks\\n\\nTo all.\\n")
publish("swahili", "{repo}")
from datasets import load_dataset
answer([load_dataset("{repo}", "swh_Latn", split="train").num_rows,
    load_dataset("{repo}", split="train+test").num_rows, read_card("{repo}")])
""",
        xet=xet,
    )
    after = look.blobs(hub, repo)
    changed = {path for path in after if after[path] != before.get(path)}
    added = {f"data/swh_Latn/{split}-00000-of-00001.parquet" for split in ("train", "test")}
    assert changed == {"README.md", "facts.json", "assets/scores-light.svg", "assets/scores-dark.svg", *added}
    assert set(before) < set(after)
    assert look.commits(hub, repo)[0] == "Publish pairs: swh_Latn"
    assert swahili < 30
    assert everything == 23 * 40 + 30
    assert card.endswith("\n## Thanks\n\nTo all.\n")
    assert "| hin_Deva | Hindi |" in card
    assert "| swh_Latn | Swahili |" in card


def test_fewer_rows_replace_a_language_and_its_stale_shards_if_told_to(
    hub, client, folder, pairs, facts, look, repo
) -> None:
    client(f'publish("pairs", "{repo}")')
    before = look.blobs(hub, repo)
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 20)}, facts(["deu_Latn"], test_share=0.1))
    for path in folder.glob("data/deu_Latn/test-*"):
        path.unlink()
    described = json.loads((folder / "facts.json").read_text())
    described["languages"]["deu_Latn"]["files"] = [
        f for f in described["languages"]["deu_Latn"]["files"] if f["split"] == "train"
    ]
    (folder / "facts.json").write_text(json.dumps(described))
    client(f'publish("pairs", "{repo}", message="Smaller", replace=True)')
    assert set(before) - set(look.blobs(hub, repo)) == {"data/deu_Latn/test-00000-of-00001.parquet"}
    assert look.commits(hub, repo) == ["Smaller", "Publish pairs: deu_Latn, eng_Latn", "initial commit"]


def test_a_dry_run_says_what_a_publication_does(hub, client, folder, pairs, facts, look, repo) -> None:
    publication = f'dataset_publication(Path("pairs"), "{repo}", Options(languages=("deu_Latn",)))'
    plan = f'"\\n".join({publication}.plan().lines())'
    new, nothing_made = client(f"""
from huggingface_hub import HfApi
answer([{plan}, HfApi().repo_exists("{repo}", repo_type="dataset")])
""")
    lines = new.splitlines()
    assert lines[0] == f"{repo}: 6 files to upload, 0 to delete, in a new repository"
    assert [line.split(" (")[0] for line in lines if line.endswith(" bytes)")][-1] == "  + facts.json"
    assert next(line for line in lines if line.endswith(" rows")).startswith("  deu_Latn test: 0 -> ")
    assert "  +# Pairs for tests" in lines
    assert nothing_made is False
    client(f'publish("pairs", "{repo}")')
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 41)}, facts(["deu_Latn"]))
    before = len(hub.log)
    lines = client(f"answer({plan})").splitlines()
    assert not [r for r in hub.log[before:] if r["method"] not in ("GET", "HEAD")]
    files = {line.split(" (")[0].strip() for line in lines if line.startswith("  ~ ")}
    assert {"~ README.md", "~ facts.json", "~ data/deu_Latn/train-00000-of-00001.parquet"} <= files
    assert not [line for line in lines if "eng_Latn" in line and line.endswith("rows")]
    assert [line for line in lines if line.endswith(" rows")]
    client(f'publish("pairs", "{repo}")')
    assert client(f"answer({plan})") == f"{repo}: nothing changes"


def test_refusals_are_one_line(hub, client, folder, tmp_path, pairs, facts, look, repo) -> None:
    client(f'publish("pairs", "{repo}")')
    write_dataset(tmp_path / "other", "pairs", {"ita_Latn": pairs("ita_Latn", 20)}, facts(["ita_Latn"]))
    lines = client(f"""
def with_token(token):
    os.environ["HF_TOKEN"] = token
    return line(publish, "other", "{repo}")
answer([with_token(token) for token in ("hf_reader", "", "hf_unknown")])
""")
    assert lines == [
        f"{repo}: the token does not allow this; publishing needs write access to the repository",
        f"{repo}: no token to publish with; {LOG_IN}",
        f"{repo}: the Hub did not accept the token; {LOG_IN}",
    ]
    hub.inject("POST .*/commit/", status=503, times=100)
    assert client(f"""
answer([
    line(publish, "other", "{repo}"), line(publish, "other", "{repo}", private=True),
    line(publish, "other", "{repo}-new", pr=True),
])
""") == [
        f"{repo}: the Hub answered 503 (injected 503); it is safe to run again",
        f"{repo}: is a public repository; expected a private one "
        "(make it private first, or leave out --private)",
        f"{repo}-new: no such repository, or a private one that this token cannot read; {LOG_IN}",
    ]
    assert look.commits(hub, repo) == ["Publish pairs: deu_Latn, eng_Latn", "initial commit"]


def test_what_is_wrong_with_a_folder_is_said_before_the_hub_is_asked(tmp_path, pairs, facts, folder) -> None:
    with pytest.raises(InputError, match=r"no facts\.json"):
        dataset_publication(tmp_path, "acme/pairs", Options()).push()
    file = next(folder.glob("data/deu_Latn/train-*"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(
        InputError, match=r"parquet: [\d,]+ bytes; expected [\d,]+ bytes, as facts\.json says$"
    ):
        dataset_publication(folder, "acme/pairs", Options()).push()
    write_dataset(
        tmp_path / "bare", "pairs", {"deu_Latn": pairs("deu_Latn", 5)}, facts(["deu_Latn"], license=None)
    )
    with pytest.raises(
        InputError, match="licence: none is stated and that of source questions with numbers is not known"
    ):
        dataset_publication(tmp_path / "bare", "acme/pairs", Options()).push()
    model = {
        "role": "translator",
        "name": "nllb",
        "model": "facebook/nllb-200-3.3B",
        "revision": "",
        "license": "cc-by-nc-4.0",
    }
    write_dataset(
        tmp_path / "nllb", "pairs", {"deu_Latn": pairs("deu_Latn", 5)}, facts(["deu_Latn"], models=[model])
    )
    stated = (
        r"licence: apache-2\.0 is stated, but conflicts with translator facebook/nllb-200-3\.3B "
        r"\(cc-by-nc-4\.0\)"
    )
    with pytest.raises(InputError, match=stated):
        dataset_publication(tmp_path / "nllb", "acme/pairs", Options()).push()


def test_pull_requests_branches_and_tags(hub, client, folder, pairs, facts, look, repo) -> None:
    client(f"""
publish("pairs", "{repo}")
for _ in range(2):
    set_tag("{repo}", "v1", resolve_revision("{repo}"))
""")
    write_dataset(folder, "pairs", {"deu_Latn": pairs("deu_Latn", 40, "second")}, facts(["deu_Latn"]))
    first, second, sha, salts, taken = client(f"""
first = publish("pairs", "{repo}", pr=True)
second = publish("pairs", "{repo}", pr=True)
salts = []
for revision in ("v1", "refs/pr/1", "main"):
    rows = load_published("{repo}", language="de", split="train", revision=revision)
    salts.append(rows[0]["chosen"][0]["content"].split(" ")[1])
publish("pairs", "{repo}", revision="next")
taken = line(set_tag, "{repo}", "v1", resolve_revision("{repo}", "next"))
answer([first, second, resolve_revision("{repo}", "v1"), salts, taken])
""")
    git = hub.repo("dataset", repo)
    assert first == second == f"{hub.url}/datasets/{repo}/discussions/1"
    assert len(git.meta["discussions"]) == 1
    assert sha == git.ref("refs/heads/main")
    assert salts == ["", "second", ""]
    assert taken == f"{repo}: the tag 'v1' names {sha}; expected a new name for {git.ref('refs/heads/next')}"
    assert len(look.commits(hub, repo)) == 2
    assert len(look.commits(hub, repo, branch="next")) == 3


def test_a_publisher_who_is_overtaken_plans_again(
    hub, client, folder, tmp_path, pairs, facts, look, repo
) -> None:
    for name, code in (("a", "fra_Latn"), ("b", "ita_Latn")):
        write_dataset(tmp_path / name, "pairs", {code: pairs(code, 20)}, facts([code]))
    client(f"""
publish("pairs", "{repo}")
from huggingface_hub import HfApi
create_commit = HfApi.create_commit
def overtaken(*args, **named):
    HfApi.create_commit = create_commit
    publish("b", "{repo}")
    return create_commit(*args, **named)
HfApi.create_commit = overtaken
publish("a", "{repo}")
""")
    assert [r["status"] for r in hub.log if "/commit/" in r["path"]] == [200, 200, 412, 200]
    assert look.commits(hub, repo)[:2] == ["Publish pairs: fra_Latn", "Publish pairs: ita_Latn"]
    assert list(json.loads(look.text(hub, repo, "facts.json"))["languages"]) == [
        "deu_Latn",
        "eng_Latn",
        "fra_Latn",
        "ita_Latn",
    ]


def test_two_publishers_at_once_both_land(
    hub, client, clients, folder, tmp_path, pairs, facts, look, repo
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    client(f'publish("pairs", "{repo}")')
    for name, code in (("a", "fra_Latn"), ("b", "ita_Latn")):
        write_dataset(tmp_path / name, "pairs", {code: pairs(code, 20)}, facts([code]))
    with ThreadPoolExecutor(2) as both:
        list(
            both.map(
                lambda named: client(f'publish("{named[0]}", "{repo}")', xet=named[1]),
                (("a", False), ("b", True)),
            )
        )
    assert list(json.loads(look.text(hub, repo, "facts.json"))["languages"]) == [
        "deu_Latn",
        "eng_Latn",
        "fra_Latn",
        "ita_Latn",
    ]
    assert client(f'answer(load_published("{repo}", split="train+test").num_rows)') == 120


def test_another_column_of_a_language_is_named(client, folder, tmp_path, pairs, facts, repo) -> None:
    """A repository of an older version keeps a language with a column that no longer exists."""
    described = json.loads((folder / "facts.json").read_text())
    described["columns"] |= {"margin": "float"}
    (folder / "facts.json").write_text(json.dumps(described))
    write_dataset(tmp_path / "french", "pairs", {"fra_Latn": pairs("fra_Latn", 20)}, facts(["fra_Latn"]))
    write_dataset(
        tmp_path / "whole",
        "pairs",
        {code: pairs(code, 40) for code in ("deu_Latn", "eng_Latn")},
        facts(["deu_Latn", "eng_Latn"]),
    )
    refused = client(f"""
publish("pairs", "{repo}")
refused = line(publish, "french", "{repo}")
publish("whole", "{repo}")
publish("french", "{repo}")
answer(refused)
""")
    assert refused == f"{repo}: column 'margin': found double, but the languages already published have float"


def test_stale_features_and_wiped_configs_are_mended(hub, client, folder, look, repo) -> None:
    """Cards as datasets#8608 and huggingface_hub#3043 leave them: features of older rows; configs gone."""
    loads, foreign, refused = client(f"""
from datasets import Dataset, load_dataset
from huggingface_hub import DatasetCard
publish("pairs", "{repo}")
card = DatasetCard.load("{repo}")
for info in card.data.dataset_info:
    info["features"] = [feature for feature in info["features"] if feature["name"] != "margin"]
card.push_to_hub("{repo}", repo_type="dataset")
broken = False
try:
    load_dataset("{repo}", "deu_Latn")
except Exception:
    broken = True
publish("pairs", "{repo}")
loads = [broken, load_dataset("{repo}", "deu_Latn", split="train").column_names[-3]]
strangers = Dataset.from_dict({{"text": ["a", "b"]}})
strangers.push_to_hub("{repo}-strangers")
refused = line(publish, "pairs", "{repo}-strangers")
strangers.push_to_hub("{repo}", "mine")
wiped = DatasetCard.load("{repo}")
wiped.data.configs = [config for config in wiped.data.configs if config["config_name"] == "mine"]
wiped.data.dataset_info = [info for info in wiped.data.dataset_info if info["config_name"] == "mine"]
wiped.push_to_hub("{repo}", repo_type="dataset")
publish("pairs", "{repo}")
foreign = [
    load_dataset("{repo}", "mine", split="train").num_rows,
    load_dataset("{repo}", "eng_Latn", split="train+test").num_rows,
    load_dataset("{repo}", split="train+test").num_rows,
]
answer([loads, foreign, refused])
""")
    assert refused.startswith(f"{repo}-strangers: holds a config 'default' but no facts.json; expected")
    assert loads == [True, "margin"]
    assert foreign == [2, 40, 80]
