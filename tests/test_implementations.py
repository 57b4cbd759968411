"""Models whose attention runs in a kernel of its own are answered through the implementation that computes the same attention."""

import pytest
import torch

from stochattn_core import audit, sample_ensemble
from stochattn_core.plain_forecast import plain_forecast

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}


def gpt_oss(transformers):
    config = transformers.GptOssConfig(intermediate_size=16, num_local_experts=2, num_experts_per_tok=1, sliding_window=4, **SIZES)
    model = transformers.GptOssModel(config)
    for layer in model.layers:
        torch.nn.init.normal_(layer.self_attn.sinks, std=2.0)  # a sink takes a share of each row that goes to no value
    return model


def gemma2(transformers):
    config = transformers.Gemma2Config(intermediate_size=32, attn_logit_softcapping=1.0, query_pre_attn_scalar=1, **SIZES)
    return transformers.Gemma2Model(config)  # its scores are capped


def llama(transformers):
    return transformers.LlamaModel(transformers.LlamaConfig(intermediate_size=32, initializer_range=0.5, **SIZES))


def with_implementation(make, chosen):
    """The model on one implementation, with the same weights for each."""
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make(transformers).eval()
    model.config._attn_implementation = chosen
    return model


TOKENS = torch.randint(0, 50, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", (gpt_oss, gemma2, llama))
@torch.no_grad()
def test_a_model_on_flex_attention_is_the_model_on_eager(make):
    on_flex, on_eager = (with_implementation(make, chosen) for chosen in ("flex_attention", "eager"))
    expected = on_eager(TOKENS).last_hidden_state
    assert torch.allclose(plain_forecast(on_flex, TOKENS, pick="last_hidden_state"), expected, atol=1e-5)
    options = {"concentration": 5, "n_member": 3, "pick": "last_hidden_state"}
    members = sample_ensemble(on_flex, TOKENS, **options)
    assert torch.allclose(members, sample_ensemble(on_eager, TOKENS, **options), atol=1e-5) and members.std(0).max() > 0
    many = sample_ensemble(on_flex, TOKENS, concentration=10**9, n_member=1, pick="last_hidden_state")[0]
    assert torch.allclose(many, expected, atol=2e-3)
    assert on_flex.config._attn_implementation == "flex_attention"


@torch.no_grad()
def test_without_its_sinks_the_outputs_of_a_model_would_be_others():
    model = with_implementation(gpt_oss, "eager")
    expected = model(TOKENS).last_hidden_state
    model.config._attn_implementation = "sdpa"  # which drops the sinks
    assert (model(TOKENS).last_hidden_state - expected).abs().max() > 0.01 * expected.abs().max()


@pytest.mark.parametrize(("make", "way"), ((gpt_oss, "softmax"), (gemma2, "softmax"), (llama, "scaled_dot_product_attention")))
def test_the_audit_says_by_what_each_of_them_is_recognised(make, way):
    checklist = audit(with_implementation(make, "flex_attention"), TOKENS)
    assert sorted(checklist.calls) == ["layers.0.self_attn", "layers.1.self_attn"]
    assert all(finding.how.startswith(way) for finding in checklist.findings if finding.is_sampled)
