"""Reference forecasts: each against an independent computation."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scoringrules
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from stochattn_core.datasets.base import Split
from stochattn_core.references.climatology import season_phase
from stochattn_core.references.dressing import crps_of_residuals
from stochattn_core.references.errors import errors_of, forecasts_of
from stochattn_core.references.regression import fit_linear
from tests.reference_data import a_grid, a_series, a_table, an_autoregression


def test_a_ridge_regression_is_that_of_scikit_learn_with_the_penalty_that_the_same_folds_choose():
    rng = np.random.default_rng(0)
    x, penalties = rng.normal(size=(60, 30)) * np.arange(1, 31), np.array([1e-6, 1.0, 1e3])
    y, block = (
        (x / np.arange(1, 31)) @ rng.normal(size=(30, 2)) + 3 * rng.normal(size=(60, 2)),
        np.arange(60) // 3,
    )  # 20 blocks, 5 folds of 4
    fitted = fit_linear(x, y, block, penalties)
    scaled = (x - x.mean(0)) / x.std(0)
    errors = []
    for penalty in penalties:
        error = 0.0
        for first in range(0, 20, 4):
            test, train = (block >= first) & (block < first + 4), (block < first - 2) | (block >= first + 6)
            model = Ridge(alpha=penalty * train.sum()).fit(scaled[train], y[train])
            error += np.square(model.predict(scaled[test]) - y[test]).sum()
        errors.append(error)
    best = penalties[np.argmin(errors)]
    assert set(fitted.penalty) == {best} and best == 1, "the inner one: neither end is taken for nothing"
    assert np.allclose(fitted(x), Ridge(alpha=best * 60).fit(scaled, y).predict(scaled))


def test_a_missing_target_leaves_its_own_output_alone():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    y[:20, 1] = np.nan
    y[:, 2] = np.nan
    fitted = fit_linear(x, y, np.arange(50), np.array([0.5]))
    scaled = (x - x.mean(0)) / x.std(0)
    assert np.allclose(fitted(x)[:, 0], Ridge(alpha=25).fit(scaled, y[:, 0]).predict(scaled))
    assert np.allclose(fitted(x)[:, 1], Ridge(alpha=15).fit(scaled[20:], y[20:, 1]).predict(scaled))
    assert np.isnan(fitted(x)[:, 2]).all()


def test_the_ridge_of_an_autoregression_has_its_coefficient():
    data = a_series(an_autoregression())
    forecast = forecasts_of(data)["ridge regression"](data.test).numpy()
    last = data.test.inputs[:, -1].numpy()
    slopes = np.array([np.polyfit(last, forecast[:, lead], 1)[0] for lead in range(3)])
    assert np.allclose(slopes, 0.8 ** np.arange(1, 4), atol=0.06)
    innovations = np.sqrt(np.cumsum(0.8 ** (2 * np.arange(3))))  # the smallest RMSE that there is, at each lead
    errors = errors_of(data, "test").error_sq["ridge regression"]
    assert np.allclose(np.sqrt(errors.mean(0)) / innovations, 1, atol=0.12)


def test_the_ridge_of_a_series_follows_a_trend_beyond_its_training_part():
    data = a_series(np.arange(2000.0) + np.random.default_rng(0).normal(size=2000))
    assert errors_of(data, "test").rmse["ridge regression"] < 1.2


def test_seasonal_naive_is_exact_where_a_season_repeats_itself():
    data = a_series(np.tile([1.0, 5.0, 2.0, 7.0], 300), context=8, horizon=6, period=4)
    errors = errors_of(data, "test")
    assert errors.rmse["seasonal naive"] == 0 and errors.rmse["climatology"] == 0 and errors.rmse["persistence"] > 1


def test_the_climatology_of_a_series_is_the_mean_of_each_phase_of_its_season():
    """By a loop over the months of the training targets; the season begins in a month that no part begins with."""
    times = pd.date_range("1950-03-01", periods=700, freq="MS")
    data = a_series(np.random.default_rng(0).normal(size=700), context=24, horizon=5, period=12, unit="month", times=times)
    months = data.train.valid_time.astype("datetime64[M]").astype(int) % 12
    forecast = forecasts_of(data)["climatology"](data.test)
    for month in range(12):
        chosen = data.test.valid_time.astype("datetime64[M]").astype(int) % 12 == month
        assert np.allclose(forecast[torch.from_numpy(chosen)], data.train.target.numpy()[months == month].mean(), atol=1e-6)


@pytest.mark.parametrize(("unit", "freq", "period"), [("10 min", "10min", 144), ("h", "h", 24), ("day", "D", 7)])
def test_equal_times_of_the_season_have_equal_phases(unit, freq, period):
    times = pd.date_range("2001-02-03 00:00", periods=1500, freq=freq)
    data = a_series(np.arange(1500.0), context=150, horizon=4, period=period, unit=unit, times=times)
    phase, position = season_phase(data, data.test), data.test.target.numpy().astype(int)  # the value is its own position
    assert len(np.unique((phase - position) % period)) == 1 and phase.min() >= 0 and phase.max() < period


def test_the_climatology_of_a_series_without_a_season_follows_the_year():
    times = pd.date_range("2001-01-01", periods=4000, freq="D")
    wave = 10 * np.cos(2 * np.pi * np.arange(4000) / 365.2425)
    assert errors_of(a_series(wave, unit="day", times=times), "test").rmse["climatology"] < 0.05
    short = a_series(wave[:500], unit="day", times=times[:500])
    assert torch.allclose(forecasts_of(short)["climatology"](short.test), short.train.target.mean(), atol=1e-4), "300 days are no year"


def test_a_series_without_known_times_has_one_climatology():
    data = a_series(np.arange(1500.0), period=24, times=pd.Index([f"label {i}" for i in range(1500)]))
    assert season_phase(data, data.test) is None
    forecast = forecasts_of(data)["climatology"](data.test)
    assert torch.allclose(forecast, data.train.target.mean())


def test_damped_persistence_is_a_line_in_each_cell():
    grid = a_grid()
    forecast = forecasts_of(grid)["damped persistence"](grid.test).numpy()
    mean = grid.train.target.mean(0).numpy()
    for row, column in np.ndindex(3, 4):
        x, y = (values.numpy()[:, row, column] for values in (grid.train.inputs[:, 1], grid.train.target))
        slope, level = np.polyfit(x - mean[row, column], y - mean[row, column], 1)
        wanted = mean[row, column] + level + slope * (grid.test.inputs[:, 1, row, column].numpy() - mean[row, column])
        assert np.allclose(forecast[:, row, column], wanted, atol=1e-4)
    by_name = errors_of(grid, "test").rmse
    assert by_name["damped persistence"] < by_name["climatology"] < by_name["persistence"]
    assert by_name["damped persistence"] == pytest.approx(0.3, rel=0.15)  # the noise alone


def test_a_cell_that_is_seldom_observed_has_the_climatology_and_one_that_never_is_the_mean_of_all():
    target = a_grid().train.target.clone()
    target[2:, 0, 0], target[:, 2, 3] = torch.nan, torch.nan
    grid = a_grid(train=replace(a_grid().train, target=target))
    forecast, climatology = (forecasts_of(grid)[name](grid.test) for name in ("damped persistence", "climatology"))
    assert torch.allclose(forecast[:, 0, 0], target[:2, 0, 0].mean()) and torch.equal(forecast[:, 2, 3], climatology[:, 2, 3])
    assert torch.allclose(climatology[:, 2, 3], target.nanmean())
    assert math.isfinite(errors_of(grid, "test").rmse["damped persistence"])


def test_the_climatology_of_a_grid_with_dates_follows_the_year():
    days = pd.date_range("2000-01-01", periods=1500, freq="D")
    wave = np.cos(2 * np.pi * days.day_of_year.to_numpy() / 365.25).astype(np.float32)

    def part(start, stop):
        fields = torch.from_numpy(wave[start + 1 : stop + 1])[:, None, None].expand(-1, 3, 4).clone()
        return Split(torch.zeros(stop - start, 2, 3, 4), fields, days[start:stop])

    parts = {"train": part(0, 1000), "calibration": part(1000, 1200), "test": part(1200, 1499)}
    assert errors_of(a_grid(**parts, lead_unit="h"), "test").rmse["climatology"] < 0.02
    assert errors_of(a_grid(**parts), "test").rmse["climatology"] > 0.5, "without a unit of the lead time the valid times are not known"


def test_gradient_boosting_is_that_of_scikit_learn():
    data = a_table()
    trees = HistGradientBoostingRegressor(random_state=0).fit(data.train.inputs.double().numpy(), data.train.target.double().numpy())
    forecast = forecasts_of(data)["gradient boosting"](data.test)
    assert np.allclose(forecast, trees.predict(data.test.inputs.double().numpy()), rtol=1e-6)


@pytest.mark.parametrize("n_residual", [1, 2, 40])
def test_the_crps_of_dressing_is_that_of_an_ensemble_of_residuals(n_residual):
    generator = torch.Generator().manual_seed(0)
    residual, error = torch.randn(n_residual, 3, 4, generator=generator), torch.randn(7, 3, 4, generator=generator)
    if n_residual > 1:
        residual[0, 1, 1] = torch.nan
    error[0, 0, 0] = torch.nan
    crps = crps_of_residuals(residual, error)
    for row, column in np.ndindex(3, 4):
        known = residual[:, row, column].double().numpy()
        known = known[np.isfinite(known)]
        wanted = scoringrules.crps_ensemble(error[:, row, column].double().numpy(), np.tile(known, (7, 1)), estimator="nrg")
        assert np.allclose(crps[:, row, column], wanted, equal_nan=True)
    assert crps_of_residuals(torch.full((2,), torch.nan), torch.zeros(3)).isnan().all()
