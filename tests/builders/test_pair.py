"""The choice of chosen and rejected completions, and every reason why there is no pair."""

from typing import Any

import polars as pl
import pytest

from polypref.builders.pair import choose, make_pairs
from polypref.builders.recipe import Pair
from tests.frames import rows_to_frame


def candidate(
    generator: str, origin: str, score: float | None, text: str | None = None, language: str = "deu_Latn"
) -> dict[str, Any]:
    row = {
        "prompt_id": "p",
        "generator": generator,
        "origin": origin,
        "sample": 0,
        "score": score,
        "language": language,
    }
    return row | {"completion": text or f"{generator} {origin}"}


N9, N5, N1 = (candidate(f"n{s}", "native", s) for s in (9.0, 5.0, 1.0))
T7, T3 = (candidate(f"t{s}", "translated", s) for s in (7.0, 3.0))
E9, E3 = (candidate(f"e{s}", "native", s, language="eng_Latn") for s in (9.0, 3.0))


@pytest.mark.parametrize(
    ("builder", "candidates", "expected"),
    [
        ("native-vs-translated", [N5, T3], ("n5.0", "t3.0")),
        ("native-vs-translated", [N5, T7], ("t7.0", "n5.0")),
        ("native-vs-translated", [N9, N5], "no_candidates"),
        ("native-vs-translated", [E3, E9], ("e9.0", "e3.0")),
        ("native-vs-translated", [N9, N1, T7, T3], ("n9.0", "t3.0")),
        ("native-vs-translated", [N1, T7, T3], ("t7.0", "n1.0")),
        ("native-chosen", [N5, T3], ("n5.0", "t3.0")),
        ("native-chosen", [N5, T7], "native_not_better"),
        ("native-chosen", [E3, E9], ("e9.0", "e3.0")),
        ("native-vs-native", [N5, N1, T7], ("n5.0", "n1.0")),
        ("native-vs-native", [N5, T3], "no_candidates"),
        ("translate-all", [N9, T3, T7], ("t7.0", "t3.0")),
        ("translate-all", [E3, E9], ("e9.0", "e3.0")),
        ("best-vs-worst", [N5, T7, N1, T3], ("t7.0", "n1.0")),
        ("best-vs-worst", [N5], "no_candidates"),
        ("best-vs-worst", [], "no_candidates"),
        ("best-vs-worst", [N5, candidate("x", "native", None)], "missing_score"),
        ("best-vs-worst", [N5, candidate("x", "native", float("nan"))], "missing_score"),
        ("best-vs-worst", [N5, candidate("x", "native", 5.0)], "tie"),
        ("best-vs-worst", [N5, candidate("x", "native", 4.7)], "under_margin"),
        (
            "best-vs-worst",
            [candidate("x", "native", 4.0, " Guten\nTag "), candidate("y", "native", 1.0, "Guten Tag")],
            "identical",
        ),
    ],
)
def test_choose(builder: str, candidates: list[dict[str, Any]], expected: tuple[str, str] | str) -> None:
    pair, reason = choose(Pair(builder=builder, scorer="s", margin=0.5), candidates)  # type: ignore[arg-type]
    assert (reason if pair is None else (pair[0]["generator"], pair[1]["generator"])) == expected


def test_among_equals_no_generator_is_favoured() -> None:
    config = Pair(builder="best-vs-worst", scorer="s")
    chosen = []
    for number in range(200):
        three = [
            candidate(name, "native", score) | {"prompt_id": f"{number:016x}"}
            for name, score in (("a", 1.0), ("b", 1.0), ("c", 0.0))
        ]
        pair, _ = choose(config, three)
        assert pair is not None
        chosen.append(pair[0]["generator"])
    assert 80 <= chosen.count("a") <= 120


def test_rows_are_joined_by_key_and_every_prompt_is_accounted_for() -> None:
    key = {"language": "deu_Latn", "generator": "g", "origin": "native"}
    prompt = [{"role": "user", "content": "?"}]
    prompts = rows_to_frame(
        [
            {
                "prompt_id": i,
                "language": "deu_Latn",
                "prompt": prompt,
                "rejected_by": "empty" if i == "z" else None,
            }
            for i in "abcz"
        ],
        "prompts",
    )
    completions = rows_to_frame(
        [
            key | {"prompt_id": p, "sample": s, "completion": f"{p}{s}"}
            for p, s in (("b", 1), ("a", 0), ("b", 0), ("a", 1), ("c", 0))
        ]
        + [key | {"prompt_id": "c", "sample": 1, "completion": "c1", "rejected_by": "repetition"}],
        "completions",
    )
    scores = rows_to_frame(
        [
            key | {"prompt_id": p, "sample": s, "scorer": "s", "score": float(v)}
            for p, s, v in (("a", 0, 1), ("b", 1, 3), ("b", 0, 4), ("a", 1, 2))
        ],
        "scores",
    )
    out = make_pairs(Pair(builder="best-vs-worst", scorer="s"), prompts, completions, scores)
    ranked = {row["prompt_id"]: row for row in out.to_dicts()}
    assert sorted(ranked) == ["a", "b", "c"]
    assert [ranked["a"][side][0]["content"] for side in ("chosen", "rejected")] == ["a1", "a0"]
    assert [ranked["b"][side][0]["content"] for side in ("chosen", "rejected")] == ["b0", "b1"]
    assert (ranked["a"]["margin"], ranked["a"]["chosen_model"]) == (1.0, "g")
    assert ranked["b"]["chosen_score"] == 4.0
    assert ranked["c"]["rejected_by"] == "no_candidates"
    assert out.filter(pl.col("rejected_by").is_null())["prompt"].to_list() == [prompt, prompt]
