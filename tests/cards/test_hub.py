"""Reading what was published, from a folder and from a Hub over HTTP."""

from pathlib import Path

import pytest

from cards.errors import InputError
from cards.folder import write_dataset
from cards.hub import load, scan


@pytest.fixture
def folder(tmp_path, pairs, facts) -> Path:
    codes = ["deu_Latn", "eng_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    return tmp_path / "pairs"


LOADED = """
source = {source}
everything = load(source)
mixture = dict(languages=["German", "eng_Latn"], rows=10)
mixed = load(source, mixture=mixture)
streamed = load(source, language="de", split="train", streaming=True)
answer([
    {{split: rows.num_rows for split, rows in everything.items()}},
    load(source, language="de", split="train").num_rows,
    sorted(mixed["prompt_id"]), mixed.num_rows, mixed.unique("language"), str(mixed.features) == str(everything["train"].features),
    scan(source, languages=["en"], columns=["margin"]).sum().collect().item(),
    line(load, source, mixture="ml-5-50k"), line(scan, source, columns=["margins"]).partition(": ")[2],
    [row["prompt_id"] for row in streamed] == list(load(source, language="de", split="train")["prompt_id"]),
    len(list(load(source, mixture=mixture, streaming=True))),
])
"""


def test_a_folder_and_a_repository_load_alike(client, folder, pairs, repo) -> None:
    client(f'publish("pairs", "{repo}")')
    here, there = (client(LOADED.format(source=source)) for source in ('"pairs"', f'"{repo}"'))
    assert here == there
    splits, german, ids, mixed, languages, same_features, margins, short, column, streamed, mixed_streamed = here
    assert sum(splits.values()) == 80
    assert german == splits["train"] / 2
    assert (mixed, languages, same_features) == (20, ["deu_Latn", "eng_Latn"], True)
    assert ids[::2] == ids[1::2]
    assert margins == pytest.approx(pairs("eng_Latn", 40)["margin"].sum())
    assert short.startswith("mixture: eng_Latn: have ")
    assert column.startswith("found no column 'margins', expected one of prompt_id")
    assert (streamed, mixed_streamed) == (True, 20)


def test_loading_a_folder_needs_no_hub(folder) -> None:
    assert load(folder, language="deu_Latn", split="train").num_rows > 30
    assert scan(folder).collect().height == 80
    with pytest.raises(InputError, match="found a language and a mixture"):
        load(folder, language="de", mixture="ml-5-50k")
    with pytest.raises(InputError, match="found revision 'v1' for a folder"):
        scan(folder, revision="v1")


def test_what_cannot_be_read_is_one_line(hub, client, folder, repo) -> None:
    client(f'publish("pairs", "{repo}"); publish("pairs", "{repo}-secret", private=True); publish("pairs", "{repo}-gated")')
    lines = client(f"""
answer([
    line(load, "{repo}", language="fr"), line(load, "{repo}", revision="v9"), line(load, "{repo}-none"), line(load, "./none"),
    line(load, "{repo}", split="dev"), line(scan, "{repo}", languages=["fr"]),
])
""")
    missing = "found no such repository, or a private one that this token may not see (`hf auth login`, HF_TOKEN)"
    assert lines[0].startswith(f"{repo}: BuilderConfig 'fra_Latn' not found. Available: ['default', 'deu_Latn', 'eng_Latn']")
    assert lines[1:3] == [f"{repo}: found no revision 'v9'", f"{repo}-none: {missing}"]
    assert lines[3] == "./none: found neither a folder nor the name of a repository, expected ORG/NAME"
    assert lines[4].startswith(f"{repo}: Unknown split")
    assert lines[5].endswith("no rows of 'fra_Latn'; found deu_Latn, eng_Latn")
    hub.repo("dataset", f"{repo}-gated").meta["gated"] = "manual"
    lines = client(f"""
os.environ["HF_TOKEN"] = ""
answer([line(load, "{repo}-secret"), line(scan, "{repo}-secret"), line(load, "{repo}-gated"), line(scan, "{repo}-gated")])
""")
    assert lines[:2] == [f"{repo}-secret: {missing}"] * 2
    assert "gated" in lines[2]
    assert lines[3] == f"{repo}-gated: gated: ask for access on its page, then run `hf auth login` or set HF_TOKEN"


def test_reading_survives_what_passes(hub, client, folder, repo) -> None:
    client(f'publish("pairs", "{repo}")')
    hub.inject("GET /api/datasets/[^?]*$", status=503)
    hub.inject("(GET|HEAD) /datasets/.*parquet", status=503)
    hub.inject("(GET|HEAD) /datasets/.*facts", status=429)
    assert client(f'answer([scan("{repo}").collect().height, load("{repo}", split="train").num_rows])')[0] == 80
    assert [fault.times for fault in hub.faults] == [0, 0, 0]
