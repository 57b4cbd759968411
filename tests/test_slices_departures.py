"""The tests of a slice: estimates by their definitions, influence values by taking cases away, p-values by simulation."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.sliced_ensembles import autoregression
from stochattn_core.slices.departures import LEAST_FOR_RANGE, LIMITS, departures, estimates, influence, of_whole
from stochattn_core.slices.search import selected_up_to


def sums_of(rng, n_slice=1, n_case=200, n_value=1, scale=1.0, rho=0.0):
    """Sums of values with the variance 1 and Gaussian errors of the standard deviation `scale`: (slice, case, field)."""
    errors = scale * np.stack([autoregression(rng, (n_case, n_value), rho) for _ in range(n_slice)])
    covered = np.abs(errors) < stats.norm.isf(0.05)
    fields = (np.ones_like(errors), errors, errors**2, np.ones_like(errors), covered.astype(float))
    return np.stack([field.sum(2) for field in fields], axis=-1)


def test_the_estimates_are_those_of_their_definitions():
    sums = sums_of(np.random.default_rng(0), scale=2.0)
    total, error = sums[0].sum(0), sums[0, :, 1]
    rmse = np.sqrt(np.mean(error**2))
    expected = [-np.log(rmse), error.mean() / rmse, sums[0, :, 4].mean() - 0.9]
    np.testing.assert_allclose(estimates(total), expected)


def test_without_values_or_spread_nothing_is_estimated():
    assert np.isnan(estimates(np.zeros(5))).all()
    assert np.isnan(estimates(np.array([10.0, 0.0, 5.0, 0.0, 9.0]))[0])
    assert np.isnan(estimates(np.array([10.0, 0.0, 0.0, 5.0, 9.0]))[0])


def test_influence_values_are_the_change_when_a_case_is_taken_away():
    sums = sums_of(np.random.default_rng(1), n_case=400, n_value=3)
    values, whole = influence(sums), estimates(sums[0].sum(0))
    np.testing.assert_allclose(values.sum(2), 0, atol=1e-12)
    for case in (0, 7, 399):
        change = whole - estimates(np.delete(sums[0], case, axis=0).sum(0))
        np.testing.assert_allclose(values[:, 0, case], change, rtol=0.05, atol=2e-5)


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("n_value", [1, 4])
def test_standard_errors_are_the_standard_deviations_over_repetitions(rho, n_value):
    """A slice of all values of half of the elements, with dependence in time that the standard error has to count."""
    rng = np.random.default_rng(2)
    here, error = [], []
    for _ in range(60):
        half = sums_of(rng, n_slice=2, n_case=2000, n_value=n_value, scale=1.25, rho=rho)
        found = departures(half[:1], half.sum(0))
        here.append(found.here[:, 0])
        error.append(found.error[:, 0] if rho == 0 else of_whole(half[0]).error[:, 0])
    np.testing.assert_allclose(np.mean(error, 0) / np.std(here, 0), 1.0, atol=0.35)


def test_a_p_value_below_one_needs_a_departure_beyond_the_limits_in_the_direction_in_which_the_rest_departs_less():
    rng = np.random.default_rng(3)
    right, narrow, narrower = (sums_of(rng, n_case=5000, scale=scale) for scale in (1.03, 1.5, 2.0))
    assert departures(right, right[0] + sums_of(rng, n_case=5000, scale=0.6)[0]).p[0, 0] == 1.0, "inside the limits"
    assert departures(narrow, narrow[0] + narrower[0]).p[0, 0] == 1.0, "the rest is worse"
    assert departures(narrower, narrow[0] + narrower[0]).p[0, 0] < 1e-6
    assert departures(narrower, narrower[0] + sums_of(rng, n_case=5000, scale=0.5)[0]).p[0, 0] < 1e-6
    assert LIMITS[0, 0] == pytest.approx(np.log(0.9))


@pytest.mark.parametrize(("rho", "n_case"), [(0.0, 60), (0.0, 400), (0.9, 800)])
def test_small_p_values_are_no_more_frequent_than_they_say(rho, n_case):
    """Slices of a perfect ensemble; the limits count too, so that p-values are rarer where cases are many."""
    rng = np.random.default_rng(4)
    n = 400
    slices = sums_of(rng, n_slice=n, n_case=n_case, rho=rho)
    p = departures(slices, slices.sum(0)).p
    for level in (0.05, 0.01):
        assert ((p <= level).mean(1) <= level + 2.6 * np.sqrt(level / n)).all(), (rho, level, (p <= level).mean(1))


def test_a_slice_with_few_cases_or_few_independent_ones_is_not_reported():
    rng = np.random.default_rng(5)
    rest = sums_of(rng, n_case=200)[0]
    few = sums_of(rng, n_case=200, scale=5.0)
    few[:, 29:] = 0
    assert (departures(few, rest + few[0]).p == 1).all()
    dependent = sums_of(rng, n_case=200, scale=5.0, rho=0.99)
    found = departures(dependent, rest + dependent[0])
    assert (found.p[0] == 1).all() and found.n_effective[0, 0] < 30


def test_a_range_is_not_known_from_too_few_independent_cases():
    rng = np.random.default_rng(6)
    few, many = (of_whole(sums_of(rng, n_case=n)[0]) for n in (LEAST_FOR_RANGE - 1, 100))
    assert np.isnan(few.interval()).all() and np.isfinite(many.interval()).all()


def test_the_selection_is_that_of_scipy():
    rng = np.random.default_rng(7)
    for _ in range(20):
        p = np.concatenate([rng.uniform(size=50), rng.uniform(size=10) ** 4])
        assert ((p <= selected_up_to(p, 0.05)) == (stats.false_discovery_control(p) <= 0.05)).all()
    assert selected_up_to(np.array([0.5, 0.9]), 0.05) == 0.0
