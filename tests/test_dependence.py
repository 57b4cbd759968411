"""The dependence of neighbouring cases, against sequences whose long-run variance is known and against slow definitions."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from stochattn_core.metrics import dependence as module
from stochattn_core.metrics.dependence import LEAST_SHARE, block_sums, dependence


def autoregression(rho, n, n_column, seed=0):
    """Stationary AR(1) columns of variance 1. The long-run variance is (1 + rho) / (1 - rho)."""
    shocks = math.sqrt(1 - rho**2) * np.random.default_rng(seed).standard_normal((n + 500, n_column))
    return lfilter([1], [1, -rho], shocks, axis=0)[500:]


def windows(width, n, n_column, seed=0):
    """Means over windows of so many independent numbers, each shifted by one, of variance 1 / width. The long-run variance is 1."""
    shocks = np.random.default_rng(seed).standard_normal((n + width - 1, n_column))
    return lfilter(np.full(width, 1 / width), [1], shocks, axis=0)[width - 1 :]


@pytest.mark.parametrize(("rho", "n"), [(0.0, 1000), (0.5, 1000), (0.9, 2000), (0.97, 6000)])
def test_the_long_run_variance_of_an_autoregression_is_the_closed_form_and_seldom_too_small(rho, n):
    found, right = dependence(autoregression(rho, n, 200)), (1 + rho) / (1 - rho)
    assert right <= np.median(found.variance) <= 1.25 * right
    assert np.quantile(found.variance, 0.05) > 0.7 * right
    assert np.median(found.n_effective) == pytest.approx(n / right, rel=0.25)


@pytest.mark.parametrize(("width", "most"), [(2, 1.25), (10, 1.25), (30, 1.5)])
def test_overlapping_windows_count_once(width, most):
    """The larger of two estimates is not too small on average; with 100 windows that do not overlap, it is too large by less than half."""
    n = 3000
    found = dependence(windows(width, n, 200))
    assert 1 <= np.median(found.variance) <= most
    assert n / width / most <= np.median(found.n_effective) <= 1.05 * n / width


def test_the_variance_of_a_mean_is_what_many_sequences_show():
    """The standard error of the mean against the scatter of 2,000 means: an AR(2) that swings, of which no closed form is used."""
    shocks = np.random.default_rng(3).standard_normal((1500, 2000))
    values = lfilter([1], [1, -1.2, 0.5], shocks, axis=0)[500:]
    assert np.mean(dependence(values[:, :300]).variance) == pytest.approx(1000 * values.mean(0).var(), rel=0.2)


def test_alternating_values_are_worth_no_more_cases_than_there_are():
    found = dependence(autoregression(-0.5, 1000, 100))
    assert (found.n_effective == 1000).all()
    variance = autoregression(-0.5, 1000, 100).var(0, ddof=1)
    assert (found.variance >= LEAST_SHARE * variance * (1 - 1e-12)).all()  # a third of it is the closed form


# ---- the length of blocks


def slow_block_length(x):
    """The rule of Politis and White (2004), with the constant of the circular bootstrap, written out lag by lag."""
    n, centred = len(x), x - x.mean()
    covariance = [sum(centred[i] * centred[i + lag] for i in range(n - lag)) / n for lag in range(n)]
    in_a_row = max(5, int(math.sqrt(math.log10(n))))
    most = math.ceil(math.sqrt(n)) + in_a_row
    critical = 2 * math.sqrt(math.log10(n) / n)
    for lag in range(most):  # the smallest lag after which so many correlations are small
        if all(abs(covariance[lag + step] / covariance[0]) < critical for step in range(1, in_a_row + 1)):
            break
    else:
        lag = most
    bandwidth = 2 * max(lag, 1)
    slope, spectrum = 0.0, covariance[0]
    for k in range(1, bandwidth + 1):
        share = k / bandwidth
        window = 1.0 if share <= 0.5 else 2 * (1 - share)
        slope += 2 * window * k * covariance[k]
        spectrum += 2 * window * covariance[k]
    length = ((2 * slope**2) / (4 / 3 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return round(min(max(length, 1), min(math.ceil(3 * math.sqrt(n)), n // 4)))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.7, 0.95])
def test_the_length_of_blocks_is_the_published_rule(rho):
    values = autoregression(rho, 300, 6, seed=1)
    assert dependence(values).block_length.tolist() == [slow_block_length(column) for column in values.T]


def test_blocks_grow_with_dependence():
    lengths = [dependence(autoregression(rho, 2000, 20)).block_length.mean() for rho in (0.0, 0.5, 0.9)]
    assert lengths[0] < 0.5 * lengths[1] < 0.25 * lengths[2]


def test_block_sums_leave_out_a_rest_that_is_shorter():
    np.testing.assert_array_equal(block_sums(np.arange(14.0).reshape(7, 2), 3), [[6, 9], [24, 27]])


# ---- columns that are not like the others


@pytest.mark.parametrize("value", [0.0, 7.0, 1e-300, 1e300, 0.1])
def test_a_column_that_does_not_vary_has_no_variance_and_all_its_cases(value):
    found = dependence(np.full((50, 1), value))
    assert (found.variance[0], found.n_effective[0], found.block_length[0]) == (0, 50, 1)


def test_columns_do_not_touch_one_another():
    values = np.concatenate([autoregression(0.8, 400, 2), np.zeros((400, 1)), 1e8 * autoregression(0.0, 400, 1)], axis=1)
    together = dependence(values)
    for place in range(4):
        alone = dependence(values[:, place : place + 1])
        for whole, one in zip(together, alone, strict=True):
            assert whole[place] == pytest.approx(one[0], rel=1e-9)


@pytest.mark.parametrize("unit", [1e-150, 1e-9, 1e9, 1e150])
def test_the_unit_changes_the_variance_by_its_square_and_nothing_else(unit):
    values = autoregression(0.7, 300, 5)
    one, other = dependence(values), dependence(unit * values)
    np.testing.assert_allclose(other.variance / unit / unit, one.variance, rtol=1e-9)
    np.testing.assert_allclose(other.n_effective, one.n_effective, rtol=1e-9)
    np.testing.assert_array_equal(other.block_length, one.block_length)


def test_a_shift_changes_nothing():
    values = autoregression(0.7, 300, 5)
    np.testing.assert_allclose(dependence(values + 1e3).variance, dependence(values).variance, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 8, 20])
def test_short_sequences_have_a_finite_variance_of_at_least_half_the_independent_one(n):
    values = np.random.default_rng(n).standard_normal((n, 300))
    found = dependence(values)
    assert np.isfinite(found.variance).all() and (found.variance >= LEAST_SHARE * values.var(0, ddof=1) * (1 - 1e-12)).all()
    assert ((found.n_effective > 0) & (found.n_effective <= n)).all() and (found.block_length <= max(n // 4, 1)).all()


def test_fewer_than_two_cases_are_not_known_and_no_column_gives_nothing():
    for n in (0, 1):
        assert all(np.isnan(field).all() and field.shape == (3,) for field in dependence(np.zeros((n, 3))))
    assert all(field.shape == (0,) for field in dependence(np.zeros((10, 0))))


def test_columns_in_parts_are_those_of_the_whole(monkeypatch):
    values = autoregression(0.6, 200, 7)
    whole = dependence(values)
    monkeypatch.setattr(module, "CHUNK", 800)  # two columns at a time
    for one, other in zip(whole, dependence(values), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)
