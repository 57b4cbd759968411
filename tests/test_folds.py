"""A fold is used only where it gives the members that are run alone; this is found out for each fold and each signature."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stochattn_core import sample_ensemble
from stochattn_core.folds import are_close
from stochattn_core.plain_forecast import plain_forecast


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Counting(nn.Module):
    """A layer of attention that records the batch size of each pass; `then` changes its output."""

    def __init__(self, then=lambda y, x: y):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.then, self.sizes = then, []
        self.eval()

    def forward(self, x):
        self.sizes.append(len(x))
        return self.then(self.layer(x), x)


def draw(model, x, n_member=8, **options):
    return sample_ensemble(model, x, concentration=4, n_member=n_member, **options)


def test_each_new_fold_is_compared_with_its_first_and_last_member_once():
    model, x = Counting(), numbers(3, 5, 16)
    draw(model, x, 10, fold=4)
    looks = 2  # the plain pass and the answered one, with two cases
    assert model.sizes == [2] * looks + [3, 3, 12, 12, 3, 3, 6]  # folds of 4, 4 and 2
    model.sizes.clear()
    draw(model, x, 10, fold=4)
    draw(model, numbers(5, 5, 16), 10, fold=4)  # another batch size is the same signature
    assert model.sizes == [12, 12, 6, 20, 20, 10]
    model.sizes.clear()
    draw(model, numbers(3, 6, 16), 4, fold=4)  # another length is another
    assert model.sizes == [2] * looks + [3, 3, 12]


def mixing_from(n_row):
    """Entries that depend on the others of the batch, once there are n_row of them."""
    return lambda y, x: y if len(x) < n_row else y - y.mean(0)


def failing_from(n_row, error):
    def then(y, x):
        if len(x) >= n_row:
            raise error("no such number of rows")
        return y

    return then


@pytest.mark.parametrize(
    "then",
    (mixing_from(9), failing_from(9, ValueError), failing_from(9, RuntimeError), failing_from(9, IndexError), lambda y, x: y / len(x)),
)
def test_a_fold_that_fails_or_gives_other_members_is_run_one_by_one_with_one_warning(then):
    x = numbers(2, 5, 16)
    with pytest.warns(UserWarning, match="mixes the rows of a batch: members are run one by one") as caught:
        members = draw(Counting(then), x, fold=6)
    assert torch.equal(members, draw(Counting(then), x, fold=1)) and len(caught) == 1


def test_a_fold_that_is_right_is_used_beside_one_that_is_not(recwarn):
    model, x = Counting(mixing_from(9)), numbers(2, 5, 16)
    draw(model, x, fold=4)
    assert model.sizes[-1] == 8 and not recwarn.list
    with pytest.warns(UserWarning, match="mixes"):
        draw(model, x, fold=8)


def test_a_fold_that_was_right_for_few_cases_is_checked_again_where_it_fails_for_more():
    model = Counting(failing_from(20, RuntimeError))
    draw(model, numbers(2, 5, 16), fold=4)
    x = numbers(6, 5, 16)
    with pytest.warns(UserWarning, match="mixes"):
        members = draw(model, x, fold=4)
    assert torch.equal(members, draw(Counting(), x, fold=1))


class TimeFirst(nn.Module):
    """Attention between the cases at each time, time along dim 0 of the call, as in Chronos-2: members do not divide it, or mix where they do."""

    def forward(self, x):
        x = x.movedim(1, 0)[:, None]
        return F.scaled_dot_product_attention(x, x, x)[:, 0].movedim(0, 1)


@pytest.mark.parametrize("n_time", (13, 14, 16))
def test_attention_whose_first_dim_is_not_the_batch_is_run_one_by_one(n_time):
    x = numbers(3, n_time, 8)
    with pytest.warns(UserWarning, match="mixes the rows of a batch"):
        whole = draw(TimeFirst().eval(), x, 16)
    assert torch.equal(whole, draw(TimeFirst().eval(), x, 16, fold=1)) and whole.std(0).mean() > 0


def test_a_model_that_calls_attention_more_often_in_a_fold_is_run_one_by_one():
    class Often(Counting):
        def forward(self, x):
            for _ in range(len(x)):
                y = super().forward(x)
            return y

    x = numbers(2, 5, 16)
    with pytest.warns(UserWarning, match="mixes"):
        whole = draw(Often(), x)
    assert torch.equal(whole, draw(Often(), x, fold=1))


@pytest.mark.parametrize("norm_first", (False, True))
def test_cases_along_the_second_dim_are_folded_there(norm_first, recwarn):
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, norm_first=norm_first), 2).eval()
    x = numbers(10, 6, 16)  # (token, case, feature), torch's own default
    whole, alone = (draw(model, x, batch_dim=1, fold=fold) for fold in (8, 1))
    assert whole.shape == (8, 10, 6, 16) and torch.allclose(whole, alone, atol=1e-5) and not recwarn.list
    half = draw(model, x[:, 2:], batch_dim=1, first_case=2)
    assert torch.allclose(half, whole[:, :, 2:], atol=1e-5)
    assert torch.allclose(draw(model, x, 2, batch_dim=-2), whole[:2], atol=1e-5)


def test_a_batch_first_model_gives_the_members_of_the_same_model_with_the_batch_second():
    def make(batch_first):
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first), 2).eval()

    x = numbers(6, 10, 16)
    second = draw(make(False), x.movedim(0, 1), batch_dim=1)
    assert torch.allclose(second.movedim(2, 1), draw(make(True), x), atol=1e-5)


def test_draws_that_rounding_moves_do_not_make_a_fold_another():
    alone = numbers(2, 1000)
    together = alone.clone()
    together[0, 5] += 0.1  # one draw of many
    assert are_close(together, alone) and not are_close(alone + 0.1 * numbers(2, 1000, seed=1), alone)
    assert not are_close(alone.flip(0), alone) and not are_close(alone, alone.double())
    assert are_close(alone.log(), alone.log()) and not are_close(alone.log(), alone)


def test_a_prefilled_cache_is_folded_with_the_members_and_stays_as_it_is():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 32}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=50, initializer_range=0.5, **sizes)).eval()
        ids = torch.randint(0, 50, (3, 9))
    cache = transformers.DynamicCache()
    with torch.no_grad():
        model(ids[:, :6], past_key_values=cache)
        wanted = model(ids).logits[:, 6:]
    before = [layer.keys.clone() for layer in cache.layers]
    whole, alone = (draw(model, ids[:, 6:], past_key_values=cache, fold=fold) for fold in (4, 1))
    assert torch.allclose(plain_forecast(model, ids[:, 6:], past_key_values=cache), wanted, atol=1e-5)
    assert torch.allclose(whole, alone, atol=1e-5) and whole.shape == (8, 3, 3, 50)
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(cache.layers, before, strict=True))
