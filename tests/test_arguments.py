"""A model may be called with any nesting of tensors, arrays and objects; what it is given are copies, with members one after another."""

import dataclasses
import types
from collections import OrderedDict, UserDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from stochattn_core import sample_ensemble
from stochattn_core.arguments import Arguments, changed, leaves_of
from stochattn_core.plain_forecast import plain_forecast

Pair = namedtuple("Pair", "a b")
X = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0))


@dataclasses.dataclass(frozen=True)
class Batch:
    values: torch.Tensor
    name: str = "x"


class Holder:
    def __init__(self, values):
        self.layers = [values]


class Layer(nn.Module):
    """A layer of attention that takes its input out of whatever holds it."""

    def __init__(self, take):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.take = take

    def forward(self, *args, **kwargs):
        return self.layer(self.take(*args, **kwargs))


def draw(take, *args, **kwargs):
    return sample_ensemble(Layer(take).eval(), *args, concentration=4, n_member=3, **kwargs)


NESTINGS = {
    "list": (lambda v: v[0], [X]),
    "tuple": (lambda v: v[1], (3, X)),
    "namedtuple": (lambda v: v.b, Pair(None, X)),
    "dict": (lambda v: v["x"], {"x": X, "n": 1}),
    "OrderedDict": (lambda v: v["x"], OrderedDict(x=X)),
    "UserDict": (lambda v: v.data["x"], UserDict(x=X)),
    "mapping proxy": (lambda v: v["x"], types.MappingProxyType({"x": X})),
    "dataclass": (lambda v: v.values, Batch(X)),
    "object": (lambda v: v.layers[0], Holder(X)),
    "deep": (lambda v: v["a"][0].values, {"a": [Batch(X)]}),
    "array": (lambda v: v, X.numpy()),
    "array of float64": (lambda v: v, X.double().numpy()),
    "array of another byte order": (lambda v: v, X.numpy().astype(">f4")),
    "array that runs backwards": (lambda v: v, np.ascontiguousarray(X.numpy()[:, ::-1])[:, ::-1]),
    "array in a dict": (lambda v: v["x"], {"x": X.numpy()}),
    "float64": (lambda v: v, X.double()),
}


@pytest.mark.parametrize("name", NESTINGS)
def test_the_members_do_not_depend_on_what_holds_the_inputs(name):
    take, value = NESTINGS[name]
    wanted = draw(lambda v: v, X)
    assert torch.allclose(draw(take, value), wanted, atol=1e-6)
    assert torch.allclose(draw(take, v=value), wanted, atol=1e-6)


def test_a_batch_encoding_is_one_argument_or_many():
    transformers = pytest.importorskip("transformers")
    encoding = transformers.BatchEncoding({"v": X, "w": torch.zeros(3)})
    wanted = draw(lambda v: v, X)
    assert torch.equal(draw(lambda batch: batch["v"], encoding), wanted)
    assert torch.equal(draw(lambda v, w: v, **encoding), wanted)
    assert torch.equal(encoding["v"], X)


def test_lists_of_numbers_and_other_objects_are_passed_on_as_they_are():
    nothing = object()

    def take(v, numbers, other, text):
        assert numbers == [1, 2.5] and other is nothing and text == "mean"
        return v

    assert draw(take, X, [1, 2.5], nothing, "mean").shape == (3, 3, 5, 16)


def test_a_model_of_float64_keeps_float64_and_numbers_that_are_no_floats_keep_their_dtype():
    model = nn.TransformerEncoderLayer(16, 2, batch_first=True).double().eval()
    assert sample_ensemble(model, X.double().numpy(), concentration=4, n_member=2).dtype == torch.float64
    arguments = Arguments.of(nn.Linear(2, 2), (np.arange(3), np.ones(3, bool), np.ones(3, np.float16)), {})
    assert [x.dtype for x in arguments.positional] == [torch.int64, torch.bool, torch.float32]


@pytest.mark.parametrize("make", (lambda x: x.astype(complex), lambda x: x.astype(object), lambda x: x.astype(str), np.ma.masked_array))
def test_arrays_that_are_no_numbers_are_refused_by_name(make):
    with pytest.raises(ValueError, match=r"expected numbers in v, got an array of (dtype|masked values).* convert it"):
        draw(lambda v: v, v=make(X.numpy()))
    with pytest.raises(ValueError, match="expected numbers in argument 1"):
        draw(lambda v, w: v, X, [make(X.numpy())])


@pytest.mark.parametrize(
    ("inputs", "message"),
    (
        ((), r"got none \(no argument at all\)"),
        (([1.0, 2.0], "text"), r"expected at least one input tensor with cases along dim 0, got none \(list, str\)"),
        ((torch.tensor(1.0),), r"got none \(Tensor\)"),
        ((X[:0],), r"expected at least one case along dim 0 .* got shape \(0, 5, 16\)"),
        ((X.long(),), "expected inputs of a dtype .* float32 on cpu.* got int64"),
        ((X.bfloat16(),), "expected inputs of a dtype .* got bfloat16"),
    ),
)
def test_inputs_without_cases_or_of_a_wrong_dtype_are_refused_in_one_sentence(inputs, message):
    for run in (lambda: draw(lambda v, *_: v, *inputs), lambda: plain_forecast(Layer(lambda v, *_: v).eval(), *inputs)):
        with pytest.raises(ValueError, match=message):
            run()


def test_arguments_may_have_the_names_of_options():
    def take(x, seed, layers, fold):
        assert (seed, layers, fold) == (5, "all", None)
        return x

    options = {"seed": 5, "layers": "all", "fold": None}
    assert torch.equal(draw(take, X, model_kwargs=options), draw(lambda v: v, X))
    with pytest.raises(ValueError, match="each argument of the model once, got mask in model_kwargs and by name too"):
        draw(take, X, mask=1, model_kwargs={"mask": 2})


@pytest.mark.parametrize("fold", (1, 3))
def test_a_model_that_changes_its_arguments_in_place_changes_copies(fold):
    def take(x, batch, holder):
        holder.layers[0].add_(1)
        batch["y"] = batch.pop("x").mul_(2)
        return x.mul_(2) + batch["y"] + holder.layers[0]

    x, batch, holder = X.clone(), {"x": X.clone()}, Holder(X.clone())
    members = draw(take, x, batch, holder, fold=fold)
    assert torch.equal(x, X) and list(batch) == ["x"] and torch.equal(batch["x"], X) and torch.equal(holder.layers[0], X)
    assert torch.allclose(members, draw(lambda v: v, 5 * X + 1), atol=1e-5)


def test_members_lie_one_after_another_along_the_batch_dim():
    arguments = Arguments.of(nn.Identity(), (torch.arange(6.0).view(2, 3), torch.arange(2)), {}, batch_dim=1)
    folded, other = arguments.for_members(2).positional
    assert folded.tolist() == [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]] and other.tolist() == [0, 1]
    assert arguments.first_cases(1).positional[0].tolist() == [[0], [3]]


def test_what_occurs_twice_occurs_twice_in_the_copy_and_the_copy_is_another():
    copies = changed((X, [X]), torch.clone)
    assert copies[0] is copies[1][0] and copies[0] is not X and torch.equal(copies[0], X)
    assert leaves_of(copies) == [copies[0], copies[0]]
