"""The recommendation: every sentence where it is true, and where it is not said because it is not."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks.recommendations import part
from stochattn_core.compare.departure import QUANTITIES, State, is_as_calibrated, states
from stochattn_core.compare.estimate import Jackknife
from stochattn_core.compare.price import price_of
from stochattn_core.compare.recommendation import (
    LEAST_CASES,
    MARGIN,
    Candidate,
    Trial,
    gain_level,
    is_better,
    recommend,
    reduction_level,
    relative_gain,
)
from stochattn_core.metrics import central_intervals, crps
from stochattn_core.metrics.significance import Estimate
from stochattn_core.tuning.preview import CONCENTRATIONS, Preview
from stochattn_core.verdict import words

N = 3000
RNG = np.random.default_rng(0)
TARGET = RNG.standard_normal(N)
NOISE = RNG.standard_normal((19, N))
COSTS = math.sqrt(1 + 0.015) * NOISE + math.sqrt(0.015) * RNG.standard_normal(N)  # calibrated, at a CRPS that is 0.75% higher


def candidate(name, members, kind="correction", n=N, **more):
    return Candidate(name, name.capitalize(), kind, part(np.ascontiguousarray(members[:, :n]), TARGET[:n]), **more)


def alone(members, n=N):
    return Candidate("nu alone", "Concentration alone", "method", part(np.ascontiguousarray(members[:, :n]), TARGET[:n]))


def numbers(text):
    return [float(number) for number in re.findall(r"[0-9]+\.[0-9]+(?=%)", text)]


# ---- corrections


def test_a_lower_crps_at_no_worse_calibration_is_recommended_with_the_gain_that_there_is():
    found = recommend([alone(0.4 * NOISE), candidate("wider", NOISE), candidate("same", 0.4 * NOISE)])
    assert found.name == found.attention == "wider"
    before, after = (float(crps_of(scale * NOISE).mean()) for scale in (0.4, 1.0))
    assert "Wider lowers the fair CRPS of the concentration alone by" in found.sentence and "better calibrated" not in found.sentence
    assert numbers(found.sentence)[0] == pytest.approx(100 * (1 - after / before), abs=0.06)
    assert "spread-skill ratio 1.0" in found.sentence and "instead of 0.4" in found.sentence and "outside the limits" not in found.sentence


def crps_of(members):
    return crps(torch.from_numpy(members), torch.from_numpy(TARGET))


def test_better_calibration_may_cost_up_to_the_margin_and_no_more():
    near = 0.88 * NOISE  # its ratio is outside the limits, its CRPS hardly higher than that of a calibrated ensemble
    found = recommend([alone(near), candidate("dear", COSTS)])
    assert found.name == "dear" and "is better calibrated than the concentration alone" in found.sentence
    assert "lowers the fair CRPS" not in found.sentence
    too_dear = math.sqrt(1.15) * NOISE + math.sqrt(0.15) * RNG.standard_normal(N)
    found = recommend([alone(near), candidate("dear", too_dear)])
    assert found.name is None and found.sentence.startswith("No correction is recommended: of 1 tried, none is clearly better")


def test_a_lower_crps_at_worse_calibration_is_not_recommended():
    drifted = 1.4 * NOISE + RNG.standard_normal(N)  # calibrated about a mean that has drifted
    sharper = 0.6 * NOISE  # a better mean, too narrow
    found = recommend([alone(drifted), candidate("sharper", sharper)])
    assert states(alone(drifted).part)["spread_skill_ratio"].is_within
    assert relative_gain(Jackknife.of(alone(drifted).part), Jackknife.of(candidate("s", sharper).part), 0.9).low > 0
    assert found.name is None and found.attention == "nu alone"


def test_a_correction_that_helps_and_does_not_calibrate_is_said_to_be_outside_the_limits():
    found = recommend([alone(0.4 * NOISE), candidate("wider", 0.7 * NOISE)])
    assert (
        found.name == "wider"
        and "Its spread-skill ratio and its 90% coverage and its PIT distance from uniform are outside the limits" in found.sentence
    )


def test_the_calibrated_one_of_two_that_help_is_taken_before_the_one_with_more_gain():
    drifts = math.sqrt(1.05) * NOISE + math.sqrt(0.05) * RNG.standard_normal(N)
    found = recommend([alone(0.4 * NOISE), candidate("narrower", 0.87 * NOISE), candidate("calibrated", drifts)])
    gains = {name: trial.gain.estimate for name, trial in found.trials.items()}
    assert gains["narrower"] > gains["calibrated"] > 0 and found.name == "calibrated"


@pytest.mark.parametrize(("share", "is_said"), ((0.02, True), (0.099, True), (0.1, False), (1.0, False)))
def test_a_correction_with_hardly_any_attention_is_called_what_it_has_become(share, is_said):
    found = recommend([alone(0.4 * NOISE), candidate("wider", NOISE, attention_share=share, without_attention="Gaussian dressing")])
    assert ("this correction has become Gaussian dressing" in found.sentence) == is_said


def test_with_fewer_than_twenty_cases_nothing_is_recommended_and_the_sentence_counts_them():
    methods = lambda n: [alone(0.2 * NOISE, n), candidate("wider", NOISE, n=n), candidate("dressing", NOISE, "reference", n)]  # noqa: E731
    found = recommend(methods(12))
    counted = math.floor(found.n_effective)
    assert found.name is None and found.n_effective <= 12
    assert f"about {counted} independent cases" in found.sentence and f"add {LEAST_CASES - counted} or more" in found.sentence
    assert "independent cases" not in recommend(methods(200)).sentence


def test_without_corrections_none_is_recommended_and_references_still_take_part():
    assert recommend([alone(NOISE)]).sentence == "No correction that changes the members was fitted, so that there is none to recommend."
    found = recommend([alone(0.4 * NOISE), candidate("dressing", NOISE, "reference")])
    assert found.name == "dressing" and "attention adds nothing to dressing: use that" in found.sentence


def test_intervals_widen_with_the_number_tried_and_share_five_percent():
    for n in (1, 5, 12):
        shares = n * (1 - gain_level(n)) / 2 + n * len(QUANTITIES) * (1 - reduction_level(n)) / 2
        assert shares == pytest.approx(0.05)


WITHIN, OUTSIDE, FURTHER = State(1.0, 0.0, True), State(0.8, 0.2, False), State(0.7, 0.4, False)


def test_the_rules_one_by_one():
    sure, unsure, few = Estimate(0.1, 0.05, 0.15, 90), Estimate(0.1, -0.01, 0.2, 90), Estimate(0.1, 0.05, 0.15, LEAST_CASES - 1)
    costly = Estimate(-0.01, -MARGIN - 0.001, 0.0, 90)
    narrow, right = {"ratio": OUTSIDE}, {"ratio": WITHIN}
    for gain, reduction, state, before, wanted in (
        (sure, unsure, right, right, True),
        (few, unsure, right, right, False),
        (unsure, sure, right, narrow, True),
        (unsure, few, right, narrow, False),
        (unsure, sure, right, right, False),  # nu alone is within its limits: nothing to calibrate
        (costly, sure, right, narrow, False),
        (sure, sure, {"ratio": FURTHER}, narrow, False),
        (unsure, unsure, right, narrow, False),
    ):
        assert is_better(Trial(gain, {"ratio": reduction}, gain), state, before) is wanted
    assert is_as_calibrated(right, narrow) and is_as_calibrated(narrow, narrow) and not is_as_calibrated({"ratio": FURTHER}, narrow)
    assert not is_as_calibrated({"ratio": State(math.nan, math.nan, False)}, narrow)


# ---- rivals


def test_a_reference_that_does_as_well_is_recommended_in_plain_words():
    found = recommend([alone(0.4 * NOISE), candidate("wider", NOISE), candidate("dressing", NOISE + 1e-3, "reference")])
    assert (found.name, found.attention) == ("dressing", "wider")
    assert "For this model, attention adds nothing to dressing: use that" in found.sentence and "against wider" in found.sentence


def test_attention_that_is_better_is_said_to_add_and_no_reference_is_recommended():
    worse = math.sqrt(1.3) * NOISE + math.sqrt(0.3) * RNG.standard_normal(N)
    found = recommend([alone(NOISE), candidate("dressing", worse, "reference")])
    assert found.name is None and "The best reference forecast is dressing" in found.sentence and "attention adds to it" in found.sentence
    assert "adds nothing" not in found.sentence


def test_what_the_data_do_not_decide_is_said_not_to_be_decided():
    rng = np.random.default_rng(3)
    other = math.sqrt(1.3) * NOISE + math.sqrt(0.3) * rng.standard_normal(N)
    found = recommend([alone(NOISE, 60), candidate("dressing", other, "reference", 60)])
    assert found.name is None and "Whether attention adds to dressing is not decided by these data" in found.sentence


def test_a_reference_with_an_equal_crps_and_worse_calibration_is_not_recommended():
    found = recommend([alone(COSTS), candidate("dressing", 0.88 * NOISE, "reference")])
    assert found.name is None and "Dressing forecasts as well in CRPS, but departs further from calibration" in found.sentence


# ---- the price of calibration


def test_the_price_is_the_difference_of_coverages_and_the_ratio_of_crps():
    before, after = 0.5 * NOISE, NOISE
    hits = []
    for members in (before, after):
        low, high = central_intervals(torch.from_numpy(members), [0.9])
        hits.append(((low[0] <= torch.from_numpy(TARGET)) & (torch.from_numpy(TARGET) <= high[0])).numpy().astype(float))
    price = price_of(alone(before).part, alone(after).part, 0.9)
    assert price.coverage.estimate == pytest.approx(hits[1].mean() - hits[0].mean())
    assert price.coverage[1:3] == pytest.approx(stats.ttest_rel(hits[1], hits[0]).confidence_interval(0.9), abs=0.004)
    assert price.crps.estimate == pytest.approx(float(crps_of(after).mean() / crps_of(before).mean()) - 1)
    assert price.crps.low < price.crps.estimate < price.crps.high < 0


NAMED = re.compile(r"inflat|dress|conformal|shared draws|fractional|fewer layers")


@pytest.mark.parametrize(
    ("reach", "expected", "cost", "needs_more"),
    (
        ((0.4, 0.2, 0.1), 0.1, 1.0, True),
        ((9.0, 8.0, 7.0), 1e6, 1.0, True),
        ((2.0, 1.0, 0.5), 20.0, 1.5, True),
        ((2.0, 1.0, 0.5), 20.0, 1.0, False),
    ),
)
def test_a_preview_leaves_the_choice_of_a_correction_to_the_comparison(reach, expected, cost, needs_more):
    said = Preview(dict(zip(CONCENTRATIONS, reach, strict=True)), expected, cost, {}, 1, 1, 1.0).sentence
    assert not NAMED.search(said) and ("compare the corrections" in said) == needs_more


def test_a_verdict_leaves_the_choice_of_a_correction_to_the_comparison():
    assert words.NEXT[words.UNREACHED] == words.COMPARE and not any(NAMED.search(text) for text in words.NEXT.values())
