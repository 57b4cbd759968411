"""Members are the same in every fold, chunk and ensemble, for any model; models that cannot be sampled are refused with a reason."""

import copy
import warnings

import pytest
import torch
from torch import nn

from stochattn_core import sample_ensemble, stochastic_attention
from tests.zoo import ZOO, Picked, encoder, make


@pytest.mark.parametrize("name", ZOO)
def test_a_member_is_the_same_alone_in_a_fold_and_in_a_larger_ensemble(name):
    model, inputs = make(name)
    whole = sample_ensemble(model, *inputs, concentration=5, n_member=12, fold=8)
    again = sample_ensemble(model, *inputs, concentration=5, n_member=8, fold=8)
    assert torch.equal(again, whole[:8])
    alone = sample_ensemble(model, *inputs, concentration=5, n_member=4, fold=1)
    assert torch.allclose(alone, whole[:4], atol=1e-5, rtol=1e-5)


def test_member_three_is_the_same_in_every_ensemble():
    model, inputs = make("nn.TransformerEncoder")
    with torch.no_grad(), stochastic_attention(model, 5, members=(3,)):
        alone = model(*inputs)
    in_fold = sample_ensemble(model, *inputs, concentration=5, n_member=8, fold=8)[3]
    in_fifty = sample_ensemble(model, *inputs, concentration=5, n_member=50, fold=8)[3]
    assert torch.equal(in_fold, in_fifty)
    assert torch.allclose(alone, in_fold, atol=1e-5)


def test_chunks_of_cases_give_the_members_of_all_cases():
    model, (x,) = make("FT-Transformer")
    x = torch.randn(10, 5, generator=torch.Generator().manual_seed(1))
    whole = sample_ensemble(model, x, concentration=3, n_member=4)
    parts = [sample_ensemble(model, x[i : i + 4], concentration=3, n_member=4, first_case=i) for i in range(0, 10, 4)]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


@pytest.mark.parametrize("name", ("nn.TransformerEncoder", "FT-Transformer"))
def test_members_in_parts_are_those_of_the_whole(name):
    network, inputs = make(name)
    whole = sample_ensemble(network, *inputs, concentration=5, n_member=12, fold=4)
    seen = []
    part = sample_ensemble(network, *inputs, concentration=5, n_member=8, first_member=4, fold=4, progress=lambda *x: seen.append(x[:2]))
    assert torch.equal(part, whole[4:]) and seen == [(4, 8), (8, 8)]
    for wrong in (-1, 1.0, True):
        with pytest.raises(ValueError, match="first_member must be a whole number"):
            sample_ensemble(network, *inputs, concentration=5, n_member=2, first_member=wrong)


def test_both_paths_of_multi_head_attention_draw_the_same():
    with_weights, inputs = make("nn.MultiheadAttention, weights")
    without, _ = make("nn.MultiheadAttention, no weights")
    a, b = (sample_ensemble(model, *inputs, concentration=7, n_member=3) for model in (with_weights, without))
    assert torch.allclose(a, b, atol=1e-6)


def test_seeds_and_members_differ_and_the_global_random_state_does_not_move():
    model, inputs = make("ViT")
    state = torch.random.get_rng_state()
    a = sample_ensemble(model, *inputs, concentration=4, n_member=2, seed=0)
    b = sample_ensemble(model, *inputs, concentration=4, n_member=2, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(a, b) and not torch.equal(a[0], a[1])


def test_a_model_that_mixes_the_batch_is_run_member_by_member():
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0] * x.shape[0]

    model, x = Mixing().eval(), torch.randn(2, 5, 16)
    with pytest.warns(UserWarning, match="mixes the rows of a batch"):
        ensemble = sample_ensemble(model, x, concentration=4, n_member=6)
    with torch.no_grad(), stochastic_attention(model, 4, members=(5,)):
        assert torch.equal(model(x), ensemble[5])


def test_running_out_of_memory_with_two_members_says_nothing_about_the_model(recwarn):
    model, x = nn.TransformerEncoderLayer(16, 2, batch_first=True).eval(), torch.randn(2, 5, 16)
    seen, largest = [], 2

    def full(module, inputs):
        seen.append(len(inputs[0]))
        if seen[-1] > largest:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.register_forward_pre_hook(full)
    one_by_one = sample_ensemble(model, x, concentration=4, n_member=4)
    assert seen[-4:] == [2] * 4
    largest = 100
    together = sample_ensemble(model, x, concentration=4, n_member=4)
    assert seen[-1] == 8 and not recwarn.list
    assert torch.allclose(one_by_one, together, atol=1e-6)


def test_after_running_out_of_memory_with_two_cases_all_cases_are_not_tried():
    model, seen = nn.TransformerEncoderLayer(16, 2, batch_first=True).eval(), []

    def full(module, inputs):
        seen.append(len(inputs[0]))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    model.register_forward_pre_hook(full)
    with pytest.raises(torch.OutOfMemoryError):
        sample_ensemble(model, torch.randn(9, 5, 16), concentration=4, n_member=2)
    assert seen == [2]


def test_attention_that_does_not_reach_the_output_is_a_warning():
    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

        def forward(self, x):
            return x + 0 * self.attention(x, x, x)[0]

    with pytest.warns(UserWarning, match="members of Closed are equal"):
        sample_ensemble(Closed().eval(), torch.randn(2, 5, 16), concentration=4, n_member=3)


def test_answered_attention_raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ZOO:
            model, inputs = make(name)
            sample_ensemble(model, *inputs, concentration=4, n_member=2)


@pytest.mark.parametrize(
    ("options", "message"),
    (
        ({"n_member": 0}, "n_member must be a positive whole number, got 0"),
        ({"concentration": 0}, "concentration must be a positive whole number or inf, got 0"),
        ({"concentration": "abc"}, "got 'abc'"),
    ),
)
def test_wrong_options_are_refused(options, message):
    model, inputs = make("ViT")
    with pytest.raises(ValueError, match=message):
        sample_ensemble(model, *inputs, **{"concentration": 4, "n_member": 2, **options})


def test_models_other_than_a_module_are_refused():
    with pytest.raises(ValueError, match=r"expected a torch.nn.Module, got function"):
        sample_ensemble(lambda x: x, torch.randn(2, 5), concentration=4, n_member=2)


def test_a_batch_that_is_not_the_first_dim_gives_independent_members():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4), 2).eval()  # (token, case, feature), torch's own default
    x = torch.randn(10, 8, 16, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match="mixes the rows of a batch"):
        whole = sample_ensemble(layers, x, concentration=5, n_member=4)
    assert torch.equal(whole, sample_ensemble(layers, x, concentration=5, n_member=4, fold=1))


def test_low_precision_and_padded_models_are_sampled():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, (x,) = encoder()
    padding = torch.zeros(3, 7, dtype=torch.bool)
    padding[1, 4:] = True
    padded = sample_ensemble(model.eval(), x, concentration=4, n_member=3, src_key_padding_mask=padding)
    assert padded.isfinite().all() and padded.std(0)[0].max() > 0
    assert sample_ensemble(copy.deepcopy(model).bfloat16(), x.bfloat16(), concentration=4, n_member=3).dtype == torch.bfloat16


def test_a_model_in_training_mode_is_refused():
    model, (x,) = encoder()
    with pytest.raises(ValueError, match=r"in training mode .* call \.eval\(\) on it first"):
        sample_ensemble(model.train(), x, concentration=4, n_member=2)


def test_a_tensor_with_as_many_entries_as_cases_that_holds_no_cases_is_passed_on():
    model = Picked(nn.MultiheadAttention(16, 2, batch_first=True), lambda m, x, mask: m(x, x, x, attn_mask=mask, need_weights=False)[0])
    with pytest.warns(UserWarning, match="mixes the rows of a batch"):
        ensemble = sample_ensemble(model.eval(), torch.randn(7, 7, 16), torch.zeros(7, 7), concentration=4, n_member=3)
    assert ensemble.shape == (3, 7, 7, 16)


def test_rows_of_a_pooling_class_belong_to_their_cases():
    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(16, 1)

        def forward(self, x):
            return (torch.softmax(self.score(x).squeeze(-1), -1)[:, None] @ x)[:, 0]

    ensemble = sample_ensemble(Pool().eval(), torch.randn(4, 6, 16), concentration=3, n_member=5)
    assert ensemble.shape == (5, 4, 16) and ensemble.std(0).min() > 0
