"""Scales, ticks and paths of charts, and the palette that cards and the report share."""

from polypref.cards import charts
from polypref.cards.charts import extent, position, ticks


def test_positions_are_percents_of_a_range_and_stop_at_its_ends() -> None:
    assert position(3, (1, 5)) == 50
    assert position(9, (1, 5)) == 100


def test_a_range_is_padded_and_never_empty() -> None:
    assert extent([2.0, 4.0], padding=0.5) == (1.0, 5.0)
    assert extent([]) == extent([0.0, 1.0])
    assert extent([1.0, 9.0], padding=0.0) == (1.0, 9.0)
    assert extent([3.0], padding=0.0) == (2.5, 3.5)


def test_ticks_are_multiples_of_one_two_or_five_times_a_power_of_ten() -> None:
    assert ticks((-0.21, 0.39)) == [-0.2, 0.0, 0.2]
    assert ticks((0, 2300)) == [0, 500, 1000, 1500, 2000]
    assert ticks((-11.6, 6.41)) == [-10, -5, 0, 5]


def test_a_tick_is_labelled_with_a_real_minus_sign_and_without_rounding_errors() -> None:
    assert charts.axis((-2000.0, 0.0), 2) == [
        ("\N{MINUS SIGN}2,000", 0),
        ("\N{MINUS SIGN}1,000", 50),
        ("0", 100),
    ]
    assert [label for label, _ in charts.axis((0.0, 0.3), 3)] == ["0", "0.1", "0.2", "0.3"]


def test_bars_stand_on_their_base_and_empty_ones_are_not_drawn() -> None:
    assert charts.bars([1, 0], 2) == "M3.00 100V50.00H47.00V100Z"
    assert charts.bars([2], 2, base=50, height=-50) == "M6.00 50V100.00H94.00V50Z"


def test_a_running_mean_is_over_fewer_points_at_the_ends() -> None:
    assert charts.running_mean([(1, 0.0), (2, 3.0), (3, 6.0)], 3) == [(1, 1.5), (2, 3.0), (3, 4.5)]


def test_a_curve_leaves_out_what_is_no_number_and_needs_two_points() -> None:
    rows = [{"step": 1, "loss": 2}, {"step": 2, "loss": float("nan")}, {"step": 3}, {"step": 4, "loss": 1.5}]
    assert charts.curve_points(rows, "loss") == [(1.0, 2.0), (4.0, 1.5)]
    assert charts.curve_points(rows[:3], "loss") == []


def test_a_title_is_escaped() -> None:
    assert "<b>" not in charts.curve_svg("<b>", [(1, 0.0), (2, 1.0)], (0, 1))


def test_every_colour_has_a_css_variable_in_both_themes() -> None:
    light, dark = charts.css_variables().split("@media (prefers-color-scheme: dark)")
    for name, (on_light, on_dark) in charts.PALETTE.items():
        assert f"--{name}: {on_light};" in light
        assert f"--{name}: {on_dark};" in dark


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb` by WCAG 2.2."""
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_and_marks_stand_out_from_their_ground() -> None:
    for theme in charts.THEMES.values():
        ground = luminance(theme["ground"])
        for name, least in {
            "ink": 7,
            "soft": 4.5,
            "chosen": 4.5,
            "rejected": 4.5,
            "trained": 3,
            "base": 3,
        }.items():
            mark = luminance(theme[name])
            contrast = (max(mark, ground) + 0.05) / (min(mark, ground) + 0.05)
            assert contrast >= least, (name, theme[name], round(contrast, 2))
