"""Sums by block: blocks are left out, joined and put one after another as their cases are; an ensemble keeps its cases in the order of time."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core import ensemble_data
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics, scores
from stochattn_core.metrics.ranks import legendre_means, legendre_weights

N, M = 60, 9


def arrays(seed=0, *event):
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.standard_normal((N, *event)))  # so that spreads fall into many bins
    members, target = scale * rng.standard_normal((M, N, *event)), scale * rng.standard_normal((N, *event))
    target[::7] = np.nan
    return members, target, np.zeros((N, *event))


def sums_of(data, block, n_block=None, cases=slice(None)):
    members, target, plain = data
    return Statistics.of(members[:, cases], target[cases], plain[cases], block[cases], n_block or int(block.max()) + 1)


def same(one, other):
    """Equal sums, bin by bin; bins that hold nothing do not count."""
    bins = torch.unique(torch.cat([one.spread_bin, other.spread_bin]))
    left, right = one._with_bins(bins), other._with_bins(bins)
    for name, values, _ in left:
        torch.testing.assert_close(values, right[name], rtol=1e-9, atol=1e-9, equal_nan=True, msg=name)
    return True


@pytest.mark.parametrize("event", [(), (3,)])
def test_leaving_a_block_out_gives_the_sums_of_all_other_cases(event):
    data, block = arrays(0, *event), np.arange(N) // 10
    rest = sums_of(data, block).without_each()
    assert rest.n_block == 6
    for left_out in range(6):
        cases = block != left_out
        assert same(rest.at(left_out), sums_of(data, np.zeros(N, dtype=int), 1, cases))


def test_blocks_without_a_case_are_not_left_out_and_not_used():
    data, block = arrays(), 2 * (np.arange(N) // 10)  # every other block is empty
    statistics = sums_of(data, block)
    assert statistics.n_block == 11 and statistics.used().n_block == 6 == statistics.without_each().n_block
    assert same(statistics.used(), sums_of(data, block // 2)) and same(statistics.used().total(), statistics.total())
    full = sums_of(data, block // 2)
    assert full.used() is full


@pytest.mark.parametrize("n_most", [1, 4, 7, 59])
def test_merged_blocks_are_neighbours_of_nearly_equal_number(n_most):
    data, block = arrays(), np.arange(N)
    merged = sums_of(data, block).merged(n_most)
    assert same(merged, sums_of(data, block * n_most // N, n_most))
    assert np.ptp(np.bincount(block * n_most // N)) <= 1
    assert sums_of(data, block).merged(N).n_block == N


def test_parts_one_after_another_are_the_blocks_of_the_whole():
    data, block = arrays(0, 2), np.arange(N) // 5
    parts = [sums_of(data, block - block[start], 4, slice(start, start + 20)) for start in (0, 20, 40)]
    assert same(Statistics.joined(parts), sums_of(data, block))


def ensemble(block, data=None):
    members, target, plain = data or arrays(0, 2)
    return Ensemble(members, target, plain, pd.RangeIndex(N), block, ("case", "output"))


def test_the_pooled_sums_of_an_ensemble_are_by_case_in_the_order_of_its_blocks():
    data, order = arrays(0, 2), np.random.default_rng(1).permutation(N)
    pooled = ensemble(order, data).pooled
    assert pooled.n_block == N and pooled.event == ()
    for case in (0, 7, 31):
        one = sums_of(data, np.zeros(N, dtype=int), 1, slice(case, case + 1)).pooled()
        assert same(pooled.at(int(order[case])), one)


@pytest.mark.parametrize(
    "block", [np.arange(N), np.arange(N)[::-1].copy(), np.arange(N) // 7, np.random.default_rng(1).permutation(N) // 4]
)
def test_the_pooled_sums_do_not_depend_on_how_many_cases_are_held_at_a_time(block, monkeypatch):
    expected = ensemble(block).pooled
    assert expected.n_block == block.max() + 1
    monkeypatch.setattr(ensemble_data, "MOST_SUMS", 5 * ensemble_data.SUMS_PER_RANK * (M + 16) * 2)  # five cases
    assert same(ensemble(block).pooled, expected)
    assert ensemble(block).statistics.n_block == ensemble_data.LEAST_BLOCKS  # by element, blocks are joined: memory is bounded
    assert scores(ensemble(block).statistics) == pytest.approx(scores(expected), nan_ok=True)


@pytest.mark.parametrize("n_bin", [10, 20, 50])
def test_polynomials_of_the_pit_vary_by_one_over_root_n_and_are_zero_when_flat(n_bin):
    weights = legendre_weights(n_bin)
    np.testing.assert_allclose(np.square(weights).mean(1), 1)
    np.testing.assert_allclose(weights.mean(1), 0, atol=1e-12)
    assert legendre_means(torch.ones(n_bin, 3)).abs().max() < 1e-6
    counts = np.random.default_rng(0).multinomial(400, np.full(n_bin, 1 / n_bin), size=2000)
    np.testing.assert_allclose(legendre_means(torch.tensor(counts.T, dtype=torch.float64)).std(1) * math.sqrt(400), 1, atol=0.08)


def test_the_polynomials_of_the_pit_tell_place_spread_skewness_and_tails():
    middle = (np.arange(100) + 0.5) / 100
    shapes = (middle, np.abs(middle - 0.5), (2 * middle - 1) ** 3 - 0.6 * (2 * middle - 1), np.abs(np.abs(middle - 0.5) - 0.3))
    for place, counts in enumerate(shapes):
        counts = torch.tensor(counts - counts.min() + 1.0)
        found = legendre_means(counts)
        assert found[place] > 0 and found.abs().argmax() == place, (place, found)
