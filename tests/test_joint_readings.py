"""The sentences of the tab Joint behaviour: each is said where it is true, and not where it is not."""

from __future__ import annotations

import math

import pytest

from stochattn_core.baselines import BASELINES
from stochattn_core.compare.joint import FITS
from stochattn_core.metrics.aggregates import AggregateScores, Interval
from stochattn_core.panels import vector_scores
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
    assert (
        "too small, beyond chance, for the maximum (ratio 0.700)" in text
        and "too large, beyond chance, for the change (ratio 1.40)" in text
    )
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


def rival(score, gain):
    return vector_scores.Row("x", "Dressing", score, UNKNOWN, gain)


def test_a_rival_is_called_better_or_worse_beyond_chance_only():
    better, worse, equal = Interval(1.0, 0.5, 1.5), Interval(-1.0, -1.5, -0.5), Interval(0.1, -0.5, 0.7)
    text = read_vector_scores([rival("energy", better), rival("variogram", worse)])
    assert "In the energy score, Dressing is better than this ensemble, beyond chance." in text
    assert "In the variogram score, Dressing is worse than this ensemble, beyond chance." in text and "no evidence" not in text
    text = read_vector_scores([rival("energy", better), rival("variogram", equal)])
    assert (
        "Dressing is better than this ensemble" in text and "no evidence that a rival differs from this ensemble in the variogram" in text
    )
    assert "beyond chance" not in read_vector_scores([rival("energy", equal), rival("variogram", equal)])
    assert "too few" in read_vector_scores([rival("energy", Interval(1.0, math.nan, math.nan))])
    assert "No rival was computed" in read_vector_scores([])


def test_rivals_with_a_smaller_crps_are_named_with_their_aggregates():
    own = [row("Mean over lead times", 1.0, 0.9, 1.1), row("Maximum", 1.0, 0.9, 1.1)]
    rivals = [Row(each.aggregate, "x", "Dressing", each.scores._replace(gain=Interval(1.0, 0.5, 1.5))) for each in own]
    text = read_aggregates([*own, *rivals], 49)
    assert "Dressing has a smaller CRPS of the mean over lead times and the maximum, beyond chance." in text and "No rival" not in text
    equal = [each._replace(scores=each.scores._replace(gain=Interval(0.1, -0.5, 0.7))) for each in rivals]
    assert "No rival has a smaller CRPS" in read_aggregates([*own, *equal], 49)
    assert "rival" not in read_aggregates(own, 49) and "smaller CRPS" not in read_aggregates(own, 49)


def test_rivals_are_named_in_a_sentence_with_one_verb_for_several():
    better, worse = Interval(1.0, 0.5, 1.5), Interval(-1.0, -1.5, -0.5)
    both = [rival("energy", better), rival("energy", better)._replace(method="Conformal"), rival("energy", worse)._replace(method="Other")]
    assert "Dressing and Conformal are better than this ensemble; Other is worse, beyond chance." in read_vector_scores(both)


@pytest.mark.parametrize(("query", "n_row"), [({}, 10), ({"task": "series", "dataset": "sunspots"}, 15)])
def test_the_tab_computes_the_rivals_when_it_is_opened(query, n_row):
    test = opened("explore", **query)
    test.session_state[f"tabs-{query.get('task', 'table')}"] = "Joint behaviour"
    test.run()
    assert not test.exception and not test.error
    page = html(test)
    assert "Nothing was tuned on these aggregates" in page and "No rival was computed" not in page
    assert sum(page.count(f"<td>{title}</td>") for title in ("This ensemble", *(BASELINES[key].title for key in FITS))) >= n_row
