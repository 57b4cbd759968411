"""Departures from calibration: each quantity by hand from members and targets, and the tests of many quantities together."""

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.dependence import dependence
from stochattn_core.metrics.scores.rule import LEAST_EFFECTIVE
from stochattn_core.slices import Slice
from stochattn_core.verdict import departures as module
from stochattn_core.verdict.departures import JOINT, N_DRAW, Column, departures_of, overall_departures
from stochattn_core.verdict.quantities import QUANTITIES, RATIO, SHAPE
from tests.known_ensembles import ensemble_of, normal, perfect

MONTE_CARLO = 4 * math.sqrt(0.25 / N_DRAW)  # four standard errors of a share of the draws, at most


def by_hand(members, target, plain):
    """Every quantity from members (member, value) and targets (value,), without ties."""
    seen = np.isfinite(target)
    members, target, plain = members[:, seen], target[seen], plain[seen]
    m, error = len(members), members.mean(0) - target
    below = (members < target).sum(0)
    polynomial = lambda degree: lambda u: math.sqrt(2 * degree + 1) * special.eval_sh_legendre(degree, u)  # noqa: E731
    mean_over_rank = {
        degree: [(m + 1) * integrate.quad(polynomial(degree), r / (m + 1), (r + 1) / (m + 1))[0] for r in range(m + 1)]
        for degree in (1, 2, 3, 4)
    }  # of members = 9, a rank is a bin; a polynomial has the mean square 1 over the bins
    mean_over_rank = {degree: np.array(values) / math.sqrt(np.mean(np.square(values))) for degree, values in mean_over_rank.items()}
    for values in mean_over_rank.values():  # a mean square of 1 over the ranks: for 9 members, those are the bins of the sums
        values[:] = np.array(values) / math.sqrt(np.mean(np.square(values)))
    inside = [max(min((r + 1) / (m + 1), 0.95) - max(r / (m + 1), 0.05), 0) * (m + 1) for r in below]
    of_infinite = (error**2).mean() - members.var(0, ddof=1).mean() / m
    return {
        "ratio": math.log(math.sqrt((m + 1) / m * members.var(0, ddof=1).mean() / (error**2).mean())),
        "bias": error.mean() / math.sqrt((error**2).mean()),
        "coverage_90": np.mean(inside) - 0.9,
        **{quantity.key: np.mean([mean_over_rank[degree][r] for r in below]) for degree, quantity in enumerate(SHAPE, 1)},
        "cost": math.log(math.sqrt(of_infinite / ((plain - target) ** 2).mean())),
    }


def skewed(n=300, m=9, **more):
    """An ensemble that is wrong in every way: skewed errors, a bias, a drift of the mean and too little spread."""
    rng = np.random.default_rng(5)
    return ensemble_of(rng.exponential(size=n) - 0.7, 0.8, drift=0.4 * rng.standard_normal(n), m=m, **more)


@pytest.mark.parametrize("key", QUANTITIES)
def test_each_quantity_is_that_of_members_and_targets(key):
    ensemble = skewed()
    ensemble.target[::9] = np.nan
    found = departures_of(ensemble).overall[key]
    assert found.departure == pytest.approx(by_hand(ensemble.members, ensemble.target, ensemble.plain)[key], abs=1e-9)
    assert found.low < found.departure < found.high


def test_a_slice_by_lead_time_holds_the_values_of_that_lead():
    ensemble = ensemble_of(normal(400, 3) * [1.0, 1.5, 2.0])
    for column in departures_of(ensemble).slices:
        if column.slice_.kinds == ("lead time",):
            place = column.slice_.leads[0] - 1
            expected = by_hand(ensemble.members[..., place], ensemble.target[:, place], ensemble.plain[:, place])
            if column.quantity not in SHAPE:
                assert column.departure == pytest.approx(expected[column.quantity.key], abs=1e-9)


@pytest.mark.parametrize("m", [9, 50, 2])
def test_sums_that_are_pooled_have_the_departures_of_the_whole(m):
    ensemble = skewed(m=m)
    whole, pooled = departures_of(ensemble), overall_departures(ensemble.pooled)
    assert not pooled.slices and not pooled.bounds and pooled.n_slice == 0
    for key, column in pooled.overall.items():
        for name in ("departure", "low", "high", "error", "n_effective"):
            assert getattr(column, name) == pytest.approx(getattr(whole.overall[key], name), rel=1e-6, abs=1e-9), (key, name)
    assert pooled.shape.estimate == pytest.approx(whole.shape.estimate, rel=1e-6)
    assert pooled.n_effective == pytest.approx(whole.n_effective)


def test_the_standard_error_of_the_ratio_is_the_closed_form():
    """Of independent normal errors and many members: Var log sum e^2 = 2 / n, and the logarithm of the ratio is half of it."""
    found = [departures_of(perfect(800, seed=seed)).overall["ratio"].error for seed in range(8)]
    assert np.mean(found) == pytest.approx(math.sqrt(1 / (2 * 800)), rel=0.1)


def test_blocks_tell_the_order_of_time_whatever_the_order_of_cases():
    ensemble, order = skewed(), np.random.default_rng(0).permutation(300)
    turned = ensemble_of(ensemble.target - ensemble.plain, block=order, m=9)
    turned.members[:], turned.target[:], turned.plain[:] = ensemble.members[:, order], ensemble.target[order], ensemble.plain[order]
    for key, column in departures_of(turned).overall.items():
        assert column.error == pytest.approx(departures_of(ensemble).overall[key].error), key


def test_cases_of_one_block_count_as_one():
    """Each case stands there five times: the estimates are those of the cases once, and so are their errors."""
    once = perfect(300, 3, m=9)  # of three lead times: where a block is one value, its error has a lower limit
    five = once.of_cases(np.repeat(np.arange(300), 5))
    for key, column in departures_of(five).overall.items():
        expected = departures_of(once).overall[key]
        assert (column.departure, column.error) == pytest.approx((expected.departure, expected.error), abs=1e-9), key


def test_a_slice_is_at_least_as_uncertain_as_so_few_cases_of_the_whole():
    found = departures_of(perfect(1000, 3, m=9))
    assert {column.slice_.kinds[0] for column in found.slices} == {"lead time", "season", "forecast", "spread"}
    for column in found.slices:
        whole = found.overall[column.quantity.key]
        assert column.error >= whole.error * math.sqrt(whole.n_effective / column.n_effective) * (1 - 1e-9)
        reach = stats.t.ppf(0.95, column.n_effective - 1) * column.error
        assert column.high - column.departure == pytest.approx(reach) and column.n_effective >= LEAST_EFFECTIVE
        assert column.quantity.key not in ("pit_place", "pit_width")


def test_a_season_has_as_many_cases_as_it_has():
    found = departures_of(perfect(730, 1, m=9))
    for column in found.slices:
        if column.slice_.kinds == ("season",):
            assert column.n_effective <= 190  # of 730 days


def test_slices_with_fewer_cases_than_can_be_trusted_are_not_tested():
    found = departures_of(perfect(60, m=9))
    assert not any(column.slice_.kinds == ("spread",) for column in found.slices) and found.n_slice >= 13
    assert {bound.kind for bound in found.bounds} <= {"forecast"}


# ---- many tests together


def column(departure, error=1.0, n_effective=1e6, quantity=RATIO):
    return Column(quantity, None, departure, departure - 1.645 * error, departure + 1.645 * error, error, n_effective)


@pytest.mark.parametrize("k", [1, 8, 40])
@pytest.mark.parametrize("z", [1.5, 2.5, -3.0])
def test_the_joint_p_of_independent_columns_is_the_closed_form(k, z):
    draws = module._draws(np.random.default_rng(0).standard_normal((4000, k)))
    alone = 2 * stats.norm.sf(abs(z))
    assert module._with_p(column(z), draws).p == pytest.approx(1 - (1 - alone) ** k, abs=MONTE_CARLO)


def test_columns_that_say_the_same_are_one_test():
    draws = module._draws(np.repeat(np.random.default_rng(0).standard_normal((4000, 1)), 30, 1))
    assert module._with_p(column(2.0), draws).p == pytest.approx(2 * stats.norm.sf(2.0), abs=MONTE_CARLO)


def test_draws_have_the_correlations_of_dependent_columns_and_unit_variance():
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, 3000))
    draws = module._draws(np.stack([first, 0.6 * first + 0.8 * second, np.zeros(3000)], 1))
    np.testing.assert_allclose(np.corrcoef(draws[:, :2].T)[0, 1], 0.6, atol=0.06)
    np.testing.assert_allclose(draws[:, :2].std(0), 1, atol=0.05)
    assert (draws[:, 2] == 0).all()


def test_beyond_the_draws_the_sum_of_all_probabilities_bounds_the_p():
    draws = module._draws(np.random.default_rng(0).standard_normal((2000, 5)))
    assert module._with_p(column(7.0), draws).p == pytest.approx(5 * 2 * stats.norm.sf(7.0), rel=1e-3)


def test_few_effective_cases_ask_for_more_than_the_normal_distribution():
    draws = module._draws(np.random.default_rng(0).standard_normal((4000, 1)))
    assert module._with_p(column(2.0, n_effective=6.0), draws).p == pytest.approx(2 * stats.t.sf(2.0, 5), abs=MONTE_CARLO)


@pytest.mark.parametrize(
    ("departure", "p", "side"), [(0.2, 0.01, 1), (-0.2, 0.01, -1), (0.2, 0.03, 0), (0.05, 0.001, 0), (0.2, math.nan, 0)]
)
def test_a_quantity_departs_beyond_its_limits_and_beyond_chance(departure, p, side):
    assert Column(RATIO, None, departure, departure, departure, 0.1, 100.0, p).side == side


def test_a_perfect_ensemble_seldom_departs_anywhere():
    n_alarm = 0
    for seed in range(25):
        found = departures_of(perfect(300, 2, m=9, seed=seed))
        n_alarm += any(each.p < 1 - JOINT for each in (*found.overall.values(), *found.slices))
    assert n_alarm <= 2  # of 25 with 2%: more happen in 13 of 1,000


# ---- the bound on several columns


def bound(departures, error, *, is_sum=False, correlation=None):
    columns = [column(departure, error) for departure in departures]
    places = {id(each): place for place, each in enumerate(columns)}
    correlation = np.eye(len(columns)) if correlation is None else correlation
    return module._bound("lead time", "ratio", columns, correlation, places, limit=0.2, is_sum=is_sum)


def test_the_bound_leaves_the_departures_that_were_found_five_percent():
    """Departures whose root mean square is the upper limit give a mean square as small as the one found in 5 of 100 simulations."""
    rng, found = np.random.default_rng(0), [0.3, -0.1, 0.2, 0.0, 0.25]
    upper = bound(found, 0.1).upper
    simulated = np.square(np.full(5, upper) + 0.1 * rng.standard_normal((40_000, 5))).mean(1)
    assert np.mean(simulated <= np.mean(np.square(found))) == pytest.approx(0.05, abs=0.005)


def test_a_bound_far_beyond_chance_is_the_departure_itself_and_a_little_more():
    """Q is normal there with mean h + trace: its lower tail of 5% is at the Q that was found."""
    errors = np.random.default_rng(1).standard_normal((40_000, 3))
    for size in (1.7, 2.0):  # on both sides of the place where the routine changes
        found = bound([size, size, size], 0.1)
        assert found.upper == pytest.approx(size, rel=0.07) and found.upper > size
        simulated = np.square(found.upper + 0.1 * errors).mean(1)
        assert np.mean(simulated <= size**2) == pytest.approx(0.05, abs=0.006)


def test_the_bound_of_a_sum_is_that_of_a_distance():
    found = [0.1, 0.05, -0.1, 0.0]
    one = bound(found, 0.04, is_sum=True)
    assert one.upper == pytest.approx(2 * bound(found, 0.04).upper) and one.estimate == pytest.approx(2 * bound(found, 0.04).estimate)
    assert one.estimate == pytest.approx(math.sqrt(sum(np.square(found)) - 4 * 0.04**2))


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_the_bound_holds_the_truth_as_often_as_it_says_and_more_often_where_columns_are_correlated(shared):
    rng, k = np.random.default_rng(1), 6
    correlation = shared + (1 - shared) * np.eye(k)
    root, truth = np.linalg.cholesky(correlation), np.linspace(-0.2, 0.3, k)
    uppers = [bound(truth + 0.1 * root @ rng.standard_normal(k), 0.1, correlation=correlation).upper for _ in range(300)]
    assert np.mean(np.array(uppers) >= math.sqrt(np.mean(truth**2))) > 0.95 - 0.03


def test_columns_that_are_closer_to_zero_than_chance_have_the_bound_zero_and_untested_ones_have_none():
    assert bound([0.0, 0.0, 0.001], 0.1).upper == 0 == bound([0.0, 0.0, 0.001], 0.1).estimate
    untested = module._bound("season", "bias", [column(0.0)], np.eye(1), {}, limit=0.25)
    assert math.isinf(untested.upper) and untested.estimate == 0 and not untested.is_within


def test_the_distance_of_the_pit_is_the_root_of_four_squares():
    found = departures_of(skewed(2000, 49))
    total = sum(found.overall[quantity.key].departure ** 2 - found.overall[quantity.key].error ** 2 for quantity in SHAPE)
    assert found.shape.estimate == pytest.approx(math.sqrt(total)) and found.shape.upper > found.shape.estimate
    assert not found.shape.is_within and departures_of(perfect(2000)).shape.is_within


def test_a_column_knows_whether_it_is_inside_its_limits_and_by_how_much_it_is_not():
    inside = Column(RATIO, Slice(("lead time",), (0,), ("lead 1",)), 0.0, RATIO.low, RATIO.high, 0.05, 100.0)
    assert inside.is_within and inside.overshoot == 0
    outside = Column(RATIO, None, 0.0, RATIO.low - 0.02, RATIO.high + 0.03, 0.05, 100.0)
    assert not outside.is_within and outside.overshoot == pytest.approx(0.03)


def test_one_block_has_estimates_and_no_test():
    ensemble = ensemble_of(normal(100), block=np.zeros(100, dtype=int))
    for found in (departures_of(ensemble), overall_departures(ensemble.pooled)):
        assert not found.slices and all(math.isnan(each.p) and math.isnan(each.low) for each in found.overall.values())
        assert math.isnan(found.n_effective) and math.isfinite(found.overall["ratio"].departure)


def test_a_long_run_of_errors_counts_as_its_dependence_says():
    statistics: Statistics = perfect(900, m=9).pooled
    bias = overall_departures(statistics).overall["bias"]
    assert bias.n_effective == pytest.approx(dependence(bias_influence(statistics)).n_effective[0], rel=1e-3)


def bias_influence(statistics):
    """Of each case on the mean error over its RMSE, to first order."""
    error = statistics.error.numpy()
    rmse, mean = math.sqrt((error**2).mean()), error.mean()
    return ((error - mean) / rmse - mean / rmse * (error**2 - rmse**2) / (2 * rmse**2))[:, None]
