"""Aggregates, correlation over lead times and scores of the whole vector, against closed forms, slow loops and scoringrules."""

import math

import numpy as np
import pytest
import scoringrules
import torch

from stochattn_core.metrics import Statistics, cell_area_weights, scores
from stochattn_core.metrics.aggregates import aggregate_scores, over_groups, over_lead_times, over_regions
from stochattn_core.metrics.joint import lag_correlation, mean_and_gain, vector_scores


def paths(shape, rho, seed=0):
    """Stationary AR(1) over the last axis, variance 1."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    for lead in range(1, shape[-1]):
        noise[..., lead] = rho * noise[..., lead - 1] + math.sqrt(1 - rho**2) * noise[..., lead]
    return noise


def test_the_scores_of_an_aggregate_are_those_of_its_own_ensemble():
    members, target = paths((9, 200, 5), 0.5), paths((200, 5), 0.5, seed=1)
    for aggregate, of in zip(over_lead_times(np.arange(200)), (np.mean, np.max, lambda x, axis: x[..., -1] - x[..., 0]), strict=True):
        x, y = of(members, axis=-1), of(target, axis=-1)
        expected = scores(Statistics.of(x, y, y, np.arange(200), 200))
        found = aggregate_scores(aggregate, members, target)
        assert found.ratio.value == pytest.approx(expected["spread_skill_ratio"])
        assert found.coverage_90.value == pytest.approx(expected["coverage_90"])
        assert found.crps.value == pytest.approx(expected["crps_fair"]) and found.w1 == pytest.approx(expected["w1"])
        assert found.n == 200 and math.isnan(found.gain.value)


def test_members_that_forget_have_too_little_spread_in_a_mean_and_too_much_in_a_change():
    """Both have variance 1 at each of 4 lead times.

    The mean of independent members has variance 1/4, that of the target 1/4 + 2 (3 r + 2 r^2 + r^3) / 16.
    """
    rho, n = 0.9, 4000
    mean, _, change = over_lead_times(np.arange(n))
    members, target = paths((19, n, 4), 0.0), paths((n, 4), rho, seed=1)
    truth = 1 / 4 + 2 * (3 * rho + 2 * rho**2 + rho**3) / 16
    ratio = math.sqrt(20 / 19 * 0.25 / (truth + 0.25 / 19))
    found = aggregate_scores(mean, members, target)
    assert found.ratio.value == pytest.approx(ratio, rel=0.04) and found.ratio.high < 1
    assert aggregate_scores(change, members, target).ratio.low > 1


def test_members_that_remember_as_errors_do_are_calibrated_in_the_mean():
    """The 90% interval of the ratio holds 1 in 16 of 20 repetitions at least, which chance alone undershoots in 4 of 100."""
    mean, covered = over_lead_times(np.arange(500))[0], 0
    for seed in range(20):
        right = aggregate_scores(mean, paths((19, 500, 4), 0.9, seed=2 * seed), paths((500, 4), 0.9, seed=2 * seed + 1))
        covered += right.ratio.low < 1 < right.ratio.high
        assert right.w1 < 4 * right.w1_by_chance
    assert covered >= 16


def test_a_missing_lead_time_leaves_its_case_out_of_every_aggregate():
    members, target = paths((9, 50, 3), 0.5), paths((50, 3), 0.5, seed=1)
    target[4, 1] = np.nan
    for aggregate in over_lead_times(np.arange(50))[:2]:
        found = aggregate_scores(aggregate, members, target)
        alone = aggregate_scores(
            over_lead_times(np.arange(49))[0 if aggregate.key == "mean" else 1], *(np.delete(x, 4, -2) for x in (members, target))
        )
        assert found.n == 49 and found.ratio == pytest.approx(alone.ratio)


def test_a_gain_is_paired():
    members, target = paths((9, 60, 3), 0.5), paths((60, 3), 0.5, seed=1)
    mean = over_lead_times(np.arange(60))[0]
    same = aggregate_scores(mean, members, target, reference=members)
    assert same.gain == (0, 0, 0)
    wide = aggregate_scores(mean, members, target, reference=members + 5)
    assert wide.gain.low > 0 and wide.gain.value == pytest.approx(aggregate_scores(mean, members + 5, target).crps.value - wide.crps.value)


def test_the_mean_over_the_globe_weights_cells_by_area():
    latitude, longitude = np.linspace(-75, 75, 6), np.arange(0, 360, 60.0)
    fields = np.random.default_rng(0).normal(size=(3, 6, 6))
    globe = over_regions(np.arange(3), latitude, longitude, np.ones((6, 6), bool))[0]
    np.testing.assert_allclose(globe.of(fields), np.average(fields.mean(2), axis=1, weights=cell_area_weights(latitude).numpy()))


def test_cells_that_never_have_a_target_are_left_out_and_a_grid_has_only_its_own_regions():
    seen = np.ones((3, 4), bool)
    seen[0, 0] = False
    latitude, longitude = (35.0, 40.0, 45.0), (0.0, 5.0, 10.0, 15.0)
    aggregates = over_regions(np.arange(2), latitude, longitude, seen)
    assert [aggregate.key for aggregate in aggregates] == ["globe", "mid-latitudes-north"]
    fields = np.ones((2, 3, 4))
    fields[:, 0, 0] = np.nan
    np.testing.assert_allclose(aggregates[0].of(fields), 1.0)


def test_groups_of_rows_are_alike_in_forecast_or_drawn_at_random():
    plain = np.random.default_rng(0).permutation(45).astype(float)
    alike, at_random = over_groups(plain)
    np.testing.assert_allclose(alike.of(plain), [4.5, 14.5, 24.5, 34.5])
    assert at_random.of(plain).std() < 6 and "at random" in at_random.title
    in_a_row = over_groups(plain, is_in_time=True)[1]
    np.testing.assert_allclose(in_a_row.of(plain), plain[:40].reshape(4, 10).mean(1))
    assert over_groups(plain[:19]) == []


def test_a_bias_that_similar_rows_share_shows_in_groups_that_are_alike_and_not_in_random_ones():
    rng = np.random.default_rng(0)
    plain = rng.normal(size=2000)
    target = plain + np.sign(np.sin(8 * plain)) + 0.3 * rng.normal(size=2000)
    members = plain + math.sqrt(1.09) * rng.normal(size=(19, 2000))
    alike, at_random = (aggregate_scores(aggregate, members, target).ratio for aggregate in over_groups(plain))
    assert alike.high < 0.6 and at_random.low < 1 < at_random.high


def test_the_correlation_at_a_lag_is_the_power_of_that_of_one_step():
    rho_members, rho_errors = 0.3, 0.8
    found = lag_correlation(paths((9, 3000, 5), rho_members), paths((3000, 5), rho_errors, seed=1), np.arange(3000))
    lags = np.arange(5)
    np.testing.assert_allclose(found.members.value, rho_members**lags, atol=0.02)
    # The error of the mean of 9 members keeps a ninth of their variance.
    np.testing.assert_allclose(found.errors.value, (rho_errors**lags + rho_members**lags / 9) / (1 + 1 / 9), atol=0.04)
    assert float(found.gap.high[1]) < 0 and float(found.gap.value[0]) == pytest.approx(0)


def test_the_correlation_is_that_of_the_slow_definition():
    members, target = paths((4, 20, 3), 0.5), paths((20, 3), 0.5, seed=1)
    error = members.mean(0) - target
    size = np.sqrt((error**2).sum(0))
    slow = [(error[:, 0] * error[:, 1] + error[:, 1] * error[:, 2]).sum() / (size[0] * size[1] + size[1] * size[2])]
    found = lag_correlation(members, target, np.arange(20))
    assert float(found.errors.value[1]) == pytest.approx(slow[0])
    assert [float(found.errors.value[0]), float(found.members.value[0])] == pytest.approx([1, 1])


def test_members_without_spread_have_no_correlation_and_errors_keep_theirs():
    target = paths((20, 3), 0.5)
    found = lag_correlation(np.zeros((4, 20, 3)), target, np.arange(20))
    assert found.members.value.isnan().all() and found.errors.low.isfinite().all()


def test_vector_scores_are_those_of_scoringrules():
    members, target = paths((9, 30, 5), 0.5), paths((30, 5), 0.5, seed=1)
    found = vector_scores(members, target)
    by_case = np.moveaxis(members, 0, 1)
    np.testing.assert_allclose(found.variogram, scoringrules.vs_ensemble(target, by_case, p=0.5), atol=1e-10)
    np.testing.assert_allclose(found.energy, scoringrules.es_ensemble(target, by_case, estimator="fair"), atol=1e-10)


def test_the_variogram_score_of_a_map_takes_every_few_cells():
    members, target = np.random.default_rng(0).normal(size=(3, 2, 32, 64)), np.zeros((2, 32, 64))
    few = vector_scores(members[..., ::4, ::4], target[..., ::4, ::4]).variogram
    torch.testing.assert_close(vector_scores(members, target).variogram, few)


def test_the_gain_in_a_score_is_paired_and_leaves_out_missing_cases():
    score = torch.tensor([1.0, 2.0, 3.0, torch.nan], dtype=torch.float64)
    found = mean_and_gain(score, score + 0.5, np.arange(4))
    assert found.at(0)[0] == 2 and found.at(1) == pytest.approx((0.5, 0.5, 0.5))
