"""The authors' search, the look before tuning and the groups, where the right answer is known."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from statsmodels.stats.meta_analysis import combine_effects

from stochattn_core import load_dataset, load_model, tune
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.settings import Setting
from stochattn_core.tuning import Budget, groups, preview, search_concentration
from stochattn_core.tuning.thompson import N_MOST, line_through, thompson
from tests.test_tuning import a_draw_at, dataset_of, own

SLOPE, FACTOR, NOISE = -0.5, 4.0, 0.05


def single_passes(seed=0, noise=NOISE, n_block=20):
    """d = FACTOR nu ** SLOPE with log-normal noise, the same in every block; a record of what was asked."""
    rng, asked = np.random.default_rng(seed), []

    def pass_at(concentration, member):
        asked.append((concentration, member))
        d = FACTOR * concentration**SLOPE * math.exp(noise * rng.standard_normal())
        return np.full(n_block, d**2 * 10)

    return pass_at, asked


def test_single_passes_find_the_minimum_of_the_expected_cost():
    pass_at, asked = single_passes()
    result = thompson(pass_at, np.full(20, 10.0), np.full(20, 10.0), 4096)  # d0 = 1
    right = (1 / (FACTOR * math.exp(1.5 * NOISE**2))) ** (1 / SLOPE)
    assert result.converged and result.optimum == pytest.approx(right, rel=0.03)
    assert [member for _, member in asked] == list(range(len(asked)))  # every pass is a member of its own
    assert 40 < len(asked) <= N_MOST and 1 in result.concentration and 4096 in result.concentration
    late = result.concentration[40:]
    assert np.all((late > right / 2) & (late < right * 2))  # batches go where the optimum may be
    low, high = np.quantile(result.line.optima(1.0), [0.05, 0.95])
    assert low < right < high and high / low < 1.2


def test_the_posterior_of_single_passes_holds_the_truth_as_often_as_it_says():
    rng, n_inside = np.random.default_rng(0), 0
    nu = np.geomspace(2, 128, 30)
    for _ in range(100):
        d = FACTOR * nu**SLOPE * np.exp(0.2 * rng.standard_normal(30))
        low, high = np.quantile(line_through(nu, d, 1.0, rng).optima(1.0), [0.05, 0.95])
        n_inside += low < (1 / (FACTOR * math.exp(1.5 * 0.2**2))) ** (1 / SLOPE) < high
    assert 82 <= n_inside <= 97


def test_a_budget_ends_the_single_passes_and_a_larger_one_goes_on_with_the_same():
    first, asked = single_passes()
    few = thompson(first, np.full(20, 10.0), np.full(20, 10.0), 4096, budget=Budget(passes=25))
    assert len(asked) == 25 and not few.converged
    second, again = single_passes()
    thompson(second, np.full(20, 10.0), np.full(20, 10.0), 4096, budget=Budget(passes=60))
    assert again[:25] == asked


def test_both_searches_agree_on_a_network():
    network = own()
    known = dataset_of(network, a_draw_at(40))
    grid, single = tune(network, known), tune(network, known, search="thompson")
    assert single.optimum == pytest.approx(grid.optimum, rel=0.08)
    assert single.interval[1] < grid.optimum < single.interval[2] and single.thompson.line.slope == pytest.approx(-0.5, abs=0.05)
    assert single.passes == grid.passes + len(single.thompson.concentration) and single.setting.search == "thompson"
    with pytest.raises(ValueError, match="expected objective 'pooled' with search 'thompson'"):
        tune(network, known, search="thompson", objective="crps")


@pytest.mark.parametrize(
    ("given", "message"),
    (
        ({"objective": "x"}, "an objective out of"),
        ({"search": "x"}, "a search out of"),
        ({"correction": "x"}, "correction must be one of"),
        ({"correction": "inflation 2"}, "correction 'shared' or none"),
    ),
)
def test_a_wrong_choice_is_one_sentence(given, message):
    network = own()
    with pytest.raises(ValueError, match=message) as error:
        tune(network, dataset_of(network, a_draw_at(40), n=20), **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "value"), (("passes", 0), ("passes", "x"), ("seconds", -1), ("seconds", True)))
def test_a_budget_is_above_zero(name, value):
    with pytest.raises(ValueError, match=f"expected a budget of {name} above 0"):
        Budget(**{name: value})


def test_the_look_before_tuning_comes_near_what_tuning_finds():
    model, dataset = load_model("ft_transformer"), load_dataset("synthetic-table")
    seen = preview(model, dataset)
    assert seen.passes == 12 and seen.reachable and seen.expected == pytest.approx(75, rel=0.25)
    assert seen.reach[1] > 1 > 0.5 and "expect ν* near" in seen.sentence and len(seen.entropy) == 2


def test_the_look_before_tuning_says_what_cannot_be_reached():
    network = own()
    far = lambda network, x, part: network(x).detach() + 10 * torch.randn(len(x), generator=torch.Generator().manual_seed(part))  # noqa: E731
    seen = preview(network, dataset_of(network, far))
    assert not seen.reachable and "even the largest noise is too little" in seen.sentence
    exact = lambda network, x, part: network(x).detach() + 1e-6 * torch.sin(100 * x[:, 0])  # noqa: E731
    assert "will be too wide" in preview(network, dataset_of(network, exact)).sentence


def series(true, n_case=400, n_pass=6, seed=0):
    """Calibration ensembles of a series whose lead time h has its optimum at true[h]."""
    rng, true = np.random.default_rng(seed), np.array(true, dtype=float)
    target, noise = rng.standard_normal((n_case, len(true))), rng.standard_normal((n_pass, n_case, len(true)))
    return {
        nu: Ensemble(
            members=noise * np.sqrt(true / nu),
            target=target,
            plain=np.zeros_like(target),
            index=pd.RangeIndex(n_case),
            block=np.arange(n_case) % 40,
            dims=("init_time", "lead_time"),
            lead_time=tuple(range(1, len(true) + 1)),
            lead_unit="h",
        )
        for nu in (1, 2, 4, 8, 16, 32, 64, 128)
    }


def test_lead_times_that_differ_keep_their_own_concentration():
    by_lead = groups.by_lead_time(series([4, 8, 32]))
    assert [group.name for group in by_lead] == ["1 h", "2 h", "3 h"]
    for group, true in zip(by_lead, (4, 8, 32), strict=True):
        assert group.low < group.own < group.high and group.own == pytest.approx(true, rel=0.25)
        assert group.weight > 0.9 and group.optimum == pytest.approx(group.own, rel=0.1)


def test_lead_times_that_are_alike_share_what_they_know():
    by_lead = groups.by_lead_time(series([8, 8, 8, 8, 8, 8], n_case=80))
    own_spread = np.std([math.log(group.own) for group in by_lead])
    assert np.std([math.log(group.optimum) for group in by_lead]) < own_spread / 2
    assert all(group.weight < 0.5 for group in by_lead)


def test_shrinkage_takes_the_mean_and_the_spread_of_groups_that_another_library_finds():
    estimates = [
        groups.Estimate(str(i), math.exp(y), 1.0, 9.0, error, False) for i, (y, error) in enumerate(((1.0, 0.1), (2.0, 0.1), (3.0, 0.4)))
    ]
    shrunk = groups.shrunk("lead time", estimates)
    y, v = np.array([1.0, 2.0, 3.0]), np.square([0.1, 0.1, 0.4])
    known = combine_effects(y, v, method_re="dl")
    weight = known.tau2 / (known.tau2 + v)
    np.testing.assert_allclose([math.log(group.optimum) for group in shrunk], weight * y + (1 - weight) * known.mean_effect_re)
    assert groups.shrunk("region", estimates[:1])[0].optimum == pytest.approx(math.e)


def test_groups_take_only_objectives_that_their_sums_carry():
    with pytest.raises(ValueError, match="an objective out of pooled"):
        groups.by_lead_time(series([4, 8]), "per-sample")


def test_regions_that_differ_keep_their_own_concentration():
    rng, latitude, longitude = np.random.default_rng(0), np.arange(-82.5, 90, 15), np.arange(0.0, 360, 45)
    true = np.where(np.abs(latitude) < 30, 4.0, np.where(latitude > 0, 16.0, 64.0))[:, None]  # tropics, north, south
    target = rng.standard_normal((120, len(latitude), len(longitude)))
    noise = rng.standard_normal((6, *target.shape))
    ensembles = {
        nu: Ensemble(
            members=noise * np.sqrt(true / nu),
            target=target,
            plain=np.zeros_like(target),
            index=pd.RangeIndex(120),
            block=np.arange(120) % 40,
            dims=("init_time", "latitude", "longitude"),
            latitude=tuple(latitude),
            longitude=tuple(longitude),
        )
        for nu in (1, 2, 4, 8, 16, 32, 64, 128, 256)
    }
    by_name = {group.name: group for group in groups.by_region(ensembles)}
    for name, expected in (("Tropics", 4), ("Mid-latitudes N", 16), ("Mid-latitudes S", 64)):
        assert by_name[name].own == pytest.approx(expected, rel=0.1)


def test_a_lead_time_without_targets_is_no_group_and_one_block_knows_nothing():
    known = series([8, 8, 32])
    empty = {nu: replace(ensemble, target=np.where([False, True, False], np.nan, ensemble.target)) for nu, ensemble in known.items()}
    assert [group.name for group in groups.by_lead_time(empty)] == ["1 h", "3 h"]
    nothing = {nu: replace(ensemble, target=np.full_like(ensemble.target, np.nan)) for nu, ensemble in known.items()}
    with pytest.raises(ValueError, match="expected groups by lead time with calibration targets, found none"):
        groups.by_lead_time(nothing)
    block = {nu: replace(ensemble, block=np.zeros(len(ensemble.block), int)) for nu, ensemble in known.items()}
    alike = groups.by_lead_time(block)
    assert all(group.weight == 0 for group in alike) and len({group.optimum for group in alike}) == 1
    assert all((group.low, group.high) == (1.0, 128.0) for group in alike)


def test_a_group_whose_optimum_lies_beyond_the_grid_does_not_drag_the_others_there():
    by_lead = groups.by_lead_time(series([10, 300, 400], n_case=80))
    assert by_lead[1].at_bound and by_lead[0].optimum < 40


def test_a_grid_of_a_part_of_the_globe_has_the_regions_that_it_holds():
    rng = np.random.default_rng(0)
    latitude, longitude = tuple(np.arange(36.0, 71.0, 5.0)), tuple(np.arange(0.0, 40.0, 5.0))
    target = rng.standard_normal((60, len(latitude), len(longitude)))
    noise = rng.standard_normal((4, *target.shape))
    few = {
        nu: Ensemble(
            members=noise * math.sqrt(8 / nu),
            target=target,
            plain=np.zeros_like(target),
            index=pd.RangeIndex(60),
            block=np.arange(60),
            dims=("init_time", "latitude", "longitude"),
            latitude=latitude,
            longitude=longitude,
        )
        for nu in (2, 4, 8, 16, 32)
    }
    (only,) = groups.by_region(few)
    assert only.name == "Mid-latitudes N" and only.own == pytest.approx(8, rel=0.1)


class Scaled(torch.nn.Module):
    """The same weights, another forward."""

    def __init__(self, network, factor):
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, x):
        return self.factor * self.network(x)


def test_single_passes_are_kept_for_one_network_and_one_dealing_of_blocks():
    network = own()
    data = dataset_of(network, a_draw_at(40), n=60)
    plain = tune(Scaled(network, 1.0), data, search="thompson", n_member=9)
    larger = tune(Scaled(network, 3.0), data, search="thompson", n_member=9)
    assert np.median(larger.thompson.deviation[:40] / plain.thompson.deviation[:40]) == pytest.approx(3, rel=1e-5)
    dealt = replace(data.calibration, block=data.calibration.block[::-1].copy() // 6)
    other = tune(Scaled(network, 1.0), replace(data, calibration=dealt), search="thompson", n_member=9)
    assert other.thompson.deviation_sq.shape[1] == dealt.n_block
    np.testing.assert_allclose(other.thompson.deviation[:40], plain.thompson.deviation[:40])


def test_a_budget_holds_for_both_parts_of_a_search():
    network = own()
    data = dataset_of(network, a_draw_at(40), n=60)
    tuning = tune(network, data, search="thompson", n_member=9, budget=Budget(passes=100))
    assert tuning.passes == 100 and tuning.ended and tuning.optimum == pytest.approx(40, rel=0.5)


def test_passes_near_the_optimum_are_the_nearest():
    """None is within reach of 100, where the line of the nearest six crosses; the three beyond them lie off it."""
    nu, off = np.array([[1, 1.3], [2, 1.2], [3, 1], [2000, 1], [2000, 1], [2000, 1], [3000, 1], [3500, 1], [5000, 0.9]]).T
    order = np.random.default_rng(0).permutation(9)
    nu, d = nu[order], (off * 4 * nu**-0.5)[order]
    assert line_through(nu, d, 0.4).optimum(0.4) == pytest.approx(100, rel=1e-6)
    slope, intercept = np.polyfit(np.log(nu), np.log(d), 1)
    assert abs(np.exp((math.log(0.4) - intercept) / slope) - 100) > 10  # through all of them


def test_a_search_takes_shared_draws_and_no_other_correction_and_a_finite_grid():
    network = own()
    data = dataset_of(network, a_draw_at(40), n=20)
    with pytest.raises(ValueError, match="correction 'shared' or none"):
        search_concentration(network, data, Setting(correction="fractional 5.4"))
    with pytest.raises(ValueError, match="a grid of finite concentrations"):
        tune(network, data, grid=(1, 2, math.inf))
    with pytest.raises(ValueError, match="concentration must be a positive whole number"):
        tune(network, data, grid=(1.5, 2.5, 4.5))
