"""Figures draw what they are given, and the sentences under them read the shape that is there."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from stochattn_core.figures import reading, reading_tuning
from stochattn_core.figures.attention_row import row_law, row_output, row_weights
from stochattn_core.figures.coverage import coverage
from stochattn_core.figures.curve import ratio_curve, slider_strip
from stochattn_core.figures.fan import central, fan
from stochattn_core.figures.fitted import fitted, shown_cases
from stochattn_core.figures.gains import gains
from stochattn_core.figures.lead_time import by_lead_time
from stochattn_core.figures.objectives import Span, objective_curves, optima, scaled
from stochattn_core.figures.pit import pit
from stochattn_core.figures.single_passes import single_passes
from stochattn_core.figures.spread_skill import spread_skill
from stochattn_core.figures.theme import BROWSER, DARK, LIGHT, number
from stochattn_core.figures.verdict import judge_coverage, judge_crps, judge_ratio, judge_rmse, judge_w1

RNG = np.random.default_rng(0)
MEMBERS = RNG.normal(size=(49, 12))
TIMES = np.arange("2000-01", "2003-01", dtype="datetime64[M]").astype("datetime64[ns]")
FLAT, LOW, HIGH = np.ones(10), np.full(10, 0.8), np.full(10, 1.2)
SURE = {"dispersion": (1.0, (0.9, 1.1)), "mean": (0.5, (0.47, 0.53))}


def figures(palette):
    level = np.linspace(0.1, 0.9, 9)
    return {
        "fan": fan(
            TIMES[:24],
            np.arange(24.0),
            TIMES[24:],
            MEMBERS,
            np.zeros(12),
            np.ones(12),
            title="t",
            subtitle="M = 49",
            y="y",
            palette=palette,
        ),
        "fitted": fitted(MEMBERS, np.linspace(-1, 1, 12), np.zeros(12), quantity="y", chosen=3, palette=palette),
        "pit": pit(FLAT, LOW, HIGH, n_member=49, n_case=120, palette=palette),
        "spread_skill": spread_skill(
            np.array([1.0, 2.0]), np.array([1.1, 2.2]), np.array([50, 50]), ratio=0.9, n_member=49, n_case=100, palette=palette
        ),
        "coverage": coverage(level, level, low=level - 0.1, high=level + 0.1, n_member=49, n_case=100, palette=palette),
        "lead_time": by_lead_time(level, level, level, level, ratio=np.ones(9), n_member=49, n_case=100, palette=palette),
        "objectives": objective_curves(
            np.array([1, 4, 16]),
            {"one": np.array([3.0, 1.0, 2.0]), "other": np.array([np.inf, 1.0, 2.0])},
            {"one": 4.0, "other": 5.0},
            chosen="one",
            subtitle="M = 10",
            palette=palette,
        ),
        "optima": optima(
            [Span("bootstrap", 4, 3, 6, "ensemble", strong=True), Span("w1", 5, 5, 5)],
            np.array([1, 4, 16]),
            concentration=4,
            subtitle="90%",
            palette=palette,
        ),
        "single": single_passes(
            np.array([16, 1, 4]), np.array([0.3, 1.1, 0.5]), np.array([0.25, 1, 0.5]), error=0.6, optimum=3, subtitle="", palette=palette
        ),
        "gains": gains(
            ["Output inflation", "Split conformal"],
            ["correction", "reference"],
            np.array([[0.2, 0.1, 0.3], [-0.1, -0.2, 0.1]]),
            np.array([[0.2, 0.1, 0.3], [-0.1, -0.2, 0.1]]),
            level=0.98,
            recommended=0,
            subtitle="N = 100",
            palette=palette,
        ),
        "ratio": ratio_curve(
            np.array([1, 4, 16]), np.array([2.0, 1.0, 0.5]), concentration=4, interval=None, subtitle="M = 10", palette=palette
        ),
        "strip": slider_strip(
            np.array([0.0, 3.0]),
            np.array([1.5, 0.7]),
            n_position=26,
            chosen=3,
            ticks={0.0: "1"},
            best=2.5,
            interval=(2, 3),
            palette=palette,
        ),
        "weights": row_weights(np.full(4, 0.25), np.array([0.5, 0.5, 0, 0]), concentration=2, palette=palette),
        "law": row_law(np.full(4, 0.25), np.full(4, 0.25), np.full(4, 0.1), concentration=2, n_draw=10, palette=palette),
        "output": row_output(RNG.normal(size=50), 0.0, 1.0, concentration=2, palette=palette),
    }


@pytest.mark.parametrize("palette", [LIGHT, DARK, BROWSER])
def test_every_figure_is_drawn_with_a_title_and_a_clear_background(palette):
    for name, figure in figures(palette).items():
        assert figure.data, name
        assert figure.layout.plot_bgcolor == "rgba(0,0,0,0)", name
        assert name == "strip" or figure.layout.title.text, name


def test_titles_of_results_show_members_and_cases():
    for name in ("pit", "spread_skill", "coverage", "lead_time", "fitted"):
        assert "M = 49" in figures(LIGHT)[name].layout.title.text and "N = " in figures(LIGHT)[name].layout.title.text


def test_the_app_s_theme_holds_the_colours_of_the_roles():
    config = tomllib.loads((Path(__file__).parents[1] / ".streamlit" / "config.toml").read_text())
    for palette, theme in ((LIGHT, config["theme"]["light"]), (DARK, config["theme"]["dark"])):
        assert tuple(theme["chartCategoricalColors"]) == palette.categorical
        assert theme["backgroundColor"] == palette.paper


def test_the_browser_s_palette_is_the_ten_names_that_streamlit_replaces():
    assert BROWSER.categorical == tuple(f"#{i:06d}" for i in range(1, 11))


def test_text_colours_are_readable_on_their_background():
    """Contrast by WCAG 2: 4.5 for text, 3 for marks."""
    for palette in (LIGHT, DARK):
        for role, least in (
            ("text", 4.5),
            ("good", 4.5),
            ("doubtful", 4.5),
            ("bad", 4.5),
            ("truth", 4.5),
            ("ensemble", 3),
            ("error", 3),
            ("plain", 3),
        ):
            assert contrast(getattr(palette, role), palette.paper) >= least, (role, palette.paper)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_central_intervals_of_a_perfect_ensemble_hold_what_they_say():
    low, high = central(RNG.normal(size=(49, 20_000)), 0.9)
    truth = RNG.normal(size=20_000)
    assert np.mean((truth >= low) & (truth <= high)) == pytest.approx(0.9, abs=0.01)


def test_many_cases_are_thinned_and_the_extremes_stay():
    truth = RNG.normal(size=1000)
    shown = shown_cases(truth, 100)
    assert len(shown) == 100
    assert {int(truth.argmin()), int(truth.argmax())} <= set(shown.tolist())


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({}, "Flat within what chance allows"),
        ({"dispersion": (1.4, (1.2, 1.6))}, "U shape"),
        ({"dispersion": (0.6, (0.5, 0.8))}, "Dome"),
        ({"mean": (0.6, (0.55, 0.65))}, "Slope up"),
        ({"mean": (0.4, (0.35, 0.45))}, "Slope down"),
        ({"dispersion": (1.4, (1.2, 1.6)), "mean": (0.6, (0.55, 0.65))}, "slope up"),
        ({"dispersion": (1.4, (math.nan, math.nan))}, "Too few"),
    ],
)
def test_the_pit_sentence_names_the_shape(shape, said):
    assert said in reading.read_pit(FLAT, LOW, HIGH, **(SURE | shape))


def test_a_wide_band_says_nothing_about_the_shape():
    assert "Too few" in reading.read_pit(FLAT, FLAT - 0.9, FLAT + 0.9, **SURE)


def test_without_spread_every_sentence_says_so():
    assert "no spread" in reading.read_pit(FLAT, LOW, HIGH, **SURE, has_spread=False)
    assert "no spread" in reading.read_ratio(0.0)
    assert "∞" in reading.read_fan(np.zeros((3, 4)), np.ones(4), np.zeros(4), np.zeros(4))


@pytest.mark.parametrize(("ratio", "said"), [(0.6, "40% smaller"), (1.5, "50% larger"), (1.02, "within 5%")])
def test_the_ratio_in_words(ratio, said):
    assert said in reading.read_ratio(ratio)


def test_a_ratio_whose_range_holds_one_is_not_called_wrong():
    assert "matches" in reading.read_ratio(0.8, (0.6, 1.1))


def test_spread_that_tells_cases_apart_is_told_from_spread_that_does_not():
    spread, count = np.array([1.0, 2.0, 4.0]), np.array([100, 100, 100])
    assert "tells hard cases" in reading.read_spread_skill(spread, spread, count, 1.0)
    assert "does not tell" in reading.read_spread_skill(spread, np.ones(3), count, 1.0)
    assert "too few to say" in reading.read_spread_skill(spread, spread, np.array([3, 100, 100]), 1.0)


def test_coverage_sentence_names_the_side_and_the_level():
    level = np.array([0.5, 0.9])
    assert "too narrow" in reading.read_coverage(level, np.array([0.3, 0.85]))
    assert "50%" in reading.read_coverage(level, np.array([0.3, 0.85]))
    assert "within 3 points" in reading.read_coverage(level, level + 0.01)


def test_references_are_named_whether_beaten_or_not():
    assert "beats persistence by 50%" in reading.read_references(1.0, {"persistence": 2.0})
    assert "does not beat persistence" in reading.read_references(2.0, {"persistence": 1.0})
    assert "and does not beat" in reading.read_references(1.0, {"persistence": 2.0, "seasonal naive": 0.5})


def test_the_ratio_curve_sentence_finds_the_crossing_or_says_there_is_none():
    grid = np.array([1, 4, 16])
    assert "between ν = 1 and 4" in reading.read_ratio_curve(grid, np.array([1.5, 0.9, 0.4]))
    assert "stays below 1" in reading.read_ratio_curve(grid, np.array([0.9, 0.5, 0.2]))
    assert "stays above 1" in reading.read_ratio_curve(grid, np.array([5.0, 3.0, 2.0]))


def test_costs_of_any_size_share_an_axis_and_what_is_infinite_is_left_out():
    cost = RNG.lognormal(5, 3, 20)
    assert np.argmin(scaled(cost)) == np.argmin(cost) and np.array_equal(np.argsort(scaled(cost)), np.argsort(cost))
    assert scaled(cost).min() == 0 and scaled(cost).max() == 1
    assert np.isnan(scaled(np.array([np.inf, np.inf]))).all() and scaled(np.array([2.0, 2.0])).tolist() == [0, 0]


def test_the_chosen_objective_is_drawn_thickest_and_every_optimum_is_marked():
    drawn = figures(LIGHT)["objectives"].data
    width = {one.name: one.line.width for one in drawn if "lines" in one.mode}
    assert width["one"] > 2 * width["other"]
    assert [one.x[0] for one in drawn if one.mode == "markers"] == [4.0, 5.0]


def test_the_line_through_single_passes_goes_from_left_to_right():
    line = next(one for one in figures(LIGHT)["single"].data if one.mode == "lines")
    assert list(line.x) == [1, 4, 16] and list(line.y) == [1, 0.5, 0.25]


def test_the_sentences_of_a_tuning_read_its_numbers():
    said = reading_tuning.read_objectives({"Pooled": 4.0, "CRPS": 2.0, "W1": 8.0}, "Pooled", at_bound=False)
    assert "ν = 4.00" in said and "2.00 to 8.00" in said
    assert "near 4.20" in reading_tuning.read_objectives({"Pooled": 4.0, "CRPS": 4.2}, "Pooled", at_bound=False)
    assert "lies beyond" in reading_tuning.read_objectives({"Pooled": 1.0}, "Pooled", at_bound=True)
    assert "0.75 of the error" in reading_tuning.read_bias(2.0, np.array([1, 4]), np.array([1.0, 0.5]))
    assert "cannot be told" in reading_tuning.read_bias(2.0, np.array([1, 4]), np.full(2, np.nan))
    both = reading_tuning.read_optima({"bootstrap": (1, 4), "posterior": (2, 2.2)})
    assert both.startswith("The bootstrap spans a factor of 4.00") and "bootstrap alone" in both
    assert "One interval" in reading_tuning.read_optima({"bootstrap": (1, 4)})
    assert "hardly move" in reading_tuning.read_single_passes(70, -0.5, 0.08, converged=True)
    assert "before" in reading_tuning.read_single_passes(70, -0.5, 0.08, converged=False)


def test_the_sentence_of_the_gains_names_what_chance_cannot_make():
    title, kind = ["Output inflation", "Shared draws", "Split conformal"], ["correction", "correction", "reference"]
    gain = np.array([[0.2, 0.1, 0.3], [-0.2, -0.3, -0.1], [0.1, -0.1, 0.3]])
    said = reading_tuning.read_gains(title, kind, gain, 0)
    assert "beyond chance: Output inflation. Worse: Shared draws." in said and "holds here" in said and "References" in said
    assert "does not hold here" in reading_tuning.read_gains(title, kind, gain, 1)
    assert "is not sure here" in reading_tuning.read_gains(title, kind, gain, 2)
    assert "no method" in reading_tuning.read_gains(["Shared draws"], ["correction"], gain[1:2], None)


def test_grades_go_by_word_and_by_mark():
    assert (judge_ratio(1.0).grade, judge_ratio(0.8).grade, judge_ratio(0.3).grade) == ("good", "doubtful", "bad")
    assert judge_ratio(0.0).word == "no spread"
    assert (judge_w1(0.01, 0.02).grade, judge_w1(0.2, 0.02).grade, judge_w1(0.2, math.nan).grade) == ("good", "bad", "none")
    assert (judge_crps(0.7, 1.0).grade, judge_crps(1.2, 1.0).grade) == ("good", "bad")
    assert (judge_coverage(0.91).grade, judge_coverage(0.5).grade) == ("good", "bad")
    assert (judge_rmse(1.0, 1.0).grade, judge_rmse(1.2, 1.0).grade) == ("good", "bad")
    assert len({judge_ratio(ratio).mark for ratio in (1.0, 0.8, 0.3)}) == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0123456, "0.0123"),
        (1.2345, "1.23"),
        (123.4, "123"),
        (12345.6, "12,346"),
        (0.0, "0"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (9.996, "10.0"),
    ],
)
def test_numbers_are_three_digits(value, said):
    assert number(value) == said
