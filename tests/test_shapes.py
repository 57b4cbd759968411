"""The shapes in the signatures of the public doors hold for what goes in and what comes out, and a wrong shape is refused.

beartype checks the annotations here and nowhere else, so that it costs users nothing. The GPU's door is checked in test_gpu.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError, jaxtyped
from torch import nn

from stochattn_core import ensemble, sample_ensemble, stochastic_scaled_dot_product_attention
from stochattn_core.attention import attend, sampled_rows
from stochattn_core.draw import Draw
from stochattn_core.sampling import cpu, eager, stream

REFUSED = (TypeCheckError, BeartypeCallHintViolation)


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert cpu.wait()


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def row_keys(*shape):
    return stream.row_keys(0, (0,), 0, 0, math.prod(shape), torch.device("cpu")).view(shape)


MASS, VALUES = numbers(6, 9).softmax(-1), numbers(2, 9, 4)
MASK = torch.ones(5, 7, dtype=torch.bool)
QUERY, KEY, VALUE = numbers(2, 3, 5, 8), numbers(2, 3, 7, 8), numbers(2, 3, 7, 4)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


@dataclass(frozen=True)
class Door:
    """A public function, how it is called with tensors, tensors that fit with the shape of their result, and tensors that do not fit."""

    function: Callable
    call: Callable
    fitting: tuple
    shape: tuple
    wrong: dict


ATTENTION = {
    "width of the keys": (QUERY, KEY[..., :7], VALUE),
    "number of values": (QUERY, KEY, VALUE[..., :6, :]),
    "whole numbers": (QUERY.long(), KEY, VALUE),
    "a vector": (QUERY[0, 0, 0], KEY, VALUE),
}
MEANS = {
    "number of values": (MASS, row_keys(2, 6), VALUES[:, :8]),
    "rows of the stream": (MASS, row_keys(2, 5), VALUES),
    "keys that are no words": (MASS, MASS[:, 0], VALUES),
}
COUNTS = {"rows of the stream": (MASS, row_keys(5)), "a third dim": (MASS[None], row_keys(6))}
DOORS = {
    "attention": Door(
        stochastic_scaled_dot_product_attention, lambda f, *inputs: f(*inputs, 4), (QUERY, KEY, VALUE), (2, 3, 5, 4), ATTENTION
    ),
    "attend": Door(attend, lambda f, *inputs: f(*inputs, Draw(4), attn_mask=MASK), (QUERY, KEY, VALUE), (2, 3, 5, 4), ATTENTION),
    "sampled_rows": Door(sampled_rows, lambda f, scores: f(scores, Draw(4)), (QUERY,), (2, 3, 5, 8), {"whole numbers": (QUERY.long(),)}),
    "sample_ensemble": Door(
        sample_ensemble, lambda f, x: f(Network().eval(), x, concentration=4, n_member=3), (numbers(2, 5, 8),), (3, 2, 5, 8), {}
    ),
}
for name, module in {"eager": eager, "cpu": cpu}.items():
    DOORS[f"{name}.mean_of_draws"] = Door(
        module.mean_of_draws, lambda f, mass, keys, values: f(mass, keys, 3, values), (MASS, row_keys(2, 6), VALUES), (2, 6, 4), MEANS
    )
    DOORS[f"{name}.sample_counts"] = Door(module.sample_counts, lambda f, mass, keys: f(mass, keys, 3), (MASS, row_keys(6)), (6, 9), COUNTS)


def checked(function):
    """The function with its annotations checked."""
    return jaxtyped(typechecker=beartype)(function)


@pytest.mark.parametrize("door", DOORS)
def test_what_the_signature_promises_holds(door):
    entry = DOORS[door]
    assert entry.call(checked(entry.function), *entry.fitting).shape == entry.shape


@pytest.mark.parametrize(("door", "wrong"), [(door, wrong) for door, entry in DOORS.items() for wrong in entry.wrong])
def test_a_wrong_shape_is_refused(door, wrong):
    entry = DOORS[door]
    with pytest.raises(REFUSED):
        entry.call(checked(entry.function), *entry.wrong[wrong])


def test_an_ensemble_with_another_number_of_members_is_refused(monkeypatch):
    members = ensemble.draw_members
    monkeypatch.setattr(ensemble, "draw_members", lambda *args, **options: members(*args, **options)[1:])
    with pytest.raises(REFUSED):
        checked(sample_ensemble)(Network().eval(), numbers(2, 5, 8), concentration=4, n_member=3)
