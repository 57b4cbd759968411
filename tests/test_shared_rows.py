"""Rows that are equal for all members of a fold are computed once, and every member draws the same numbers as when it is alone."""

import pytest
import torch

from stochattn_core import attention, stochastic_scaled_dot_product_attention
from stochattn_core.attention import attend
from stochattn_core.draw import Draw
from stochattn_core.layout import folds_are_equal
from stochattn_core.sampling import cpu, eager, stream

N_ROW, N_KEY = 6, 40


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert cpu.wait()


@pytest.fixture(params=("compiled", "eager"))
def sampler(request, monkeypatch):
    if request.param == "eager":
        monkeypatch.setattr(cpu, "takes", lambda values: False)


def tensors(n_key_head=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (3, 2, N_ROW, 8), (3, n_key_head, N_KEY, 8), (3, n_key_head, N_KEY, 5)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def fold(x, n_fold):
    return x.repeat(n_fold, *[1] * (x.ndim - 1))


@pytest.fixture
def multiplied(monkeypatch):
    """The number of (case, head) score matrices computed."""
    count = []
    bmm = torch.bmm
    monkeypatch.setattr(torch, "bmm", lambda a, b, out=None: (count.append(len(a)) if out is not None else None, bmm(a, b, out=out))[1])
    return count


@pytest.mark.parametrize("concentration", (1, 3, 10, 50, 5000))
@pytest.mark.parametrize("kind", ("", "causal", "mask of all", "mask of a case", "mask by head", "gqa"))
def test_a_member_is_the_same_bits_alone_and_in_any_fold(sampler, multiplied, concentration, kind):
    inputs = tensors(1 if kind == "gqa" else 2)
    options = {"is_causal": kind == "causal", "enable_gqa": kind == "gqa", "seed": 2, "layer": 3}
    shape = {"mask of all": (N_ROW, N_KEY), "mask of a case": (3, 1, 1, N_KEY), "mask by head": (3, 2, N_ROW, N_KEY)}.get(kind)
    mask = None if shape is None else torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.7
    alone = [stochastic_scaled_dot_product_attention(*inputs, concentration, attn_mask=mask, members=(m,), **options) for m in range(50)]
    for n_fold in (8, 50):
        folded = mask if mask is None or mask.ndim == 2 else fold(mask, n_fold)
        multiplied.clear()
        members = range(n_fold)
        out = stochastic_scaled_dot_product_attention(
            *(fold(x, n_fold) for x in inputs), concentration, attn_mask=folded, members=members, **options
        )
        assert sum(multiplied) == 6
        assert torch.equal(out, torch.cat(alone[:n_fold]))
    assert not torch.equal(alone[0], alone[1])


@pytest.mark.parametrize("which", ("query", "key", "value", "mask"))
def test_inputs_that_differ_in_one_number_are_not_shared(sampler, multiplied, which):
    inputs = dict(zip(("query", "key", "value"), tensors(), strict=True), mask=torch.zeros(3, 2, N_ROW, N_KEY))
    folded = {name: fold(x, 4) for name, x in inputs.items()}
    folded[which][-1, -1, -1, -1] += 1.0
    out = stochastic_scaled_dot_product_attention(*list(folded.values())[:3], 9, attn_mask=folded["mask"], members=range(4))
    assert sum(multiplied) == 24
    for member, parts in enumerate(zip(*(x.chunk(4) for x in folded.values()), strict=True)):
        alone = stochastic_scaled_dot_product_attention(*parts[:3], 9, attn_mask=parts[3], members=(member,))
        assert torch.allclose(out.chunk(4)[member], alone, atol=1e-6)


def test_an_expanded_fold_is_recognised_without_comparing_its_numbers(monkeypatch):
    query, key, value = (x[:1] for x in tensors())
    monkeypatch.setattr(torch, "equal", None)
    assert folds_are_equal(query.expand(7, -1, -1, -1), 7)
    folded = [x.expand(7, -1, -1, -1) for x in (query, key, value)]
    out = stochastic_scaled_dot_product_attention(*folded, 4, members=range(7))
    monkeypatch.undo()
    assert torch.equal(out, stochastic_scaled_dot_product_attention(*(fold(x, 7) for x in (query, key, value)), 4, members=range(7)))


def test_folds_are_equal_only_where_every_number_is():
    x = torch.arange(24.0).view(4, 3, 2)
    assert folds_are_equal(x, 1) and folds_are_equal(x.repeat(5, 1, 1), 5) and folds_are_equal(x.repeat(5, 1, 1).transpose(0, 1), 5, 1)
    assert not folds_are_equal(x, 2) and not folds_are_equal(x, 3)
    assert not folds_are_equal(x.repeat_interleave(2, 0), 2)
    assert not folds_are_equal(torch.full((2, 3), torch.nan), 2)
    for place in range(48):
        twice = x.repeat(2, 1, 1)
        twice.view(-1)[place] += 1e-3
        assert not folds_are_equal(twice, 2)


def test_dropout_and_an_observer_see_every_member(sampler):
    inputs, seen, each = tensors(), [], []
    whole = attend(*(fold(x, 3) for x in inputs), Draw(5, range(3)), dropout_p=0.3, observe=seen.append)
    alone = [attend(*inputs, Draw(5, (member,)), dropout_p=0.3, observe=each.append) for member in range(3)]
    assert torch.equal(whole, torch.cat(alone))
    assert torch.equal(torch.cat(seen), torch.cat(each)) and not torch.equal(*whole.chunk(3)[:2])


def test_every_fold_of_the_values_receives_its_gradient():
    query, key, value = (fold(x, 2) for x in tensors())
    value.requires_grad_()
    stochastic_scaled_dot_product_attention(query, key, value, 3, members=(0, 1)).sum().backward()
    assert torch.allclose(value.grad.sum((1, 2, 3)), torch.full((6,), 2.0 * N_ROW * 5))


def test_members_drawn_in_several_parts_are_the_members_drawn_at_once(sampler, monkeypatch):
    inputs = [fold(x, 9) for x in tensors()]
    whole = stochastic_scaled_dot_product_attention(*inputs, 4, members=range(9))
    monkeypatch.setattr(attention, "CHUNK", {"cpu": 3 * 2 * N_ROW * N_KEY})  # rows of all cases, results of few members
    assert torch.equal(stochastic_scaled_dot_product_attention(*inputs, 4, members=range(9)), whole)


@pytest.mark.parametrize("draws", (1, 4, 7))
def test_drawing_for_many_members_at_once_equals_drawing_for_each(draws):
    generator = torch.Generator().manual_seed(0)
    mass, values = torch.rand(3 * 9, 70, generator=generator), torch.randn(3, 70, 6, generator=generator)
    mass[4], mass[8] = 0.0, torch.nan
    keys = stream.row_keys(0, range(10), 0, 0, len(mass), torch.device("cpu")).view(2, 5, -1)
    for module in (cpu, eager):
        whole = module.mean_of_draws(mass, keys, draws, values)
        each = [module.mean_of_draws(mass, some, draws, values) for some in keys.flatten(0, 1)]
        assert torch.equal(whole.nan_to_num(-1.0), torch.stack(each).view(whole.shape).nan_to_num(-1.0))
