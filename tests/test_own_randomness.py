"""Random numbers that a model draws by itself are held fixed and said; what cannot be held fixed is refused for that reason."""

import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core import UnansweredAttentionError, audit, sample_ensemble
from stochattn_core.plain_forecast import plain_forecast
from stochattn_core.recognition.generators import held_fixed

HELD = r"draws random numbers of its own in each pass: they are held fixed, with torch's generators at seed 0"


class Drawing(nn.Module):
    """A layer of attention whose output is changed by something that may be random."""

    def __init__(self, then):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.then = then
        self.eval()

    def forward(self, x):
        return self.then(self.layer(x))


OWN = {
    "dropout that is left on": lambda y: F.dropout(y, 0.3, training=True),
    "noise": lambda y: y + torch.randn_like(y),
    "one number for all": lambda y: y * torch.rand([]),
    "sampled places": lambda y: y[:, torch.randint(5, (5,))],
    "masked places": lambda y: y * (torch.rand(len(y), 5, 1).argsort(1) < 2),
}


def x_of(n=4):
    return torch.randn(n, 5, 16, generator=torch.Generator().manual_seed(0))


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


def draw(model, **options):
    return sample_ensemble(model, x_of(), concentration=4, n_member=6, **options)


@pytest.mark.parametrize("name", OWN)
def test_random_numbers_of_a_model_are_held_fixed_in_every_pass(name):
    model, then = Drawing(OWN[name]), OWN[name]
    state = torch.get_rng_state()
    with pytest.warns(UserWarning, match=HELD):
        members = draw(model)
    assert torch.equal(members, quietly(draw, model, fold=1))
    assert torch.equal(members, quietly(draw, Drawing(then)))
    attention_alone = quietly(draw, Drawing(lambda y: y), fold=1)
    with held_fixed():
        wanted = then(attention_alone[2])
    assert torch.allclose(members[2], wanted, atol=1e-6)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", OWN)
def test_the_plain_forecast_holds_the_same_numbers_as_the_members(name):
    model = Drawing(OWN[name])
    plain = quietly(plain_forecast, model, x_of())
    assert torch.equal(plain, quietly(plain_forecast, model, x_of()))
    limit = quietly(sample_ensemble, model, x_of(), concentration=10**9, n_member=2)
    assert torch.allclose(limit, plain, atol=1e-3)


def test_it_is_said_once_for_each_model(recwarn):
    model = Drawing(OWN["one number for all"])
    for _ in range(3):
        draw(model)
        plain_forecast(model, x_of())
    assert [str(warning.message)[:7] for warning in recwarn.list] == ["Drawing"]


def test_numbers_that_do_not_reach_the_output_need_no_word(recwarn):
    def then(y):
        torch.rand(3)
        return y

    state = torch.get_rng_state()
    assert torch.equal(draw(Drawing(then)), draw(Drawing(lambda y: y))) and not recwarn.list
    assert torch.equal(torch.get_rng_state(), state)


def test_the_state_of_the_generators_is_restored_after_an_error():
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="stop"), held_fixed():
        torch.rand(3)
        raise RuntimeError("stop")
    assert torch.equal(torch.get_rng_state(), state)


def counter():
    calls = iter(range(1000))
    return lambda y: y + next(calls)


@pytest.mark.parametrize("then", (lambda y: y + np.random.default_rng().random(), lambda y: y + random.random(), counter()))
def test_numbers_from_elsewhere_and_a_state_of_its_own_are_refused_as_such(then):
    with pytest.raises(
        ValueError, match=r"another output each time for the same inputs.* draws random numbers from another source, or changes"
    ):
        draw(Drawing(then))


def test_numbers_of_torch_and_of_another_source_are_refused_as_such():
    with pytest.raises(ValueError, match="draws random numbers from another source, or changes"):
        draw(Drawing(lambda y: y + torch.rand([]) + np.random.default_rng().random()))


def test_dropout_inside_attention_at_inference_is_refused_as_such():
    class Dropped(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, dropout_p=0.4)

    model = Dropped().eval()
    for run in (lambda: audit(model, x_of()), lambda: draw(model)):
        with pytest.raises(UnansweredAttentionError, match="draws random numbers of its own: expected attention that drops no entries"):
            quietly(run)


class Gumbel(nn.Module):
    """Attention whose scores carry Gumbel noise of the model's own."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.project = nn.Linear(16, 48)
        self.eval()

    def forward(self, x):
        query, key, value = self.project(x).chunk(3, -1)
        return F.gumbel_softmax(query @ key.mT, tau=0.5, dim=-1) @ value


def test_attention_on_noisy_scores_is_answered_with_its_noise_held_fixed():
    model, x = Gumbel(), x_of()
    query, key, value = model.project(x).detach().chunk(3, -1)
    with held_fixed():
        noise = -torch.empty(4, 5, 5).exponential_().log()
    rows = torch.softmax((query @ key.mT + noise) / 0.5, -1)
    assert torch.allclose(quietly(plain_forecast, model, x), rows @ value, atol=1e-5)
    members = quietly(sample_ensemble, model, x, concentration=4, n_member=400)
    variance = (rows @ value.square() - (rows @ value).square()) / 4
    assert ((members.mean(0) - rows @ value).abs() <= 5 * (variance / 400).sqrt() + 0.02).all()
    assert members.var(0).sum() / variance.sum() == pytest.approx(1, abs=0.1)
    seen = quietly(audit, model, x)
    assert seen.calls == {"": 1} and seen.random and "exponential" in seen.random[0]


def test_a_model_in_training_mode_is_refused_as_such():
    for run in (lambda model: draw(model), lambda model: plain_forecast(model, x_of())):
        with pytest.raises(ValueError, match=r"in training mode .* call \.eval\(\) on it first"):
            run(Drawing(lambda y: y).train())


SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "initializer_range": 0.5}


def masked_autoencoder(transformers):
    decoder = {"decoder_hidden_size": 16, "decoder_num_attention_heads": 2, "decoder_num_hidden_layers": 1, "decoder_intermediate_size": 16}
    config = transformers.ViTMAEConfig(image_size=16, patch_size=4, **decoder, **SIZES)
    return transformers.ViTMAEForPreTraining(config), {"pixel_values": torch.randn(3, 3, 16, 16)}


def informer(transformers):
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_layers": 1, "decoder_layers": 1}
    config = transformers.InformerConfig(
        prediction_length=4, context_length=40, lags_sequence=[1, 2], num_time_features=1, d_model=16, sampling_factor=1, **heads
    )
    past = {"past_values": torch.randn(3, 42), "past_time_features": torch.randn(3, 42, 1), "past_observed_mask": torch.ones(3, 42)}
    return transformers.InformerModel(config), {**past, "future_values": torch.randn(3, 4), "future_time_features": torch.randn(3, 4, 1)}


class Sampling(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model.generate(ids, max_new_tokens=3, do_sample=True, pad_token_id=0)


def sampled_tokens(transformers):
    config = transformers.LlamaConfig(vocab_size=20, num_key_value_heads=2, **SIZES)
    return Sampling(transformers.LlamaForCausalLM(config)), {"ids": torch.randint(0, 20, (3, 4))}


@pytest.mark.parametrize("make", (masked_autoencoder, informer, sampled_tokens))
def test_masking_noise_sampled_keys_and_sampled_tokens_of_hugging_face_are_held_fixed(make):
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, inputs = make(transformers)
    with pytest.warns(UserWarning, match=f"{type(model).__name__} {HELD}"):
        members = sample_ensemble(model.eval(), concentration=2, n_member=4, **inputs)
    again = quietly(sample_ensemble, model, concentration=2, n_member=4, fold=1, **inputs)
    assert torch.allclose(members, again, atol=1e-5) and members.double().std(0).mean() > 0
