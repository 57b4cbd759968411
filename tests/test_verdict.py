"""The verdict: every word for an ensemble that deserves it and not for one nearby, and degenerate inputs give a sentence, not a traceback."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import simulated_ensembles
from benchmarks.verdicts import KINDS, tuned
from stochattn_core.verdict import WORDS, judge, words
from stochattn_core.verdict.summary import summarise
from tests.known_ensembles import ensemble_of, log_normal, normal, perfect


@pytest.mark.parametrize("name", KINDS)
def test_networks_built_to_have_a_verdict_get_it(name, empty_cache):
    """The pooled objective takes the drift of the mean for spread: where it drifts, the spread stays short, and the finding says both."""
    allowed = {words.CALIBRATED: (words.CALIBRATED, words.NEARLY), words.DRIFTED: (words.DRIFTED, words.NARROW)}
    judged = tuned(name, 0)
    assert judged.word in allowed.get(KINDS[name].word, (KINDS[name].word,)), judged.sentence
    assert (re.search(r"errs 1\d% more .* than the plain model", judged.sentence) is not None) == (name == "drifted")


BAD = ("skewed up", "laplace", "regimes", "leads", "season", "wide", "narrow 400", "narrow rho 0.5")


@pytest.mark.parametrize("name", ("good", "good season", "good rho 0.5", *BAD))
def test_a_good_ensemble_is_called_nothing_worse_than_nearly_and_a_bad_one_is_not_called_calibrated(name):
    """One draw of some kinds of the benchmark, which counts a hundred of each."""
    judged = judge(simulated_ensembles.ensemble(name, 1))
    assert (judged.word in (words.CALIBRATED, words.NEARLY)) == simulated_ensembles.KINDS[name].is_good, judged.sentence


# ---- every word, and an ensemble nearby for which it is not said


def biased(size, n=2000):
    """A bias of so many RMSE, with a mean square of 1."""
    return ensemble_of(size + math.sqrt(1 - size**2) * normal(n))


def drifted(size, n=2000):
    """The mean differs from the plain forecast by noise of that size, for which the spread makes up."""
    return ensemble_of(normal(n), math.sqrt(1 + size**2), drift=size * normal(n, seed=3))


def one_lead(bias, n=1000):
    """Five lead times, of which the third alone has a bias."""
    return ensemble_of(normal(n, 5) + bias * (np.arange(5) == 2))


def exponential(n=2000):
    return np.random.default_rng(0).exponential(size=n) - 1


WIDTH = log_normal(0.6, 2000)
# word: an ensemble that deserves it, and whether the search ended at its smallest or largest concentration; then one nearby, in the same way
CASES = {
    words.CALIBRATED: (perfect(4000), (), biased(0.2, 4000), ()),
    words.NEARLY: (perfect(220), (), perfect(4000), ()),
    words.FEW: (perfect(15), (), perfect(500), ()),
    words.ON_AVERAGE: (one_lead(0.5), (), one_lead(0.05), ()),
    words.NARROW: (ensemble_of(normal(2000), 0.6), (), ensemble_of(normal(2000), 0.95), ()),
    words.WIDE: (ensemble_of(normal(2000), 1.6), (), ensemble_of(normal(2000), 1.05), ()),
    words.BIASED: (biased(0.4), (), biased(0.1), ()),
    words.SHAPE: (ensemble_of(exponential()), (), ensemble_of(normal(2000)), ()),
    words.MISPLACED: (ensemble_of(normal(2000), WIDTH, m=49), (), ensemble_of(WIDTH * normal(2000), WIDTH, m=49), ()),
    words.UNREACHED: (ensemble_of(normal(2000), 0.4), ("at_low",), ensemble_of(normal(2000), 0.4), ()),
    words.OVER: (ensemble_of(normal(2000), 2.0), ("at_high",), ensemble_of(normal(2000), 2.0), ("at_low",)),
    words.DRIFTED: (drifted(0.5), (), drifted(0.2), ()),
}


def judged_at(ensemble, ends):
    return judge(ensemble, **dict.fromkeys(ends, True))


def test_there_is_a_case_for_every_word():
    assert set(CASES) == set(WORDS) == set(words.NEXT)


@pytest.mark.parametrize("word", CASES)
def test_a_word_is_said_where_it_is_true_and_not_nearby(word):
    ensemble, ends, nearby, other_ends = CASES[word]
    judged, other = judged_at(ensemble, ends), judged_at(nearby, other_ends)
    assert judged.word == word, judged.sentence
    assert judged.sentence == f"{judged.finding}; {words.NEXT[word]}." and "\n" not in judged.sentence and "nan" not in judged.sentence
    assert other.word != word, other.sentence
    assert judged.grade == {words.CALIBRATED: "good", words.NEARLY: "doubtful", words.FEW: "doubtful"}.get(word, "bad")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (words.CALIBRATED, "spread, shape, bias, coverage and mean are inside their limits, also by forecast and spread"),
        (words.NEARLY, r"it misses by less than [\d.]+"),
        (words.FEW, r"on 1\d independent cases: at least 20 are needed"),
        (words.ON_AVERAGE, r"it is not calibrated at the lead 3 days: bias over RMSE −0\.(4|5)\d \(−0\.\d+ to −0\.\d+\)"),
        (words.NARROW, r"the spread is (3[89]|4[0-3])% smaller than the error"),
        (words.WIDE, r"the spread is 5\d% larger than the error"),
        (words.BIASED, r"the forecast is too low by 0\.(3[6-9]|4\d) of its RMSE"),
        (words.SHAPE, "the errors are skewed, with a long tail of targets above the members"),
        (words.MISPLACED, "right on average, and is wrong at the (smallest|largest) tenth of the spread"),
        (words.UNREACHED, r"the largest noise there is, gives 0\.(39|4\d) of the spread"),
        (words.OVER, r"even the largest concentration spreads too much, by 8\d%"),
        (words.DRIFTED, r"the ensemble mean errs 1\d% more \(\+\d+% to \+\d+%\) than the plain model"),
    ],
)
def test_the_finding_holds_the_number_that_was_built_in(word, said):
    ensemble, ends, *_ = CASES[word]
    judged = judged_at(ensemble, ends)
    assert re.search(said, judged.finding), judged.finding
    assert re.match(r"spread-skill ratio \d", judged.finding)


def test_the_worst_slice_is_named_and_only_where_one_departs():
    assert judge(one_lead(0.5)).worst == "lead 3 days" and not judge(one_lead(0.05)).worst
    assert "spread" in judge(CASES[words.MISPLACED][0]).worst and not judge(perfect(4000)).worst


@pytest.mark.parametrize("sign", (1, -1))
def test_the_side_of_a_fault_is_the_one_that_was_built_in(sign):
    assert f"targets {'above' if sign > 0 else 'below'} the members" in judge(ensemble_of(sign * exponential())).finding
    assert f"too {'low' if sign > 0 else 'high'}" in judge(biased(0.4 * sign)).finding


def rare_and_large(rng, n):
    return np.where(rng.random(n) < 0.15, 2.5, 0.3) * rng.standard_normal(n)


def of_one_size(rng, n):
    return np.where(rng.random(n) < 0.5, 1, -1) + 0.3 * rng.standard_normal(n)


def of_student(rng, n):
    return rng.standard_t(4, n)


def uniform(rng, n):
    return rng.uniform(-1, 1, n)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (rare_and_large, "the tails of the errors are heavier than those of the members"),
        (of_one_size, "the tails of the errors are lighter than those of the members"),
        (of_student, "the targets lie too near the middle of the members"),
        (uniform, "the targets lie too far from the middle of the members"),
    ],
)
def test_the_shape_of_the_errors_is_named(draw, said):
    """All have the right variance. Uniform errors never lie outside 49 members, although their PIT is a U."""
    errors = draw(np.random.default_rng(5), 3000)
    judged = judge(ensemble_of(errors / errors.std(), m=49))
    assert judged.word == words.SHAPE and judged.finding.endswith(f": {said}"), judged.finding
    assert said not in judge(perfect(3000)).finding


@pytest.mark.parametrize("n", (60, 100))
def test_too_few_cases_say_how_many_more_are_needed_and_with_them_the_verdict_is_another(n):
    judged = judge(perfect(n))
    assert judged.word == words.FEW
    more = int(re.search(r"about ([\d,]+) more independent cases are needed", judged.finding)[1].replace(",", ""))
    others = [judge(perfect(n + more, seed=seed)).word for seed in range(5)]
    assert sum(word in (words.CALIBRATED, words.NEARLY) for word in others) >= 4, (more, others)


def test_dependent_cases_are_fewer():
    """The same number of cases with errors that go on for some time: not calibrated any more, but too few."""
    errors = simulated_ensembles.autoregression(np.random.default_rng(0), 0.97, 1000)
    judged = judge(ensemble_of(errors, m=49))
    assert judged.word == words.FEW and judged.n_effective < 100 < judge(perfect(1000)).n_effective


@pytest.mark.parametrize("m", (2, 5, 49))
def test_few_members_are_not_judged_as_a_drifted_mean_or_as_narrow_intervals(m):
    """The mean of M perfect members errs sqrt(1 + 1 / M) times as much as the plain forecast."""
    judged = judge(perfect(4000, m=m))
    cost, coverage = judged.evidence["cost"], judged.evidence["coverage_90"]
    assert cost.low < 1 < cost.high and abs(cost.estimate - 1) < 0.05
    assert coverage.estimate == pytest.approx(0.9, abs=0.02)
    assert judged.word in (words.CALIBRATED, words.NEARLY), judged.sentence


def test_the_tiles_and_the_verdict_rest_on_the_same_tests():
    ensemble = CASES[words.SHAPE][0]
    judged, summary = judge(ensemble), summarise(ensemble.pooled)
    for name in ("ratio", "bias", "cost", "shape"):
        assert summary.verdict.evidence[name][:3] == pytest.approx(judged.evidence[name][:3], rel=1e-3), name
    assert summary.judgements["w1"].grade == "bad" and judged.word == words.SHAPE == summary.verdict.word


# ---- strange ensembles end in a word


def with_targets(change, *shape, **more):
    ensemble = ensemble_of(normal(*(shape or (200,))), m=9, **more)
    change(ensemble.target)
    return ensemble


def nowhere(target):
    target[:] = np.nan


def on_land(target):
    target[:, :, 2:] = np.nan


def here_and_there(target):
    target[np.random.default_rng(0).random(target.shape) < 0.5] = np.nan


MAP = {"dims": ("time", "latitude", "longitude"), "latitude": (-60.0, 0.0, 60.0), "longitude": (0.0, 90.0, 180.0, 270.0)}
STRANGE = {
    "no target": with_targets(nowhere),
    "half of the targets": with_targets(here_and_there),
    "constant targets": ensemble_of(-perfect(200).plain, m=9, plain=np.zeros(200)),
    "one target for all": ensemble_of(np.ones(200), m=9, plain=np.zeros(200)),
    "no spread": ensemble_of(normal(200), 0.0),
    "neither spread nor error": ensemble_of(np.zeros(200), 0.0),
    "no error": ensemble_of(np.zeros(200)),
    "one block": ensemble_of(normal(200), block=np.zeros(200, dtype=int)),
    "two blocks": ensemble_of(normal(200), block=np.arange(200) // 100),
    "one case": ensemble_of(normal(1)),
    "two cases": ensemble_of(normal(2)),
    "two members": perfect(200, m=2),
    "three members": perfect(200, m=3),
    "a masked map": with_targets(on_land, 100, 3, 4, index=pd.RangeIndex(100), lead_time=(), lead_unit="", **MAP),
    "members on a grid of values": ensemble_of(np.round(normal(400)), np.round(2 * normal(400, seed=7)), plain=np.zeros(400)),
    "huge numbers": ensemble_of(1e12 * normal(200), 1e12),
    "tiny numbers": ensemble_of(1e-12 * normal(200), 1e-12, plain=np.zeros(200)),
    "one huge error": ensemble_of(np.where(np.arange(200) == 7, 1e6, normal(200))),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_ensemble_ends_in_a_word_and_a_sentence_without_nan(name):
    ensemble = STRANGE[name]
    for judged in (judge(ensemble), judge(ensemble, at_low=True), summarise(ensemble.pooled).verdict):
        assert judged.word in WORDS and "nan" not in judged.sentence and "inf" not in judged.sentence, judged.sentence
        assert name in ("two members", "three members", "half of the targets", "a masked map") or judged.word != words.CALIBRATED
        assert set(judged.evidence) >= {"ratio", "bias", "coverage_90", "cost", "shape"}


@pytest.mark.parametrize("name", ("no target", "no spread", "neither spread nor error", "one block", "one case", "two cases"))
def test_nothing_is_claimed_of_cases_that_cannot_be_judged(name):
    assert judge(STRANGE[name]).word == words.FEW


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_the_target_changes_no_verdict(unit):
    plain = np.zeros(500)
    one, other = judge(ensemble_of(normal(500), 0.9, plain=plain)), judge(ensemble_of(unit * normal(500), 0.9 * unit, plain=plain))
    assert other.word == one.word and other.finding == one.finding and other.n_effective == pytest.approx(one.n_effective)
