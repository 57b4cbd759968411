"""The objectives where the right answer is known in closed form: Gaussian errors, and passes that spread as nu ** -0.5."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.signal import lfilter

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.dispersion import per_sample
from stochattn_core.tuning.interval import inference_of, within
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import OBJECTIVES
from stochattn_core.tuning.objectives.per_sample import bias
from stochattn_core.tuning.points import Point, crossing

TRUE = 16.0  # where the spread of a pass is the error


def toy(n_case=8000, n_output=1, n_pass=32, n_block=40, seed=0, grid=(4, 6, 8, 11, 16, 23, 32, 45, 64)):
    """y - f is standard normal, f_nu - f is normal with variance TRUE / nu; common random numbers over nu."""
    rng = np.random.default_rng(seed)
    event = (n_output,) if n_output > 1 else ()
    target = rng.standard_normal((n_case, *event))
    noise = rng.standard_normal((n_pass, n_case, *event))
    points = []
    for nu in grid:
        ensemble = Ensemble(
            members=noise * math.sqrt(TRUE / nu),
            target=target,
            plain=np.zeros_like(target),
            index=pd.RangeIndex(n_case),
            block=np.arange(n_case) % n_block,
            dims=("case", "output")[: 1 + len(event)],
        )
        points.append(Point.of(nu, ensemble))
    return points


def share_of_the_right_spread(points, name):
    """sqrt(TRUE / nu*): the spread at which the objective settles."""
    curve = OBJECTIVES[name].curve(points, points[0].every_block)
    return math.sqrt(TRUE / float(minimum(np.array([point.concentration for point in points]), curve)[0]))


@pytest.fixture(scope="module")
def points():
    return toy()


def test_per_sample_dispersion_settles_at_two_thirds_of_the_right_spread(points):
    assert share_of_the_right_spread(points, "per-sample") == pytest.approx(2 / math.pi, abs=0.015)


def test_averaged_over_passes_it_settles_just_below(points):
    a = 2 / math.pi
    assert share_of_the_right_spread(points, "averaged") == pytest.approx(a / (a + (1 - a) / 32), abs=0.01)  # .982


@pytest.mark.parametrize("name", ("pooled", "ratio", "crps"))
def test_the_unbiased_objectives_find_the_right_spread(points, name):
    assert share_of_the_right_spread(points, name) == pytest.approx(1.0, abs=0.02)


def test_w1_under_a_crps_bound_is_near_it_too(points):
    assert share_of_the_right_spread(points, "w1") == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("k", (2, 5, 20))
def test_the_bias_of_a_norm_fades_with_its_dimension(k):
    share = share_of_the_right_spread(toy(n_case=4000, n_output=k, n_pass=8), "per-sample")
    assert bias(k) == pytest.approx({2: 0.785, 5: 0.905, 20: 0.975}[k], abs=5e-4)
    assert share == pytest.approx(bias(k), abs=0.015)


def test_a_pooled_norm_of_fifty_numbers_is_one_percent_low():
    assert bias(50) == pytest.approx(0.99, abs=5e-4)


def test_per_sample_sums_agree_with_their_slow_definition():
    rng = np.random.default_rng(3)
    members, target, plain = rng.standard_normal((5, 7, 3)), rng.standard_normal((7, 3)), rng.standard_normal((7, 3))
    target[2] = np.nan
    target[4, 1] = np.nan
    weights, block = np.array([0.5, 1.0, 1.5]), np.array([0, 1, 0, 1, 2, 2, 0])
    sums = per_sample(members, target, plain, block, weights=weights)
    cost, averaged, n = np.zeros((3, 5)), np.zeros(3), np.zeros(3)
    for i in range(7):
        seen = ~np.isnan(target[i])
        if not seen.any():
            continue
        norm = lambda x, seen=seen: math.sqrt((weights[seen] * x[seen] ** 2).sum())  # noqa: E731
        d0 = norm(target[i] - plain[i])
        d = np.array([norm(member[i] - plain[i]) for member in members])
        cost[block[i]] += (d - d0) ** 2
        averaged[block[i]] += (d.mean() - d0) ** 2
        n[block[i]] += 1
    np.testing.assert_allclose(sums.cost, cost)
    np.testing.assert_allclose(sums.averaged, averaged)
    np.testing.assert_allclose(sums.n, n)


def test_the_minimum_is_exact_for_a_squared_difference_of_spread_and_error():
    nu = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
    for true in (2.5, 5.0, 20.0, 31.0):
        assert minimum(nu, (nu**-0.5 - true**-0.5) ** 2) == pytest.approx(true)
    assert minimum(nu, -(nu**-0.5)) == pytest.approx(2) and minimum(nu, nu**-0.5) == pytest.approx(32)  # falls to an end
    assert (
        minimum(nu, (nu**-0.5 - 500**-0.5) ** 2) == 32 and minimum(nu, (nu**-0.5 - 1) ** 2) == 2
    )  # beyond an end it is that end, to the bit
    assert minimum(nu, np.array([9, np.inf, 1, np.inf, 9])) == 8  # bounded on both sides
    assert np.isnan(minimum(nu, np.full(5, np.nan)))
    assert minimum(nu, np.stack([-(nu**-0.5), nu**-0.5])) == pytest.approx([2, 32])


def test_the_crossing_is_where_deviation_meets_error(points):
    assert math.exp(crossing({point.concentration: point for point in points})) == pytest.approx(TRUE, rel=0.02)
    beyond = {point.concentration: point for point in points if point.concentration > 30}
    assert math.exp(crossing(beyond)) == pytest.approx(TRUE, rel=0.05)


def inferred(points):
    nu = np.array([point.concentration for point in points])
    return inference_of(points[0].statistics, lambda counts: minimum(nu, OBJECTIVES["pooled"].curve(points, counts), is_bounded=False))


def test_an_interval_narrows_with_the_root_of_the_cases_and_holds_the_truth():
    n_inside, width = 0, {}
    for n_case, n_seed in ((300, 40), (1200, 20)):
        widths = []
        for seed in range(n_seed):
            points = toy(n_case=n_case, n_pass=8, n_block=50, seed=seed, grid=(4, 8, 16, 32, 64))
            found = inferred(points).at(0)
            n_inside += n_case == 300 and found.low < TRUE < found.high
            assert found.low * found.high == pytest.approx(found.estimate**2)  # the interval is that of the logarithm
            widths.append(math.log(found.high / found.low))
        width[n_case] = np.mean(widths)
    assert 31 <= n_inside <= 40  # of 40 with 90%: fewer once in a hundred
    assert width[300] / width[1200] == pytest.approx(2, rel=0.1)
    # d0 has a relative error of 1 / sqrt(2 n), so has d on every pass; nu* goes with the square. Student's t has 49 degrees of freedom.
    reach = stats.t.ppf(0.95, 49)
    assert width[300] == pytest.approx(2 * reach * 2 * math.sqrt((1 + 1 / 8) / (2 * 300)), rel=0.1)


def test_errors_that_go_on_for_some_time_widen_the_interval_as_fewer_cases_would():
    """AR(1) errors of 0.9: their squares are correlated 0.81^k, so that n of them are worth n (1 - 0.81) / (1 + 0.81) as far as d0 goes."""
    rng, n, rho = np.random.default_rng(0), 4000, 0.9
    shocks = math.sqrt(1 - rho**2) * rng.standard_normal(n + 200)
    target = lfilter([1], [1, -rho], shocks)[200:]
    noise = rng.standard_normal((64, n))  # so many passes that d is known
    dims, index, plain = ("case",), pd.RangeIndex(n), np.zeros(n)
    points = [Point.of(nu, Ensemble(noise * math.sqrt(TRUE / nu), target, plain, index, np.arange(n), dims)) for nu in (4, 8, 16, 32, 64)]
    found = inferred(points)
    assert found.n_effective[0] == pytest.approx(n * 0.19 / 1.81, rel=0.35)
    assert found.error[0] == pytest.approx(2 * math.sqrt(1.81 / 0.19 / (2 * n)), rel=0.25)


def test_an_interval_is_not_cut_off_where_the_optimum_is_at_an_end_of_the_range():
    """A grid that begins at the optimum: the interval goes on beyond it, and only what is shown of it is cut."""
    points = toy(n_case=2000, n_pass=8, grid=(16, 23, 32, 45, 64))
    found = inferred(points).at(0)
    around = inferred(toy(n_case=2000, n_pass=8, grid=(4, 8, 16, 32, 64))).at(0)
    assert found.low < 16 and math.log(found.high / found.low) == pytest.approx(math.log(around.high / around.low), rel=0.15)
    assert within(found, 16.0, 64.0) == (16.0, pytest.approx(found.high))


def test_one_block_gives_no_interval_and_the_whole_range_is_shown():
    found = inferred(toy(n_case=40, n_block=1, n_pass=3, grid=(8, 16, 32))).at(0)
    assert math.isfinite(found.estimate) and all(math.isnan(value) for value in found[1:])
    assert within(found, 8.0, 32.0) == (8.0, 32.0)


def test_counts_of_blocks_weigh_cases_like_cases_taken_again(points):
    """A block that is taken twice is the same as its cases standing there twice."""
    few = toy(n_case=40, n_block=4, n_pass=3, grid=(8, 16, 32))
    counts = torch.tensor([[2.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    repeated = np.concatenate([np.flatnonzero(np.arange(40) % 4 == b) for b in (0, 0, 2, 3)])
    rng = np.random.default_rng(0)
    target, noise = rng.standard_normal(40), rng.standard_normal((3, 40))
    for name, objective in OBJECTIVES.items():
        again = []
        for nu in (8, 16, 32):
            again.append(
                Point.of(
                    nu,
                    Ensemble(
                        noise[:, repeated] * math.sqrt(TRUE / nu),
                        target[repeated],
                        np.zeros(40),
                        pd.RangeIndex(40),
                        np.zeros(40, int),
                        ("case",),
                    ),
                )
            )
        np.testing.assert_allclose(objective.curve(few, counts), objective.curve(again, again[0].every_block), err_msg=name)
