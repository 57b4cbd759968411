"""Noise addresses: no two rows draw the same numbers unless that was asked for, and the same cases have the same numbers in any batches."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from stochattn_core import Dataset, Setting, Split, sample_ensemble, stochastic_attention
from stochattn_core.draw import Draw, checked_draw
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.sampling import stream
from tests.zoo import Picked, make


@contextmanager
def addresses():
    """Collect the keys of all rows that are drawn inside the block; rows with the same key draw the same numbers."""
    keys, row_keys = [], Draw.row_keys

    def collecting(draw, *place):
        keys.append(row_keys(draw, *place))
        return keys[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draw, "row_keys", collecting)
        yield keys


def n_repeat(keys):
    """How many rows have the key of another row."""
    together = torch.cat([part.flatten() for part in keys])
    return len(together) - len(together.unique())


class OneLayer(nn.Module):
    """Attention over (case, token, feature), laid out by each of `rows` in turn as (dim 0, row, feature)."""

    def __init__(self, *rows):
        super().__init__()
        self.rows = rows

    def forward(self, x):
        for rows in self.rows:
            q = rows(x)
            x = x + functional.scaled_dot_product_attention(q, q, q).mean()
        return x


# (case, 12 tokens, feature) to (dim 0, row, feature). The names say what dim 0 holds.
LAYOUTS = {
    "cases": [lambda x: x],
    "axial: height and case, then width and case": [
        lambda x: x.unflatten(1, (3, 4)).transpose(0, 1).flatten(0, 1),
        lambda x: x.unflatten(1, (3, 4)).permute(2, 0, 1, 3).flatten(0, 1),
    ],
    "axial: case and height, then case and width": [
        lambda x: x.unflatten(1, (3, 4)).flatten(0, 1),
        lambda x: x.unflatten(1, (3, 4)).transpose(1, 2).flatten(0, 1),
    ],
    "tokens, not the cases": [lambda x: x.transpose(0, 1)],
    "tokens, with the cases as heads": [lambda x: x.transpose(0, 1)[:, :, None]],
    "nothing, all cases attend to one another": [lambda x: x.flatten(0, 1)[None]],
}


def batches(n_case, size):
    x = torch.randn(1, 12, 8, generator=torch.Generator().manual_seed(0)).expand(n_case, -1, -1)
    return [(first, x[first : first + size]) for first in range(0, n_case, size)]


@pytest.mark.parametrize("size", (20, 30, 7, 12, 1))
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_told", (True, False), ids=("n_case", "no n_case"))
def test_equal_cases_in_chunks_share_no_number_whatever_dim_0_holds(layout, size, is_told):
    model = OneLayer(*LAYOUTS[layout])
    with addresses() as keys, torch.no_grad():
        for first, x in batches(200, size):
            with stochastic_attention(model, 4, first_case=first, n_case=len(x) if is_told else None):
                model(x)
    assert n_repeat(keys) == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_that_share_numbers_share_none_with_another_chunk(layout):
    model, of_chunk = OneLayer(*LAYOUTS[layout]), []
    for first, x in batches(60, 20):
        with addresses() as keys, torch.no_grad(), stochastic_attention(model, 4, first_case=first, n_case=len(x), shared=True):
            model(x)
        of_chunk.append(torch.cat(keys).unique())
    assert n_repeat(of_chunk) == 0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("said", (True, False), ids=("begun", "not begun"))
def test_batches_of_one_block_share_no_number(layout, said):
    model = OneLayer(*LAYOUTS[layout])
    with addresses() as keys, torch.no_grad(), stochastic_attention(model, 4) as run:
        for first, x in batches(60, 20):
            if said:
                run.begin_batch(first)
            model(x)
    assert n_repeat(keys) == 0


def test_sample_ensemble_in_chunks_shares_no_number_between_200_equal_cases():
    model, (x,) = make("FT-Transformer")
    sample_ensemble(model, x, concentration=4, n_member=2)
    cases = x[:1].expand(200, -1)
    with addresses() as keys:
        parts = [sample_ensemble(model, cases[i : i + 20], concentration=4, n_member=2, first_case=i) for i in range(0, 200, 20)]
    assert n_repeat(keys) == 0
    members = torch.cat(parts, 1)
    assert len(members.flatten(0, 1).unique(dim=0)) > 200  # the same case again is another draw


def test_batches_of_other_lengths_share_no_number_inside_a_block():
    model = OneLayer(lambda x: x)
    with addresses() as keys, torch.no_grad(), stochastic_attention(model, 4) as run:
        for first, n_token in ((0, 10), (8, 5), (16, 7), (24, 10), (32, 5)):
            run.begin_batch(first)
            model(torch.randn(8, n_token, 8))
    assert n_repeat(keys) == 0


@pytest.mark.parametrize("name", ("FT-Transformer", "Swinv2", "T5"))
def test_a_loop_over_batches_in_a_block_gives_the_members_of_all_cases(name):
    model, (x,) = make(name)
    x = torch.cat([x, x.flip(0)])
    whole = sample_ensemble(model, x, concentration=3, n_member=2)
    parts = []
    with torch.no_grad(), stochastic_attention(model, 3, members=range(2)) as run:
        for first in range(0, 6, 4):
            run.begin_batch(first_case=first)
            part = x[first : first + 4]
            parts.append(model(torch.cat([part, part])).unflatten(0, (2, -1)))
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_a_block_that_begins_at_a_case_gives_the_members_of_that_case_without_its_number_of_cases():
    model, (x,) = make("Swinv2")  # dim 0 holds cases and windows
    whole = sample_ensemble(model, x, concentration=3, n_member=1)[0]
    with torch.no_grad(), stochastic_attention(model, 3, first_case=1):
        assert torch.allclose(model(x[1:]), whole[1:], atol=1e-5)


def test_two_blocks_with_one_seed_repeat_and_go_on_with_another_first_case_or_seed():
    model, (x,) = make("FT-Transformer")

    def block(**options):
        with torch.no_grad(), stochastic_attention(model, 4, **options):
            return model(x)

    first = block()
    assert torch.equal(block(), first)
    assert not torch.equal(block(first_case=len(x)), first) and not torch.equal(block(seed=1), first)


def test_a_further_call_of_the_same_cases_draws_fresh_numbers_and_a_batch_that_begins_again_repeats():
    model, (x,) = make("FT-Transformer")
    with torch.no_grad(), stochastic_attention(model, 4) as run:
        once, again = model(x), model(x)
        run.begin_batch(0)
        repeated = model(x)
        run.begin_batch(0, step=1)
        other_step = model(x)
    assert torch.equal(once, repeated)
    assert not torch.equal(once, again) and not torch.equal(once, other_step)


def test_a_model_whose_dim_0_is_not_made_of_cases_is_sampled_in_chunks_without_repeats():
    model = Picked(nn.TransformerEncoderLayer(8, 2, dim_feedforward=8), lambda m, x: m(x.transpose(0, 1)).transpose(0, 1)).eval()
    x = torch.randn(1, 5, 8).expand(40, -1, -1)
    sample_ensemble(model, x[:20], concentration=4, n_member=1)  # checks the model, with keys of its own
    with addresses() as keys:
        for first in range(0, 40, 20):
            sample_ensemble(model, x[first : first + 20], concentration=4, n_member=1, first_case=first)
    assert n_repeat(keys) == 0


def test_words_of_the_address_never_mix():
    """Different (member, call, part, step) give different keys, also where one word takes the value that another one had."""
    places = [(m, c, p, s) for m in (0, 1, 7) for c in (0, 1, 7) for p in (0, 1, 7) for s in (0, 1, 7)]
    keys = [stream.row_keys(0, (m,), c, 0, 5, torch.device("cpu"), part=p, step=s) for m, c, p, s in places]
    assert n_repeat(keys) == 0


def test_the_addresses_of_a_single_call_are_those_of_the_published_law():
    """Bits that were written down before parts and steps existed: SplitMix64 of (seed, member, call, row)."""
    word, gamma = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        return z ^ (z >> 31)

    def key(*address):
        state = mix(address[0])
        for number in address[1:]:
            state = mix((state + (number + 1) * gamma) & word)
        return state - (1 << 64) if state >> 63 else state

    draw = checked_draw(4, (3, 5), 11, call=2, n_case=2, first_case=6)
    rows = range(6 * 3, 8 * 3)
    assert draw.row_keys((4,), 3, torch.device("cpu")).tolist() == [key(11, m, 2, row) for m in (3, 5) for row in rows]


@pytest.mark.parametrize("first_case", (-1, 1.0, True, "3"))
def test_a_first_case_that_is_no_number_of_a_case_is_refused(first_case):
    model, (x,) = make("FT-Transformer")
    with pytest.raises(ValueError, match="first_case must be a whole number, 0 or more, got"):
        sample_ensemble(model, x, concentration=4, n_member=1, first_case=first_case)
    with stochastic_attention(model, 4) as run:
        with pytest.raises(ValueError, match="first_case must be a whole number"):
            run.begin_batch(first_case)
        model(x)


def test_calibration_and_test_share_no_number_and_the_test_part_has_the_draws_of_the_seed_itself(empty_cache):
    model, (x,) = make("FT-Transformer")
    model = nn.Sequential(model, nn.Flatten(0)).eval()
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    split = Split(x, x.sum(1))
    data = Dataset("d", train=split, calibration=split, test=split)
    ensembles = {}
    with addresses() as keys:
        sample_ensemble(model, x, concentration=4, n_member=3)  # checks the model, with keys of its own
        keys.clear()
        for part in ("train", "calibration", "test"):
            ensembles[part] = ensemble_of(Experiment(model, data, Setting(4, 3), part)).members
    assert n_repeat(keys) == 0
    drawn = sample_ensemble(model, x, concentration=4, n_member=3)
    assert np.array_equal(ensembles["test"], drawn.numpy()) and not np.allclose(ensembles["calibration"], ensembles["test"])


@pytest.mark.parametrize("correction", ("noise 1 0.5", "fractional 2.5"))
def test_corrections_draw_other_noise_for_each_part_and_choose_the_same_members(correction):
    model, _ = make("FT-Transformer")
    model = nn.Sequential(model, nn.Flatten(0)).eval()
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    split = Split(x, x.sum(1))
    data = Dataset("d", train=split, calibration=split, test=split)

    def members(correction, part, concentration=4):
        return np.array(ensemble_of(Experiment(model, data, Setting(concentration, 12, correction=correction), part)).members)

    if correction.startswith("noise"):
        noise = {part: members(correction, part) - members("", part) for part in ("calibration", "test")}
        assert abs(np.corrcoef(noise["calibration"].ravel(), noise["test"].ravel())[0, 1]) < 0.2  # 480 pairs: 4 standard errors
    else:
        is_low = {part: (members(correction, part) == members("", part, 2)).all(1) for part in ("calibration", "test")}
        assert (is_low["calibration"] == is_low["test"]).all() and 0 < is_low["test"].sum() < 12
