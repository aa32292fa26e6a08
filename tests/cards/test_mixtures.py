from itertools import combinations
from typing import Any

import polars as pl
import pytest

from polypref.cards.mixtures import NAMED, Mixture, parse_mixture, select_rows
from polypref.errors import InputError
from polypref.languages.codes import PAPER_23

LANGUAGES = ("deu_Latn", "eng_Latn", "zho_Hans")


def rows(counts: dict[str, range]) -> pl.DataFrame:
    """Return prompts by number in each language; a prompt has the same id in all of them."""
    return pl.concat(
        pl.DataFrame(
            {
                "prompt_id": [f"{i:016x}" for i in ids],
                "language": code,
                "builder": "b",
                "rank": 0,
                "margin": [float(i) for i in ids],
            }
        )
        for code, ids in counts.items()
    )


def taken(frame: pl.DataFrame, **fields: object) -> dict[str, set[str]]:
    picked = select_rows(frame, parse_mixture(fields))
    languages: Any = fields["languages"]
    return {code: set(picked.filter(pl.col("language") == code)["prompt_id"]) for code in languages}


def test_the_named_mixtures_are_those_of_the_paper() -> None:
    sizes = {name: (len(m.languages), m.rows, len(m.languages) * m.rows) for name, m in NAMED.items()}
    assert sizes == {
        "en-1-50k": (1, 50_000, 50_000),
        "ml-5-50k": (5, 10_000, 50_000),
        "ml-23-50k": (23, 2_174, 50_002),
        "ml-23-230k": (23, 10_000, 230_000),
    }
    assert set(NAMED["ml-5-50k"].languages) == {"eng_Latn", "vie_Latn", "deu_Latn", "tur_Latn", "por_Latn"}
    assert NAMED["ml-23-50k"].languages == PAPER_23


def test_a_larger_mixture_contains_the_smaller_one() -> None:
    frame = rows(dict.fromkeys(LANGUAGES, range(12_000)))
    for overlap, small, large in (("same", 2_174, 10_000), ("disjoint", 700, 4_000)):
        less = taken(frame, languages=LANGUAGES, rows=small, overlap=overlap)
        more = taken(frame, languages=LANGUAGES, rows=large, overlap=overlap)
        for code in LANGUAGES:
            assert len(less[code]) == small
            assert len(more[code]) == large
            assert less[code] < more[code]


def test_same_takes_the_same_prompts_as_far_as_all_languages_have_them() -> None:
    # prompts 200 to 799 stand in all of the languages
    frame = rows({"deu_Latn": range(800), "eng_Latn": range(100, 1000), "zho_Hans": range(200, 1100)})
    first = taken(frame, languages=LANGUAGES, rows=600)
    assert (
        first["deu_Latn"] == first["eng_Latn"] == first["zho_Hans"] == {f"{i:016x}" for i in range(200, 800)}
    )
    more = taken(frame, languages=LANGUAGES, rows=700)
    assert all(first[code] < more[code] and len(more[code]) == 700 for code in LANGUAGES)


def test_disjoint_takes_no_prompt_twice_and_deals_evenly() -> None:
    picked = taken(
        rows(dict.fromkeys(LANGUAGES, range(900))), languages=LANGUAGES, rows=300, overlap="disjoint"
    )
    assert all(len(ids) == 300 for ids in picked.values())
    assert not any(picked[a] & picked[b] for a, b in combinations(LANGUAGES, 2))


def test_the_seed_decides_and_the_order_of_the_rows_does_not() -> None:
    frame = rows(dict.fromkeys(LANGUAGES, range(500)))
    first = select_rows(frame, Mixture(languages=LANGUAGES, rows=50))
    assert select_rows(frame.reverse().lazy(), Mixture(languages=LANGUAGES, rows=50)).equals(first)
    other = select_rows(frame, Mixture(languages=LANGUAGES, rows=50, seed=1))
    assert len(set(first["prompt_id"]) & set(other["prompt_id"])) < 25
    # Fixed for good: what is trained on today can be drawn again.
    assert sorted(int(i, 16) for i in taken(frame, languages=["eng_Latn"], rows=5)["eng_Latn"]) == [
        94,
        149,
        275,
        374,
        443,
    ]


def test_several_pairs_of_a_prompt_count_as_rows() -> None:
    frame = rows({"eng_Latn": range(10)})
    frame = pl.concat([frame, frame.with_columns(rank=pl.lit(1))])
    assert select_rows(frame, Mixture(languages=("eng_Latn",), rows=15)).height == 15


def test_too_few_rows_are_an_error_with_have_and_want() -> None:
    frame = rows({"deu_Latn": range(30), "eng_Latn": range(60)})
    with pytest.raises(
        InputError, match=r"^mixture: deu_Latn: have 30 rows, want 50; allow_short takes what there is$"
    ):
        select_rows(frame, Mixture(languages=("eng_Latn", "de"), rows=50))
    short = taken(frame, languages=["eng_Latn", "deu_Latn", "fra_Latn"], rows=50, allow_short=True)
    assert {code: len(ids) for code, ids in short.items()} == {"eng_Latn": 50, "deu_Latn": 30, "fra_Latn": 0}


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("ml-23-50", "unknown mixture 'ml-23-50'; did you mean 'ml-23-50k'?"),
        (
            {"languages": ["germn"], "rows": 2},
            "mixture: languages: found ['germn']: unknown language 'germn'",
        ),
        ({"languages": ["de"], "rows": 0}, "mixture: rows: found 0: Input should be greater than 0"),
        ({"languages": ["de"], "rows": 1, "sed": 3}, "mixture: sed: found 3: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_mixture_is_one_line(wanted: object, line: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_mixture(wanted)  # type: ignore[arg-type]
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_named_mixture_may_be_changed() -> None:
    changed = parse_mixture({"name": "ml-5-50k", "allow_short": True})
    assert changed == NAMED["ml-5-50k"].model_copy(update={"allow_short": True})
    with pytest.raises(InputError, match="unknown mixture 'ml-5-5k'"):
        parse_mixture({"name": "ml-5-5k", "allow_short": True})
