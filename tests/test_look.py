"""The look at a call leaves no trace, tells what came from outside of it, and is taken again where the number of cases decides."""

import copy
import threading
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core import UnansweredAttentionError, audit, sample_ensemble, stochastic_attention
from stochattn_core.recognition.clearance import clearance_of
from stochattn_core.recognition.findings import State
from stochattn_core.recognition.recognise import Callee, look_at, preserved
from tests.zoo import ZOO, ByHand, make, normal, seeded

# ---- no trace


class Remembering(nn.Module):
    """Attention that writes everything it can write: buffers, attributes, lists, dicts, sets, its argument, and torch's generator."""

    def __init__(self):
        super().__init__()
        self.attention = ByHand()
        self.register_buffer("mean", torch.zeros(16))
        self.n_call, self.seen, self.cache, self.lengths, self.last = 0, [], {}, set(), None

    def forward(self, x, past):
        self.n_call += 1
        self.seen.append(x)
        self.cache[len(self.cache)] = x
        self.lengths.add(x.shape[1] + self.n_call)
        self.last = self.new = x
        self.mean.mul_(0.9).add_(x.mean((0, 1)))
        self.mean = self.mean + 0
        past.append(x)
        y = self.attention(x) + torch.rand([])
        x.zero_()
        return y


def contents(model):
    plain = {name: value for name, value in vars(model).items() if not name.startswith("_")}
    return copy.deepcopy(plain), [x.clone() for x in model.buffers()], [id(x) for x in model.buffers()], model.mean._version


def test_a_look_leaves_no_trace_in_the_model_its_arguments_and_the_generators():
    model, x, past = seeded(Remembering), normal(3, 5, 16), [normal(2)]
    before, state, x_before = contents(model), torch.get_rng_state(), x.clone()
    containers = (model.seen, model.cache, model.lengths)
    assert [finding.module for finding in look_at(Callee.of(model), (x,), {"past": past}).findings] == ["attention"]
    after = contents(model)
    assert before[0] == after[0] and before[2] == after[2]
    assert all(torch.equal(a, b) for a, b in zip(before[1], after[1], strict=True))
    assert all(a is b for a, b in zip(containers, (model.seen, model.cache, model.lengths), strict=True))
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(x, x_before) and len(past) == 1


@pytest.mark.parametrize("name", ZOO)
def test_a_look_leaves_no_trace_in_real_models(name):
    model, inputs = make(name)
    weights, arguments = copy.deepcopy(model.state_dict()), copy.deepcopy(inputs)
    hooks = [(len(module._forward_hooks), len(module._forward_pre_hooks), sorted(vars(module))) for module in model.modules()]
    state = torch.get_rng_state()
    look_at(Callee.of(model), inputs, {})
    assert all(torch.equal(values, weights[key]) for key, values in model.state_dict().items())
    assert hooks == [(len(module._forward_hooks), len(module._forward_pre_hooks), sorted(vars(module))) for module in model.modules()]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(inputs, arguments, strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_cache_of_keys_and_values_is_as_long_as_before():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    model = seeded(transformers.LlamaModel, transformers.LlamaConfig(**sizes))
    cache, tokens = transformers.DynamicCache(), torch.randint(0, 50, (2, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(tokens, past_key_values=cache)
    kept = [layer.keys.clone() for layer in cache.layers]
    recognition = look_at(Callee.of(model), (tokens[:, :1],), {"past_key_values": cache})
    assert recognition.attention == {"layers.0.self_attn": 1, "layers.1.self_attn": 1}
    assert cache.get_seq_length() == 6 and all(torch.equal(a, layer.keys) for a, layer in zip(kept, cache.layers, strict=True))


def test_what_a_block_changes_in_a_model_is_restored_also_after_an_error():
    model, other = seeded(Remembering), nn.Linear(2, 2)
    mean, seen = model.mean, model.seen
    with pytest.raises(RuntimeError, match="stop"), preserved(model):
        model.mean, model.seen, model.attention, model.further = torch.ones(16), [1], other, 5
        seen.append(2)
        del model.n_call
        raise RuntimeError("stop")
    assert model.mean is mean and model.seen is seen and seen == [] and model.n_call == 0
    assert isinstance(model.attention, ByHand) and not hasattr(model, "further")


# ---- what comes from outside


class Outside(nn.Module):
    """Ordinary attention, and something made outside of torch's functions that is given queries and keys."""

    def __init__(self, outside):
        super().__init__()
        self.first, self.project, self.outside = nn.MultiheadAttention(16, 2, batch_first=True), nn.Linear(16, 48), outside

    def forward(self, x):
        return self.outside(self.first(x, x, x, need_weights=False)[0], *self.project(x).chunk(3, -1))


def weights_in_numpy(x, query, key, value):
    scores = np.exp((query @ key.mT).detach().numpy())
    return x + torch.from_numpy(scores / scores.sum(-1, keepdims=True)) @ value


def values_in_a_thread(x, query, key, value):
    result = []

    def work():
        with torch.no_grad():
            result.append(torch.softmax(query @ key.mT, -1) @ value)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return x + result[0]


def constant_from_numpy(x, query, key, value):
    places = np.arange(x.shape[1])[:, None] / 10 ** np.linspace(0, 1, 16)
    return x + torch.from_numpy(np.sin(places).astype(np.float32))


def constant_rows_from_numpy(x, query, key, value):
    return x + torch.from_numpy(np.full((x.shape[1], x.shape[1]), 1 / x.shape[1], dtype=np.float32)) @ value


def scale_from_numpy(x, query, key, value):
    return x * float(np.abs(query.detach().numpy()).mean())


REFUSED = {"weights in NumPy": weights_in_numpy, "values in a thread": values_in_a_thread}
LEFT = {"a constant": constant_from_numpy, "constant rows": constant_rows_from_numpy, "a number": scale_from_numpy}


@pytest.mark.parametrize("name", REFUSED)
def test_attention_computed_out_of_sight_is_refused(name):
    model, x = seeded(Outside, REFUSED[name]), normal(2, 5, 16)
    with pytest.raises(UnansweredAttentionError, match=r"NumPy|another thread"):
        sample_ensemble(model, x, concentration=4, n_member=2)


@pytest.mark.parametrize("name", LEFT)
def test_numbers_from_outside_that_are_no_weights_of_the_inputs_are_left_alone(name):
    model, x = seeded(Outside, LEFT[name]), normal(2, 5, 16)
    checklist = audit(model, x)
    assert dict(checklist.calls) == {"first": 1} and not checklist.refused
    assert not any(finding.state is State.CHANGED for finding in checklist.findings)


# ---- the number of cases decides


class ByCount(nn.Module):
    """Attention on torch's function for a few cases, by hand for many."""

    def __init__(self):
        super().__init__()
        self.few, self.many, self.taken = nn.MultiheadAttention(16, 2, batch_first=True), ByHand(), []

    def forward(self, x):
        if len(x) <= 3:
            return self.few(x, x, x, need_weights=False)[0]
        return self.many(self.many(x)) if len(x) > 6 else self.many(x)


def test_a_path_that_the_number_of_cases_decides_is_looked_at_for_each_number():
    model = seeded(ByCount)
    for n, calls in ((2, {"few": 1}), (5, {"many": 1}), (3, {"few": 1}), (8, {"many": 2}), (5, {"many": 1})):
        x = normal(n, 4, 16)
        with torch.no_grad():
            plain = model(x)
            with stochastic_attention(model, 10**9) as run:
                output = model(x)
            with stochastic_attention(model, 4):
                assert not torch.equal(model(x), plain)
        assert run.calls == Counter(calls) and torch.allclose(output, plain, atol=1e-3)
    assert len(clearance_of(model).by_size) == 1


def test_an_ordinary_model_is_looked_at_once_for_all_numbers_of_cases():
    model = seeded(nn.TransformerEncoderLayer, 16, 2, batch_first=True)
    seen = []
    model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for n in (5, 2, 9, 3):
        with torch.no_grad(), stochastic_attention(model, 4):
            model(normal(n, 4, 16))
    clearance = clearance_of(model)
    assert len(clearance.recognitions) == 1 and not clearance.by_size
    assert seen == [5, 2, 9, 3]  # the look runs what comes after the hooks of users
    with torch.no_grad(), stochastic_attention(model, 4):
        model(normal(5, 6, 16))
    assert len(clearance.recognitions) == 2  # another length is another kind of call


def test_places_are_numbered_by_module_and_function():
    class Repeated(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = ByHand()

        def forward(self, x):
            gate = F.softmax(x, -1)
            return self.inner(self.inner(x)) + self.inner(x) * gate

    recognition = look_at(Callee.of(seeded(Repeated)), (normal(2, 5, 16),), {})
    places = [(place.module, place.number) for place in recognition.sampled]
    assert places == [("inner", 0), ("inner", 1), ("inner", 2)]
    assert {(place.module, place.number) for place in recognition.softmax} == {*places, ("", 0)}
