"""The probability law of sampled attention, against exact results for small cases, for every sampler."""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from stochattn_core import stochastic_scaled_dot_product_attention
from stochattn_core.draw import check_concentration
from stochattn_core.sampling import cpu, eager, stream

P = torch.tensor([0.45, 0.0, 0.3, 0.15, 0.07, 0.03, 0.0])
SAMPLERS = {
    "search": eager.counts_by_search,
    "chain": eager.counts_by_chain,
    "search, compiled": cpu.counts_by_search,
    "chain, compiled": cpu.counts_by_chain,
}
CONCENTRATIONS = (1, 2, 7, 64, 1000, 10**5)


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert cpu.wait()


def keys(n_row, seed=0, member=0, call=0):
    return stream.row_keys(seed, (member,), call, 0, n_row, torch.device("cpu"))[0]


def draw(sampler, concentration, n_row, p=P, seed=0):
    return SAMPLERS[sampler](p.expand(n_row, -1).contiguous(), keys(n_row, seed), concentration).double()


@pytest.mark.parametrize(("sampler", "concentration"), list(itertools.product(SAMPLERS, CONCENTRATIONS)))
def test_counts_have_the_mean_and_covariance_of_the_multinomial(sampler, concentration):
    n_row = 20_000 if concentration <= 64 or "chain" in sampler else 2_000
    if "search" in sampler and concentration == 10**5:
        n_row = 300
    counts = draw(sampler, concentration, n_row)
    p = P.double()
    assert torch.equal(counts.sum(-1), torch.full((n_row,), float(concentration)).double())
    assert not counts[:, p == 0].any()
    standard_error = (p * (1 - p) / concentration / n_row).sqrt()
    assert ((counts.mean(0) / concentration - p).abs() <= 4.5 * standard_error + 1e-15).all()
    covariance = torch.cov(counts.T) / concentration
    exact = torch.diag(p) - torch.outer(p, p)
    variance = torch.diag(exact)
    # Var of a sample covariance is about (C_ii C_jj + C_ij^2) / n; the multinomial's own excess matters at concentration 1.
    noise = (
        (torch.outer(variance, variance) + exact**2 + torch.outer(p, p) / concentration + torch.diag(p) / concentration) / n_row
    ).sqrt()
    assert ((covariance - exact).abs() <= 5 * noise + 1e-15).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("concentration", (1, 2, 7, 64))
def test_every_outcome_of_the_multinomial_is_as_frequent_as_it_should_be(sampler, concentration):
    """Chi-square on the joint counts of a three-key row, all outcomes with an expected count of at least five."""
    p, n_row = torch.tensor([0.5, 0.3, 0.2]), 40_000
    counts = draw(sampler, concentration, n_row, p).long()
    outcomes = [(i, j) for i in range(concentration + 1) for j in range(concentration + 1 - i)]
    exact = stats.multinomial(concentration, p.double().numpy() / p.double().sum().item())
    expected = torch.tensor([exact.pmf([i, j, concentration - i - j]) for i, j in outcomes]).double() * n_row
    observed = torch.bincount(counts[:, 0] * (concentration + 1) + counts[:, 1], minlength=(concentration + 1) ** 2)
    observed = torch.tensor([observed[i * (concentration + 1) + j] for i, j in outcomes]).double()
    many = expected >= 5
    pooled_observed = torch.cat([observed[many], observed[~many].sum()[None]])
    pooled_expected = torch.cat([expected[many], expected[~many].sum()[None]])
    is_used = pooled_expected > 0
    statistic = float(((pooled_observed - pooled_expected)[is_used] ** 2 / pooled_expected[is_used]).sum())
    assert stats.chi2.sf(statistic, int(is_used.sum()) - 1) > 1e-4


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("concentration", (1000, 10**5))
def test_a_single_count_is_binomial_at_large_concentrations(sampler, concentration):
    n_row = 20_000 if "chain" in sampler else max(300, 2_000_000 // concentration)
    counts = draw(sampler, concentration, n_row)[:, 0]
    p = float(P[0].double() / P.double().sum())
    # Randomised probability integral transform: exactly uniform for a discrete law.
    law = stats.binom(concentration, p)
    u = torch.rand(n_row, generator=torch.Generator().manual_seed(1)).double().numpy()
    transform = law.cdf(counts.numpy() - 1) + u * law.pmf(counts.numpy())
    assert stats.kstest(transform, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("mean", (0.01, 0.7, 3.0, 9.99, 10.0, 25.0, 400.0, 1e5))
def test_poisson_counts_follow_their_law(mean):
    n = 40_000
    counts = eager.poisson(torch.full((n // 4, 4), mean, dtype=torch.float64), keys(n // 4)).flatten()
    law = stats.poisson(mean)
    u = torch.rand(n, generator=torch.Generator().manual_seed(2)).double().numpy()
    transform = law.cdf(counts.numpy() - 1) + u * law.pmf(counts.numpy())
    assert stats.kstest(transform, "uniform").pvalue > 1e-3


def test_no_masked_key_is_ever_drawn():
    """At least ten million draws through the public function, with masks of many kinds that also hide the last keys."""
    n_draw = 0
    for concentration, n_row in ((1, 40_000), (7, 20_000), (100, 20_000), (1000, 10_000)):
        generator = torch.Generator().manual_seed(concentration)
        mask = torch.rand(1, n_row, 9, generator=generator) < 0.5
        mask[..., 0, :] = True
        mask[..., -1] = False
        mask[:, :, 0] = True
        query = 30 * torch.randn(1, n_row, 4, generator=generator)
        key = torch.randn(1, 9, 4, generator=generator)
        weights = stochastic_scaled_dot_product_attention(query, key, torch.eye(9)[None], concentration, attn_mask=mask)
        assert not weights[~mask].any()
        assert torch.allclose(weights.sum(-1), torch.ones(1, n_row))
        n_draw += concentration * n_row
    assert n_draw >= 10**7


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_draw_leaves_the_row_when_rounding_meets_the_total(sampler):
    mass = torch.tensor([[1.0, 1e-12, 0.0, 0.0]]).repeat(4, 1)
    counts = SAMPLERS[sampler](mass, keys(4), 50_000)
    assert not counts[:, 2:].any()


def test_one_draw_is_a_hard_gumbel_max_attention_in_law():
    generator = torch.Generator().manual_seed(0)
    logits, n = torch.randn(5, generator=generator), 60_000
    gumbel = -torch.log(-torch.log(torch.rand(n, 5, generator=generator, dtype=torch.float64)))
    by_gumbel = torch.bincount((logits + gumbel).argmax(-1), minlength=5)
    ours = draw("search", 1, n, torch.softmax(logits, -1)).sum(0)
    assert stats.chi2_contingency(torch.stack([by_gumbel.double(), ours]).numpy()).pvalue > 1e-3


def test_the_draws_of_a_concentration_begin_those_of_a_larger_one():
    mass = P.expand(50, -1).contiguous()
    assert torch.equal(eager.search(mass, keys(50), 9), eager.search(mass, keys(50), 31)[:, :9])


@pytest.mark.parametrize("concentration", (1, 16, 64, 1000))
def test_the_output_is_unbiased_with_the_attention_weighted_covariance_of_the_values(concentration):
    generator = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(1, 2, n, 6, generator=generator) for n in (3, 12, 12))
    n_member = 3000
    folded = [x.repeat(n_member, 1, 1, 1) for x in (query, key, value)]
    out = stochastic_scaled_dot_product_attention(*folded, concentration, members=range(n_member)).double()
    p = torch.softmax(query.double() @ key.double().mT / math.sqrt(6), -1)
    mean = p @ value.double()
    variance = (p @ value.double() ** 2 - mean**2) / concentration
    assert ((out.mean(0) - mean[0]).abs() < 5 * (variance[0] / n_member).sqrt()).all()
    assert torch.allclose(out.var(0), variance[0], rtol=0.2)


def test_infinite_concentration_is_torchs_own_result_bit_for_bit():
    generator = torch.Generator().manual_seed(4)
    query, key, value = (torch.randn(2, 4, 7, 8, generator=generator) for _ in range(3))
    for options in ({}, {"is_causal": True}, {"scale": 0.3}):
        plain = F.scaled_dot_product_attention(query, key, value, **options)
        assert torch.equal(stochastic_scaled_dot_product_attention(query, key, value, math.inf, **options), plain)


@pytest.mark.parametrize("wrong", (0, -1, 2.5, "abc", None, float("nan"), True, -math.inf))
def test_a_wrong_concentration_is_refused_in_one_sentence(wrong):
    with pytest.raises(ValueError, match="concentration must be a positive whole number or inf, got"):
        check_concentration(wrong)


def test_a_whole_float_is_accepted_as_an_int():
    assert check_concentration(64.0) == 64 and isinstance(check_concentration(64.0), int)
