"""Hand-written attention beside one ordinary layer is answered, or refused by name; what is not attention runs as it is."""

import functools
import re
import warnings
from collections import Counter

import pytest
import torch
from torch.jit import ScriptModule

from stochattn_core import NoAttentionError, UnansweredAttentionError, sample_ensemble, stochastic_attention
from tests.attention_form import ORDERS, beside
from tests.attention_forms import ANSWERED, EITHER, NOT_ATTENTION, REFUSED

ALL = {**ANSWERED, **REFUSED, **NOT_ATTENTION, **EITHER}
N_MEMBER = 400


@pytest.mark.parametrize("name", [name for name, form in ALL.items() if form.reference])
@torch.no_grad()
def test_the_form_computes_what_another_definition_gives(name):
    model, inputs = beside(ALL[name])
    assert torch.allclose(model.by_hand(*inputs), ALL[name].reference(model.by_hand, *inputs), atol=1e-5)


def test_the_battery_is_large_and_no_name_is_used_twice():
    assert len(ALL) == len(ANSWERED) + len(REFUSED) + len(NOT_ATTENTION) + len(EITHER)
    assert len(ANSWERED) + len(REFUSED) + len(EITHER) >= 60


def assert_close(output, plain, close):
    assert (output - plain).abs().max() <= close * plain.abs().max()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ANSWERED)
@torch.no_grad()
def test_attention_is_answered_under_its_module_and_many_draws_give_the_plain_output(name, order):
    model, inputs = beside(ANSWERED[name], order)
    plain = model(*inputs)
    with stochastic_attention(model, 10**9) as run:
        output = model(*inputs)
    assert run.calls == Counter({"ordinary": 1, **ANSWERED[name].calls})
    assert_close(output, plain, ANSWERED[name].close)


@functools.cache
def ensemble(name, concentration):
    """Members in which the ordinary layer is plain, (member, *output)."""
    model, inputs = beside(ALL[name])
    return sample_ensemble(model, *inputs, concentration=concentration, n_member=N_MEMBER, layers="by_hand*")


def assert_the_mean_is_plain(name):
    model, inputs = beside(ALL[name])
    with torch.no_grad():
        plain = model(*inputs)
    for concentration in (4, 16):
        members = ensemble(name, concentration)
        standard_error = members.std(0) / N_MEMBER**0.5
        # A key of this probability is missed by every draw once in 160,000 times; the standard error then does not know of it.
        unseen = 12 / (N_MEMBER * concentration)
        assert ((members.mean(0) - plain).abs() <= 5 * standard_error + (unseen + ALL[name].close) * plain.abs().max()).all()


LINEAR = [name for name, form in ANSWERED.items() if form.is_linear]


@pytest.mark.parametrize("name", LINEAR)
def test_the_mean_of_many_members_is_the_plain_output(name):
    assert_the_mean_is_plain(name)


@pytest.mark.parametrize("name", LINEAR)
def test_four_times_the_draws_quarter_the_variance(name):
    few, many = (ensemble(name, concentration).var(0).sum() for concentration in (4, 16))
    assert 3.2 < few / many < 5


@pytest.mark.parametrize("name", [name for name in ANSWERED if name not in LINEAR])
def test_the_spread_of_a_nonlinear_form_falls_with_the_draws(name):
    few, many = (ensemble(name, concentration).std(0).sum() for concentration in (4, 16))
    assert few > 1.3 * many > 0


@pytest.mark.parametrize("name", ANSWERED)
def test_a_member_is_the_same_alone_and_beside_others(name):
    model, inputs = beside(ANSWERED[name])
    alone, together = (sample_ensemble(model, *inputs, concentration=5, n_member=3, fold=fold) for fold in (1, 3))
    assert_close(alone, together, ANSWERED[name].close)


def assert_the_error_names(error, model):
    """The text names a module of the form, and its class or that it is no Python module."""
    modules = {name: module for name, module in model.named_modules() if name.split(".")[0] == "by_hand"}
    words = set(re.findall(r"\w[\w.]*\w", str(error))) | set(re.findall(r"\w+", str(error)))
    classes = {
        name: {type(module).__name__, *(["TorchScript"] if isinstance(module, ScriptModule) else [])} for name, module in modules.items()
    }
    assert any(name in words and words & classes[name] for name in modules), str(error)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", REFUSED)
@torch.no_grad()
def test_attention_that_counts_cannot_answer_is_refused_by_name(name, order):
    model, inputs = beside(REFUSED[name], order)
    with pytest.raises((UnansweredAttentionError, NoAttentionError)) as raised, stochastic_attention(model, 4):
        model(*inputs)
    assert_the_error_names(raised.value, model)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NOT_ATTENTION)
@torch.no_grad()
def test_what_is_not_attention_runs_as_it_is(name, order):
    model, inputs = beside(NOT_ATTENTION[name], order)
    plain = model(*inputs)
    with warnings.catch_warnings(), stochastic_attention(model, 10**9) as run:
        warnings.simplefilter("error")
        output = model(*inputs)
    assert run.calls == Counter({"ordinary": 1})
    assert_close(output, plain, 5e-4)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", EITHER)
@torch.no_grad()
def test_a_doubtful_form_is_answered_or_refused_but_not_plain_in_silence(name, order):
    form = EITHER[name]
    model, inputs = beside(form, order)
    plain = model(*inputs)
    try:
        with stochastic_attention(model, 10**9) as run:
            output = model(*inputs)
    except UnansweredAttentionError as error:
        assert not form.may_be_plain
        assert_the_error_names(error, model)
        return
    assert_close(output, plain, form.close)
    if form.may_be_plain and run.calls == Counter({"ordinary": 1}):
        return
    assert sum(count for called, count in run.calls.items() if called.split(".")[0] == "by_hand")
    if form.is_linear and order == "ordinary layer first":
        assert_the_mean_is_plain(name)


MODES = {"gradients": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*list(ANSWERED)[::9], *list(REFUSED)[::4], *list(NOT_ATTENTION)[::6]])
def test_recognition_does_not_depend_on_gradients(name, mode):
    model, inputs = beside(ALL[name])
    with MODES[mode]():
        if name in REFUSED or (name, mode) == ("checkpoint", "gradients"):  # attention that the backward pass would run again, plain
            with pytest.raises(UnansweredAttentionError), stochastic_attention(model, 4):
                model(*inputs)
            return
        with stochastic_attention(model, 4) as run:
            model(*inputs)
    assert run.calls == Counter({"ordinary": 1, **(ANSWERED[name].calls if name in ANSWERED else {})})
