"""The patch answers every kind of attention, refuses attention that it cannot answer, and leaves no trace in the model."""

import copy
import math
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core import (
    NoAttentionError,
    UnansweredAttentionError,
    audit,
    sample_ensemble,
    stochastic_attention,
    stochastic_scaled_dot_product_attention,
)
from stochattn_core.plain_forecast import plain_forecast
from tests.zoo import ZOO, ByHand, Picked, encoder, make


@pytest.mark.parametrize("name", ZOO)
def test_every_model_equals_itself_with_sampling_off_and_changes_with_sampling_on(name):
    model, inputs = make(name)
    seen = audit(model, *inputs, tolerance=1e-5)
    assert sum(seen.calls.values()) == ZOO[name][1]
    assert seen.entropy.keys() == seen.calls.keys() and all(0 <= value <= 1 + 1e-9 for value in seen.entropy.values())
    with torch.no_grad():
        plain = model(*inputs)
        with stochastic_attention(model, 4) as run:
            sampled = model(*inputs)
    assert run.calls == seen.calls
    assert not torch.equal(sampled, plain)


@pytest.mark.parametrize("name", ZOO)
def test_infinite_concentration_is_the_plain_model_bit_for_bit(name):
    model, inputs = make(name)
    with torch.no_grad():
        plain = model(*inputs)
        with stochastic_attention(model, math.inf):
            assert torch.equal(model(*inputs), plain)
    with_grad = model(*inputs).detach()
    assert torch.allclose(plain_forecast(model, *inputs), with_grad, atol=1e-6)
    assert torch.equal(
        sample_ensemble(model, *inputs, concentration=math.inf, n_member=2), torch.stack([plain_forecast(model, *inputs)] * 2)
    )


def test_layers_are_chosen_by_glob_or_function_and_the_others_stay_plain():
    model, inputs = make("nn.TransformerEncoder")
    with torch.no_grad():
        with stochastic_attention(model, 4, layers="layers.1.*") as by_glob:
            a = model(*inputs)
        with stochastic_attention(model, 4, layers=lambda name: name.startswith("layers.1")) as by_function:
            b = model(*inputs)
    assert torch.equal(a, b)
    assert dict(by_glob.calls) == dict(by_function.calls) == {"layers.1.self_attn": 1}
    assert dict(by_glob.plain) == {"layers.0.self_attn": 1}
    with pytest.raises(NoAttentionError, match=r"matches layers='head\*'; its attention layers are: layers.0"), torch.no_grad():  # noqa: SIM117
        with stochastic_attention(model, 4, layers="head*"):
            model(*inputs)


def state_of(model):
    return [
        (name, sorted(vars(module)), [len(v) for v in vars(module).values() if isinstance(v, dict)])
        for name, module in model.named_modules()
    ]


def test_the_block_leaves_no_trace_also_after_an_error():
    model, inputs = make("Llama")
    before, weights = state_of(model), copy.deepcopy(model.state_dict())
    model.model.config._attn_implementation = "flex_attention"
    with pytest.raises(RuntimeError, match="stop"), stochastic_attention(model, 4):
        assert model.model.config._attn_implementation == "sdpa"
        model(*inputs)
        raise RuntimeError("stop")
    assert model.model.config._attn_implementation == "flex_attention"
    model.model.config._attn_implementation = "sdpa"
    assert state_of(model) == before
    assert all(torch.equal(values, weights[name]) for name, values in model.state_dict().items())
    with torch.no_grad():
        assert torch.equal(model(*inputs), model(*inputs))


def test_a_model_without_attention_is_refused_by_name():
    with pytest.raises(NoAttentionError, match=r"no attention was met in Linear: expected .* seen instead: 1 torch functions"):
        sample_ensemble(nn.Linear(3, 1), torch.zeros(2, 3), concentration=4, n_member=2)


def test_a_block_in_which_the_model_is_not_called_is_refused():
    model, inputs = make("ViT")
    with pytest.raises(NoAttentionError, match="not called in this block and thread"), stochastic_attention(model, 4):
        pass
    with pytest.raises(NoAttentionError, match="not called in this block and thread"), stochastic_attention(model, 4):
        thread = threading.Thread(target=lambda: model(*inputs))
        thread.start()
        thread.join()


class Both(nn.Module):
    """Attention on torch's function, and attention by hand."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first, self.second = nn.MultiheadAttention(16, 2, batch_first=True), ByHand()
        self.eval()

    def sampled_first(self, x):
        return self.first(x, x, x, need_weights=False)[0]

    def forward(self, x):
        return self.second(self.sampled_first(x))


def test_attention_by_hand_is_answered_without_a_word_about_its_class():
    model, x = Both(), torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), stochastic_attention(model, 4, layers="second") as run:
        output = model(x)
    assert (run.calls, run.plain) == ({"second": 1}, {"first": 1})
    query, key, value = (part.detach() for part in model.second.project(model.sampled_first(x)).chunk(3, -1))
    sampled = stochastic_scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], 4, layer=1)[:, 0]
    assert torch.allclose(output, sampled, atol=1e-5)


@pytest.mark.parametrize("ignore", ("second", "head*, sec*", lambda name: name == "second"))
def test_a_place_that_is_ignored_stays_plain_and_is_recorded(ignore):
    model, x = Both(), torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with stochastic_attention(model, 4, ignore=ignore) as run:
            output = model(x)
        with stochastic_attention(model.first, 4):
            expected = model.sampled_first(x)
        assert torch.equal(output, model.second(expected))
    assert (run.calls, run.ignored, run.plain) == ({"first": 1}, {"second": 1}, {})


class Clamped(ByHand):
    """Attention whose smallest weights are raised, so that they no longer sum to one."""

    def forward(self, x):
        query, key, value = self.project(x).chunk(3, -1)
        return torch.softmax(query @ key.mT, -1).clamp(min=0.3) @ value


def test_attention_that_cannot_be_sampled_is_refused_by_name_until_it_is_ignored():
    model, x = nn.Sequential(nn.TransformerEncoderLayer(16, 2, batch_first=True), Clamped()).eval(), torch.randn(2, 5, 16)
    with pytest.raises(
        UnansweredAttentionError,
        match=r"attention in module 1 of class tests\.test_patching\.Clamped cannot be sampled: softmax whose weights pass clamp.*ignore='1'",
    ):
        sample_ensemble(model, x, concentration=4, n_member=2)
    with torch.no_grad(), stochastic_attention(model, 4, ignore="1") as run:
        model(x)
    assert (run.calls, run.ignored) == ({"0.self_attn": 1}, {"1": 1})
    assert sample_ensemble(model, x, concentration=4, n_member=3, ignore="1").std(0).min() > 0


BY_SIZE = {
    "raised": lambda weights: weights.clamp(min=0.1),
    "cut off": lambda weights: weights.clamp(max=0.5),
    "dropped": lambda weights: weights * (weights > 0.1),
    "dropped by where": lambda weights: torch.where(weights > 0.1, weights, 0.0),
    "shrunk": lambda weights: F.hardshrink(weights, 0.1),
}


@pytest.mark.parametrize("name", BY_SIZE)
def test_weights_that_only_some_inputs_change_are_refused_also_where_these_inputs_do_not(name):
    class BySize(ByHand):
        def forward(self, x):
            query, key, value = self.project(x).chunk(3, -1)
            return BY_SIZE[name](torch.softmax(query @ key.mT / 4, -1)) @ value

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = BySize().eval(), torch.randn(3, 5, 16)
    with torch.no_grad(), pytest.raises(UnansweredAttentionError, match="whose weights pass"), stochastic_attention(model, 4):
        model(0.1 * x)


def test_a_model_of_which_everything_is_ignored_is_refused():
    model, inputs = make("ViT")
    with pytest.raises(NoAttentionError, match="no attention layer of Picked is sampled; its attention layers are: model"), torch.no_grad():  # noqa: SIM117
        with stochastic_attention(model, 4, ignore="*"):
            model(*inputs)


def test_a_fused_kernel_called_past_torchs_functions_is_refused():
    def call(_, x):
        return torch.ops.aten.scaled_dot_product_attention(x, x, x)

    model = Picked(nn.Identity(), call).eval()
    with pytest.raises(UnansweredAttentionError, match="_scaled_dot_product_flash_attention_for_cpu, a kernel that cannot be seen into"):
        sample_ensemble(model, torch.randn(2, 2, 5, 8), concentration=4, n_member=2)


def test_a_traced_model_is_refused():
    traced = torch.jit.trace(nn.Linear(3, 1), torch.zeros(1, 3))
    with pytest.raises(UnansweredAttentionError, match="a TorchScript module at"):
        sample_ensemble(nn.Sequential(traced), torch.zeros(2, 3), concentration=4, n_member=2)


def test_an_exported_model_is_refused():
    class Small(nn.Module):
        def forward(self, x):
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    exported = torch.export.export(Small(), (torch.randn(2, 2, 5, 8),)).module()
    with pytest.raises(UnansweredAttentionError):
        sample_ensemble(exported, torch.randn(2, 2, 5, 8), concentration=4, n_member=2)


def test_gates_and_decision_heads_with_softmax_are_not_attention():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
            self.gate, self.mix = nn.Linear(16, 16), nn.Linear(16, 4)

        def forward(self, x):
            x = self.attention(x, x, x)[0]
            return self.mix(x * torch.softmax(self.gate(x), -1)).softmax(-1)

    assert sample_ensemble(Gated().eval(), torch.randn(3, 5, 16), concentration=4, n_member=2).shape == (2, 3, 5, 4)


def test_it_works_under_grad_autocast_and_inference_mode():
    model, inputs = make("nn.TransformerEncoder")
    with stochastic_attention(model, 4):
        model(*inputs).sum().backward()
    assert model.layers[0].linear1.weight.grad.abs().sum() > 0
    with torch.inference_mode(), stochastic_attention(model, 4) as run:
        model(*inputs)
    assert run.calls.total() == 2
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), stochastic_attention(model, 4) as run:
        assert model(*inputs).isfinite().all()
    assert run.calls.total() == 2


def test_a_compiled_model_is_sampled_and_the_concentration_is_not_frozen():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, (x,) = encoder()
    compiled = torch.compile(model.eval(), backend="eager")
    with torch.no_grad():
        plain = compiled(x)
        spreads = [float(sample_ensemble(compiled, x, concentration=n, n_member=20).std(0).mean()) for n in (4, 400)]
        assert torch.allclose(compiled(x), plain, atol=1e-6)
        assert torch.equal(
            sample_ensemble(compiled, x, concentration=4, n_member=2), sample_ensemble(model, x, concentration=4, n_member=2)
        )
    assert 7 < spreads[0] / spreads[1] < 14


def test_blocks_of_one_model_do_not_nest():
    model, inputs = make("ViT")
    with pytest.raises(ValueError, match="open in this thread already"), stochastic_attention(model, 4), stochastic_attention(model, 8):
        model(*inputs)
    assert sample_ensemble(model, *inputs, concentration=4, n_member=2).shape[0] == 2
