"""Games by hand: joined by key, ties by a margin."""

import polars as pl

from polypref.eval.games import compare


def scored(rows: list[tuple[str, str, int, float | None]]) -> pl.DataFrame:
    schema = {"prompt_id": pl.String, "language": pl.String, "sample": pl.Int32, "score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_games_are_joined_by_key_and_ties_have_a_margin() -> None:
    rows = [("p", "de", 0, 1.0), ("p", "fr", 0, 0.5), ("q", "de", 0, 0.2)]
    a = scored([*rows, ("q", "fr", 0, None), ("q", "de", 1, 3.0)])
    rows = [("q", "de", 1, 2.0), ("q", "fr", 0, 0.0), ("q", "de", 0, 0.25)]
    b = scored([*rows, ("p", "fr", 0, 0.5), ("p", "de", 0, 0.0), ("r", "de", 0, 9.0)])
    assert compare(a, b).rows() == [
        ("p", "de", 0, 1.0, 0.0, 1),
        ("p", "fr", 0, 0.5, 0.5, 0),
        ("q", "de", 0, 0.2, 0.25, -1),
        ("q", "de", 1, 3.0, 2.0, 1),
    ]
    assert compare(a, b, margin=0.1)["outcome"].to_list() == [1, 0, 0, 1]
    assert compare(b, a)["outcome"].to_list() == [-1, 0, 1, -1]
