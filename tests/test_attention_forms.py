"""Hand-written attention beside one ordinary layer is answered, or refused by name; what is not attention runs as it is."""

import functools
import warnings
from collections import Counter

import pytest
import torch

from stochattn_core import NoAttentionError, UnansweredAttentionError, sample_ensemble, stochastic_attention
from tests.attention_form import ORDERS, beside
from tests.attention_forms import ANSWERED, EITHER, NOT_ATTENTION, REFUSED

ALL = {**ANSWERED, **REFUSED, **NOT_ATTENTION, **EITHER}
N_MEMBER = 400


@pytest.mark.parametrize("name", [name for name, form in ALL.items() if form.reference])
@torch.no_grad()
def test_the_form_computes_what_another_definition_gives(name):
    model, x = beside(ALL[name])
    assert torch.allclose(model.form(x), ALL[name].reference(model.form, x), atol=1e-5)


def test_the_battery_is_large_and_no_name_is_used_twice():
    assert len(ALL) == len(ANSWERED) + len(REFUSED) + len(NOT_ATTENTION) + len(EITHER)
    assert len(ANSWERED) + len(REFUSED) + len(EITHER) >= 60


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ANSWERED)
@torch.no_grad()
def test_attention_is_answered_under_its_module_and_many_draws_give_the_plain_output(name, order):
    model, x = beside(ANSWERED[name], order)
    plain = model(x)
    with stochastic_attention(model, 10**9) as run:
        output = model(x)
    assert run.calls == Counter({"ordinary": 1, **ANSWERED[name].calls})
    assert torch.allclose(output, plain, atol=ANSWERED[name].close, rtol=ANSWERED[name].close)


@functools.cache
def ensemble(name, concentration):
    """Members in which the ordinary layer is plain, (member, *output)."""
    model, x = beside(ALL[name])
    return sample_ensemble(model, x, concentration=concentration, n_member=N_MEMBER, layers="form*")


def assert_the_mean_is_plain(name):
    model, x = beside(ALL[name])
    with torch.no_grad():
        plain = model(x)
    for concentration in (4, 16):
        members = ensemble(name, concentration)
        standard_error = members.std(0) / N_MEMBER**0.5
        assert ((members.mean(0) - plain).abs() <= 5 * standard_error + ALL[name].close).all()


LINEAR = [name for name, form in ANSWERED.items() if form.is_linear]


@pytest.mark.parametrize("name", LINEAR)
def test_the_mean_of_many_members_is_the_plain_output(name):
    assert_the_mean_is_plain(name)


@pytest.mark.parametrize("name", LINEAR)
def test_four_times_the_draws_quarter_the_variance(name):
    few, many = (ensemble(name, concentration).var(0).sum() for concentration in (4, 16))
    assert 3.2 < few / many < 5


def assert_the_error_names(error, model):
    """The text names a module of the form and its class."""
    modules = {name: module for name, module in model.named_modules() if name.split(".")[0] == "form"}
    text = str(error)
    assert any(name in text and type(module).__name__ in text for name, module in modules.items()), text


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", REFUSED)
@torch.no_grad()
def test_attention_that_counts_cannot_answer_is_refused_by_name(name, order):
    model, x = beside(REFUSED[name], order)
    with pytest.raises((UnansweredAttentionError, NoAttentionError)) as raised, stochastic_attention(model, 4):
        model(x)
    assert_the_error_names(raised.value, model)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", NOT_ATTENTION)
@torch.no_grad()
def test_what_is_not_attention_runs_as_it_is(name, order):
    model, x = beside(NOT_ATTENTION[name], order)
    plain = model(x)
    with warnings.catch_warnings(), stochastic_attention(model, 10**9) as run:
        warnings.simplefilter("error")
        output = model(x)
    assert run.calls == Counter({"ordinary": 1})
    assert torch.allclose(output, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", EITHER)
@torch.no_grad()
def test_a_doubtful_form_is_answered_or_refused_but_not_plain_in_silence(name, order):
    form = EITHER[name]
    model, x = beside(form, order)
    plain = model(x)
    try:
        with stochastic_attention(model, 10**9) as run:
            output = model(x)
    except UnansweredAttentionError as error:
        assert not form.may_be_plain
        assert_the_error_names(error, model)
        return
    assert torch.allclose(output, plain, atol=form.close, rtol=form.close)
    if form.may_be_plain and run.calls == Counter({"ordinary": 1}):
        return
    assert sum(count for called, count in run.calls.items() if called.split(".")[0] == "form")
    if form.is_linear and order == "ordinary layer first":
        assert_the_mean_is_plain(name)


MODES = {"gradients": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*list(ANSWERED)[::9], *list(REFUSED)[::4], *list(NOT_ATTENTION)[::6]])
def test_recognition_does_not_depend_on_gradients(name, mode):
    model, x = beside(ALL[name])
    with MODES[mode]():
        if name in REFUSED:
            with pytest.raises(UnansweredAttentionError), stochastic_attention(model, 4):
                model(x)
            return
        with stochastic_attention(model, 4) as run:
            model(x)
    assert run.calls == Counter({"ordinary": 1, **(ANSWERED[name].calls if name in ANSWERED else {})})
