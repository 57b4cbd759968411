"""Statistics: sums that add, and scores of them that equal the definitions over the arrays."""

import math

import numpy as np
import pytest
import torch

from stochattn_core import metrics
from stochattn_core.metrics import Statistics, by_event, decompose_crps, deviation, scores
from stochattn_core.metrics.statistics import AXES

EVENTS = [(), (6,), (2, 3, 4)]


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread: on a busy machine, threads that wait for one another make thousands of small operations 30 times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def forecast(*event: int, m: int = 9, n: int = 120, seed: int = 0, missing: bool = True, ties: bool = False):
    generator = torch.Generator().manual_seed(seed)
    plain = torch.randn(n, *event, generator=generator)
    members = plain + 0.1 + 0.6 * torch.randn(m, n, *event, generator=generator)
    target = plain + torch.randn(n, *event, generator=generator)
    if ties:
        members, target, plain = members.round(), target.round(), plain.round()
    if missing:
        target[torch.rand(target.shape, generator=generator) < 0.1] = torch.nan
        target[7] = torch.nan
    return members, target, plain, torch.arange(n) // 10


def same(left: Statistics, right: Statistics) -> None:
    for name in AXES:
        torch.testing.assert_close(getattr(left, name), getattr(right, name), rtol=1e-12, atol=1e-12, equal_nan=True, msg=name)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("ties", [False, True])
def test_whole_is_the_sum_of_its_parts_however_it_is_cut(event, ties):
    members, target, plain, block = forecast(*event, ties=ties)
    whole = Statistics.of(members, target, plain, block, 12, clim_sd=torch.tensor(1.5))
    for cuts in ([60], [0, 60], [1, 8, 37, 119]):
        parts = [slice(a, b) for a, b in zip([0, *cuts], [*cuts, 120], strict=True)]
        same(
            whole,
            sum(Statistics.of(members[:, part], target[part], plain[part], block[part], 12, clim_sd=torch.tensor(1.5)) for part in parts),
        )


def test_counts_of_the_parts_add_bit_for_bit():
    members, target, plain, block = forecast(6)
    whole = Statistics.of(members, target, plain, block, 12)
    halves = [Statistics.of(members[:, part], target[part], plain[part], block[part], 12) for part in (slice(0, 47), slice(47, 120))]
    for name in ("n", "n_case", "rank", "covered", "weight", "bin_weight", "spread_bin"):
        assert torch.equal(getattr(halves[0] + halves[1], name), getattr(whole, name)), name


def test_streaming_in_small_chunks_from_a_memmap_changes_nothing(tmp_path, monkeypatch):
    members, target, plain, block = forecast(6)
    whole = Statistics.of(members, target, plain, block, 12, climatology=torch.arange(5.0)[:, None, None].expand(5, 120, 6))
    np.save(tmp_path / "members.npy", members.numpy())
    monkeypatch.setattr("stochattn_core.metrics.sums.CHUNK", 700)
    on_disk = np.load(tmp_path / "members.npy", mmap_mode="r")
    same(
        whole,
        Statistics.of(on_disk, target.numpy(), plain.numpy(), block.numpy(), 12, climatology=torch.arange(5.0)[:, None].expand(5, 6)),
    )


@pytest.mark.parametrize("event", EVENTS)
def test_scores_are_the_definitions_over_all_observed_elements(event):
    members, target, plain, block = forecast(*event)
    seen = ~torch.isnan(target)
    x, y, f = members[:, seen].double(), target[seen].double(), plain[seen].double()
    values = scores(Statistics.of(members, target, plain, block, 12))
    mean = x.mean(0)
    parts = decompose_crps(x, y)
    rank = metrics.rank_weights(x, y).sum(1)
    wanted = {
        "rmse": (mean - y).square().mean().sqrt(),
        "bias": (mean - y).mean(),
        "spread": x.var(0).mean().sqrt(),
        "spread_skill_ratio": metrics.spread_skill_ratio(x, y),
        "drift": ((mean - f).square().mean() / (y - f).square().mean()).sqrt(),
        "crps": metrics.crps(x, y, fair=False).mean(),
        "crps_fair": metrics.crps(x, y).mean(),
        "crps_reliability": parts.reliability,
        "crps_potential": parts.potential,
        "w1": metrics.w1(rank),
        "pit_mean": metrics.pit_mean(rank),
        "pit_dispersion": metrics.pit_dispersion(rank),
        "mae_plain": (f - y).abs().mean(),
        "rmse_plain": (f - y).square().mean().sqrt(),
        "n": seen.sum(),
        "n_case": seen.flatten(1).any(1).sum() if event else seen.sum(),
        "n_member": 9,
    }
    covered, (lower, upper) = metrics.coverage(x, y).mean(1), metrics.central_intervals(x)
    for place, level in enumerate(metrics.LEVELS):
        if level in (0.5, 0.8, 0.9, 0.95):
            wanted |= {f"coverage_{100 * level:.0f}": covered[place], f"width_{100 * level:.0f}": (upper - lower)[place].mean()}
    energy = metrics.energy_score(members.double(), target.double()) if event else metrics.crps(x, y)
    wanted["energy_score"] = energy.nanmean()
    for name, value in wanted.items():
        assert values[name] == pytest.approx(float(value), abs=1e-9), name
    of_climatology = {"crps_uncertainty", "crps_resolution", "crps_skill_climatology"}
    of_climatology |= {"tail_upper", "tail_upper_skill", "tail_lower", "tail_lower_skill"}
    assert all(math.isnan(values[name]) for name in of_climatology)
    assert set(values) == set(wanted) | of_climatology


def test_uncertainty_and_resolution_are_hersbachs_when_the_climatology_is_the_sample():
    members, target, plain, block = forecast(missing=False)
    values = scores(Statistics.of(members, target, plain, block, 12, climatology=target))
    parts = decompose_crps(members.double(), target.double())
    assert values["crps_uncertainty"] == pytest.approx(float(parts.uncertainty), abs=1e-12)
    assert values["crps_resolution"] == pytest.approx(float(parts.resolution), abs=1e-12)


def test_by_event_select_and_weights_agree_with_each_element_alone():
    members, target, plain, block = forecast(3, 4)
    statistics = Statistics.of(members, target, plain, block, 12)
    alone = scores(Statistics.of(members[..., 2, 1], target[..., 2, 1], plain[..., 2, 1], block, 12))
    by_element, selected = by_event(statistics), scores(statistics.select(2).select(1))
    only = torch.zeros(3, 4)
    only[2, 1] = 1
    weighted = scores(statistics, only)
    for name, value in by_element.items():
        assert value.shape == (3, 4)
        assert value[2, 1] == pytest.approx(alone[name], abs=1e-12, nan_ok=True)
        assert weighted[name] == pytest.approx(alone[name], abs=1e-12, nan_ok=True)
    assert selected["energy_score"] == pytest.approx(alone["energy_score"], abs=1e-12)
    assert selected["n_case"] == alone["n_case"]
    assert statistics.select([0, 2]).event == (2, 4)
    with pytest.raises(ValueError, match="no event axis"):
        statistics.select(0).select(0).select(0)


def test_the_order_of_members_and_of_cases_changes_nothing():
    members, target, plain, block = forecast(6)
    whole = scores(Statistics.of(members, target, plain, block, 12))
    order, cases = torch.randperm(9, generator=torch.manual_seed(0)), torch.randperm(120, generator=torch.manual_seed(1))
    assert scores(Statistics.of(members[order], target, plain, block, 12)) == pytest.approx(whole, rel=1e-12, nan_ok=True)
    mixed = Statistics.of(members[:, cases], target[cases], plain[cases], block[cases], 12)
    assert scores(mixed) == pytest.approx(whole, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("event", EVENTS)
def test_one_member_has_the_scores_that_one_member_can_have(event):
    members, target, plain, block = forecast(*event, m=1)
    values = scores(Statistics.of(members, target, plain, block, 12))
    two = ("spread", "spread_skill_ratio", "crps_fair", "energy_score", "coverage_50", "width_90")
    assert all(math.isnan(values[name]) for name in two)
    assert values["crps"] == pytest.approx(float((members[0] - target).abs().nanmean()), rel=1e-5)
    assert all(math.isfinite(values[name]) for name in ("rmse", "crps", "mae_plain", "drift", "w1"))


def test_the_plain_model_as_every_member_has_no_spread_and_no_drift():
    _, target, plain, block = forecast(6)
    values = scores(Statistics.of(plain.expand(5, -1, -1), target, plain, block, 12))
    assert values["spread"] == values["drift"] == values["spread_skill_ratio"] == 0
    assert values["crps_fair"] == pytest.approx(values["mae_plain"], abs=1e-12)
    assert values["rmse"] == pytest.approx(values["rmse_plain"], abs=1e-12)


def test_deviation_is_one_norm_over_all_cases_and_elements_with_weights_and_scales():
    members, target, plain, block = forecast(2, 4)
    seen = ~torch.isnan(target)
    lengths = deviation(Statistics.of(members, target, plain, block, 12))
    torch.testing.assert_close(lengths.member, (members - plain)[:, seen].double().square().mean(1).sqrt(), atol=1e-6, rtol=0)
    assert float(lengths.error) == pytest.approx(float((plain - target)[seen].square().mean().sqrt()), abs=1e-6)
    weights = torch.tensor([0.5, 0.5, 1.0, 2.0])
    share = (seen * weights)[seen].double()
    lengths = deviation(Statistics.of(members, target, plain, block, 12, weights=weights))
    wanted = ((members - plain)[:, seen].double().square() * share).sum(1) / share.sum()
    torch.testing.assert_close(lengths.member, wanted.sqrt(), atol=1e-6, rtol=0)
    scale = torch.tensor([3.0, 0.5])
    by_scale = deviation(Statistics.of(members, target, plain, block, 12), scale)
    divided = [values / scale[:, None] for values in (members, target, plain)]
    torch.testing.assert_close(by_scale.member, deviation(Statistics.of(*divided, block, 12)).member, atol=1e-6, rtol=0)


def test_arrays_give_the_same_statistics_back_bit_for_bit():
    statistics = Statistics.of(*forecast(6), 12)
    again = Statistics.from_arrays(statistics.to_arrays())
    assert all(np.array_equal(getattr(again, name), getattr(statistics, name), equal_nan=True) for name in AXES)
    with pytest.raises(ValueError, match="not stored statistics: n_case"):
        Statistics.from_arrays({"n": np.zeros(3)})


def test_wrong_input_is_refused_with_advice():
    members, target, plain, block = forecast(6)
    with pytest.raises(ValueError, match="put the member axis first"):
        Statistics.of(members.movedim(0, 1), target, plain, block, 12)
    with pytest.raises(ValueError, match="plain must have the shape of target"):
        Statistics.of(members, target, plain[:, 0], block, 12)
    with pytest.raises(ValueError, match=r"block must be within 0 \.\. 4, got 0 \.\. 11"):
        Statistics.of(members, target, plain, block, 5)
    for place, name in ((0, "members"), (2, "plain")):
        broken = [members, target, plain]
        broken[place] = torch.full_like(broken[place], torch.nan)
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            Statistics.of(*broken, block, 12)
    with pytest.raises(ValueError, match="target must be finite, got 714"):
        Statistics.of(members[:, :119], torch.full_like(target, torch.inf)[:119], plain[:119], block[:119], 12)
    with pytest.raises(ValueError, match="members, blocks and event agree"):
        Statistics.of(members, target, plain, block, 12) + Statistics.of(members, target, plain, block, 13)


def test_no_case_at_all_gives_nan_not_an_error():
    members, target, plain, block = forecast(6)
    values = scores(Statistics.of(members[:, :0], target[:0], plain[:0], block[:0], 12))
    assert values["n_case"] == 0
    assert math.isnan(values["rmse"])
    assert math.isnan(values["w1"])
