"""Cross-fitting: contiguous halves with a gap, and every case scored once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stochattn_core import load_dataset
from stochattn_core.corrections.cross_fitting import cross_fitted, folds, of_cases
from stochattn_core.datasets.base import blocks_in_time
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.dependence import dependence


def series(n=60, leads=(1, 2, 3, 4), case_per_block=4, order=None, unit="h"):
    """Windows that start one step apart."""
    init = pd.date_range("2020-01-01", periods=n, freq="h")
    block = blocks_in_time(n, case_per_block)
    order = np.arange(n) if order is None else order
    values = np.zeros((n, len(leads)))
    return Ensemble(
        np.zeros((3, n, len(leads))), values, values, init[order], block[order], ("init_time", "lead_time"), lead_time=leads, lead_unit=unit
    )


def hours(ensemble, mask):
    return np.sort((ensemble.index[mask] - pd.Timestamp("2020-01-01")) // pd.Timedelta("1h"))


def test_every_case_is_scored_once_and_never_by_a_fit_on_a_target_that_it_shares():
    ensemble = series()
    first, second = folds(ensemble)
    assert np.array_equal(first.scored, ~second.scored) and hours(ensemble, second.scored).tolist() == list(range(30))
    for fold in (first, second):
        fitted = {hour + lead for hour in hours(ensemble, fold.fitted) for lead in ensemble.lead_time}
        scored = {hour + lead for hour in hours(ensemble, fold.scored) for lead in ensemble.lead_time}
        assert not fitted & scored
    # 4 times of a block before the boundary at 30, which also covers the 3 windows that reach across it
    assert hours(ensemble, first.fitted).tolist() == list(range(26)) and hours(ensemble, second.fitted).tolist() == list(range(34, 60))


def test_long_windows_widen_the_gap_beyond_a_block():
    ensemble = series(leads=tuple(range(1, 11)))
    first, second = folds(ensemble)
    assert hours(ensemble, first.fitted).max() + 10 < 30 + 1 and hours(ensemble, first.fitted).max() == 20
    assert hours(ensemble, second.fitted).min() == 39  # the last target before the boundary lies at 29 + 10


def test_errors_that_depend_over_many_cases_widen_the_gap_to_the_length_of_that_dependence():
    rng, errors = np.random.default_rng(0), np.zeros((400, 4))
    for hour in range(1, 400):
        errors[hour] = 0.9 * errors[hour - 1] + rng.standard_normal()
    ensemble = series(n=400)
    independent = replace(ensemble, target=rng.standard_normal((400, 4)))
    assert [hours(independent, fold.fitted)[end] for fold, end in zip(folds(independent), (-1, 0), strict=True)] == [195, 204]
    length = int(np.ceil(dependence(np.stack([errors[:, 0], errors[:, 0] ** 2], 1)).block_length.max()))
    dependent = replace(ensemble, target=errors)
    first, second = folds(dependent)
    assert length > 8 and hours(dependent, first.fitted).max() == 199 - length and hours(dependent, second.fitted).min() == 200 + length


def test_the_order_of_the_cases_and_an_unknown_time_step_change_nothing():
    order = np.random.default_rng(0).permutation(60)
    sorted_cases, shuffled = series(), series(order=order)
    for known, other in zip(folds(sorted_cases), folds(shuffled), strict=True):
        assert np.array_equal(known.fitted[order], other.fitted) and np.array_equal(known.scored[order], other.scored)
    unknown = replace(series(unit=""), index=pd.RangeIndex(60))
    assert all(
        np.array_equal(a, b)
        for known, other in zip(folds(sorted_cases), folds(unknown), strict=True)
        for a, b in zip(known, other, strict=True)
    )


def test_cases_of_several_series_at_the_same_time_are_in_the_same_half():
    one = series(n=40)
    both = replace(
        one,
        members=np.zeros((3, 80, 4)),
        target=np.zeros((80, 4)),
        plain=np.zeros((80, 4)),
        index=one.index.append(one.index),
        block=np.concatenate([one.block, one.block + one.block.max() + 1]),
    )
    for alone, pair in zip(folds(one), folds(both), strict=True):
        for of_one, of_both in zip(alone, pair, strict=True):
            assert np.array_equal(of_both, np.tile(of_one, 2))


def test_a_short_part_keeps_half_of_each_half_to_fit_on():
    first, second = folds(series(n=12, leads=tuple(range(1, 25)), case_per_block=6))
    assert first.fitted.sum() == second.fitted.sum() == 3 and first.scored.sum() == second.scored.sum() == 6


def test_cases_without_a_time_keep_blocks_whole_and_cases_without_a_target_are_not_fitted_on():
    n = 130
    block, target = np.arange(n) % 10, np.zeros(n)
    target[:5] = np.nan
    table = Ensemble(np.zeros((2, n)), target, np.zeros(n), pd.RangeIndex(n), block, ("case",))
    first, second = folds(table)
    assert set(block[first.scored]).isdisjoint(block[second.scored]) and (first.scored ^ second.scored).all()
    assert not (first.fitted | second.fitted)[:5].any() and (first.fitted | second.fitted)[5:].all()
    with pytest.raises(ValueError, match="at least 2 blocks"):
        folds(of_cases(table, block == 3))


def test_members_come_from_the_fit_on_the_other_half():
    ensemble = series()
    hour = np.repeat(np.arange(60.0)[:, None], 4, axis=1)
    ensemble = replace(ensemble, target=hour, plain=hour)
    crossed = cross_fitted(ensemble, lambda fitted, scored: np.full((2, scored.sum(), 4), ensemble.target[fitted].mean()))
    assert set(crossed.members[:, :30].ravel()) == {46.5} and set(crossed.members[:, 30:].ravel()) == {12.5}


@pytest.mark.parametrize("name", ("co2", "planet"))
def test_no_target_of_an_embedded_dataset_is_both_fitted_on_and_scored(name):
    dataset = load_dataset(name)
    part = dataset.calibration
    values = part.target.numpy()
    ensemble = Ensemble(
        np.stack([values, values]), values, values, part.index, part.block,
        {"series": ("init_time", "lead_time"), "grid": ("init_time", "latitude", "longitude")}[dataset.task],
        lead_time=dataset.lead_time, lead_unit=dataset.lead_unit, latitude=dataset.latitude, longitude=dataset.longitude,
        valid_time=dataset.valid_times(part),
    )  # fmt: skip
    for fold in folds(ensemble):
        assert not set(ensemble.valid_times[fold.fitted].ravel()) & set(ensemble.valid_times[fold.scored].ravel())
        assert fold.fitted.sum() >= 0.5 * (~fold.scored).sum()
