"""The patch answers every kind of attention, refuses attention that it cannot answer, and leaves no trace in the model."""

import copy
import math
import threading

import pytest
import torch
from torch import nn

from stochattn_core import NoAttentionError, UnansweredAttentionError, audit, sample_ensemble, stochastic_attention
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


def test_attention_by_hand_is_refused_by_name_until_its_class_is_given():
    model, x = nn.Sequential(nn.Linear(16, 16), ByHand()).eval(), torch.randn(2, 5, 16)
    with pytest.raises(
        UnansweredAttentionError, match=r"attention in module 1 of class tests\.zoo\.ByHand cannot be sampled: softmax and matmul"
    ):
        sample_ensemble(model, x, concentration=4, n_member=2)
    for classes in ((ByHand,), ("tests.zoo.ByHand",)):
        assert sample_ensemble(model, x, concentration=4, n_member=3, attention_classes=classes).std(0).min() > 0


def test_attention_by_hand_next_to_answered_attention_is_refused_too():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.MultiheadAttention(16, 2, batch_first=True), ByHand()

        def forward(self, x):
            return self.second(self.first(x, x, x)[0])

    with pytest.raises(UnansweredAttentionError, match="attention in module second"), torch.no_grad():  # noqa: SIM117
        with stochastic_attention(model := Both().eval(), 4):
            model(torch.randn(2, 5, 16))


def test_a_fused_kernel_called_past_torchs_functions_is_refused():
    def call(_, x):
        return torch.ops.aten.scaled_dot_product_attention(x, x, x)

    model = Picked(nn.Identity(), call).eval()
    with pytest.raises(UnansweredAttentionError, match="a fused kernel called past torch's Python functions"):
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
