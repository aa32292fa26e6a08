"""A run published as repositories that name each other, and rows followed from one to the next."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from polypref.cards.checkpoint import checkpoint_facts, finished_checkpoints
from polypref.cards.folder import content_of, read_facts
from polypref.cards.release import run_datasets
from polypref.cards.retries import LOG_IN
from polypref.cards.show import first_rows, print_rows, print_trace, strip_controls
from polypref.cards.trace import trace_prompt
from polypref.errors import InputError
from polypref.training.dpo import METHOD

CODES = ["deu_Latn", "pes_Arab"]


def output(print_it, *args) -> str:
    console = Console(file=io.StringIO(), width=60, color_system=None)
    print_it(*args, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_a_run_becomes_repositories_that_name_each_other(hub, client, run, look, repo, xet: bool) -> None:
    run(CODES)
    again, said, traced = client(
        f"""
from polypref.cards.trace import trace_prompt
first = publish_run(Path("run"), "{repo}", Options(), rejected=True, tag="v1")
again = publish_run(Path("run"), "{repo}", Options(), rejected=True, tag="v1")
row = load_published("{repo}", language="de", split="train")[0]
traced = trace_prompt("{repo}", row["prompt_id"], "German")
keys = ("prompt", "completions", "pairs", "places", "models", "lineage")
answer([[pushed.changed for pushed in [*first, *again]], [pushed.commit for pushed in first],
    [row, [traced[key] for key in keys]]])
""",
        xet=xet,
    )
    assert again == [True] * 4 + [False] * 4
    names = ["prompts", "completions", "rejected"]
    for name in names:
        assert look.commits(hub, f"{repo}-{name}")[1:] == ["initial commit"]
    facts = json.loads(look.text(hub, repo, "facts.json"))
    assert {name: (other["repo"], other["commit"]) for name, other in facts["related"].items()} == {
        name: (f"{repo}-{name}", commit) for name, commit in zip(names, said, strict=False)
    }
    assert [hub.repo("dataset", f"{repo}-{name}").ref("refs/tags/v1") for name in names] == said[:3]
    beside = json.loads(look.text(hub, f"{repo}-completions", "facts.json"))["related"]
    assert {name: other["commit"] for name, other in beside.items()} == {"prompts": said[0]}
    assert f"- pairs: [{repo}](https://huggingface.co/datasets/{repo}), which name" in look.text(
        hub, f"{repo}-prompts", "README.md"
    )
    card = look.text(hub, repo, "README.md")
    tree = f"https://huggingface.co/datasets/{repo}-prompts/tree/{said[0]}"
    assert f"- prompts: [{repo}-prompts]({tree}) at `{said[0]}`" in card
    order = [r["path"] for r in hub.log if "/commit/" in r["path"]]
    assert [path.split("/")[4].removeprefix(repo.split("/")[1]) for path in order] == [
        "-prompts",
        "-completions",
        "-rejected",
        "",
    ]
    collections = [c for c in hub.collections.values() if c["title"] == repo.split("/")[1]]
    assert [sorted(item["id"] for item in c["items"]) for c in collections] == [
        sorted([repo, *(f"{repo}-{name}" for name in names)])
    ]

    row, (prompt, completions, pairs, places, models, lineage) = traced
    assert prompt["prompt"] == row["prompt"]
    assert prompt["translator"] in models
    assert [(c["rank"], c["completion"]) for c in completions] == [
        (1, row["chosen"]),
        (2, row["rejected"]),
    ]
    assert [c["scores"] for c in completions] == [
        [{"name": "reward", "value": row[side]}] for side in ("chosen_score", "rejected_score")
    ]
    assert pairs == [row]
    assert places["completions"] == f"{repo}-completions@{said[1]}"
    assert lineage in card


def test_one_language_more_changes_all_of_its_repositories_and_no_other_language(
    hub, client, run, look, repo
) -> None:
    run([*CODES, "swh_Latn"])
    client(f'publish_run(Path("run"), "{repo}", Options(languages=("deu_Latn", "pes_Arab")))')
    before = {name: look.blobs(hub, f"{repo}{name}") for name in ("", "-prompts")}
    client(f'publish_run(Path("run"), "{repo}", Options(languages=("swh_Latn",)))')
    for name, old in before.items():
        new = look.blobs(hub, f"{repo}{name}")
        assert {path: new[path] for path in old if path.startswith("data/")} == {
            p: b for p, b in old.items() if p.startswith("data/")
        }
        assert {path.split("/")[1] for path in new if path.startswith("data/")} == {*CODES, "swh_Latn"}
    facts = json.loads(look.text(hub, repo, "facts.json"))
    git = hub.repo("dataset", f"{repo}-prompts")
    assert facts["related"]["prompts"]["commit"] == git.ref("refs/heads/main")
    client(f"""
upload("{repo}-prompts", read_card("{repo}-prompts") + "\\nMine.\\n")
""")
    before = look.commits(hub, repo)
    client(f'publish_run(Path("run"), "{repo}", Options())')
    assert look.commits(hub, repo) == before, (
        "a word in the card of the prompts is no reason to change the pairs"
    )
    assert look.text(hub, f"{repo}-prompts", "README.md").endswith("\nMine.\n")


def test_private_gated_and_in_a_pull_request(hub, client, run, repo) -> None:
    run(CODES)
    lines = client(f"""
publish_run(Path("run"), "{repo}", Options(private=True, gated="auto"))
publish_run(Path("run"), "{repo}", Options(pr=True, message="Once more"))
os.environ["HF_TOKEN"] = ""
answer([line(load_published, "{repo}")])
""")
    for name in ("", "-prompts", "-completions"):
        meta = hub.repo("dataset", f"{repo}{name}").meta
        assert (meta["private"], meta["gated"], meta["discussions"]) == (True, "auto", [])
    assert [c["private"] for c in hub.collections.values() if c["title"] == repo.split("/")[1]] == [True]
    assert lines == [f"{repo}: no such repository, or a private one that this token cannot read; {LOG_IN}"]
    run(CODES, salt="second")
    urls = client(f"""
urls = [pushed.url for pushed in publish_run(Path("run"), "{repo}", Options(pr=True))]
rows = load_published("{repo}", language="de", revision="refs/pr/1", split="train")
answer([urls, rows[0]["chosen"][0]["content"].split()[1]])
""")
    assert urls[0][1:] == [f"{hub.url}/datasets/{repo}{name}/discussions/1" for name in ("-completions", "")]
    assert urls[1] == "second"


def test_a_run_on_disk_is_traced_and_shown(run, tmp_path) -> None:
    folder = run(CODES)
    row = next(iter(first_rows(folder / "published" / "pairs", "Persian", 1)))
    traced = trace_prompt(folder, row["prompt_id"], "fa")
    text = output(print_trace, traced)
    assert "translated by small: facebook/m2m100_418M at" in text
    assert "(beams 4)" in text.replace("\n", " ")
    assert (
        text.index("completion rank 1")
        < text.index("completion rank 2")
        < text.index("pair native-vs-translated 0")
    )
    with pytest.raises(InputError, match=r"run: no row of the prompt 'abc' in deu_Latn$"):
        trace_prompt(folder, "abc", "de")
    assert "rejected from prompts: too_long" in output(print_trace, trace_prompt(folder, "f" * 16, "de"))


def test_right_to_left_rows_stand_on_the_right_and_cannot_steer_the_terminal(run) -> None:
    folder = run(CODES) / "published" / "pairs"
    persian, german = (output(print_rows, first_rows(folder, code, 1)) for code in CODES[::-1])
    line = next(line for line in persian.splitlines() if "pes_Arab: " in line)
    assert line.startswith(" ")
    assert line.strip()[0] == "\u2067"
    assert line.endswith("\u2069")
    assert next(line for line in german.splitlines() if "deu_Latn: " in line)[0] == "\u2066"
    assert strip_controls("a\x1b[31m\x07\u202eb\r\nc\td") == "a[31mb\nc\td"


def test_what_a_folder_lacks_is_said(tmp_path, run) -> None:
    with pytest.raises(
        InputError,
        match=r"no published/pairs; expected a run's folder, a published folder or a checkpoint",
    ):
        run_datasets(tmp_path, "acme/pairs")
    folder = run(CODES)
    (folder / "published" / "rejected" / "facts.json").unlink()
    assert [repo for _, _, repo in run_datasets(folder, "a/b")] == ["a/b-prompts", "a/b-completions", "a/b"]
    with pytest.raises(InputError, match="no published/rejected; build the recipe again"):
        run_datasets(folder, "a/b", rejected=True)


def make_checkpoint(folder: Path, content: str = "", **key: object) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text("{}")
    made_from = {
        "key": {"method": "dpo", "max_steps": None, "beta": 0.1, **key},
        "method": METHOD,
        "name": folder.name,
        "license": "apache-2.0",
        "base": {"model": "policy", "revision": "f" * 40, "on_hub": False},
        "data": {
            "name": "pairs",
            "revision": None,
            "digest": "sha256:0",
            "on_hub": False,
            "mixture": None,
            "rows": {"deu_Latn": 30},
        }
        | {"license": "apache-2.0", "content": content},
        "left_out": 0,
    }
    (folder / "training.json").write_text(json.dumps(made_from))
    (folder / "training_log.jsonl").write_text(
        '{"step": 1, "loss": 0.7, "reward_margin": 0.1, "reward_accuracy": 0.5}\n'
    )


def test_checkpoints_go_out_with_their_data_and_their_win_rates(hub, client, run, look, repo) -> None:
    folder = run(CODES)
    content = content_of(read_facts(folder / "published" / "pairs"))
    make_checkpoint(folder / "checkpoints" / "dpo", content)
    make_checkpoint(folder / "checkpoints" / "control", control="shuffle")
    games = {
        "win": 0.5,
        "loss": 0.25,
        "tie": 0.25,
        "difference": 0.25,
        "low": 0.1,
        "high": 0.4,
        "games": 40,
        "prompts": 20,
    }
    result = {
        "base": "base",
        "prompts": {"name": "pairs", "revision": None, "split": "test", "count": 20},
        "models": {"base": {"model": "policy"}, "mine": {"model": "dpo"}},
        "winrate": {
            "mine": {
                "oracle": {
                    **games,
                    "languages": {"deu_Latn": {**games, "win": 0.625, "low": None, "high": None}},
                }
            }
        },
    }
    (folder / "eval").mkdir()
    (folder / "eval" / "winrate.json").write_text(json.dumps(result))
    assert [path.name for path in finished_checkpoints(folder)] == ["dpo"]
    planned, nothing = client(f"""
def show():
    plans = plan_run(Path("run"), "{repo}", Options(), models=True)
    return "\\n".join(line for plan in plans for line in plan.lines())
planned = show()
pushed = publish_run(Path("run"), "{repo}", Options(), models=True)
card = read_card("{repo}-dpo", "model").replace("- trl\\n", "- trl\\n- law\\n", 1) + "\\n## Thanks\\n"
(Path("run") / "checkpoints" / "dpo" / "config.json").write_text("{{ }}")
upload("{repo}-dpo", card, kind="model")
upload("{repo}-dpo", "old", "model-00001-of-00001.safetensors", kind="model")
for _ in range(2):
    publish_run(Path("run"), "{repo}", Options(), models=True)
answer([planned, show().splitlines()[-1]])
""")
    assert f"{repo}-dpo: 5 files to upload, 0 to delete, in a new repository" in planned.splitlines()
    assert nothing == f"{repo}-dpo: nothing changes"
    assert set(look.blobs(hub, f"{repo}-dpo", "model")) - {".gitattributes"} == {
        *("README.md", "config.json", "model.safetensors", "training.json", "training_log.jsonl")
    }
    git = hub.repo("model", f"{repo}-dpo")
    titles = [commit["title"] for commit in git.history(git.ref("refs/heads/main"))]
    assert (titles[0], titles[3:]) == ("Publish dpo", ["Publish dpo", "initial commit"])
    card = look.text(hub, f"{repo}-dpo", "README.md", "model")
    assert "| oracle | all | 50.0% | 25.0% | 25.0% | +25.0% | +10.0% to +40.0% | 20 |" in card
    assert "| oracle | German | 62.5% | 25.0% | 25.0% | +25.0% |  | 20 |" in card
    assert f'from_pretrained("{repo}-dpo")' in card
    commit = hub.repo("dataset", repo).ref("refs/heads/main")
    assert f"| data | [{repo}](https://huggingface.co/datasets/{repo}) at `{commit}`, train split |" in card
    assert f"datasets:\n- {repo}\n" in card
    assert "- law\n" in card
    assert card.endswith("\n## Thanks\n")
    items = next(c["items"] for c in hub.collections.values() if c["title"] == repo.split("/")[1])
    assert (f"{repo}-dpo", "model") in [(item["id"], item["type"]) for item in items]


def test_a_checkpoint_by_itself_and_one_whose_licence_is_wider_than_its_data(
    hub, client, tmp_path, look, repo
) -> None:
    make_checkpoint(tmp_path / "dpo")
    client(f"""
publish_run(Path("dpo"), "{repo}", Options(), tag="v1")
described = json.loads(Path("dpo/training.json").read_text())
described["data"]["license"] = "cc-by-nc-4.0"
Path("dpo/training.json").write_text(json.dumps(described))
""")
    assert "model.safetensors" in look.blobs(hub, repo, "model")
    git = hub.repo("model", repo)
    assert git.ref("refs/tags/v1") == git.ref("refs/heads/main")
    with pytest.raises(
        InputError, match=r"^licence: apache-2\.0 is stated, but conflicts with data pairs \(cc-by-nc-4\.0\)"
    ):
        checkpoint_facts(tmp_path / "dpo")


def test_a_checkpoint_of_an_older_version_is_refused(tmp_path) -> None:
    make_checkpoint(tmp_path / "dpo")
    described = json.loads((tmp_path / "dpo" / "training.json").read_text())
    del described["method"]
    (tmp_path / "dpo" / "training.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=r"training\.json: no key 'method'; expected a checkpoint"):
        checkpoint_facts(tmp_path / "dpo")


def test_a_checkpoint_has_one_pull_request_however_often_it_is_published(hub, client, tmp_path, repo) -> None:
    make_checkpoint(tmp_path / "dpo")
    client(f"""
publish_run(Path("dpo"), "{repo}", Options())
Path("dpo/config.json").write_text("{{ }}")
for _ in range(2):
    publish_run(Path("dpo"), "{repo}", Options(pr=True))
""")
    assert len(hub.repo("model", repo).meta["discussions"]) == 1
