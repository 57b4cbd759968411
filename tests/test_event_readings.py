"""The sentences of the tab Events: each is said where it is true, and not where it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from stochattn_core.metrics.event_scores import EventScore
from stochattn_core.metrics.events import EventSums
from stochattn_core.panels.event_discrimination import read_roc
from stochattn_core.panels.event_reliability import at_most_by_chance, read_reliability
from stochattn_core.panels.event_sums import KnownEvent, certain_text
from stochattn_core.panels.event_table import read_event
from stochattn_core.panels.event_value import read_value

P = np.linspace(0.05, 0.95, 10)
NAN = np.full(10, math.nan)


@pytest.mark.parametrize(
    ("moved", "said", "not_said"),
    [
        (0, "None of the 10 points lies outside", "more than chance"),
        (1, "1 of 10 points lies outside the 90% band, no more than chance explains", "more than chance explains. The furthest: where"),
        (4, "4 of 10 points lie outside the 90% band, more than chance explains", "no evidence"),
    ],
)
def test_reliability_is_doubted_where_more_points_are_outside_than_chance_explains(moved, said, not_said):
    observed = P + np.where(np.arange(10) < moved, 0.3 - 0.01 * np.arange(10), 0.0)
    text = read_reliability(P, observed, P - 0.1, P + 0.1)
    assert said in text and (not_said not in text or moved == 1)
    assert ("where the mean forecast was 5%, the event happened in 35%" in text) is (moved > 0)


def test_reliability_without_a_band_makes_no_claim():
    assert "too few independent cases" in read_reliability(P, P + 0.4, NAN, NAN)


def test_the_number_of_points_that_chance_explains_is_the_binomial_one():
    """10 points outside with probability 0.1 each: 3 or fewer with probability .987, 2 or fewer with .930."""
    draws = np.random.default_rng(0).binomial(10, 0.1, 200_000)
    assert (draws > at_most_by_chance(10)).mean() <= 0.05 < (draws > at_most_by_chance(10) - 1).mean()


@pytest.mark.parametrize(
    ("area", "said"),
    [
        ((0.8, 0.7, 0.9), "tells them apart beyond chance"),
        ((0.55, 0.45, 0.65), "no evidence that the ensemble tells"),
        ((0.3, 0.2, 0.4), "wrong way round"),
        ((0.8, math.nan, math.nan), "too few independent cases"),
    ],
)
def test_discrimination_is_claimed_where_its_interval_excludes_a_half(area, said):
    sentences = ["tells them apart beyond chance", "no evidence that the ensemble tells", "wrong way round", "too few independent cases"]
    text = read_roc(area)
    assert [sentence for sentence in sentences if sentence in text] == [said]


def test_value_is_claimed_where_its_interval_lies_above_zero():
    ratio, value = np.array([0.1, 0.3, 0.5, 0.7]), np.array([0.1, 0.6, 0.4, -0.5])
    sure = read_value(ratio, value, np.array([-0.1, 0.4, 0.2, -0.9]), np.array([0.3, 0.8, 0.6, -0.1]))
    assert "At all cost-loss ratios from 30% to 50%" in sure and "60% of what a perfect forecast would save, at 30%" in sure
    assert "At 1 of the 4 ratios shown it lies below 0" in sure
    gap = read_value(ratio, value, np.array([0.05, -0.4, 0.2, -0.9]), np.ones(4))
    assert "At some cost-loss ratios from 10% to 50%" in gap and "below 0" not in gap
    assert "At a cost-loss ratio of 30%" in read_value(ratio, value, np.array([-0.1, 0.4, -0.2, -0.9]), np.ones(4))
    assert "there is no evidence" in read_value(ratio, value, value - 1, value + 1)
    assert "too few cases" in read_value(ratio, value, np.full(4, math.nan), np.full(4, math.nan))


def score(value, low, high):
    return EventScore("", value, low, high, 10.0)


@pytest.mark.parametrize(
    ("skill", "said"),
    [
        ((0.3, 0.1, 0.5), "30% better than that of the climatology, beyond chance"),
        ((-0.3, -0.5, -0.1), "30% worse than that of the climatology, beyond chance"),
        ((0.1, -0.1, 0.3), "no evidence"),
        ((0.1, math.nan, math.nan), "too few independent cases"),
        ((math.nan, math.nan, math.nan), "No climatology is known"),
    ],
)
def test_skill_is_claimed_where_its_interval_excludes_zero(skill, said):
    text = read_event("above 30 °C", {"base_rate": score(0.25, 0.2, 0.3), "brier_skill": score(*skill)})
    assert text.startswith("The target was above 30 °C in 25.0% of all values") and said in text
    assert ("beyond chance" in text) is ("beyond chance" in said)


@pytest.mark.parametrize(("n_event", "said"), [(0, "in none of 5 values"), (5, "in every one of 5 values")])
def test_an_event_that_is_certain_is_called_so(n_event, said):
    nothing = torch.zeros(1, 2, 3)
    known = KnownEvent("above 1", EventSums(nothing, nothing[:, 0, 0]), np.zeros(1), 2, 5, n_event)
    assert known.is_certain and said in certain_text(known)
    assert not known._replace(n_event=2).is_certain
