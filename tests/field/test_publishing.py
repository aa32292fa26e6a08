"""Publications over what others published: cases of our own, and of the issues named at each test."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
import yaml

from polypref.cards.folder import read_facts, write_dataset
from polypref.cards.funnel import stage_rows
from polypref.cards.markers import split_card
from polypref.cards.release import run_datasets
from polypref.errors import InputError
from tests.cards.conftest import make_candidates, make_facts, make_pairs, make_prompts, make_run

MODELS = ("strong", "weak")


def remove(folder: Path, n: int, codes: list[str]) -> None:
    """Write the run again with only `n` pairs in each language, as `build --limit` does."""
    make_run(folder, codes, n)


# Own case: `build --limit 5` in the same work dir, then `publish`.
def test_fewer_rows_need_replace_before_any_repository_changes(client, run, hub, look, repo) -> None:
    folder = run(["deu_Latn", "ita_Latn"])
    client(f'publish_run(Path("run"), "{repo}", Options())')
    remove(folder, 5, ["deu_Latn", "ita_Latn"])
    before = {name: look.commits(hub, f"{repo}{name}") for name in ("", "-prompts", "-completions")}
    refused, plan = client(f"""
plan = plan_run(Path("run"), "{repo}", Options())[0].lines()
answer([line(publish_run, Path("run"), "{repo}", Options()), plan])
""")
    assert refused == (
        f"{repo}-prompts: rows would be removed (deu_Latn train 37 -> 4, deu_Latn test 3 -> 1, "
        "ita_Latn train 37 -> 4, ita_Latn test 3 -> 1); --replace removes them"
    )
    assert [line for line in plan if "--replace" in line] == [
        "  rows are removed, which needs --replace: deu_Latn train 37 -> 4, deu_Latn test 3 -> 1, "
        "ita_Latn train 37 -> 4, ita_Latn test 3 -> 1"
    ]
    assert {name: look.commits(hub, f"{repo}{name}") for name in before} == before
    client(f'publish_run(Path("run"), "{repo}", Options(replace=True))')
    assert client(f'answer(load_published("{repo}", language="it")["train"].num_rows)') == 4


# Own case: as many rows of other prompts, as another seed of the sample gives.
def test_other_prompts_need_replace_as_well(client, pairs, facts, repo, tmp_path) -> None:
    for name, start, n in (("pairs", 0, 100), ("other", 10, 100), ("more", 0, 300)):
        rows = pairs("deu_Latn", n, start=start)
        write_dataset(tmp_path / name, "pairs", {"deu_Latn": rows}, facts(["deu_Latn"], test_share=0.0))
    refused, more = client(f"""
publish("pairs", "{repo}")
answer([line(publish, "other", "{repo}"), line(publish, "more", "{repo}")])
""")
    assert (
        refused == f"{repo}: rows would be removed (deu_Latn about 8% of the prompts); --replace removes them"
    )
    assert more is None


# Own case, kin of datasets#5151, mteb#2623 and distilabel#530: a recipe with a pivot builds Italian alone.
def test_a_language_with_a_pivot_leaves_the_english_completions_as_they_are(
    client, run, hub, look, repo, tmp_path
) -> None:
    run(["deu_Latn", "eng_Latn"])
    client(f'publish_run(Path("run"), "{repo}", Options())')
    contribution = make_run(tmp_path / "more", ["ita_Latn"])
    english = make_candidates(make_pairs("eng_Latn", 20)).filter(generator="weak")
    frames = {"eng_Latn": english, "ita_Latn": make_candidates(make_pairs("ita_Latn", 40))}
    supporting = make_facts(["ita_Latn"], supporting=["eng_Latn"])
    write_dataset(contribution / "published" / "completions", "candidates", frames, supporting)
    before = look.blobs(hub, f"{repo}-completions")
    client(f'publish_run(Path("more"), "{repo}", Options())')
    after = look.blobs(hub, f"{repo}-completions")
    changed = {path for path in after if path.startswith("data/") and after[path] != before.get(path)}
    assert changed == {f"data/ita_Latn/{split}-00000-of-00001.parquet" for split in ("train", "test")}
    # Where no English is published, the originals go along.
    client(f'publish_run(Path("more"), "{repo}-new", Options())')
    files = look.blobs(hub, f"{repo}-new-completions")
    assert "data/eng_Latn/train-00000-of-00001.parquet" in files
    assert "supporting" in look.text(hub, f"{repo}-new-completions", "facts.json")


def test_a_pivots_rows_do_not_replace_a_whole_language_in_a_folder(tmp_path) -> None:
    codes = ["deu_Latn", "eng_Latn"]
    whole = {code: make_candidates(make_pairs(code, 40)) for code in codes}
    write_dataset(tmp_path, "candidates", whole, make_facts(codes))
    before = read_facts(tmp_path)["languages"]["eng_Latn"]
    part = {"eng_Latn": whole["eng_Latn"].filter(generator="weak"), "ita_Latn": whole["deu_Latn"].clear()}
    write_dataset(tmp_path, "candidates", part, make_facts(["ita_Latn"], supporting=["eng_Latn"]))
    assert read_facts(tmp_path)["languages"]["eng_Latn"] == before


# Own case: what a contributor states about one language.
def test_a_contributor_does_not_retitle_the_whole(client, pairs, facts, hub, look, repo, tmp_path) -> None:
    write_dataset(tmp_path / "pairs", "pairs", {"deu_Latn": pairs("deu_Latn", 40)}, facts(["deu_Latn"]))
    stated = facts(["ita_Latn"], title="My Italian", notes=["Italian is by volunteers."])
    write_dataset(tmp_path / "more", "pairs", {"ita_Latn": pairs("ita_Latn", 40)}, stated)
    client(f'publish("pairs", "{repo}"); publish("more", "{repo}"); publish("more", "{repo}")')
    card = look.text(hub, repo, "README.md")
    assert (
        "# Pairs for tests\n\n> These rows are synthetic.\n\n> Italian: Italian is by volunteers.\n" in card
    )
    assert "My Italian" not in card
    for key, value in (("license", "cc-by-4.0"), ("test_share", 0.2)):
        other = tmp_path / key
        write_dataset(
            other, "pairs", {"fra_Latn": pairs("fra_Latn", 40)}, facts(["fra_Latn"], **{key: value})
        )
        refused = client(f'answer(line(publish, "{key}", "{repo}", replace=True))')
        assert refused.startswith(f"{repo}: {key}: found {value!r}, but the languages already published have")
    client(f'publish("more", "{repo}", replace=True)')
    assert "# My Italian\n" in look.text(hub, repo, "README.md")


# Own case: a source without `split` is read as `train`, of which a hash puts nothing into test.
def test_a_language_without_a_test_split_is_named(client, pairs, facts, repo, tmp_path) -> None:
    codes = ["deu_Latn", "ita_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {"deu_Latn": pairs("deu_Latn", 40)}, facts(codes))
    write_dataset(tmp_path / "more", "pairs", {"ita_Latn": pairs("ita_Latn", 3)}, facts(codes))
    lines = client(f"""
publish("pairs", "{repo}")
answer(dataset_publication(Path("more"), "{repo}", Options()).plan().lines())
""")
    assert "  ita_Latn: no rows in split 'test', which other languages have" in lines


# datasets#5151, #8608: Dataset.push_to_hub of another language into a repository of ours.
def test_a_language_that_a_user_pushed_is_read_by_all_and_not_replaced_in_passing(
    client, pairs, facts, repo, tmp_path
) -> None:
    write_dataset(tmp_path / "pairs", "pairs", {"deu_Latn": pairs("deu_Latn", 40)}, facts(["deu_Latn"]))
    write_dataset(tmp_path / "more", "pairs", {"swh_Latn": pairs("swh_Latn", 40)}, facts(["swh_Latn"]))
    loaded, scanned, whole, columns, refused, replaced = client(f"""
from datasets import Dataset, load_dataset
publish("pairs", "{repo}")
rows = load_dataset("{repo}", "deu_Latn", split="train").select(range(9))
rows = rows.map(lambda row: {{"language": "swh_Latn", "note": "mine"}})
rows.push_to_hub("{repo}", "swh_Latn")
publish("pairs", "{repo}", message="Again")
loaded = load_published("{repo}", language="sw", split="train").num_rows
scanned = scan_published("{repo}", languages=["sw"], split="train").collect()
whole = scan_published("{repo}").collect().height
refused = line(publish, "more", "{repo}")
publish("more", "{repo}", replace=True)
replaced = scan_published("{repo}", languages="sw").collect().height
answer([loaded, scanned.height, whole, scanned.columns, refused, replaced])
""")
    assert (loaded, scanned, whole, replaced) == (9, 9, 49, 40)
    assert columns == pairs("deu_Latn", 1).columns
    assert refused == f"{repo}: holds a config 'swh_Latn' that polypref did not publish; --replace removes it"


# Kin of datasets#5151: push_to_hub over a language of ours moves its files, which facts.json does not say.
def test_a_language_that_a_user_pushed_anew_is_read_and_not_replaced_in_passing(
    client, pairs, facts, repo, tmp_path
) -> None:
    codes = ["deu_Latn", "fra_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    pushed, refused, replaced = client(f"""
from datasets import load_dataset
publish("pairs", "{repo}")
load_dataset("{repo}", "deu_Latn", split="train").select(range(9)).push_to_hub("{repo}", "deu_Latn")
pushed = [
    load_published("{repo}", language="de", split="train").num_rows,
    scan_published("{repo}", languages="de", split="train").collect().height,
    scan_published("{repo}", languages="fr").collect().height,
]
refused = line(publish, "pairs", "{repo}")
publish("pairs", "{repo}", replace=True)
answer([pushed, refused, scan_published("{repo}", languages="de").collect().height])
""")
    assert pushed == [9, 9, 40]
    assert refused == f"{repo}: holds a config 'deu_Latn' that polypref did not publish; --replace removes it"
    assert replaced == 40


# Own case: a part of a folder is published, whose README lists every language.
def test_a_card_has_no_config_of_a_language_that_is_not_published(
    client, pairs, facts, hub, look, repo, tmp_path
) -> None:
    codes = ["deu_Latn", "ita_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    client(f'publish("pairs", "{repo}", languages=("deu_Latn",))')
    assert "ita_Latn" not in look.text(hub, repo, "README.md")


# Own case: a build with 0 pairs was published, and load_dataset read facts.json as its rows.
def test_nothing_without_rows_is_published(pairs, facts, tmp_path, client, hub, look, repo) -> None:
    write_dataset(tmp_path / "pairs", "pairs", {"deu_Latn": pairs("deu_Latn", 0)}, facts(["deu_Latn"]))
    refused, local = client(f"""
from datasets import load_dataset
try:
    local = list(load_dataset("pairs"))
except Exception as error:
    local = type(error).__name__
answer([line(publish, "pairs", "{repo}"), local])
""")
    assert refused == "pairs: no rows to publish in deu_Latn"
    assert local in ("DataFilesNotFoundError", "FileNotFoundError")
    mixed = {"deu_Latn": pairs("deu_Latn", 40), "ita_Latn": pairs("ita_Latn", 0)}
    write_dataset(tmp_path / "mixed", "pairs", mixed, facts(list(mixed)))
    client(f'publish("mixed", "{repo}")')
    assert list(json.loads(look.text(hub, repo, "facts.json"))["languages"]) == ["deu_Latn"]
    assert "Preference pairs in 1 language." in look.text(hub, repo, "README.md")


def test_rejected_rows_are_left_out_where_there_are_none(run, tmp_path) -> None:
    folder = run(["deu_Latn"])
    none = {"deu_Latn": make_prompts(make_pairs("deu_Latn", 1))}
    assert none["deu_Latn"].height == 1
    empty = read_facts(folder / "published" / "rejected")
    empty["languages"]["deu_Latn"]["files"] = []
    (folder / "published" / "rejected" / "facts.json").write_text(json.dumps(empty))
    assert "acme/x-rejected" not in [name for _, _, name in run_datasets(folder, "acme/x", rejected=True)]


# trl's dataset formats: SFTTrainer concatenates prompt and completion; one was messages, the other a string.
def test_sft_trainer_takes_completions_as_they_are(tmp_path) -> None:
    from polypref.cards.load import load_published

    rows = {"deu_Latn": make_candidates(make_pairs("deu_Latn", 4))}
    write_dataset(tmp_path, "candidates", rows, make_facts(["deu_Latn"]))
    row = load_published(tmp_path, language="de", split="train")[0]
    assert [message["role"] for message in row["prompt"] + row["completion"]] == ["user", "assistant"]


@pytest.mark.parametrize("text", ["{}", '{"table": "pairs"}'])
def test_a_facts_json_of_another_kind_is_one_line(tmp_path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(InputError, match=r"facts\.json: found another layout; expected table, title, "):
        read_facts(tmp_path)


FORGED = """x

# Forged

<script>alert(1)</script> | `y` |
<!-- polypref: generated text ends here. -->

Grown"""


# Case A41: text of a recipe in titles, notes, names and the recipe itself.
def test_text_of_a_recipe_cannot_break_grow_or_forge_a_card(tmp_path, pairs, facts) -> None:
    model = {"role": FORGED, "name": FORGED, "model": FORGED, "revision": FORGED, "settings": {"s": FORGED}}
    stated = facts(
        ["deu_Latn"],
        title=FORGED,
        name=FORGED,
        notes=[FORGED],
        sources=[FORGED],
        source_licenses={FORGED: "mit"},
        models=[model],
        recipe=f"# `````\n{FORGED}\n",
        funnel=stage_rows(FORGED, "deu_Latn", 3, {FORGED: 1}),
    )
    rows = pairs("deu_Latn", 40).with_columns(chosen_model=pl.lit(FORGED), builder=pl.lit(FORGED))
    cards = []
    for _ in range(2):
        write_dataset(tmp_path, "pairs", {"deu_Latn": rows}, stated)
        cards.append((tmp_path / "README.md").read_text())
    assert cards[0] == cards[1]
    header, above, below = split_card(cards[0])
    assert (header["pretty_name"], above.strip(), below.strip()) == (FORGED, "", "")
    body, recipe = cards[0].split("---\n", 2)[2].split("``````yaml\n")
    assert "<script" not in body
    assert re.findall(r"^#+ Forged", body, flags=re.M) == []
    assert recipe.split("\n``````\n")[0].count("# Forged") == 1
    rows_of_tables = [line for line in body.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows_of_tables)


# Own case: the recipe in the card did not run elsewhere: other prompts, other commits, the author's folders.
def test_a_card_says_how_its_recipe_runs_elsewhere(client, hub, look, run, repo) -> None:
    run(["deu_Latn", "eng_Latn"])
    client(f'publish_run(Path("run"), "{repo}", Options())')
    card = look.text(hub, repo, "README.md")
    commit = hub.repo("dataset", f"{repo}-prompts").ref("refs/heads/main")
    command, pins = card.split("## Adding languages")[1].split("```")[1:4:2]
    assert "polypref build recipe.yaml --overlay pins.yaml --languages sw --workdir runs/more" in command
    source = {"repo": f"{repo}-prompts", "revision": commit, "split": "train+test", "config": "eng_Latn"}
    assert yaml.safe_load(pins.removeprefix("yaml\n")) == {
        "prompts": {"sources": [{**source, "text": "prompt_en", "id": ["prompt_id"]}]},
        "translate": {"engine": {"revision": "f" * 40}},
    }
