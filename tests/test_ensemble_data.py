"""The ensemble as data: its statistics over members by independent definitions, and what it refuses."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mstats

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import scores


def series(n_member=9, n_case=12, lead_time=(1, 2, 3)):
    rng = np.random.default_rng(0)
    target = rng.normal(size=(n_case, len(lead_time)))
    return Ensemble(
        members=rng.normal(size=(n_member, *target.shape)).astype(np.float32),
        target=target,
        plain=np.zeros_like(target),
        index=pd.RangeIndex(n_case),
        block=np.arange(n_case) % 4,
        dims=("init_time", "lead_time"),
        lead_time=lead_time,
    )


def grid():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(6, 3, 4))
    return Ensemble(
        members=rng.normal(size=(5, *target.shape)),
        target=target,
        plain=np.zeros_like(target),
        index=pd.RangeIndex(6),
        block=np.arange(6),
        dims=("init_time", "latitude", "longitude"),
        lead_time=(24,),
        latitude=(-60.0, 0.0, 60.0),
        longitude=(0.0, 90.0, 180.0, 270.0),
    )


def test_mean_and_spread_are_those_of_the_members():
    ensemble = series()
    for place in np.ndindex(ensemble.target.shape):
        values = [float(member[place]) for member in ensemble.members]
        mean = math.fsum(values) / 9
        assert ensemble.mean[place] == pytest.approx(mean, abs=1e-6)
        assert ensemble.spread[place] == pytest.approx(math.sqrt(math.fsum((x - mean) ** 2 for x in values) / 8), abs=1e-6)
    assert ensemble.finite_size_factor == math.sqrt(10 / 9)
    assert np.isnan(replace(ensemble, members=ensemble.members[:1]).spread).all()


def test_quantiles_are_at_the_weibull_positions():
    ensemble = series(19)
    levels = (0.05, 0.31, 0.5, 0.95)
    assert ensemble.quantiles(levels).shape == (4, 12, 3)
    quantiles = ensemble.quantiles(levels)[:, 3, 1]
    np.testing.assert_allclose(quantiles, mstats.mquantiles(np.array(ensemble.members)[:, 3, 1], levels, alphap=0, betap=0), rtol=1e-6)
    low, high = ensemble.central_interval(0.9)
    assert np.array_equal(low, ensemble.members.min(0)) and np.array_equal(high, ensemble.members.max(0))  # positions 1 and 19 of 19


def test_the_statistics_of_one_lead_time_are_those_of_its_values_alone():
    ensemble = series(lead_time=(6, 12, 18))
    alone = replace(
        ensemble,
        members=ensemble.members[..., 1],
        target=ensemble.target[:, 1],
        plain=ensemble.plain[:, 1],
        dims=("init_time",),
        lead_time=(),
    )
    at_lead, expected = scores(ensemble.at_lead(12)), scores(alone.pooled)
    assert {name: at_lead[name] for name in ("rmse", "crps_fair", "spread")} == {
        name: pytest.approx(expected[name]) for name in ("rmse", "crps_fair", "spread")
    }
    assert ensemble.at_lead(0) is ensemble.statistics
    with pytest.raises(ValueError, match="expected a lead time among 6, 12, 18, or 0 for all, got 7"):
        ensemble.at_lead(7)
    assert grid().at_lead(24).event == ()


def test_what_has_a_value_for_each_element_is_released_and_computed_again():
    ensemble = grid()
    before = ensemble.mean.copy(), scores(ensemble.pooled)["rmse"]
    ensemble.forget_elements()
    assert not {"mean", "statistics"} & vars(ensemble).keys()
    assert np.array_equal(ensemble.mean, before[0]) and scores(ensemble.pooled)["rmse"] == before[1]


@pytest.mark.parametrize(
    ("change", "message"),
    (
        (lambda e: {"members": e.members[0]}, "put the member axis first"),
        (lambda e: {"members": np.moveaxis(e.members, 0, -1)}, "put the member axis first"),
        (lambda e: {"plain": e.plain[:-1]}, "plain like target"),
        (lambda e: {"members": e.members[:0]}, "at least one member and one case"),
        (lambda e: {"members": np.where(e.target > 1, np.nan, e.members)}, "expected finite members, got"),
        (lambda e: {"dims": ("init_time", "latitude")}, "one name for each of the 3 axes"),
        (lambda e: {"index": e.index[:-1]}, "one entry for each of the 6 cases"),
        (lambda e: {"block": np.arange(5)}, "one entry for each of the 6 cases"),
        (lambda e: {"block": np.arange(6) - 1}, "whole numbers from 0"),
        (lambda e: {"block": np.arange(6.0)}, "whole numbers from 0"),
        (lambda e: {"latitude": (0.0, 1.0)}, r"expected a target \(case, ..., latitude, longitude\) with 2 values of latitude"),
        (lambda e: {"longitude": (0.0,)}, r"expected a target \(case, ..., latitude, longitude\) with 1 values of longitude"),
    ),
)
def test_data_that_do_not_fit_together_are_refused_in_one_sentence(change, message):
    ensemble = grid()
    with pytest.raises(ValueError, match=message) as error:
        replace(ensemble, **change(ensemble))
    assert "\n" not in str(error.value)


def test_a_series_has_a_lead_time_for_every_step():
    with pytest.raises(ValueError, match="one lead time for each step"):
        replace(series(), lead_time=(1, 2))
    missing = replace(series(), target=np.full((12, 3), np.nan))  # a missing target is no bad data
    assert scores(missing.pooled)["n"] == 0


def test_valid_times_follow_from_init_and_lead_times_or_are_given():
    ensemble = replace(series(lead_time=(1, 2, 3)), index=pd.date_range("2020-01-31", periods=12, freq="ME"), lead_unit="month")
    wanted = pd.date_range("2020-01-31", periods=15, freq="ME")
    assert all((ensemble.valid_times[case] == wanted[case + 1 : case + 4].to_numpy()).all() for case in range(12))
    given = np.arange(36).reshape(12, 3)
    assert replace(ensemble, valid_time=given).valid_times is given
    assert grid().valid_times is None, "rows are counted, and nothing is known of their step"
    with pytest.raises(ValueError, match=r"expected valid_time \(case, lead_time\) of shape \(12, 3\), got \(12, 2\); give every target"):
        replace(ensemble, valid_time=given[:, :2])


def test_lead_times_read_in_their_units():
    assert replace(series(), lead_unit="16 h").lead_text == "16 to 48 h" and replace(grid(), lead_unit="h").lead_text == "24 h"
    assert replace(series(), lead_time=(1, 2, 3), lead_unit="quarter").lead_text == "1 to 3 quarters"
