"""Scores of an event with intervals: exact parts, paired skill, bands of chance, and the same numbers on the command line."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from stochattn_core.commands.program import main
from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.consistency import consistency_band
from stochattn_core.metrics.event_scores import SCORES_OF_EVENT, event_scores
from stochattn_core.metrics.events import Event, event_sums, reliability

CLIMATOLOGY = np.linspace(-3, 3, 99)


def forecast(seed: int = 0, n: int = 400, m: int = 19):
    """Members and target from one law, given a signal."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    return signal + rng.normal(size=(m, n)), signal + rng.normal(size=n)


@pytest.fixture(scope="module")
def scores():
    members, target = forecast()
    return event_scores(members, target, np.arange(400), Event(1.0), climatology=CLIMATOLOGY)


def test_an_estimate_of_a_mean_has_the_textbook_interval():
    x = torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = case_estimates(lambda s: s[..., :1] / s[..., 1:], torch.stack([x, torch.ones_like(x)], 1), np.arange(200))
    low, high = stats.t.interval(0.9, 199, loc=x.mean(), scale=x.std() / math.sqrt(200))
    assert mean.at(0) == pytest.approx((float(x.mean()), low, high), rel=1e-3)
    assert float(mean.n_effective[0]) == pytest.approx(200, rel=0.01)


def test_the_interval_of_a_ratio_covers_as_often_as_it_says():
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        sums = torch.from_numpy(np.stack([rng.exponential(1.0, 100), rng.exponential(2.0, 100)], 1))
        _, low, high = case_estimates(lambda s: s[..., :1] / s[..., 1:], sums, np.arange(100)).at(0)
        covered += low <= 0.5 <= high
    assert 0.85 <= covered / 300 <= 0.94


def test_points_of_a_curve_share_their_effective_number_and_independent_ones_keep_their_errors():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 15, generator=generator, dtype=torch.float64) * torch.arange(1, 16)
    alone, curve = (case_estimates(lambda s: s / 60, x, np.arange(60), is_curve=is_curve) for is_curve in (False, True))
    assert float(curve.n_effective.std()) == 0 and float(alone.n_effective.std()) > 0
    size = curve.error * math.sqrt(float(curve.n_effective[0]))
    torch.testing.assert_close(size, x.std(0), rtol=0.02, atol=0)
    assert float((curve.high - curve.low).max()) < float((alone.high - alone.low).max())


def test_one_case_has_a_value_and_no_interval():
    value, low, high = case_estimates(lambda s: s[..., :1], torch.ones(1, 1, dtype=torch.float64), np.zeros(1, dtype=int)).at(0)
    assert value == 1 and math.isnan(low) and math.isnan(high)


def test_the_rows_of_the_brier_score_add_up_to_it(scores):
    signs = {"reliability": 1, "resolution": -1, "uncertainty": 1, "within_variance": 1, "within_covariance": -1, "of_few_members": -1}
    assert sum(sign * scores[f"brier_{key}"].value for key, sign in signs.items()) == pytest.approx(scores["brier_fair"].value, abs=1e-14)


def test_a_skill_is_one_minus_the_ratio_of_the_two_scores(scores):
    assert scores["brier_skill"].value == pytest.approx(1 - scores["brier_fair"].value / scores["brier_climatology"].value, abs=1e-12)


def test_the_interval_of_a_skill_is_that_of_pairs():
    """For a forecast that is the climatology itself the skill is 0 in every case, so that its interval has no width."""
    target = np.random.default_rng(0).normal(size=200)
    members = np.repeat(CLIMATOLOGY[:, None], 200, 1)
    scores = event_scores(members, target, np.arange(200), Event(0.5), climatology=CLIMATOLOGY)
    plain = scores["brier_fair"].value + scores["brier_of_few_members"].value
    assert plain == pytest.approx(scores["brier_climatology"].value, abs=1e-14)
    assert scores["brier_skill"].high - scores["brier_skill"].low < 0.001
    assert scores["brier_climatology"].high - scores["brier_climatology"].low > 0.005


def test_without_a_climatology_there_is_no_skill_and_the_other_scores_stay(scores):
    alone = event_scores(*forecast(), np.arange(400), Event(1.0))
    for key, score in alone.items():
        if "climatology" in SCORES_OF_EVENT[key][0]:
            assert math.isnan(score.value) and math.isnan(score.low)
        else:
            assert score[1:5] == pytest.approx(scores[key][1:5])


def test_one_member_has_no_fair_score_and_keeps_its_discrimination():
    members, target = forecast(m=1)
    scores = event_scores(members, target, np.arange(400), Event(1.0), climatology=CLIMATOLOGY)
    assert math.isnan(scores["brier_fair"].value) and math.isnan(scores["tail_crps_fair"].value)
    assert 0.5 < scores["roc_area"].value < 1


def test_points_of_a_right_forecast_lie_in_the_band_nine_times_in_ten():
    inside = total = 0
    for seed in range(40):
        members, target = forecast(seed, m=49)
        counts = event_sums(members, target, Event(0.5)).counts
        low, high = consistency_band(counts, np.arange(400))
        observed = reliability(counts.sum(0)).observed
        inside += int(((observed >= low) & (observed <= high)).sum())
        total += int(low.isfinite().sum())
    assert 0.87 <= inside / total <= 0.95


def test_cases_that_are_repeated_make_a_band_no_narrower():
    """Each case five times in a row: known as a block, or found in the order of time."""
    members, target = forecast()
    once = event_sums(members, target, Event(0.5)).counts
    five_times = once.repeat_interleave(5, 0)
    bands = ((once, np.arange(400)), (five_times, np.arange(400).repeat(5)), (five_times, np.arange(2000)))
    alone, as_blocks, in_time = (
        float((high - low).nanmean()) for low, high in (consistency_band(counts, block) for counts, block in bands)
    )
    assert as_blocks == pytest.approx(alone, rel=0.1) and in_time == pytest.approx(alone, rel=0.2)


def test_the_command_line_prints_the_scores_of_an_event(capsys):
    arguments = ["evaluate", "--model", "ft_transformer", "--dataset", "diabetes", "--members", "9", "--event", ">200"]
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["event"]
    assert document["event"] == ">200" and set(document["scores"]) == set(SCORES_OF_EVENT)
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "event: target above 200" in text and f"{document['scores']['roc_area']['value']:.4g}" in text


def test_an_event_that_is_no_event_is_refused_before_anything_is_computed(capsys):
    assert main(["evaluate", "--model", "ft_transformer", "--dataset", "diabetes", "--event", "200"]) == 2
    assert "expected an event such as '>30'" in capsys.readouterr().err
