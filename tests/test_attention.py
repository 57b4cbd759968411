"""Sampled attention accepts the arguments of torch's attention, with the same meaning."""

import math

import pytest
import torch
from torch.nn import functional as F

from stochattn_core import stochastic_scaled_dot_product_attention
from stochattn_core.attention import attend, sampled_rows
from stochattn_core.draw import Draw

EXACT = Draw(math.inf)


def tensors(*shapes, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


@pytest.mark.parametrize("lead", ((), (3,), (2, 3), (2, 3, 2)))
@pytest.mark.parametrize("options", ({}, {"is_causal": True}, {"scale": 0.7}, {"attn_mask": "bool"}, {"attn_mask": "float"}))
def test_with_sampling_off_it_equals_torch(lead, options):
    query, key, value = tensors((*lead, 5, 8), (*lead, 7, 8), (*lead, 7, 4))
    options = dict(options)
    if options.get("attn_mask") == "bool":
        options["attn_mask"] = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) < 0.7
        options["attn_mask"][2] = False  # a fully masked row
    elif options.get("attn_mask") == "float":
        options["attn_mask"] = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    expected = F.scaled_dot_product_attention(query, key, value, **options)
    assert torch.allclose(attend(query, key, value, EXACT, **options), expected, atol=1e-6)


@pytest.mark.parametrize(("n_row", "n_key"), ((4, 9), (9, 4)))
def test_causal_is_the_lower_triangle_from_the_top_left(n_row, n_key):
    query, key = tensors((1, n_row, 8), (1, n_key, 8))
    weights = stochastic_scaled_dot_product_attention(query, key, torch.eye(n_key)[None], 200, is_causal=True)[0]
    allowed = torch.ones(n_row, n_key).tril().bool()
    assert not weights[~allowed].any()
    assert weights[0, 0] == 1


def test_grouped_queries_share_keys_and_values():
    query, key, value = tensors((2, 6, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8))
    expected = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert torch.allclose(attend(query, key, value, EXACT, enable_gqa=True), expected, atol=1e-6)
    by_hand = stochastic_scaled_dot_product_attention(query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1), 11)
    assert torch.allclose(stochastic_scaled_dot_product_attention(query, key, value, 11, enable_gqa=True), by_hand, atol=1e-6)


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float64))
def test_the_result_has_the_dtype_of_the_values_and_scores_are_wide(dtype):
    query, key, value = tensors((2, 2, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8), dtype=dtype)
    out = stochastic_scaled_dot_product_attention(query, key, value, 10**5)
    assert out.dtype == dtype
    exact = F.scaled_dot_product_attention(query.double(), key.double(), value.double())
    assert (out.double() - exact).abs().max() < 0.03


def test_a_row_with_every_key_masked_gives_zeros_and_a_row_with_nan_gives_nan():
    query, key, value = tensors((1, 3, 4), (1, 6, 4), (1, 6, 4))
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1] = False
    query[0, 2] = torch.nan
    for concentration in (1, 5, 2000):
        out = stochastic_scaled_dot_product_attention(query, key, value, concentration, attn_mask=mask)[0]
        assert out[0].isfinite().all() and not out[1].any() and out[2].isnan().all()


def test_the_result_has_the_memory_layout_of_the_query():
    query, key, value = (x.transpose(1, 2) for x in tensors((2, 5, 4, 8), (2, 7, 4, 8), (2, 7, 4, 8)))
    out = stochastic_scaled_dot_product_attention(query, key, value, 3)
    assert out.stride() == query.stride()
    out.transpose(1, 2).view(2, 5, 32)


def test_chunks_change_nothing(monkeypatch):
    query, key, value = tensors((3, 2, 10, 8), (3, 2, 12, 8), (3, 2, 12, 8))
    mask = torch.rand(3, 1, 10, 12, generator=torch.Generator().manual_seed(1)) < 0.8
    for concentration in (2, 50, 5000):
        whole = stochastic_scaled_dot_product_attention(query, key, value, concentration, attn_mask=mask)
        for size in (12, 100, 700):
            monkeypatch.setattr("stochattn_core.attention.CHUNK", {"cpu": size})
            parts = stochastic_scaled_dot_product_attention(query, key, value, concentration, attn_mask=mask)
            assert torch.allclose(parts, whole, atol=1e-6)
        monkeypatch.undo()


def test_members_folded_together_equal_members_alone():
    query, key, value = tensors((2, 2, 5, 8), (2, 2, 7, 8), (2, 2, 7, 8))
    folded = [x.repeat(3, 1, 1, 1) for x in (query, key, value)]
    out = stochastic_scaled_dot_product_attention(*folded, 6, members=(0, 9, 4), seed=2, layer=3).unflatten(0, (3, 2))
    for place, member in enumerate((0, 9, 4)):
        alone = stochastic_scaled_dot_product_attention(query, key, value, 6, members=(member,), seed=2, layer=3)
        assert torch.equal(out[place], alone)


def test_folds_that_do_not_divide_the_batch_are_refused():
    query, key, value = tensors((3, 5, 8), (3, 7, 8), (3, 7, 8))
    with pytest.raises(ValueError, match="which 2 members do not divide; repeat the inputs"):
        stochastic_scaled_dot_product_attention(query, key, value, 6, members=(0, 1))


def test_dropout_at_inference_is_applied_with_the_same_stream():
    query, key = tensors((1, 400, 8), (1, 20, 8))
    value = torch.ones(1, 20, 1)
    state = torch.random.get_rng_state()
    out = attend(query, key, value, Draw(50), dropout_p=0.25)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(out, attend(query, key, value, Draw(50), dropout_p=0.25))
    assert out.std() > 0.05 and abs(float(out.mean()) - 1) < 0.05


def test_autocast_casts_as_torchs_function_does():
    query, key, value = tensors((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (
            stochastic_scaled_dot_product_attention(query, key, value, 5).dtype == F.scaled_dot_product_attention(query, key, value).dtype
        )


def test_gradients_reach_the_values():
    query, key, value = tensors((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 8))
    value.requires_grad_()
    stochastic_scaled_dot_product_attention(query, key, value, 5).sum().backward()
    assert torch.allclose(value.grad.sum(), torch.tensor(5.0 * 2 * 8))


def test_sampled_rows_are_counts_over_the_concentration():
    (scores,) = tensors((2, 3, 4, 6))
    rows = sampled_rows(scores, Draw(8))
    assert torch.equal(rows * 8, (rows * 8).round()) and torch.allclose(rows.sum(-1), torch.ones(2, 3, 4))
    assert torch.allclose(sampled_rows(scores, EXACT), scores.softmax(-1))


def test_edge_cases_are_accepted_and_refused_as_by_torch():
    query, key, value = tensors((2, 6, 5, 8), (2, 2, 7, 8), (2, 3, 7, 8))
    expected = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    assert torch.allclose(attend(query, key, value, EXACT, enable_gqa=True), expected, atol=1e-6)
    empty = torch.zeros(0, 2, 5, 8)
    assert stochastic_scaled_dot_product_attention(empty, empty, empty, 3).shape == (0, 2, 5, 8)
    with pytest.raises(ValueError, match="that divides the 6 query heads, got 4"):
        attend(query, key.repeat(1, 2, 1, 1), value, EXACT, enable_gqa=True)
    with pytest.raises(ValueError, match=r"expected attn_mask of bool or float, got torch\.int64"):
        attend(query, query, query, EXACT, attn_mask=torch.ones(5, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least one member, got none"):
        stochastic_scaled_dot_product_attention(query, query, query, 3, members=())
