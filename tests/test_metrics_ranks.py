"""Ranks, W1, intervals and spread, compared with slow definitions, another library, and closed forms."""

import math

import numpy as np
import pytest
import scores.probability
import torch
import xarray as xr
from scipy import integrate, stats

from stochattn_core.metrics import (
    LEVELS,
    attainable_coverage,
    central_intervals,
    coverage,
    flatness,
    pit,
    pit_dispersion,
    pit_mean,
    quantiles,
    rank_weights,
    rebin,
    rmse,
    spread,
    spread_skill_ratio,
    w1,
)


def ensemble(m: int, *event: int, seed: int = 0, ties: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(m + 1, *event, generator=generator, dtype=torch.float64)
    values = values.mul(2).round() if ties else values
    return values[1:], values[0]


@pytest.mark.parametrize("ties", [False, True])
def test_rank_histogram_is_that_of_scores_with_ties_split(ties):
    members, target = ensemble(9, 300, ties=ties)
    ours = rank_weights(members, target).mean(1)
    theirs = scores.probability.rank_histogram(
        xr.DataArray(members.numpy(), dims=("member", "case")), xr.DataArray(target.numpy(), dims="case"), "member"
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_pit_draws_have_the_expected_distribution_and_the_seed_decides():
    members, target = ensemble(4, 3, ties=True)
    many = pit(members[:, :, None].expand(-1, -1, 20_000), target[:, None].expand(-1, 20_000), seed=3)
    for case in range(3):
        wanted = rank_weights(members, target)[:, case]
        histogram = torch.histc(many[case], 5, 0, 1) / 20_000
        torch.testing.assert_close(histogram, wanted, atol=0.015, rtol=0)
    assert torch.equal(pit(members, target, seed=1), pit(members, target, seed=1))
    assert not torch.equal(pit(members, target, seed=1), pit(members, target, seed=2))


def test_w1_is_the_integral_of_the_expected_cdf_from_the_diagonal():
    for seed in range(5):
        rank = torch.rand(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        knots = np.concatenate([[0], np.cumsum(rank.numpy())]) / float(rank.sum())
        grid = np.linspace(0, 1, 400_001)
        slow = integrate.trapezoid(np.abs(np.interp(grid, np.linspace(0, 1, 9), knots) - grid), grid)
        assert float(w1(rank)) == pytest.approx(slow, abs=1e-9)
    assert float(w1(torch.tensor([1.0] + [0.0] * 999))) == pytest.approx(0.5, abs=1e-3)
    assert float(w1(torch.ones(50))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.9, 1.3, 2.0])
def test_w1_of_a_gaussian_of_the_wrong_width_is_the_closed_form(ratio):
    # F_u(t) = Phi(ratio Phi^-1(t)) for many members; the exact value at M members follows from binomial probabilities.
    grid = np.linspace(0, 1, 20_001)[1:-1]
    limit = integrate.trapezoid(np.abs(stats.norm.cdf(ratio * stats.norm.ppf(grid)) - grid), grid)
    m = 49
    y = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    exact = stats.binom.pmf(np.arange(m + 1)[:, None], m, stats.norm.cdf(y / ratio)).mean(1)
    members, target = ensemble(m, 40_000)
    assert float(w1(rank_weights(ratio * members, target).sum(1))) == pytest.approx(float(w1(torch.tensor(exact))), abs=0.004)
    assert float(w1(torch.tensor(exact))) == pytest.approx(limit, rel=0.08)
    assert limit == pytest.approx({0.5: 0.102, 0.75: 0.045, 0.9: 0.017, 1.3: 0.041, 2.0: 0.102}[ratio], abs=6e-4)


@pytest.mark.parametrize("n", [31, 400])
def test_w1_of_a_perfect_ensemble_is_the_noise_floor(n):
    members, target = ensemble(49, n, 300)
    assert float(w1(rank_weights(members, target).sum(1)).mean()) == pytest.approx(0.313 / math.sqrt(n), rel=0.08)


def test_any_number_of_bins_is_flat_for_a_flat_rank_histogram_and_whole_ranks_add():
    for k, n_bin in ((33, 10), (50, 10), (50, 7), (101, 10)):
        torch.testing.assert_close(rebin(torch.ones(k, dtype=torch.float64), n_bin), torch.full((n_bin,), 1 / n_bin, dtype=torch.float64))
    rank = torch.rand(50, 3, dtype=torch.float64)
    torch.testing.assert_close(rebin(rank, 10), rank.view(10, 5, 3).sum(1) / rank.sum(0))
    with pytest.raises(ValueError, match="between 1 and 10 bins, got 20"):
        rebin(torch.ones(10), 20)


def test_shape_numbers_of_the_pit_are_those_of_its_draws():
    members, target = ensemble(9, 50_000)
    u, rank = pit(0.5 * members + 0.3, target), rank_weights(0.5 * members + 0.3, target).sum(1)
    assert float(pit_mean(rank)) == pytest.approx(float(u.mean()), abs=2e-3)  # drawn with the same seed as the data
    assert float(pit_dispersion(rank)) == pytest.approx(float(12 * u.var()), abs=6e-3)
    assert float(flatness(torch.tensor([1.0, 0.0]))) == 1


def test_quantiles_are_numpy_weibull_and_a_perfect_ensemble_has_its_nominal_coverage():
    members, _ = ensemble(49, 20_000)
    probability = [0.025, 0.1, 0.5, 0.9, 0.999]
    np.testing.assert_allclose(quantiles(members, probability), np.quantile(members, probability, axis=0, method="weibull"), atol=1e-12)
    lower, upper = central_intervals(members, LEVELS)
    covered = (torch.special.ndtr(upper) - torch.special.ndtr(lower)).mean(1)  # exact, given the members
    torch.testing.assert_close(covered, attainable_coverage(49), atol=0.005, rtol=0)
    lower, upper = central_intervals(members[:9], [0.9])
    covered = (torch.special.ndtr(upper) - torch.special.ndtr(lower)).mean(1)
    torch.testing.assert_close(covered, attainable_coverage(9, [0.9]), atol=0.005, rtol=0)


def test_a_target_that_ties_with_an_end_of_the_interval_is_covered():
    members = torch.arange(1.0, 50.0, dtype=torch.float64)
    ends = torch.tensor([5.0, 45.0], dtype=torch.float64)  # (1 - 0.8) / 2 * 50 is 4.999999999999999 in binary
    assert torch.equal(torch.cat(central_intervals(members, [0.8])), ends)
    assert coverage(members.unsqueeze(1), ends, [0.8]).tolist() == [[1, 1]]
    with pytest.raises(ValueError, match=r"write 90% as 0\.9"):
        coverage(members, torch.tensor(5.0), [90])


def test_spread_skill_ratio_is_one_for_a_perfect_ensemble_of_any_size():
    for m in (2, 5, 49):
        members, target = ensemble(m, 40_000)
        assert float(spread_skill_ratio(members, target)) == pytest.approx(1, abs=0.015)
    target[::3] = torch.nan
    seen = ~torch.isnan(target)
    assert float(spread_skill_ratio(members, target)) == pytest.approx(float(spread_skill_ratio(members[:, seen], target[seen])), abs=1e-12)
    assert float(rmse(members[0], target)) == pytest.approx(float((members[0] - target)[seen].square().mean().sqrt()), abs=1e-12)
    with pytest.raises(ValueError, match="at least 2 members, got 1"):
        spread(members[:1])
