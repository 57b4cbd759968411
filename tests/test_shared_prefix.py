"""Before the first sampled attention, heavy functions run for one member of a fold and afterwards for all; no member changes by it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from stochattn_core import answering_mode, ensemble, sample_ensemble, stochastic_attention
from stochattn_core.layout import folds_are_equal, is_plain
from stochattn_core.shared_prefix import compute_shared
from tests.zoo import ZOO, make, normal


class Rows(TorchFunctionMode):
    """Notes how many numbers every call of a function is given."""

    def __init__(self, func):
        super().__init__()
        self.func, self.seen = func, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is self.func:
            self.seen.append(args[0].numel())
        return func(*args, **(kwargs or {}))


class Net(nn.Module):
    """Linear layers and attention called as plain functions: two deterministic blocks, or sampled ones, and a head."""

    def __init__(self, before=lambda x: x):
        super().__init__()
        self.first, self.second = (nn.MultiheadAttention(8, 2, batch_first=True) for _ in range(2))
        self.start, self.head = nn.Linear(8, 8), nn.Linear(8, 8)
        self.before = before

    def forward(self, x):
        x = self.start(self.before(x))
        x = self.head(x + self.first(x, x, x, need_weights=False)[0])
        return x + self.second(x, x, x, need_weights=False)[0]


def net(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Net(**options).eval()


# The linear layers in their order: start, projections of the first attention, its end, head, projections of the second, its end. An end
# is given (token, member, case) in one dim, which has no blocks of members.
@pytest.mark.parametrize(("layers", "n_member"), (("*", [1, 1, 6, 6, 6, 6]), ("second", [1, 1, 6, 1, 1, 6])))
def test_functions_before_the_first_sampled_attention_run_for_one_member(layers, n_member):
    model, x = net(), normal(2, 5, 8)
    sample_ensemble(model, x, concentration=4, n_member=6, fold=6, layers=layers)  # looks, and checks this fold against single members
    with Rows(F.linear) as rows:
        sample_ensemble(model, x, concentration=4, n_member=6, fold=6, layers=layers)
    assert [seen / x.numel() for seen in rows.seen] == n_member


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("layers", ("*", "last"))
@pytest.mark.filterwarnings("ignore:all 6 members")
def test_members_are_those_of_whole_passes(name, layers, monkeypatch):
    model, inputs = make(name)
    with torch.no_grad(), stochastic_attention(model, 4) as run:
        model(*inputs)
    options = {"concentration": 5, "n_member": 6, "fold": 6, "layers": layers if layers == "*" else list(run.calls)[-1]}
    ours = sample_ensemble(model, *inputs, **options)
    monkeypatch.setattr(answering_mode, "compute_shared", lambda *_: None)
    assert torch.allclose(ours, sample_ensemble(model, *inputs, **options), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "before",
    (
        lambda x: x - x.mean(0),  # mixes the rows of a batch
        lambda x: x + torch.arange(len(x))[:, None, None],  # no fold is another's equal
        lambda x: x.flip(0),
        lambda x: F.relu_(x.clone()).mul_(2.0),
    ),
)
@pytest.mark.filterwarnings("ignore:.*mixes the rows of a batch")
def test_any_model_gives_the_members_of_whole_passes(before, monkeypatch):
    model, x = net(before=before), normal(3, 5, 8)
    options = {"concentration": 5, "members": range(4)}
    with torch.no_grad(), stochastic_attention(model, **options):
        ours = model(x.repeat(4, 1, 1))
    monkeypatch.setattr(answering_mode, "compute_shared", lambda *_: None)
    with torch.no_grad(), stochastic_attention(model, **options):
        assert torch.allclose(ours, model(x.repeat(4, 1, 1)), atol=1e-5)


CALLS = {
    "linear": (F.linear, (normal(3, 5, 8), normal(4, 8), normal(4)), {}, 0),
    "linear, tokens first": (F.linear, (normal(5, 3, 8), normal(4, 8)), {}, 1),
    "matmul": (torch.matmul, (normal(3, 5, 8), normal(8, 4)), {}, 0),
    "@": (torch.Tensor.matmul, (normal(3, 8), normal(8, 4)), {}, 0),
    "conv1d": (F.conv1d, (normal(3, 2, 9), normal(4, 2, 3)), {"padding": 1}, 0),
    "conv2d, channels last": (F.conv2d, (normal(3, 2, 6, 6).to(memory_format=torch.channels_last), normal(4, 2, 3, 3)), {}, 0),
    "attention": (F.scaled_dot_product_attention, tuple(normal(3, 2, 5, 8, seed=i) for i in range(3)), {"is_causal": True}, 0),
    "attention, mask": (
        F.scaled_dot_product_attention,
        tuple(normal(3, 2, 5, 8, seed=i).transpose(1, 2) for i in range(3)),
        {"attn_mask": normal(3, 1, 2, 2)},
        0,
    ),
    "attention, one mask": (F.scaled_dot_product_attention, (*(normal(3, 2, 5, 8, seed=i) for i in range(3)), normal(5, 5)), {}, 0),
}


def folded(args, kwargs, dim, n_fold=4):
    """The arguments that hold cases, n_fold times."""
    repeat = lambda x: torch.cat([x] * n_fold, dim) if isinstance(x, torch.Tensor) and x.ndim > dim and x.shape[dim] == 3 else x  # noqa: E731
    return [repeat(x) for x in args], {name: repeat(x) for name, x in kwargs.items()}


@pytest.mark.parametrize("name", CALLS)
@torch.no_grad()
def test_a_function_of_equal_folds_gives_what_it_gives_for_all(name):
    func, args, kwargs, dim = CALLS[name]
    args, kwargs = folded(args, kwargs, dim)
    expected = func(*args, **kwargs)
    with Rows(func) as rows:
        ours = compute_shared(func, tuple(args), kwargs, 4)
    assert rows.seen == [args[0].numel() // 4]
    assert torch.allclose(ours, expected, atol=1e-6) and ours.stride() == expected.stride()
    ours += 1.0  # memory of its own in every fold
    assert torch.allclose(ours, expected + 1.0, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
@torch.no_grad()
def test_a_function_of_folds_that_differ_is_left_alone(name):
    func, args, kwargs, dim = CALLS[name]
    args, kwargs = folded(args, kwargs, dim)
    args[0].select(dim, -1)[..., -1] += 1.0
    assert compute_shared(func, tuple(args), kwargs, 4) is None


@torch.no_grad()
def test_calls_whose_entries_may_depend_on_one_another_are_left_alone():
    x, weight = normal(3, 5, 8).repeat(4, 1, 1), normal(4, 8)
    attention = tuple(normal(3, 2, 5, 8).repeat(4, 1, 1, 1) for _ in range(3))
    assert compute_shared(F.linear, (x, weight), {}, 4) is not None
    assert compute_shared(F.linear, (x, weight), {}, 1) is None and compute_shared(F.linear, (x, weight), {}, 5) is None
    assert compute_shared(torch.matmul, (x, normal(12, 8, 4)), {}, 4) is None
    assert compute_shared(torch.matmul, (x, weight.T), {"out": torch.empty(12, 5, 4)}, 4) is None
    assert compute_shared(F.conv1d, (normal(4, 9), normal(2, 4, 3)), {}, 4) is None  # channels, no batch
    assert compute_shared(F.scaled_dot_product_attention, attention, {"dropout_p": 0.5}, 4) is None
    assert compute_shared(F.scaled_dot_product_attention, attention, {"attn_mask": normal(12, 1, 5, 5)}, 4) is None
    assert compute_shared(F.scaled_dot_product_attention, (attention[0], attention[1][:, 0], attention[2][:, 0]), {}, 4) is None
    assert compute_shared(F.scaled_dot_product_attention, tuple(x[:, 0] for x in attention), {"attn_mask": normal(2, 12, 5, 5)}, 4) is None
    assert compute_shared(torch.cumsum, (x, 0), {}, 4) is None
    assert compute_shared(F.linear, (x[:0], weight), {}, 4) is None
    with torch.enable_grad():
        assert compute_shared(F.linear, (x, weight), {}, 4) is None


class Own(torch.Tensor):
    pass


@pytest.mark.parametrize("kind", (lambda x: x.to("meta"), lambda x: x.as_subclass(Own), lambda x: x.to_sparse(), nn.Parameter))
@torch.no_grad()
def test_only_plain_tensors_are_compared(kind):
    x, weight = normal(3, 5, 8).repeat(4, 1, 1), normal(4, 8)
    assert is_plain(x) and not is_plain(kind(x)) and not is_plain(None)
    assert compute_shared(F.linear, (kind(x), weight), {}, 4) is None
    assert not folds_are_equal(kind(x), 4)


@torch.no_grad()
def test_vmapped_tensors_are_not_compared():
    seen = []

    def mapped(x):
        seen.append((is_plain(x), folds_are_equal(x, 4), compute_shared(F.linear, (x, weight), {}, 4)))
        return x

    weight = normal(4, 8)
    torch.vmap(mapped)(normal(2, 3, 5, 8).repeat(1, 4, 1, 1))
    assert seen == [(False, False, None)]


@pytest.mark.parametrize("layers", ("*", "second"))
def test_equality_is_asked_for_up_to_the_first_sampled_attention_only(layers, monkeypatch):
    model, x, asked = net(), normal(2, 5, 8), []
    for name, place in (("first", model.first), ("second", model.second)):
        place.register_forward_hook(lambda *_, name=name: asked.append(name))
    sample_ensemble(model, x, concentration=4, n_member=6, fold=6, layers=layers)
    equal = torch.equal

    def asked_equal(a, b):
        if a.is_floating_point():  # the states of generators are compared too
            asked.append("equal")
        return equal(a, b)

    monkeypatch.setattr(torch, "equal", asked_equal)
    asked.clear()
    sample_ensemble(model, x, concentration=4, n_member=6, fold=6, layers=layers)
    sampled = "first" if layers == "*" else "second"
    before, after = asked[: asked.index(sampled)], asked[asked.index(sampled) :]
    assert "equal" in before and "equal" not in after


def test_a_fold_too_large_for_the_memory_is_halved(monkeypatch):
    model, x = net(), normal(2, 5, 8)
    for fold in (11, 5, 2):  # each is checked against single members when it is used first
        expected = sample_ensemble(model, x, concentration=4, n_member=11, first_member=3, fold=fold)
    seen, reported = [], []

    def full(module, inputs):
        seen.append(len(inputs[0]) // 2)
        if seen[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.register_forward_pre_hook(full)
    ours = sample_ensemble(
        model, x, concentration=4, n_member=11, first_member=3, fold=11, progress=lambda done, of, what: reported.append((done, of))
    )
    assert seen == [11, 5, 2, 2, 2, 2, 2, 1]
    assert reported == [(2, 11), (4, 11), (6, 11), (8, 11), (10, 11), (11, 11)]
    assert torch.allclose(ours, expected, atol=1e-6)


def test_running_out_of_memory_for_one_member_is_an_error():
    model, x = net(), normal(2, 5, 8)
    sample_ensemble(model, x, concentration=4, n_member=2)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        sample_ensemble(model, x, concentration=4, n_member=4)


def test_the_rows_of_a_pass_follow_from_the_inputs_and_the_device_alone():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert ensemble.rows_per_pass(torch.empty(7, 10, device="meta"), cpu) == ensemble.ROWS_PER_PASS
    large = torch.empty(7, 2**15, device="meta")
    assert ensemble.rows_per_pass(large, cpu) == 6 and ensemble.rows_per_pass(large, cuda) == 64
    assert ensemble.rows_per_pass(torch.empty(7, 2**22, device="meta"), cpu) == 1
