"""Intervals of smooth functions of sums: textbook formulas where there are some, and their coverage where cases depend on one another."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.signal import lfilter

from stochattn_core.metrics import Statistics, intervals, scores
from stochattn_core.metrics.dependence import dependence
from stochattn_core.metrics.scores import SCORES
from stochattn_core.metrics.significance import evidence, infer, student, w1_floor

N_REPETITION = 400
LEAST, MOST = 0.85, 0.95  # of nominal 90% intervals, with 20 effective cases or more
SAMPLING = 2 * math.sqrt(0.9 * 0.1 / N_REPETITION)  # two standard errors of a share of the repetitions


def normal(rho, n, seed=0, n_column=N_REPETITION):
    """Stationary normal AR(1) columns of variance 1: (case, repetition)."""
    shocks = math.sqrt(1 - rho**2) * np.random.default_rng(seed).standard_normal((n + 500, n_column))
    return lfilter([1], [1, -rho], shocks, axis=0)[500:]


def left_out(*values):
    """Sums over all cases and over all but one, of each array (case, repetition)."""
    return [value.sum(0) for value in values], [value.sum(0) - value for value in values]


def holds(found, truth):
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


# (rho, cases): from 25 effective cases on, for errors and for their squares, which are correlated rho^2k
LENGTHS = [(0.0, 25), (0.0, 400), (0.5, 120), (0.9, 600), (0.97, 3000)]


@pytest.mark.parametrize(("rho", "n"), LENGTHS)
def test_intervals_of_a_mean_hold_nine_times_in_ten(rho, n):
    x = normal(rho, n)
    (total,), (rest,) = left_out(x)
    assert LEAST - SAMPLING <= holds(infer(total / n, rest / (n - 1)), 0.0) <= MOST + SAMPLING


@pytest.mark.parametrize(("rho", "n"), LENGTHS)
def test_intervals_of_a_ratio_hold_nine_times_in_ten(rho, n):
    """The root of the mean square of errors over that of others: the true ratio is 2."""
    first, second = 2 * normal(rho, n, 1), normal(rho, n, 2)
    (above, below), (above_rest, below_rest) = left_out(first**2, second**2)
    found = infer(np.sqrt(above / below), np.sqrt(above_rest / below_rest), scale="log")
    assert LEAST - SAMPLING <= holds(found, 2.0) <= MOST + SAMPLING


@pytest.mark.parametrize(("rho", "n"), LENGTHS)
def test_intervals_of_a_share_hold_nine_times_in_ten(rho, n):
    inside = (np.abs(normal(rho, n, 3)) < stats.norm.ppf(0.75)).astype(
        float
    )  # half of the cases, the least favourable level for dependence
    (total,), (rest,) = left_out(inside)
    found = infer(total / n, rest / (n - 1), scale="share")
    assert LEAST - SAMPLING <= holds(found, 0.5) <= MOST + SAMPLING
    assert (found.low >= 0).all() and (found.high <= 1).all()


@pytest.mark.parametrize(("rho", "n"), LENGTHS)
def test_intervals_of_a_correlation_hold_nine_times_in_ten(rho, n):
    """Two sequences whose correlation is 0.6, with the same dependence in time."""
    x, other = normal(rho, n, 4), normal(rho, n, 5)
    y = 0.6 * x + 0.8 * other

    def correlation(n, x, y, xx, yy, xy):
        return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))

    whole, rest = left_out(x, y, x * x, y * y, x * y)
    found = infer(np.arctanh(correlation(n, *whole)), np.arctanh(correlation(n - 1, *rest)))
    assert LEAST - SAMPLING <= holds(found, math.atanh(0.6)) <= MOST + SAMPLING


@pytest.mark.parametrize("width", [5, 24])
def test_intervals_over_overlapping_windows_hold_nine_times_in_ten(width):
    """Starts of windows at every step: 60 windows that do not overlap."""
    shocks = np.random.default_rng(6).standard_normal((61 * width - 1, N_REPETITION))
    x = lfilter(np.full(width, 1 / width), [1], shocks, axis=0)[width - 1 :]
    (total,), (rest,) = left_out(x)
    assert LEAST - SAMPLING <= holds(infer(total / len(x), rest / (len(x) - 1)), 0.0) <= MOST + 2 * SAMPLING


def test_an_interval_that_takes_dependent_cases_for_independent_ones_would_not_hold():
    """What the tests above protect from: the textbook interval of AR(1) errors of 0.9 holds less than half of the time."""
    x = normal(0.9, 600)
    reach = stats.t.ppf(0.95, 599) * x.std(0, ddof=1) / math.sqrt(600)
    assert np.mean(np.abs(x.mean(0)) < reach) < 0.5


# ---- textbook formulas


def test_the_interval_of_a_mean_is_students_where_cases_are_independent():
    """The estimated dependence is 1 or more on average, by a few percent; the rest of the interval is Student's to the last digit."""
    x = normal(0.0, 200)
    (total,), (rest,) = left_out(x)
    found = infer(total / 200, rest / 199)
    np.testing.assert_allclose(found.influence, x - x.mean(0), atol=1e-9)
    low, high = stats.t.interval(0.9, found.n_effective - 1, x.mean(0), np.sqrt(dependence(x).variance / 200))
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-7)
    textbook = stats.t.ppf(0.95, 199) * x.std(0, ddof=1) / math.sqrt(200)
    assert np.median((found.high - found.low) / 2 / textbook) == pytest.approx(1, abs=0.07)


def test_the_standard_error_of_a_nonlinear_function_is_that_of_the_delta_method():
    x, y = np.exp(normal(0.0, 2000, 7, 3)), np.exp(normal(0.0, 2000, 8, 3))
    (above, below), (above_rest, below_rest) = left_out(x, y)
    found = infer(above / below, above_rest / below_rest, scale="log")
    relative = x / x.mean(0) - y / y.mean(0)  # of the logarithm of the ratio, to first order
    np.testing.assert_allclose(found.influence, relative, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(found.error, np.sqrt(dependence(relative).variance / 2000), rtol=0.01)
    np.testing.assert_allclose(found.low * found.high, found.estimate**2)


def test_a_share_has_wilsons_interval():
    """Of independent cases whose standard error is the binomial one: statsmodels' interval, but with Student's t for the normal quantile."""
    from statsmodels.stats.proportion import proportion_confint

    inside = np.zeros((400, 1))
    inside[np.random.default_rng(0).permutation(400)[:40]] = 1
    (total,), (rest,) = left_out(inside)
    found = infer(total / 400, rest / 399, scale="share")
    worth = 0.1 * 0.9 / found.error[0] ** 2
    alpha = 2 * stats.norm.sf(student(0.9, found.n_effective)[0])
    assert (found.low[0], found.high[0]) == pytest.approx(proportion_confint(0.1 * worth, worth, alpha, "wilson"), rel=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_none_or_all_has_an_interval_of_some_width(share):
    n = 50
    found = infer(np.array([share]), np.full((n, 1), share), scale="share")
    reach = student(0.9, np.array([n]))[0] ** 2 / n
    assert (found.high - found.low)[0] == pytest.approx(reach / (1 + reach)) and found.n_effective[0] == n
    assert found.low[0] - 1e-12 <= share <= found.high[0] + 1e-12


@pytest.mark.parametrize(("level", "n_effective"), [(0.9, 10.0), (0.5, 31.4), (0.99, 1.0)])
def test_students_quantile_has_one_degree_of_freedom_less_than_cases(level, n_effective):
    assert student(level, np.array([n_effective]))[0] == pytest.approx(stats.t.ppf((1 + level) / 2, max(n_effective - 1, 1)))


# ---- where there is no interval


def test_a_quantity_that_is_not_positive_has_its_interval_on_the_linear_scale():
    x = np.linspace(-1, 1.1, 40)[:, None]
    (total,), (rest,) = left_out(x)
    found = infer(-total / 40, -rest / 39, scale="log")
    assert found.low[0] + found.high[0] == pytest.approx(2 * found.estimate[0])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_quantity_that_is_not_finite_once_has_no_interval_and_the_others_have(bad):
    without = 1 + 0.01 * np.random.default_rng(0).standard_normal((30, 3))
    without[4, 1] = bad
    found = infer(np.ones(3), without)
    assert np.isnan([found.low[1], found.high[1], found.n_effective[1], found.error[1]]).all()
    assert np.isfinite(found.low[[0, 2]]).all()
    alone = infer(np.ones(1), without[:, :1])
    assert found.at(0) == pytest.approx(alone.at(0))
    assert all(math.isnan(end) for end in infer(np.array([bad]), np.ones((30, 1))).at(0)[1:])


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_blocks_have_no_interval(n):
    found = infer(np.array([3.0]), np.zeros((n, 1)))
    assert found.estimate[0] == 3 and all(math.isnan(value) for value in found.at(0)[1:])


def test_two_blocks_have_an_interval_so_wide_that_it_says_little():
    found = infer(np.array([1.0]), np.array([[0.9], [1.1]])).at(0)
    assert found.high - found.low > 2 * 6.3 * 0.1 * 0.7  # t with 1 degree of freedom is 6.31


def test_a_level_is_a_share():
    with pytest.raises(ValueError, match=r"write 90% as 0\.9"):
        infer(np.ones(1), np.ones((3, 1)), level=90)


# ---- sums of an ensemble


def sums(n=500, spread=1.0, seed=0, m=19):
    generator = torch.Generator().manual_seed(seed)
    target, members = torch.randn(n, generator=generator), spread * torch.randn(m, n, generator=generator)
    return Statistics.of(members, target, torch.zeros(n), torch.arange(n), n), members, target


def test_every_score_has_its_interval_on_its_own_scale():
    statistics, *_ = sums()
    values = scores(statistics)
    for name, (low, high) in intervals(statistics, scores).items():
        if SCORES[name].scale == "log" and low < high:
            assert low * high == pytest.approx(values[name] ** 2), name
    assert SCORES["coverage_90"].scale == "share" and SCORES["bias"].scale == "linear"


def test_evidence_names_every_rule_and_holds_the_values_of_the_scores():
    statistics, members, target = sums(spread=0.8)
    found = evidence(statistics)
    rules = [score.rule for score in SCORES.values() if score.rule]
    assert list(found) == [rule.test for rule in rules]
    ratio = math.sqrt(20 / 19 * members.double().var(0).mean() / (members.double().mean(0) - target.double()).square().mean())
    assert found["ratio"].estimate == pytest.approx(ratio) and found["ratio"].high < 1
    assert all(20 < test.n_effective <= 500 and test.departs is None for test in found.values())
    assert found["ratio"].rule.startswith("0.9 to 1.1")


def test_the_floor_of_w1_names_as_many_cases_as_there_are():
    """The mean of the integral of a Brownian bridge is sqrt(2 pi) / 8, 0.3133."""
    floors = [w1_floor(sums(400, seed=seed)[0]) for seed in range(10)]
    assert np.mean([floor.n_effective for floor in floors]) == pytest.approx(400, rel=0.15)
    for floor in floors:
        assert (
            floor.n_effective == pytest.approx((math.sqrt(2 * math.pi) / 8 / floor.expected) ** 2, rel=1e-3)
            and floor.upper > floor.expected
        )
