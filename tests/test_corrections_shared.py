"""Shared draws: each row keeps its law, and all rows of a case have the same random numbers."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from stochattn_core import (
    Setting,
    evaluate,
    sample_ensemble,
    stochastic_attention,
    stochastic_scaled_dot_product_attention,
)
from stochattn_core.attention import Draw, sampled_rows
from tests.zoo import make


def test_each_row_of_shared_draws_keeps_its_exact_law():
    """Chi-square of the joint counts of two rows with different weights, each by itself, over members."""
    n, concentration = 20_000, 3
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    rows = sampled_rows(p.log().expand(n, 2, 3), Draw(concentration, range(n), shared=True))
    counts = (rows * concentration).round().long()
    outcomes = [(i, j) for i in range(concentration + 1) for j in range(concentration + 1 - i)]
    for row in range(2):
        law = stats.multinomial(concentration, p[row].double().numpy() / p[row].double().sum().item())
        expected = np.array([law.pmf([i, j, concentration - i - j]) for i, j in outcomes]) * n
        seen = np.array([int(((counts[:, row, 0] == i) & (counts[:, row, 1] == j)).sum()) for i, j in outcomes])
        many = expected >= 5
        seen, expected = (np.append(x[many], x[~many].sum()) for x in (seen, expected))
        seen, expected = seen[expected > 0], expected[expected > 0]
        assert stats.chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1) > 1e-4


@pytest.mark.parametrize("concentration", (1, 5, 2000))  # 2000 is drawn by the chain
def test_equal_rows_of_one_case_are_equal_and_other_cases_members_and_calls_are_not(concentration):
    generator = torch.Generator().manual_seed(0)
    key, value = torch.randn(1, 1, 9, 4, generator=generator), torch.eye(9)[None, None]
    query = torch.randn(1, 1, 1, 4, generator=generator).expand(2 * 3, 2, 5, 4)  # two members of three cases, two heads, five equal rows
    out = [
        stochastic_scaled_dot_product_attention(
            query, key.expand(6, 2, 9, 4), value.expand(6, 2, 9, 9), concentration, members=(0, 7), layer=layer, shared=True
        )
        for layer in (0, 1)
    ]
    flat = out[0].flatten(1, 2)
    assert torch.equal(flat, flat[:, :1].expand_as(flat))
    one_a_case = torch.stack([flat[:, 0], out[1].flatten(1, 2)[:, 0]]).flatten(0, 1)
    assert len(one_a_case.unique(dim=0)) > (3 if concentration == 1 else 11)
    plain = stochastic_scaled_dot_product_attention(
        query, key.expand(6, 2, 9, 4), value.expand(6, 2, 9, 9), concentration, members=(0, 7)
    ).flatten(1, 2)
    assert not torch.equal(plain, plain[:, :1].expand_as(plain))


@pytest.mark.parametrize("name", ("nn.TransformerEncoder", "nn.MultiheadAttention, weights", "Swinv2", "FT-Transformer"))
def test_shared_members_do_not_depend_on_folds_or_chunks_of_cases(name):
    network, inputs = make(name)
    whole = sample_ensemble(network, *inputs, concentration=3, n_member=6, shared=True)
    assert not torch.equal(whole, sample_ensemble(network, *inputs, concentration=3, n_member=6))
    alone = sample_ensemble(network, *inputs, concentration=3, n_member=6, fold=1, shared=True)
    assert torch.allclose(whole, alone, atol=1e-5)
    parts = [
        sample_ensemble(network, inputs[0][i : i + 1], concentration=3, n_member=6, first_case=i, shared=True)
        for i in range(len(inputs[0]))
    ]
    assert torch.allclose(whole, torch.cat(parts, 1), atol=1e-5)
    if len(inputs[0]) > 1:
        same = sample_ensemble(network, inputs[0][:1].expand_as(inputs[0]), concentration=3, n_member=6, shared=True)
        assert not torch.allclose(same[:, 0], same[:, 1])


def test_without_a_number_of_cases_dim_0_of_the_call_is_the_case():
    network = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0)).expand(3, 5, 8)
    with torch.no_grad(), stochastic_attention(network, 2, shared=True):
        out = network(x, x, x, need_weights=False)[0]
    with torch.no_grad(), stochastic_attention(network, 2, shared=True, n_case=3):
        assert torch.equal(out, network(x, x, x, need_weights=False)[0])
    assert not torch.equal(out[0], out[1])


def test_a_shared_setting_is_another_ensemble_with_more_spread_on_a_table(model, diabetes):
    alone, together = (evaluate(model, diabetes, Setting(4, 29, correction=correction)) for correction in ("", "shared"))
    assert together.scores["spread"] > 1.1 * alone.scores["spread"]
    assert together.setting.correction == "shared" and np.array_equal(alone.ensemble.plain, together.ensemble.plain)
