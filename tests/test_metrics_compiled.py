"""The compiled sums, compared with those of torch, two other libraries, and slow definitions in long double."""

import itertools
import tracemalloc

import numpy as np
import pytest
import scores.probability
import scoringrules
import torch
import xarray as xr

from stochattn_core.metrics import LEVELS, Statistics, cell_area_weights, compiled_sums, sum_kernels
from stochattn_core.metrics.statistics import AXES

EVENTS = [(), (6,), (2, 3, 4), (2, 9, 40)]
COUNTS = ("n", "n_case", "covered", "spread_bin")  # exact, because they are whole numbers; other sums are exact only without ties


@pytest.fixture(autouse=True, scope="module")
def compiled():
    assert compiled_sums.wait()


def forecast(*event, m=9, n=40, seed=0, ties=False, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    plain = 3 * torch.randn(n, *event, generator=generator)
    members = plain + 0.1 + 2 * torch.randn(m, n, *event, generator=generator)
    target = plain + 3 * torch.randn(n, *event, generator=generator)
    if ties:
        members, target, plain = members.round(), target.round(), plain.round()
    target[torch.rand(target.shape, generator=generator) < 0.1] = torch.nan
    target[7] = torch.nan
    return members.to(dtype), target, plain, torch.arange(n) // 7


def in_torch(*arguments, **known):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_sums, "takes", lambda members: False)
        return Statistics.of(*arguments, **known)


def values(members):
    return members.detach().float().numpy() if isinstance(members, torch.Tensor) else members


def agree(ours: Statistics, reference: Statistics, *counts: str) -> None:
    for name in AXES:
        mine, theirs = getattr(ours, name), getattr(reference, name)
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12, equal_nan=True, msg=lambda text, name=name: f"{name}: {text}")
        assert name not in counts or torch.equal(mine.nan_to_num(-1), theirs.nan_to_num(-1)), name


@pytest.mark.parametrize("of", (Statistics.of, in_torch))
@pytest.mark.parametrize("event", ((0,), (2, 0), (0, 3)))
def test_an_event_without_numbers_is_refused(of, event):
    members, target, plain, block = forecast(*event)
    with pytest.raises(ValueError, match=r"at least one number a case, got \(case, \*event\) of \(40, "):
        of(members, target, plain, block, 6)


@pytest.mark.parametrize("of", (Statistics.of, in_torch))
@pytest.mark.parametrize("dtype", (">f4", ">f8"))
def test_arrays_of_the_other_byte_order_have_the_same_sums(of, dtype):
    members, target, plain, block = (x.numpy() for x in forecast(6))
    known = {"climatology": np.linspace(-9, 9, 60).reshape(10, 6), "weights": np.linspace(0.5, 1.5, 6)}
    expected = of(members, target, plain, block, 6, **known)
    swapped = {name: value.astype(">f8") for name, value in known.items()}
    agree(of(*(x.astype(dtype) for x in (members, target, plain)), block.astype(">i8"), 6, **swapped), expected)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("m", [1, 2, 3, 9, 32, 49, 100])
def test_sums_are_those_of_torch(event, m):
    members, target, plain, block = forecast(*event, m=m)
    generator = torch.Generator().manual_seed(1)
    known = {
        "climatology": torch.randn(13, *event, generator=generator),
        "weights": 2 * torch.rand(event[-1:], generator=generator) if event else None,
    }
    counts = (*COUNTS, "rank") if event else (*COUNTS, "rank", "weight", "bin_weight")
    agree(Statistics.of(members, target, plain, block, 7, **known), in_torch(members, target, plain, block, 7, **known), *counts)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("m", [2, 5, 9, 32, 49, 50, 99])
def test_ties_and_ends_of_intervals_at_the_target_are_counted_as_in_torch(event, m):
    for seed in range(3):
        data = forecast(*event, m=m, ties=True, seed=seed)
        agree(Statistics.of(*data, 7), in_torch(*data, 7), *COUNTS, "weight", "bin_weight")


@pytest.mark.parametrize("event", EVENTS[:3])
@pytest.mark.parametrize("by_case", [False, True])
def test_a_climatology_of_each_case_or_of_all_is_that_of_torch(event, by_case):
    members, target, plain, block = forecast(*event)
    generator = torch.Generator().manual_seed(1)
    climatology = torch.randn(5, *[len(target)] * by_case, *event, generator=generator)
    for sd in (None, torch.tensor(1.5), torch.rand(target.shape, generator=generator), torch.rand(event, generator=generator)):
        known = {"climatology": climatology, "clim_sd": sd}
        agree(Statistics.of(members, target, plain, block, 7, **known), in_torch(members, target, plain, block, 7, **known))


@pytest.mark.parametrize("chunk", [1, 700, 2**22])
@pytest.mark.parametrize("form", ["float64", "bfloat16", "strided", "gradient", "read-only", "memmap", "ints"])
def test_members_of_any_form_are_accepted_and_not_changed(form, chunk, monkeypatch, tmp_path):
    members, target, plain, block = forecast(6, m=7, ties=form == "ints")
    if form in ("float64", "bfloat16"):
        members = members.to(getattr(torch, form))
    elif form == "strided":
        members = members.movedim(0, 2).contiguous().movedim(2, 0)
    elif form == "gradient":
        members = members.clone().requires_grad_()
    else:
        members = members.numpy().astype(np.int16 if form == "ints" else np.float32)
        members.flags.writeable = False
    wanted = in_torch(members, target, plain, block, 7)
    before = values(members).copy()
    if form == "memmap":
        np.save(tmp_path / "members.npy", members)
        members = np.load(tmp_path / "members.npy", mmap_mode="r")
    monkeypatch.setattr("stochattn_core.metrics.sums.CHUNK", chunk)
    agree(Statistics.of(members, target, plain, block, 7), wanted, *COUNTS)
    assert np.array_equal(values(members), before)


@pytest.mark.parametrize("m", [2, 9, 50])
def test_scores_agree_with_two_libraries(m):
    members, target, plain, _ = forecast(4, m=m, dtype=torch.float64)
    target = target.double()
    sums = Statistics.of(members, target, plain, torch.arange(len(target)), len(target))  # a block for each case
    seen = ~torch.isnan(target)
    fct, obs = xr.DataArray(members.numpy(), dims=("member", "case", "place")), xr.DataArray(target.numpy(), dims=("case", "place"))
    for name, method in (("crps_fair", "fair"), ("crps", "ecdf")):
        theirs = scores.probability.crps_for_ensemble(fct, obs, "member", method=method, preserve_dims="all").values
        np.testing.assert_allclose(getattr(sums, name)[seen], theirs[seen], rtol=1e-9, atol=1e-12)
    theirs = scoringrules.crps_ensemble(target[seen].numpy(), members[:, seen].T.numpy(), estimator="fair")
    np.testing.assert_allclose(sums.crps_fair[seen], theirs, rtol=1e-9, atol=1e-12)
    whole = seen.all(1)
    theirs = scoringrules.es_ensemble(target[whole].numpy(), members[:, whole].movedim(0, 1).numpy(), estimator="fair")
    np.testing.assert_allclose(sums.energy[whole], theirs, rtol=1e-9, atol=1e-12)
    histogram = scores.probability.rank_histogram(fct.isel(place=0), obs.isel(place=0), "member").values
    np.testing.assert_allclose(sums.rank.sum(0)[:, 0] / sums.n.sum(0)[0], histogram, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 5e4])
def test_a_large_offset_costs_no_digits(offset):
    """Compared with the definitions in long double: fields of 50,000 m2 s-2 with a spread of 1 lose no digits beyond those of float32."""
    members, target, plain, block = forecast(m=20)
    members, target, plain = members + offset, target + offset, plain + offset
    sums = Statistics.of(members, target, plain, block * 0, 1)
    seen = ~torch.isnan(target)
    x, y, f = (values.numpy().astype(np.longdouble) for values in (members[:, seen], target[seen], plain[seen]))
    pairs = np.abs(x[:, None] - x[None]).sum((0, 1))
    mean = x.mean(0)
    ends = [np.quantile(x, (1 + sign * level) / 2, axis=0, method="weibull") for sign in (-1, 1) for level in map(np.longdouble, LEVELS)]
    width = np.subtract(ends[len(LEVELS) :], ends[: len(LEVELS)]).sum(1)
    wanted = {
        "crps": (np.abs(x - y).mean(0) - pairs / (2 * 20 * 20)).sum(),
        "crps_fair": (np.abs(x - y).mean(0) - pairs / (2 * 20 * 19)).sum(),
        "variance": ((x - mean) ** 2).sum() / 19,
        "error_sq": ((mean - y) ** 2).sum(),
        "drift_sq": ((mean - f) ** 2).sum(),
        "plain_error_abs": np.abs(f - y).sum(),
    }
    for name, value in wanted.items():
        assert float(getattr(sums, name)[0]) == pytest.approx(float(value), rel=1e-11 if offset else 1e-13), name
    np.testing.assert_allclose(sums.width[0], width.astype(float), rtol=1e-8)  # quantiles rounds its positions to 1e-9
    np.testing.assert_allclose(sums.deviation_sq[0], ((x - f) ** 2).sum(1).astype(float), rtol=1e-12)


def test_weighted_sums_are_their_definition():
    members, target, plain, _ = forecast(3, 4, m=5, dtype=torch.float64)
    weights = cell_area_weights(torch.tensor([-60.0, 0.0, 60.0]))[:, None]
    sums = Statistics.of(members, target, plain, torch.zeros(40), 1, weights=weights)
    share = (~torch.isnan(target) * weights).numpy()
    error = np.where(share > 0, (members - target).numpy(), 0)
    norm = np.sqrt((error**2 * share).sum((2, 3)))
    apart = np.sqrt(((error[:, None] - error[None]) ** 2 * share).sum((3, 4)))
    energy = norm.mean(0) - apart.sum((0, 1)) / (2 * 5 * 4)
    assert float(sums.energy[0]) == pytest.approx(energy.sum(), rel=1e-12)
    np.testing.assert_allclose(sums.weight[0], share.sum((0, 2)), rtol=1e-12)
    np.testing.assert_allclose(sums.deviation_sq[0], ((members - plain).numpy() ** 2 * share).sum((1, 3)), rtol=1e-12)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("form", ["dealt", "at random"])
def test_cases_of_a_block_need_not_follow_one_another(event, form, monkeypatch):
    members, target, plain, _ = forecast(*event, n=200)
    generator = torch.Generator().manual_seed(2)
    block = torch.arange(200) % 5 if form == "dealt" else torch.randint(5, (200,), generator=generator)
    known = {"climatology": torch.randn(5, *target.shape, generator=generator), "clim_sd": torch.rand(target.shape, generator=generator)}
    for chunk in (2**22, 2000):
        monkeypatch.setattr("stochattn_core.metrics.sums.CHUNK", chunk)
        agree(Statistics.of(members, target, plain, block, 5, **known), in_torch(members, target, plain, block, 5, **known), *COUNTS)


def test_spreads_are_counted_in_the_bins_of_their_logarithm():
    """Two members s apart have the variance s^2 / 2. Tested: powers of two, which are edges of bins, their neighbours, values between, and 0."""
    powers = 2.0 ** torch.arange(-70, 70, 0.5, dtype=torch.float64)
    between = 2 ** torch.linspace(-70, 70, 4001, dtype=torch.float64)[1::2]
    apart = torch.cat([powers, powers * (1 + 1e-9), powers * (1 - 1e-9), between, torch.zeros(3, dtype=torch.float64)])
    data = torch.stack([torch.zeros_like(apart), apart]), torch.zeros_like(apart), torch.zeros_like(apart), torch.zeros(len(apart))
    sums, wanted = Statistics.of(*data, 1), in_torch(*data, 1)
    assert torch.equal(sums.spread_bin, wanted.spread_bin) and torch.equal(sums.bin_weight, wanted.bin_weight)
    bins = 4 * np.log2(np.maximum(apart.numpy() ** 2 / 2, 2.0**-120)) + 1e-9
    assert sums.spread_bin.tolist() == np.unique(np.floor(bins)).tolist()


def test_memory_is_that_of_a_chunk_for_any_number_of_cases(monkeypatch):
    """The memory of numpy and Python; chunks are copied here, because the cases of a block do not follow one another."""
    monkeypatch.setattr("stochattn_core.metrics.sums.CHUNK", 2**16)

    def peak(n):
        members, target, plain, _ = (values.numpy() for values in forecast(m=8, n=n))
        block = torch.arange(n) % 5
        Statistics.of(members[:, :100], target[:100], plain[:100], block[:100], 5)
        tracemalloc.start()
        try:
            Statistics.of(members, target, plain, block, 5)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    once = peak(40_000)
    assert peak(160_000) < 1.1 * once


def test_values_that_are_not_finite_are_counted_and_refused_as_in_torch():
    for place, kind in itertools.product(range(3), (torch.inf, -torch.inf, torch.nan)):
        data = list(forecast(6))
        data[place] = data[place].clone()
        data[place].view(-1)[[3, 50, 111]] = kind
        if place == 1 and kind != kind:
            agree(Statistics.of(*data, 7), in_torch(*data, 7))
            continue
        with pytest.raises(ValueError, match="got 3 values") as ours:
            Statistics.of(*data, 7)
        with pytest.raises(ValueError) as theirs:
            in_torch(*data, 7)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("n", range(1, 13))
def test_the_network_sorts_every_input_of_zeros_and_ones_and_so_every_input(n):
    rows = np.array(list(itertools.product((0, 1), repeat=n))).T
    for low, high in sum_kernels.sorting_network(n):
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    assert (np.diff(rows, axis=0) >= 0).all()
