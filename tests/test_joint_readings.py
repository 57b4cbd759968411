"""The sentences of the tab Joint behaviour: each is said where it is true, and not where it is not."""

from __future__ import annotations

import math

import pytest

from stochattn_core.baselines import BASELINES
from stochattn_core.compare.joint import FITS
from stochattn_core.metrics.aggregates import AggregateScores, Interval
from stochattn_core.panels.aggregates import Row, read_aggregates
from stochattn_core.panels.lag_correlation import read_correlation
from stochattn_core.panels.vector_scores import read_vector_scores
from tests.app import html, opened

UNKNOWN = Interval(math.nan, math.nan, math.nan)


def row(title, *ratio):
    return Row(title, "attention", "", AggregateScores(Interval(*ratio), UNKNOWN, 0.1, 0.1, UNKNOWN, UNKNOWN, 50, 50.0))


def test_a_spread_is_called_wrong_only_where_its_interval_excludes_one():
    right, narrow, wide = row("Mean over lead times", 1.0, 0.9, 1.1), row("Maximum", 0.7, 0.6, 0.8), row("Change", 1.4, 1.2, 1.6)
    text = read_aggregates([right, narrow, wide], 49)
    assert "too small beyond chance for: maximum (0.700)" in text and "too large beyond chance for: change (1.40)" in text
    assert "mean over lead times" not in text and "no evidence" not in text
    assert "no evidence that a spread is wrong" in read_aggregates([right], 49)
    assert "too small" not in read_aggregates([right], 49)


def test_aggregates_that_cannot_be_judged_are_not():
    assert "too few independent cases" in read_aggregates([row("Mean", 0.5, math.nan, math.nan)], 49)
    assert "nothing to add up" in read_aggregates([], 49)
    assert "no spread" in read_aggregates([row("Mean", 0.0, 0.0, 0.0)], 49)


def test_the_coverage_that_few_members_reach_is_named_for_few_members_alone():
    assert "a perfect ensemble covers 80%" in read_aggregates([row("Mean", 1.0, 0.9, 1.1)], 9)
    assert "a perfect ensemble" not in read_aggregates([row("Mean", 1.0, 0.9, 1.1)], 49)


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        ((-0.4, -0.5, -0.3), "less persistently than the errors"),
        ((0.4, 0.3, 0.5), "more persistently than the errors"),
        ((0.1, -0.1, 0.3), "no evidence that they differ"),
        ((0.1, math.nan, math.nan), "too few independent cases"),
    ],
)
def test_persistence_is_compared_where_the_paired_interval_excludes_zero(gap, said):
    sentences = ["less persistently", "more persistently", "no evidence that they differ", "too few independent cases"]
    text = read_correlation(0.5, 0.5 - gap[0], gap)
    assert said in text and sum(sentence in text for sentence in sentences) == 1


def test_members_without_spread_are_not_compared():
    assert "no spread" in read_correlation(math.nan, 0.5, (math.nan,) * 3)


def test_the_whole_event_is_compared_beyond_chance_only():
    better, worse, equal = Interval(1.0, 0.5, 1.5), Interval(-1.0, -1.5, -0.5), Interval(0.1, -0.5, 0.7)
    text = read_vector_scores({"energy": better, "variogram": worse})
    assert "better in the energy score and worse in the variogram score" in text and "no evidence" not in text
    text = read_vector_scores({"energy": better, "variogram": equal})
    assert "better in the energy score than" in text and "no evidence of a difference from residual dressing in the variogram score" in text
    assert not read_vector_scores({"energy": equal, "variogram": equal}).startswith("Beyond chance")
    assert "too few" in read_vector_scores({"energy": Interval(1.0, math.nan, math.nan), "variogram": better})
    assert "No rival was computed" in read_vector_scores({"energy": UNKNOWN, "variogram": UNKNOWN})


@pytest.mark.parametrize(("query", "n_row"), [({}, 10), ({"task": "series", "dataset": "sunspots"}, 15)])
def test_the_tab_computes_the_rivals_when_it_is_opened(query, n_row):
    test = opened("explore", **query)
    test.session_state[f"tabs-{query.get('task', 'table')}"] = "Joint behaviour"
    test.run()
    assert not test.exception and not test.error
    page = html(test)
    assert "Nothing was tuned on these aggregates" in page and "No rival was computed" not in page
    assert sum(page.count(f"<td>{title}</td>") for title in ("This ensemble", *(BASELINES[key].title for key in FITS))) >= n_row
