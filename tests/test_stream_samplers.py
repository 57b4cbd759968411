"""Draws at one address are independent of those at its neighbours, and means of draws follow the multinomial law too.

test_law.py tests the law of the counts for the samplers on the CPU, and test_gpu.py for the GPU.
"""

import itertools

import pytest
import torch
from scipy import stats

from stochattn_core.sampling import cpu, eager, stream

CPU = torch.device("cpu")
N_ROW = 20_000


def counts_from_means(mean_of_draws):
    """A sampler of counts made from one of means: with the unit vectors as values, the means are counts / concentration."""

    def counts(mass, keys, concentration):
        return (mean_of_draws(mass, keys, concentration, torch.eye(mass.shape[1])[None]) * concentration).round()

    return counts


MEANS = {"means": counts_from_means(eager.mean_of_draws), "means, compiled": counts_from_means(cpu.mean_of_draws)}
SAMPLERS = {
    "search": eager.counts_by_search,
    "chain": eager.counts_by_chain,
    "search, compiled": cpu.counts_by_search,
    "chain, compiled": cpu.counts_by_chain,
    **MEANS,
}


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert cpu.wait()


def draw(sampler, p, concentration, n_row=N_ROW, **address):
    keys = stream.row_keys(**{"seed": 0, "members": (0,), "call": 0, "first_row": 0, **address}, n_row=n_row, device=CPU)[0]
    return SAMPLERS[sampler](p.expand(n_row, -1).contiguous(), keys, concentration).long()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("neighbour", ({"seed": 1}, {"members": (1,)}, {"call": 1}, {"first_row": 1}), ids=lambda x: next(iter(x)))
def test_neighbours_draw_independently(sampler, neighbour):
    """Chi-square of the table of a key's count against its own, and against another key's, at the neighbouring address."""
    concentration = 400 if "chain" in sampler else 5
    p = torch.tensor([0.35, 0.25, 0.2, 0.15, 0.05])
    here, there = draw(sampler, p, concentration), draw(sampler, p, concentration, **neighbour)
    for key, other in ((0, 0), (1, 3)):
        # Counts fall into at most six classes of nearly equal size.
        first, second = (
            torch.bucketize(x.double(), x.double().quantile(torch.linspace(0, 1, 7)[1:-1].double()).unique())
            for x in (here[:, key], there[:, other])
        )
        table = torch.bincount(first * 6 + second, minlength=36).view(6, 6)
        table = table[table.sum(1) > 0][:, table.sum(0) > 0]
        assert min(table.shape) >= 3
        assert 1e-4 < stats.chi2_contingency(table.numpy(), correction=False).pvalue < 1 - 1e-4


@pytest.mark.parametrize(("sampler", "concentration"), list(itertools.product(MEANS, (1, 2, 7, 13))))
def test_means_of_draws_have_every_outcome_as_often_as_the_multinomial(sampler, concentration):
    """Chi-square of the joint counts, with keys without mass between and after the others."""
    p = torch.tensor([0.5, 0.0, 0.3, 0.2, 0.0])
    counts = draw(sampler, p, concentration, 40_000)
    assert not counts[:, [1, 4]].any() and (counts.sum(-1) == concentration).all()
    outcomes = [(i, j, concentration - i - j) for i in range(concentration + 1) for j in range(concentration + 1 - i)]
    wanted = stats.multinomial(concentration, (p[p > 0].double() / p.double().sum()).numpy()).pmf(outcomes) * len(counts)
    observed = torch.bincount(counts[:, 0] * (concentration + 1) + counts[:, 2], minlength=(concentration + 1) ** 2)
    seen = observed[[i * (concentration + 1) + j for i, j, _ in outcomes]].numpy()
    many = wanted >= 5
    seen, wanted = ([*x[many], x[~many].sum()] if (~many).any() else x for x in (seen, wanted))
    assert 1e-4 < stats.chisquare(seen, wanted, sum_check=False).pvalue < 1 - 1e-4


@pytest.mark.parametrize("sampler", MEANS)
def test_means_of_draws_have_the_mean_and_covariance_of_the_multinomial(sampler):
    p, concentration = torch.tensor([0.45, 0.0, 0.3, 0.15, 0.07, 0.03, 0.0]), 16
    counts = draw(sampler, p, concentration).double()
    p = p.double() / p.double().sum()
    exact = concentration * (torch.diag(p) - torch.outer(p, p))
    assert ((counts.mean(0) - concentration * p).abs() <= 4.5 * (torch.diag(exact) / N_ROW).sqrt() + 1e-12).all()
    variance = torch.diag(exact)
    excess = concentration * (torch.diag(p) + torch.outer(p, p))  # a bound on the fourth moment beyond that of a Gaussian
    noise = ((torch.outer(variance, variance) + exact**2 + excess) / N_ROW).sqrt()
    assert ((torch.cov(counts.T) - exact).abs() <= 5 * noise + 1e-12).all()
