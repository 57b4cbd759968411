"""Slices of an ensemble: what lies in them, their sums, and no departure of a perfect ensemble in any of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scoringrules

from benchmarks.sliced_ensembles import series, zonal
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.regions import REGIONS
from stochattn_core.slices import FIELDS, partition_sums, sliced
from stochattn_core.slices import sums as slice_sums
from stochattn_core.slices.slices import spread_partition


def by_kind(ensemble):
    return {partition.kind: (partition, sums) for partition, sums in partition_sums(ensemble)}


def test_the_partitions_of_a_series_are_lead_season_forecast_and_spread():
    found = by_kind(series())
    assert list(found) == ["lead time", "season", "forecast", "spread"]
    assert [len(partition.slices) for partition, _ in found.values()] == [5, 4, 3, 10]
    assert found["lead time"][0].slices[1].name == "lead 2 days" and found["lead time"][0].slices[1].leads == (2,)
    assert found["season"][0].slices[0].name == "December to February"
    assert found["forecast"][0].slices[2].name.startswith("highest third of the forecast (above")
    assert found["spread"][0].slices[0].name.endswith("degC)")


def test_regions_hold_the_rows_whose_centre_is_in_them():
    partition, sums = by_kind(zonal())["region"]
    assert [each.region for each in partition.slices] == [region for key, region in REGIONS.items() if key != "globe"]
    area = np.cos(np.deg2rad([0, 45, 45]))
    np.testing.assert_allclose(sums[:, 0, 0] / sums[0, 0, 0], area / area[0], rtol=0.25)  # exact areas of wide rows differ from the cosine


def test_every_value_with_a_target_is_in_one_slice_of_each_partition():
    ensemble = series()
    ensemble.target[::7, 2] = np.nan
    for partition, sums in partition_sums(ensemble):
        assert sums.shape == (len(partition.slices), 1000, len(FIELDS))
        assert sums[:, :, 0].sum() == pytest.approx(np.isfinite(ensemble.target).sum()), partition.kind


def test_sums_of_whole_slices_are_those_of_the_statistics():
    ensemble = series(n_member=19)
    _, sums = by_kind(ensemble)["lead time"]
    total, expected = dict(zip(FIELDS, sums.sum(1).T, strict=True)), ensemble.statistics
    for name in ("n", "error", "error_sq", "plain_error_sq"):
        np.testing.assert_allclose(total[name], getattr(expected, name).sum(0), err_msg=name)
    np.testing.assert_allclose(total["variance"], expected.variance.sum(0) * 20 / 19)
    np.testing.assert_allclose(total["covered"], expected.covered.sum(0)[17])  # 19 members: the ends of the 90% interval are members
    np.testing.assert_allclose(total["crps"], scoringrules.crps_ensemble(ensemble.target, ensemble.members, 0, estimator="fair").sum(0))
    counts = expected.rank.sum(0).reshape(10, 2, -1).sum(1)
    np.testing.assert_allclose(np.stack([total[f"pit_{k}"] for k in range(10)]), counts)


def test_a_tie_spreads_the_pit_over_the_ranks_that_it_may_take():
    members = np.array([1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])[:, None, None] * np.ones((9, 3, 2))
    ensemble = replace(series(n_member=9, n_case=3, leads=(1, 2)), members=members, target=np.ones((3, 2)))
    _, sums = by_kind(ensemble)["lead time"]
    np.testing.assert_allclose(sums[0, 0, 7:], [0.25] * 4 + [0] * 6)


def test_sums_do_not_depend_on_the_size_of_a_chunk(monkeypatch):
    ensemble = series(n_case=100)
    before = partition_sums(ensemble)
    monkeypatch.setattr(slice_sums, "CHUNK", 7 * 9 * 5)
    for (_, whole), (_, chunked) in zip(before, partition_sums(ensemble), strict=True):
        np.testing.assert_allclose(chunked, whole)


@pytest.mark.parametrize("n_member", [9, 49])
@pytest.mark.parametrize("width", [0.0, 0.5])
def test_no_tenth_of_the_spread_and_no_third_of_the_forecast_departs_in_a_perfect_ensemble(n_member, width):
    """Also where the spread of all cases is the same, so that the order of the estimates is chance."""
    found = by_kind(series(n_member=n_member, n_case=4000, width=width))
    for kind in ("forecast", "spread"):
        total = found[kind][1].sum(1)
        n, error, error_sq, variance, covered = total.T[:5]
        two_halves = np.sqrt(2)  # each value is scored twice, by halves that share the target
        np.testing.assert_array_less(np.abs(np.log(variance / error_sq)), 4 * two_halves * np.sqrt(2 / n) * (1 + 2 * width))
        np.testing.assert_array_less(np.abs(error) / np.sqrt(n * error_sq), 4 / np.sqrt(n))
        np.testing.assert_array_less(np.abs(covered / n - 0.9), 4 * 0.3 / np.sqrt(n))


def test_the_members_that_choose_the_slice_cannot_score_it():
    """The bias that the two halves remove: the tenth with the smallest spread of 9 members has a third of the right variance."""
    ensemble = series(n_case=4000, width=0.0)
    variance = ensemble.members.var(0, ddof=1)
    lowest = variance < np.quantile(variance, 0.1)
    naive = variance[lowest].mean() * 10 / 9 / np.square(ensemble.mean - ensemble.target)[lowest].mean()
    _, sums = by_kind(ensemble)["spread"]
    honest = sums[0, :, 3].sum() / sums[0, :, 2].sum()
    assert naive < 0.4 and honest == pytest.approx(1.0, abs=0.15)


def test_tied_spreads_have_no_tenths():
    variances = np.concatenate([np.zeros(50), np.linspace(1, 2, 50)])
    assert spread_partition(variances, "") is None
    assert spread_partition(np.linspace(1, 2, 100), "") is not None


def test_members_that_come_in_ascending_order_are_split_at_random():
    """Members at fixed quantiles of the truth: halves of every other one would lie to one side."""
    base = series(n_member=19, n_case=2000, width=0.0)
    ensemble = replace(base, members=np.sort(base.members, axis=0))
    for kind in ("forecast", "spread"):
        total = by_kind(ensemble)[kind][1].sum(1).sum(0)
        assert abs(total[1]) / np.sqrt(total[0] * total[2]) < 0.03 and total[3] / total[2] == pytest.approx(1.0, abs=0.05)


def test_hours_are_a_partition_where_the_valid_times_differ_in_them():
    rng, n = np.random.default_rng(0), 400
    members, target = rng.standard_normal((9, n, 2)), rng.standard_normal((n, 2))
    index = pd.date_range("2020-01-01", periods=n, freq="h")
    hourly = Ensemble(members, target, target, index, np.arange(n), ("init_time", "lead_time"), "", (1, 2), "h")
    partition = by_kind(hourly)["hour"][0]
    assert [each.name for each in partition.slices] == ["hours 0 to 5", "hours 6 to 11", "hours 12 to 17", "hours 18 to 23"]
    assert partition.labels[0].tolist() == [0, 0] and partition.labels[4].tolist() == [0, 1]  # valid at 01, 02 and at 05, 06
    assert "season" not in by_kind(hourly)  # all in one season
    assert "hour" not in by_kind(series())


def test_many_lead_times_are_grouped():
    partition = by_kind(series(n_case=50, leads=tuple(range(1, 97))))["lead time"][0]
    assert (
        len(partition.slices) == 12 and partition.slices[0].name == "leads 1 to 8 days" and partition.slices[0].leads == tuple(range(1, 9))
    )


def test_one_member_is_refused_and_three_have_no_halves():
    with pytest.raises(ValueError, match="at least 2 members"):
        sliced(series(n_member=1))
    assert set(by_kind(series(n_member=3))) == {"lead time", "season"}


def test_sums_stand_in_the_order_of_the_blocks_whatever_the_order_of_cases():
    ensemble = series()
    order = np.random.default_rng(0).permutation(len(ensemble.index))
    turned = replace(ensemble.of_cases(order), block=order)
    for (partition, sums), (_, expected) in zip(partition_sums(turned), partition_sums(ensemble), strict=True):
        if set(partition.slices[0].kinds) <= {"lead time", "season"}:  # halves of the members are drawn by place
            np.testing.assert_allclose(sums, expected, err_msg=partition.kind)


def test_cases_of_one_block_count_as_one():
    ensemble = series()
    twice = ensemble.of_cases(np.repeat(np.arange(len(ensemble.index)), 2))
    twice = replace(twice, block=np.repeat(np.arange(len(ensemble.index)), 2))
    assert sliced(twice).whole.n_case == len(ensemble.index)
    np.testing.assert_allclose(sliced(twice).whole.by_case(), 2 * sliced(ensemble).whole.by_case())
