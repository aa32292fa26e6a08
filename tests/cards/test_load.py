"""Reading what was published, from a folder and from a Hub over HTTP."""

from pathlib import Path

import pytest

from polypref.cards.folder import write_dataset
from polypref.cards.load import load_published, scan_published
from polypref.cards.retries import LOG_IN
from polypref.errors import InputError


@pytest.fixture
def folder(tmp_path, pairs, facts) -> Path:
    codes = ["deu_Latn", "eng_Latn"]
    write_dataset(tmp_path / "pairs", "pairs", {code: pairs(code, 40) for code in codes}, facts(codes))
    return tmp_path / "pairs"


LOADED = """
source = {source}
everything = load_published(source)
mixture = dict(languages=["German", "eng_Latn"], rows=10)
mixed = load_published(source, mixture=mixture)
streamed = load_published(source, language="de", split="train", streaming=True)
answer([
    {{split: rows.num_rows for split, rows in everything.items()}},
    load_published(source, language="de", split="train").num_rows,
    sorted(mixed["prompt_id"]), mixed.num_rows, mixed.unique("language"),
    str(mixed.features) == str(everything["train"].features),
    scan_published(source, languages=["en"], columns=["margin"]).sum().collect().item(),
    line(load_published, source, mixture="ml-5-50k"),
    line(scan_published, source, columns=["margins"]).partition(": ")[2],
    [row["prompt_id"] for row in streamed]
        == list(load_published(source, language="de", split="train")["prompt_id"]),
    len(list(load_published(source, mixture=mixture, streaming=True))),
])
"""


def test_a_folder_and_a_repository_load_alike(client, folder, pairs, repo) -> None:
    client(f'publish("pairs", "{repo}")')
    here, there = (client(LOADED.format(source=source)) for source in ('"pairs"', f'"{repo}"'))
    assert here == there
    splits, german, ids, mixed, languages, same_features, margins, short, column, streamed, mixed_streamed = (
        here
    )
    assert sum(splits.values()) == 80
    assert german == splits["train"] / 2
    assert (mixed, languages, same_features) == (20, ["deu_Latn", "eng_Latn"], True)
    assert ids[::2] == ids[1::2]
    assert margins == pytest.approx(pairs("eng_Latn", 40)["margin"].sum())
    assert short.startswith("mixture: eng_Latn: have ")
    assert column.startswith("no column 'margins'; expected one of prompt_id")
    assert (streamed, mixed_streamed) == (True, 20)


def test_loading_a_folder_needs_no_hub(folder) -> None:
    assert load_published(folder, language="deu_Latn", split="train").num_rows > 30
    assert scan_published(folder).collect().height == 80
    with pytest.raises(InputError, match="language and mixture cannot be combined"):
        load_published(folder, language="de", mixture="ml-5-50k")
    with pytest.raises(InputError, match="a folder has no revision 'v1'"):
        scan_published(folder, revision="v1")


def test_what_cannot_be_read_is_one_line(hub, client, folder, repo) -> None:
    client(f"""
publish("pairs", "{repo}")
publish("pairs", "{repo}-secret", private=True)
publish("pairs", "{repo}-gated")
""")
    lines = client(f"""
answer([
    line(load_published, "{repo}", language="fr"), line(load_published, "{repo}", revision="v9"),
    line(load_published, "{repo}-none"), line(load_published, "./none"),
    line(load_published, "{repo}", split="dev"), line(scan_published, "{repo}", languages=["fr"]),
])
""")
    missing = f"no such repository, or a private one that this token cannot read; {LOG_IN}"
    assert lines[0] == f"{repo}: no rows of 'fra_Latn'; found deu_Latn, eng_Latn"
    assert lines[1:3] == [f"{repo}: no revision 'v9'", f"{repo}-none: {missing}"]
    assert lines[3] == "./none: neither a folder nor a repository's name; expected ORG/NAME"
    assert lines[4] == f"{repo}: no rows in split 'dev'; expected train or test"
    assert lines[5].endswith("no rows of 'fra_Latn'; found deu_Latn, eng_Latn")
    hub.repo("dataset", f"{repo}-gated").meta["gated"] = "manual"
    lines = client(f"""
os.environ["HF_TOKEN"] = ""
answer([
    line(load_published, "{repo}-secret"), line(scan_published, "{repo}-secret"),
    line(load_published, "{repo}-gated"), line(scan_published, "{repo}-gated"),
])
""")
    assert lines[:2] == [f"{repo}-secret: {missing}"] * 2
    assert (
        lines[2:]
        == [f"{repo}-gated: access is gated; request it on the repository's page, then {LOG_IN}"] * 2
    )


def test_reading_survives_what_passes(hub, client, folder, repo) -> None:
    client(f'publish("pairs", "{repo}")')
    hub.inject("GET /api/datasets/[^?]*$", status=503)
    hub.inject("(GET|HEAD) /datasets/.*parquet", status=503)
    hub.inject("(GET|HEAD) /datasets/.*facts", status=429)
    counts = client(f"""
answer([scan_published("{repo}").collect().height, load_published("{repo}", split="train").num_rows])
""")
    assert counts[0] == 80
    assert [fault.times for fault in hub.faults] == [0, 0, 0]
