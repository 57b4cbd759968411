"""The sentence under each figure reads the shape that is there, and says nothing that the data leave open."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stochattn_core.panels.coverage import read_coverage
from stochattn_core.panels.fan import read_fan
from stochattn_core.panels.gains import read_gains
from stochattn_core.panels.objectives import read_bias, read_objectives
from stochattn_core.panels.optima import read_optima
from stochattn_core.panels.pit import read_pit
from stochattn_core.panels.ratio_curve import read_ratio_curve
from stochattn_core.panels.single_passes import read_single_passes
from stochattn_core.panels.spread_skill import read_ratio, read_spread_skill

FLAT, LOW, HIGH = np.ones(10), np.full(10, 0.8), np.full(10, 1.2)
SURE = {"dispersion": (1.0, (0.9, 1.1)), "mean": (0.5, (0.47, 0.53))}
SURE_RATIO, UNKNOWN = (0.95, 1.05), (math.nan, math.nan)


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
    assert said in read_pit(FLAT, LOW, HIGH, **(SURE | shape))


@pytest.mark.parametrize(
    ("dispersion", "amount", "said"),
    [
        ((1.4, (1.2, 1.6)), -1, "so the ensemble is too narrow; a smaller ν"),
        ((0.6, (0.5, 0.8)), 1, "so the ensemble is too wide; a larger ν"),
        ((1.4, (1.2, 1.6)), 0, "though the spread-skill ratio does not show too little spread beyond chance"),
        ((1.4, (1.2, 1.6)), 1, "though the spread-skill ratio does not show too little spread beyond chance"),
        ((0.6, (0.5, 0.8)), -1, "though the spread-skill ratio does not show too much spread beyond chance"),
    ],
)
def test_a_shape_of_the_pit_is_an_amount_only_where_the_ratio_says_the_same(dispersion, amount, said):
    """Heavy tails give a U shape as well, with the right amount of spread."""
    sentence = read_pit(FLAT, LOW, HIGH, dispersion=dispersion, mean=SURE["mean"], amount=amount)
    assert said in sentence and ("so the ensemble is" in sentence) == ("so the ensemble is" in said)


def test_nothing_is_said_of_the_amount_where_the_pit_has_no_shape():
    for amount in (-1, 0, 1):
        assert read_pit(FLAT, LOW, HIGH, **SURE, amount=amount) == read_pit(FLAT, LOW, HIGH, **SURE)


def test_a_wide_band_says_nothing_about_the_shape():
    assert "Too few" in read_pit(FLAT, FLAT - 0.9, FLAT + 0.9, **SURE)


def test_without_spread_every_sentence_says_so():
    assert "no spread" in read_pit(FLAT, LOW, HIGH, **SURE, has_spread=False)
    assert "no spread" in read_ratio(0.0, UNKNOWN)
    assert "∞" in read_fan(np.zeros((3, 4)), np.ones(4), np.zeros(4), np.zeros(4))


@pytest.mark.parametrize(
    ("ratio", "interval", "said"),
    [
        (0.6, (0.5, 0.7), "40% smaller than the error it should match; a smaller ν"),
        (1.5, (1.2, 1.8), "50% larger than the error it should match; a larger ν"),
        (1.02, (0.93, 1.09), "matches the error within 10% (90% range 0.930 to 1.09)"),
        (1.02, (0.89, 1.09), "too wide to tell"),
        (1.02, (0.3, 1.4), "too wide to tell"),
        (0.8, (0.6, 1.1), "does not exclude 1"),
        (1.02, (math.nan, math.nan), "too few independent cases to tell whether"),
    ],
)
def test_the_ratio_in_words_claims_no_more_than_its_range_allows(ratio, interval, said):
    assert said in read_ratio(ratio, interval)


def test_spread_that_tells_cases_apart_is_told_from_spread_that_does_not():
    spread, count = np.array([1.0, 2.0, 4.0]), np.array([100, 100, 100])
    assert "tells hard cases" in read_spread_skill(spread, spread, count, 1.0, SURE_RATIO)
    assert "does not tell" in read_spread_skill(spread, np.ones(3), count, 1.0, SURE_RATIO)
    assert "too few to say" in read_spread_skill(spread, spread, np.array([3, 100, 100]), 1.0, SURE_RATIO)


def test_coverage_sentence_names_the_side_and_the_level():
    level = np.array([0.5, 0.9])
    assert "too narrow" in read_coverage(level, np.array([0.3, 0.85]))
    assert "50%" in read_coverage(level, np.array([0.3, 0.85]))
    assert "within 3 percentage points" in read_coverage(level, level + 0.01)


def test_the_ratio_curve_sentence_finds_the_crossing_or_says_there_is_none():
    grid = np.array([1, 4, 16])
    assert "between ν = 1 and 4" in read_ratio_curve(grid, np.array([1.5, 0.9, 0.4]))
    assert "stays below 1" in read_ratio_curve(grid, np.array([0.9, 0.5, 0.2]))
    assert "stays above 1" in read_ratio_curve(grid, np.array([5.0, 3.0, 2.0]))


def test_the_sentences_of_a_tuning_read_its_numbers():
    said = read_objectives({"Pooled": 4.0, "CRPS": 2.0, "W1": 8.0}, "Pooled", at_bound=False)
    assert "ν = 4.00" in said and "2.00 to 8.00" in said
    assert "near 4.20" in read_objectives({"Pooled": 4.0, "CRPS": 4.2}, "Pooled", at_bound=False)
    assert "may lie beyond" in read_objectives({"Pooled": 1.0}, "Pooled", at_bound=True)
    assert "0.75 of the error" in read_bias(2.0, np.array([1, 4]), np.array([1.0, 0.5]))
    assert "is not known" in read_bias(2.0, np.array([1, 4]), np.full(2, np.nan))
    assert "hardly move" in read_single_passes(70, -0.5, 0.08, converged=True)
    assert "before ν* had settled" in read_single_passes(70, -0.5, 0.08, converged=False)


@pytest.mark.parametrize(
    ("n_effective", "said", "not_said"),
    [
        (240.0, "ν* is 16.2 (90% interval 15.0 to 17.9), on 240 independent calibration cases.", "trusted"),
        (19.4, "on 19 independent calibration cases. With fewer than 20, the interval is not to be trusted.", "whole range"),
        (1.0, "on 1 independent calibration case.", "cases."),
        (math.nan, "too few independent calibration cases for an interval, so the whole range is shown", "90%"),
    ],
)
def test_the_sentence_of_the_optimum_names_the_cases_behind_its_interval(n_effective, said, not_said):
    sentence = read_optima(16.2, (0.9, 15.0, 17.9), n_effective)
    assert said in sentence and not_said not in sentence


def test_the_sentence_of_the_gains_names_methods_beyond_chance():
    title, kind = ["Output inflation", "Shared draws", "Split conformal"], ["correction", "correction", "reference"]
    gain = np.array([[0.2, 0.1, 0.3], [-0.2, -0.3, -0.1], [0.1, -0.1, 0.3]])
    said = read_gains(title, kind, gain, 0)
    assert (
        "beyond chance: Output inflation. Worse: Shared draws." in said
        and f"recommended method, {title[0]}, is confirmed" in said
        and "Reference forecasts" in said
    )
    assert f"The recommended method, {title[1]}, has a higher fair CRPS there" in read_gains(title, kind, gain, 1)
    assert f"not certain whether the fair CRPS of the recommended method, {title[2]}," in read_gains(title, kind, gain, 2)
    assert "no evidence that a method" in read_gains(["Shared draws"], ["correction"], gain[1:2], None)
