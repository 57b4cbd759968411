"""Threshold events: every score against another library, a slow definition or a closed form."""

import math

import numpy as np
import pytest
import scoringrules
import torch
from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

from stochattn_core.metrics import events
from stochattn_core.metrics.events import Event, event_sums

N_CASE, N_MEMBER, N_LEAD = 300, 19, 3


@pytest.fixture(scope="module")
def forecast():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(N_CASE, N_LEAD))
    members = (0.8 * signal + rng.normal(size=(N_MEMBER, N_CASE, N_LEAD))).astype(np.float32)
    target = (signal + 0.7 * rng.normal(size=(N_CASE, N_LEAD))).astype(np.float32)
    return members, target


@pytest.fixture(scope="module")
def counts(forecast):
    return event_sums(*forecast, Event(0.5)).counts.sum(0)


@pytest.fixture(scope="module")
def pairs(forecast):
    """Probabilities and outcomes one by one."""
    members, target = forecast
    return (members > 0.5).mean(0).ravel(), (target > 0.5).ravel()


def test_the_plain_brier_score_is_that_of_scikit_learn(counts, pairs):
    probability, outcome = pairs
    assert float(events.brier(counts, fair=False)) == pytest.approx(brier_score_loss(outcome, probability), rel=1e-12)


def test_the_fair_brier_score_is_that_of_scoringrules(counts, forecast):
    members, target = forecast
    scores = scoringrules.brier_score(target > 0.5, (members > 0.5).mean(0)).mean()
    fair = scores - ((members > 0.5).var(0, ddof=1) / N_MEMBER).mean()
    assert float(events.brier(counts)) == pytest.approx(fair, rel=1e-12)


def test_the_fair_brier_score_does_not_depend_on_the_number_of_members():
    """Members are drawn with probability q, and the event happens with probability s: the expected score is (q - s)^2 + s (1 - s)."""
    rng, q, s = np.random.default_rng(1), 0.3, 0.5
    for n_member in (2, 5, 40):
        members = (rng.random((n_member, 60_000)) < q).astype(float)
        target = (rng.random(60_000) < s).astype(float)
        score = float(events.brier(event_sums(members, target, Event(0.5)).counts.sum(0)))
        assert score == pytest.approx((q - s) ** 2 + s * (1 - s), abs=0.004)


@pytest.mark.parametrize("n_bin", [1, 3, 10, 20])
def test_the_parts_add_up_to_the_plain_score(counts, n_bin):
    parts = events.brier_parts(counts, n_bin)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_variance - parts.within_covariance
    assert float(total) == pytest.approx(float(events.brier(counts, fair=False)), abs=1e-14)


def test_the_parts_are_those_of_the_slow_definition(counts, pairs):
    probability, outcome = pairs
    place = np.minimum(np.floor(probability * N_MEMBER + 1e-9) * 10 // (N_MEMBER + 1), 9)
    rate, reliability, resolution, variance, covariance = outcome.mean(), 0.0, 0.0, 0.0, 0.0
    for k in range(10):
        inside = place == k
        if inside.any():
            p, o = probability[inside], outcome[inside]
            reliability += len(p) * (p.mean() - o.mean()) ** 2
            resolution += len(p) * (o.mean() - rate) ** 2
            variance += ((p - p.mean()) ** 2).sum()
            covariance += 2 * ((p - p.mean()) * (o - o.mean())).sum()
    parts = [float(part) for part in events.brier_parts(counts)]
    expected = np.array([reliability, resolution, len(outcome) * rate * (1 - rate), variance, covariance]) / len(outcome)
    np.testing.assert_allclose(parts, expected, atol=1e-13)


def test_the_roc_curve_and_its_area_are_those_of_scikit_learn(counts, pairs):
    probability, outcome = pairs
    assert float(events.roc_area(counts)) == pytest.approx(roc_auc_score(outcome, probability), rel=1e-12)
    false_alarm, hit, _ = roc_curve(outcome, probability, drop_intermediate=False)
    ours = events.rates(counts)
    np.testing.assert_allclose(ours[0].flip(0), hit, atol=1e-12)
    np.testing.assert_allclose(ours[1].flip(0), false_alarm, atol=1e-12)


def expense(probability, outcome, ratio, act_at):
    """What one user pays, case by case, in units of the loss."""
    acts = probability >= act_at
    return np.where(acts, ratio, outcome).mean()


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.3, 0.5, 0.9])
def test_the_economic_value_is_that_of_a_user_who_pays_case_by_case(counts, pairs, ratio):
    probability, outcome = pairs
    rate = outcome.mean()
    climate, perfect = min(ratio, rate), ratio * rate
    value = float(events.economic_value(counts, torch.tensor([ratio], dtype=torch.float64)))
    assert value == pytest.approx((climate - expense(probability, outcome, ratio, ratio - 1e-9)) / (climate - perfect), abs=1e-12)
    best = max((climate - expense(probability, outcome, ratio, j / N_MEMBER - 1e-9)) / (climate - perfect) for j in range(N_MEMBER + 2))
    assert float(events.value_envelope(counts, torch.tensor([ratio], dtype=torch.float64))) == pytest.approx(best, abs=1e-12)


def test_at_the_base_rate_the_largest_value_is_hit_rate_minus_false_alarm_rate(counts):
    """Richardson (2000): the maximum over thresholds at C / L = base rate is the Peirce skill score."""
    hit, false_alarm = events.rates(counts)
    value = events.value_envelope(counts, events.base_rate(counts)[None])
    assert float(value) == pytest.approx(float((hit - false_alarm).max()), abs=1e-12)


def test_a_perfect_forecast_has_the_largest_scores_and_a_constant_one_none():
    target = np.array([0.0, 1.0, 1.0, 0.0])
    perfect = event_sums(np.stack([target, target]), target, Event(0.5)).counts.sum(0)
    assert float(events.roc_area(perfect)) == 1 and float(events.brier(perfect)) == 0
    ratio = torch.tensor([0.1, 0.6], dtype=torch.float64)
    assert events.economic_value(perfect, ratio).tolist() == pytest.approx([1, 1])
    constant = event_sums(np.stack([target * 0, target * 0 + 1]), target, Event(0.5)).counts.sum(0)
    assert float(events.roc_area(constant)) == 0.5
    assert events.value_envelope(constant, ratio).tolist() == pytest.approx([0, 0])


def test_an_event_that_never_happened_has_no_discrimination_and_no_value():
    never = event_sums(np.zeros((3, 5)), np.zeros(5), Event(1.0)).counts.sum(0)
    assert math.isnan(events.roc_area(never)) and events.economic_value(never, torch.tensor([0.5], dtype=torch.float64)).isnan().all()
    assert float(events.base_rate(never)) == 0 and float(events.brier(never)) == 0


def test_weights_and_missing_targets_count_as_copies_and_as_nothing(forecast):
    members, target = forecast
    missing = target.copy()
    missing[:, 2] = np.nan
    twice = np.concatenate([members[..., :2], members[..., :1]], -1), np.concatenate([target[..., :2], target[..., :1]], -1)
    weighted = event_sums(members, missing, Event(0.5), weights=np.array([2.0, 1.0, 1.0])).counts
    torch.testing.assert_close(weighted, event_sums(*twice, Event(0.5)).counts)


def test_a_quantile_is_a_threshold_of_its_own_in_each_element(forecast):
    members, target = forecast
    climatology = np.linspace(0, 1, 101)[:, None] * np.array([1.0, 2.0, 3.0])
    event = Event.parse("<q25")
    by_quantile = event_sums(members, target, event, climatology=climatology)
    by_hand = event_sums(members - np.array([0.25, 0.5, 0.75]), target - np.array([0.25, 0.5, 0.75]), Event(0.0, is_above=False))
    torch.testing.assert_close(by_quantile.counts, by_hand.counts)
    share, outcome = 25 / 101, target < np.array([0.25, 0.5, 0.75])
    np.testing.assert_allclose(by_quantile.climatology, ((share - outcome) ** 2).sum(1), atol=1e-12)
    assert event_sums(members, target, Event(0.0)).climatology.isnan().all()


@pytest.mark.parametrize("text", [">30", "<-5.5", ">q90", "<q2.5", ">1e-05"])
def test_an_event_and_its_text_are_the_same(text):
    assert Event.parse(text).text == text and Event.parse(Event.parse(text).text) == Event.parse(text)


@pytest.mark.parametrize("text", ["30", ">", ">q0", ">q100", "<inf", ">30 degC", "", ">nan"])
def test_an_event_that_cannot_be_meant_is_refused_in_our_words(text):
    with pytest.raises(ValueError, match="expected"):
        Event.parse(text)


def test_a_quantile_needs_a_climatology():
    with pytest.raises(ValueError, match="give a threshold"):
        Event.parse(">q90").level(None)
