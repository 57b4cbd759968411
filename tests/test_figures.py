"""Figures draw what they are given, and the sentences under them read the shape that is there."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from stochattn_core.figures.attention_row import row_deviation, row_output, row_weights
from stochattn_core.figures.coverage import coverage
from stochattn_core.figures.curve import ratio_curve, slider_strip
from stochattn_core.figures.fan import central, fan
from stochattn_core.figures.fitted import fitted, shown_cases
from stochattn_core.figures.gains import gains
from stochattn_core.figures.lead_curves import Line, lead_curves
from stochattn_core.figures.objectives import Span, objective_curves, optima, scaled
from stochattn_core.figures.pit import pit
from stochattn_core.figures.regions import by_region
from stochattn_core.figures.single_passes import single_passes
from stochattn_core.figures.spread_skill import spread_skill
from stochattn_core.figures.theme import BROWSER, DARK, LIGHT, number

RNG = np.random.default_rng(0)
MEMBERS = RNG.normal(size=(49, 12))
TIMES = np.arange("2000-01", "2003-01", dtype="datetime64[M]").astype("datetime64[ns]")
FLAT, LOW, HIGH = np.ones(10), np.full(10, 0.8), np.full(10, 1.2)
LINE = Line("error", "RMSE", "RMSE", *[np.linspace(0.1, 0.9, 9)] * 3)
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
        "lead_time": lead_curves(level, [LINE], subtitle="M = 49 · N = 100", palette=palette),
        "regions": by_region([str(i) for i in range(9)], [LINE], subtitle="M = 49 · N = 100", palette=palette),
        "objectives": objective_curves(
            np.array([1, 4, 16]),
            {"one": np.array([3.0, 1.0, 2.0]), "other": np.array([np.inf, 1.0, 2.0])},
            {"one": 4.0, "other": 5.0},
            chosen="one",
            subtitle="M = 10",
            palette=palette,
        ),
        "optima": optima(
            [Span("pooled: ν*", 4, 3, 6, "ensemble", strong=True), Span("w1", 5, 5, 5)],
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
        "law": row_deviation(np.full(4, 0.25), np.full(4, 0.25), np.full(4, 0.1), concentration=2, n_draw=10, palette=palette),
        "output": row_output(RNG.normal(size=50), 0.0, 1.0, concentration=2, palette=palette),
    }


@pytest.mark.parametrize("palette", [LIGHT, DARK, BROWSER])
def test_every_figure_is_drawn_with_a_title_and_a_clear_background(palette):
    for name, figure in figures(palette).items():
        assert figure.data, name
        assert figure.layout.plot_bgcolor == "rgba(0,0,0,0)", name
        assert name == "strip" or figure.layout.title.text, name


def test_titles_of_results_show_members_and_cases():
    for name in ("pit", "spread_skill", "coverage", "lead_time", "regions", "fitted"):
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


def contrast(colour: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(colour), luminance(other)), reverse=True)
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


def test_costs_of_any_size_share_an_axis_and_what_is_infinite_is_left_out():
    cost = RNG.lognormal(5, 3, 20)
    assert np.argmin(scaled(cost)) == np.argmin(cost) and np.array_equal(np.argsort(scaled(cost)), np.argsort(cost))
    assert scaled(cost).min() == 0 and scaled(cost).max() == 1
    assert np.isnan(scaled(np.array([np.inf, np.inf]))).all() and scaled(np.array([2.0, 2.0])).tolist() == [0, 0]


def test_the_chosen_objective_is_drawn_thickest_and_every_optimum_is_marked():
    drawn = figures(LIGHT)["objectives"].data
    width = {trace.name: trace.line.width for trace in drawn if "lines" in trace.mode}
    assert width["one"] > 2 * width["other"]
    assert [trace.x[0] for trace in drawn if trace.mode == "markers"] == [4.0, 5.0]


def test_the_line_through_single_passes_goes_from_left_to_right():
    line = next(trace for trace in figures(LIGHT)["single"].data if trace.mode == "lines")
    assert list(line.x) == [1, 4, 16] and list(line.y) == [1, 0.5, 0.25]


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
