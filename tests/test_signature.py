"""Calls that may run other operations have other signatures; batch size, numbers in tensors and the order of names do not matter."""

import copy
import dataclasses
import math
from collections import UserDict

import numpy as np
import pytest
import torch
from torch import nn

from stochattn_core.recognition.signature import signature_of
from tests.zoo import make

X = torch.zeros(3, 7, 4)
MODEL = nn.Sequential(nn.Linear(4, 4), nn.Dropout())


@dataclasses.dataclass
class Fields:
    values: object
    mask: object = None


class Plain:
    """A class of no library: its objects are known by their attributes."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def signature(*args, n_case=3, batch_dim=0, **kwargs):
    return signature_of(MODEL, args, kwargs, n_case, batch_dim)


@pytest.mark.parametrize(
    ("a", "b"),
    (
        (X, X + 1),
        (X, torch.zeros(12, 7, 4)),
        ([X, X], [X + 1, X]),
        ({"x": X, "n": 2}, {"n": 2, "x": X}),
        (UserDict(x=X), UserDict(x=X + 1)),
        (Fields(X), Fields(X + 1)),
        (Plain(x=X), Plain(x=X + 1)),
        (math.nan, float("nan")),
        (np.zeros((3, 4)), np.ones((6, 4))),
        ({1, 2}, {2, 1}),
        (X.sum, X.sum),
    ),
)
def test_calls_that_differ_in_numbers_batch_or_order_alone_have_one_signature(a, b):
    assert signature(a) == signature(b) and hash(signature(a)) == hash(signature(b))
    assert signature(x=a) == signature(x=b)


@pytest.mark.parametrize(
    ("a", "b"),
    (
        (X, X.double()),
        (X, X.to("meta")),
        (X, X.to_sparse()),
        (X, X[:, :6]),
        (X, X[..., None]),
        (X, torch.zeros(4, 7, 4)),  # 4 is no multiple of 3 cases
        (X, None),
        (X, X.numpy()),
        (X, [X]),
        ([X], (X,)),
        ([X], [X, X]),
        ({"x": X}, UserDict(x=X)),
        ({"x": X}, {"y": X}),
        (Fields(X), Fields(X, X)),
        (Plain(x=X), Plain(x=X[:, 1:])),
        (Plain(x=X, causal=True), Plain(x=X, causal=False)),
        (1, True),
        (1, 1.0),
        (1.0, 2.0),
        ("mean", "max"),
        (torch.float32, torch.float64),
        (np.float32(1), np.float32(2)),
        (np.zeros((3, 4)), np.zeros((3, 4), np.float32)),
        (slice(1), slice(2)),
        (math.sin, math.cos),
        (nn.Linear, nn.Conv1d),
    ),
)
def test_calls_that_may_run_other_operations_have_other_signatures(a, b):
    assert signature(a) != signature(b)
    assert signature(x=a) != signature(x=b)


def test_positions_and_names_of_arguments_count():
    assert len({signature(X, 1), signature(1, X), signature(X, n=1), signature(X, m=1), signature(X)}) == 5
    assert signature(a=1, b=2) == signature(b=2, a=1)


def test_the_batch_lies_where_batch_dim_says_and_every_other_size_counts():
    assert signature(X, n_case=7, batch_dim=1) == signature(torch.zeros(3, 14, 4), n_case=7, batch_dim=1)
    assert signature(X, n_case=7, batch_dim=1) != signature(torch.zeros(6, 7, 4), n_case=7, batch_dim=1)
    assert signature(X, n_case=4, batch_dim=-1) == signature(torch.zeros(3, 7, 8), n_case=4, batch_dim=-1)
    assert signature(torch.zeros(3), n_case=7, batch_dim=1) != signature(torch.zeros(6), n_case=7, batch_dim=1)


def test_the_first_tensor_sets_the_batch_size_where_none_is_given():
    mask = torch.zeros(7, 7)
    assert signature(X, mask, n_case=None) == signature(torch.zeros(5, 7, 4), mask, n_case=None)
    assert signature(X, mask, n_case=None) != signature(X, torch.zeros(9, 7), n_case=None)


def test_a_cache_of_keys_and_values_counts_with_the_shapes_it_holds():
    transformers = pytest.importorskip("transformers")

    def cache(n_case, n_key):
        filled = transformers.DynamicCache()
        filled.update(torch.randn(n_case, 2, n_key, 4), torch.randn(n_case, 2, n_key, 4), 0)
        return filled

    assert signature(X, past_key_values=cache(3, 5)) == signature(X, past_key_values=cache(6, 5))
    shapes = {signature(X, past_key_values=past) for past in (cache(3, 5), cache(3, 6), transformers.DynamicCache(), None)}
    assert len(shapes) == 4


def test_a_batch_encoding_is_known_by_its_fields():
    transformers = pytest.importorskip("transformers")
    ids = torch.zeros(3, 5, dtype=torch.long)
    first, second, other = (transformers.BatchEncoding({"input_ids": x}) for x in (ids, ids + 1, ids[:, 1:]))
    assert signature(first) == signature(second) != signature(other)


def test_objects_that_hold_themselves_have_a_signature():
    plain, items = Plain(x=X), [1]
    plain.itself = plain
    items.append(items)
    assert signature(plain, items) == signature(plain, items)
    deep = []
    for _ in range(10_000):
        deep = [deep]
    assert hash(signature(deep)) == hash(signature(deep))


@pytest.mark.parametrize(
    "change",
    (
        lambda model: model.train(),
        lambda model: model[1].train(),
        lambda model: model.__setitem__(1, nn.Identity()),
        lambda model: model.append(nn.Identity()),
    ),
)
def test_training_flags_and_replaced_modules_change_the_signature(change):
    model = copy.deepcopy(MODEL).eval()
    before = signature_of(model, (X,), {})
    assert signature_of(model, (X,), {}) == before
    change(model)
    assert signature_of(model, (X,), {}) != before


def test_the_attention_implementation_of_a_hugging_face_model_counts():
    model, inputs = make("Llama")
    before = signature_of(model, inputs, {})
    model.model.config._attn_implementation = "eager"
    assert signature_of(model, inputs, {}) != before
    model.model.config._attn_implementation = "sdpa"
    assert signature_of(model, inputs, {}) == before


def test_grad_mode_and_autocast_do_not_count():
    before = signature(X)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert signature(X) == before
