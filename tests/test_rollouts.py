"""Rollouts: each member goes its own way with fresh draws, and is the same in any ensemble, fold, and however the steps are divided."""

import math
import warnings
import weakref

import pytest
import torch
from torch import nn

from stochattn_core import sample_ensemble, sample_rollout, stochastic_attention
from tests.test_noise_addresses import addresses, n_repeat
from tests.zoo import Picked, make


def encoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()


def advance(model, x):
    return x + 0.1 * model(x)


FIELDS = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))  # (case, token, feature)
OPTIONS = {"concentration": 4, "n_member": 8}


def test_at_infinity_the_rollout_is_the_plain_loop_bit_for_bit():
    model, state, plain = encoder(), FIELDS, []
    with torch.no_grad():
        for _ in range(6):
            plain.append(state := advance(model, state))
    rollout = sample_rollout(model, FIELDS, advance, 6, concentration=math.inf, n_member=3)
    assert rollout.shape == (3, 6, 3, 5, 8) and all(torch.equal(member, torch.stack(plain)) for member in rollout)


def test_one_step_has_the_draws_of_an_ensemble():
    model = encoder()
    rollout = sample_rollout(model, FIELDS, lambda model, x: model(x), 1, **OPTIONS)
    assert torch.allclose(rollout[:, 0], sample_ensemble(model, FIELDS, **OPTIONS), atol=1e-6)


def test_members_are_carried_along_as_a_loop_over_blocks_does_by_hand():
    model = encoder()
    rollout = sample_rollout(model, FIELDS, advance, 5, **OPTIONS)
    for member in (0, 5):
        state = FIELDS
        with torch.no_grad(), stochastic_attention(model, 4, members=(member,)) as run:
            for k in range(5):
                run.begin_batch(0, step=k)
                state = advance(model, state)
                assert torch.allclose(rollout[member, k], state, atol=1e-5)


@pytest.mark.parametrize("fold", (1, 3, 8))
def test_a_member_is_the_same_in_every_fold_alone_and_in_a_larger_ensemble(fold):
    model = encoder()
    whole = sample_rollout(model, FIELDS, advance, 5, **OPTIONS, fold=8)
    assert torch.allclose(sample_rollout(model, FIELDS, advance, 5, **OPTIONS, fold=fold), whole, atol=1e-5)
    alone = sample_rollout(model, FIELDS, advance, 5, concentration=4, n_member=1, first_member=6)
    assert torch.allclose(alone[0], whole[6], atol=1e-5)


def test_steps_that_are_continued_are_those_of_one_go():
    model = encoder()
    whole = sample_rollout(model, FIELDS, advance, 7, **OPTIONS)
    begun = sample_rollout(model, FIELDS, advance, 4, **OPTIONS)
    rest = sample_rollout(model, begun[:, -1], advance, 3, **OPTIONS, first_step=4, by_member=True)
    assert torch.equal(torch.cat([begun, rest], 1), whole)
    again = sample_rollout(model, begun[:, -1], advance, 3, **OPTIONS, first_step=4, by_member=True)
    assert torch.equal(again, rest)  # the states that were passed on have not changed


def test_cases_in_parts_are_those_of_all_cases():
    model = encoder()
    whole = sample_rollout(model, FIELDS, advance, 4, **OPTIONS)
    parts = [sample_rollout(model, FIELDS[i : i + 2], advance, 4, **OPTIONS, first_case=i) for i in (0, 2)]
    assert torch.allclose(torch.cat(parts, 2), whole, atol=1e-5)


def test_no_step_no_case_and_no_member_shares_a_number_with_another():
    model = encoder()
    with addresses() as keys:
        for first in range(0, 40, 20):
            sample_rollout(model, FIELDS[:1].expand(20, -1, -1), advance, 6, concentration=4, n_member=3, fold=1, first_case=first)
    assert n_repeat(keys) == 0


def test_the_same_state_at_another_step_is_drawn_anew():
    def measured(model, state):
        return state[0], model(state[0])

    output = sample_rollout(encoder(), (FIELDS, FIELDS), measured, 3, **OPTIONS, keep=lambda state: state[1])
    assert not torch.allclose(output[:, 0], output[:, 1]) and not torch.allclose(output[:, 1], output[:, 2])


def test_a_state_may_hold_cases_of_several_kinds_and_other_things():
    model = encoder()

    def dated(model, state):
        return {"fields": advance(model, state["fields"]) * state["scale"], "hour": state["hour"] + 6, "scale": state["scale"]}

    start = {"fields": FIELDS, "hour": torch.tensor([0, 6, 12]), "scale": torch.ones(())}
    kept = sample_rollout(model, start, dated, 4, **OPTIONS, keep=lambda state: (state["fields"], state["hour"]))
    assert torch.equal(kept[0], sample_rollout(model, FIELDS, advance, 4, **OPTIONS))
    assert kept[1].shape == (8, 4, 3) and kept[1][5, :, 1].tolist() == [12, 18, 24, 30]


def test_memory_holds_the_state_at_hand_and_what_is_kept():
    states, n_alive = [], []

    def watched(model, x):
        n_alive.append(sum(state() is not None for state in states))
        states.append(weakref.ref(new := advance(model, x)))
        return new

    last = sample_rollout(encoder(), FIELDS, watched, 100, concentration=4, n_member=2, fold=1, steps=slice(-1, None))
    assert last.shape == (2, 1, 3, 5, 8) and last.untyped_storage().nbytes() == last.numel() * 4
    assert len(n_alive) == 200 and max(n_alive) == 1  # the one that the step is given


def test_some_steps_are_kept():
    model = encoder()
    whole = sample_rollout(model, FIELDS, advance, 6, **OPTIONS)
    assert torch.equal(sample_rollout(model, FIELDS, advance, 6, **OPTIONS, steps=slice(1, None, 2)), whole[:, 1::2])
    assert torch.equal(sample_rollout(model, FIELDS, advance, 6, **OPTIONS, steps=slice(-1, None)), whole[:, -1:])


def test_a_forecaster_goes_on_beyond_its_horizon_on_its_own_forecast():
    model, (past,) = make("TimesFM 2.5")

    def slide(model, window):
        return torch.cat([window[:, 8:], model(window)], 1)

    forecast = sample_rollout(model, past, slide, 3, concentration=4, n_member=5, keep=lambda window: window[:, -8:])
    assert forecast.shape == (5, 3, 3, 8)
    assert torch.allclose(forecast[:, 0], sample_ensemble(model, past, concentration=4, n_member=5), atol=1e-5)
    member = torch.cat([past, *forecast[2].unbind()], 1)  # (case, time): the second forecast reads the first
    with torch.no_grad(), stochastic_attention(model, 4, members=(2,)) as run:
        run.begin_batch(0, step=1)
        assert torch.allclose(model(member[:, 8:40]), forecast[2, 1], atol=1e-5)


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=500, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=32,
            initializer_range=0.5, bos_token_id=None, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        return LlamaForCausalLM(config).eval()


def test_generate_with_a_cache_draws_afresh_for_each_token_and_a_member_is_the_same_in_every_fold():
    model, prompt = llama(), torch.arange(14).view(2, 7)

    def generated(members):
        with torch.no_grad(), stochastic_attention(model, 2, members=members) as run:
            tokens = model.generate(prompt.repeat(len(members), 1), max_new_tokens=6, do_sample=False)
        assert run.calls.total() == 2 * 6  # layers x tokens
        return tokens[:, 7:].unflatten(0, (len(members), -1))

    with addresses() as keys:
        whole = generated(range(8))
    assert n_repeat(keys) == 0
    alone = generated((5,))
    assert torch.equal(alone[0], whole[5]) and len({tuple(member[0].tolist()) for member in whole}) > 1


def test_generate_in_batches_gives_each_prompt_the_tokens_that_it_has_among_all():
    model, prompts = llama(), torch.arange(28).view(4, 7)
    with torch.no_grad(), stochastic_attention(model, 2) as run:
        whole = model.generate(prompts, max_new_tokens=5, do_sample=False)
        parts = []
        with addresses() as keys:
            for first in (0, 2):
                run.begin_batch(first)
                parts.append(model.generate(prompts[first : first + 2], max_new_tokens=5, do_sample=False))
    assert torch.equal(torch.cat(parts), whole) and n_repeat(keys) == 0


def test_a_model_that_mixes_the_batch_is_rolled_out_member_by_member():
    model = Picked(encoder(), lambda m, x: m(x) * len(x)).eval()
    with pytest.warns(UserWarning, match="mixes the rows of a batch"):
        together = sample_rollout(model, FIELDS, advance, 3, **OPTIONS)
    assert torch.equal(together[5], sample_rollout(model, FIELDS, advance, 3, concentration=4, n_member=1, first_member=5)[0])


def test_values_that_are_not_finite_are_a_warning_with_the_step_and_the_member():
    def diverging(model, state):
        x, k = state
        x, k = advance(model, x), k + 1
        x[(k >= 3) & (x[:, 0, 0] == x[:, 0, 0].max())] = math.nan  # at the third step, in the member that is largest
        return x, k

    start = (FIELDS[:1], torch.zeros(1))
    with pytest.warns(UserWarning, match=r"diverges: member \d has values that are not finite from step 2 on"):
        sample_rollout(encoder(), start, diverging, 4, concentration=4, n_member=4, fold=4)
    with pytest.warns(UserWarning, match=r"diverges: the plain rollout has values that are not finite from step 12 on"):
        sample_rollout(encoder(), start, diverging, 4, concentration=math.inf, n_member=4, first_step=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # values that are missing from the start are no divergence
        holes = torch.cat([FIELDS, torch.full((3, 1, 8), torch.nan)], 1)
        sample_rollout(encoder(), holes, lambda model, x: torch.cat([advance(model, x[:, :5]), x[:, 5:]], 1), 3, **OPTIONS)


BAD = {
    "no step": ({"n_step": 0}, "n_step must be a positive whole number, got 0"),
    "half a step": ({"n_step": 1.5}, "n_step must be a whole number, 0 or more, got 1.5"),
    "no member": ({"n_member": 0}, "n_member must be a positive whole number, got 0"),
    "fold 0": ({"fold": 0}, "fold must be a positive whole number, got 0"),
    "no steps kept": ({"steps": slice(9, None)}, "expected steps that hold at least one of 4 steps"),
    "no cases": ({"state": 3.0}, "expected a state with at least one tensor with cases along dim 0, got none"),
    "zero cases": ({"state": FIELDS[:0]}, "expected a state with at least one tensor with cases along dim 0, got none"),
    "other members": ({"state": FIELDS, "by_member": True}, "expected the states of 8 members along dim 0, got 3"),
    "a tuple for a tensor": ({"step": lambda m, x: (m(x),)}, "of the structure that it was given, Tensor of 1, got tuple of 1"),
    "two for one": ({"step": lambda m, x: (m(x), x)}, "of the structure that it was given, Tensor of 1, got tuple of 2"),
    "nothing": ({"step": lambda m, x: (m(x), None)[1]}, "got NoneType"),
    "fewer cases": ({"step": lambda m, x: m(x)[:1]}, r"with \d+ entries along dim 0 \(\d members of 3 cases\), got shape \(1, 5, 8\)"),
    "a mean is kept": ({"keep": lambda x: x.mean()}, r"expected keep to return tensors with \d members along dim 0, got shape \(\)"),
    "growing": ({"step": lambda m, x: torch.cat([x, m(x)], 1)}, r"expected keep to return the same shape at each step, got \(3, 10, 8\)"),
    "a state with a number": (
        {"state": (FIELDS, 1), "step": lambda m, x: (m(x[0]), 2)},
        "expected keep for a state with parts that are not",
    ),
    "no attention": ({"step": lambda m, x: x + 1}, "no attention was met in TransformerEncoderLayer"),
    "concentration": ({"concentration": 0.5}, "concentration must be a positive whole number or inf, got 0.5"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_argument_is_refused_in_one_sentence(kind):
    changes, message = BAD[kind]
    arguments = {"state": FIELDS, "step": advance, "n_step": 4, **OPTIONS} | changes
    with pytest.raises(ValueError, match=message) as error:
        sample_rollout(encoder(), **arguments)
    assert "\n" not in str(error.value)
