"""Forecasts and truth in two files, joined on valid time, in the layouts of WeatherBench 2, cfgrib, CF and others; calendars and blocks."""

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stochattn_core.ensemble_file import read_ensemble, score_file
from stochattn_core.metrics import intervals, scores
from stochattn_core.readers.ensemble.times import valid_times
from tests.score_files import DAYS, LATITUDE, LONGITUDE, agree, areas, dataset, expected, numbers, on_map, score, stored

LEADS = np.array([0, 6, 24, 30], "timedelta64[h]").astype("timedelta64[ns]")
HOURS = np.timedelta64(1, "h")
TRUTH_TIMES = DAYS[0] + np.arange(60) * 6 * HOURS  # 15 days: the forecasts end before
AREAS = areas(LATITUDE)[:, None]


def two_files(seed=0):
    """Forecasts (member, init, lead, lat, lon) of 12 days and 4 leads, truth (time, lat, lon) of 15 days, and the truth at each valid time."""
    members, _ = numbers(seed, shape=(12, 4, 5, 6))
    truth = np.random.default_rng(seed + 100).normal(size=(60, 5, 6)) + 10
    position = ((DAYS[:, None] + LEADS - DAYS[0]) / (6 * HOURS)).astype(int)
    return members, truth, truth[position]


def analysis(truth, times=TRUTH_TIMES, **names):
    data = xr.Dataset({"t2m": (("time", "latitude", "longitude"), truth)}, {"time": times, "latitude": LATITUDE, "longitude": LONGITUDE})
    return data.rename(names)


def forecast_file(members, dims, coordinates):
    return xr.Dataset({"t2m": (dims, members)}, {"latitude": LATITUDE, "longitude": LONGITUDE, **coordinates})


def layouts(members):
    """The same forecasts in the layouts of several programs: name -> dataset."""
    dims = ("number", "time", "step", "latitude", "longitude")
    cfgrib = forecast_file(members, dims, {"time": DAYS, "step": LEADS, "valid_time": (("time", "step"), DAYS[:, None] + LEADS)})
    cfgrib.time.attrs["standard_name"], cfgrib.valid_time.attrs["standard_name"] = "forecast_reference_time", "time"
    weatherbench = forecast_file(members, dims, {"time": DAYS, "step": LEADS}).rename(step="prediction_timedelta")
    whole_hours = (LEADS / HOURS).astype(int)
    return {
        "cfgrib": cfgrib,
        "WeatherBench 2": weatherbench.transpose("time", "number", "prediction_timedelta", "longitude", "latitude"),
        "hours": weatherbench.assign_coords(prediction_timedelta=("prediction_timedelta", whole_hours, {"units": "hours"})).rename(
            time="init_time", prediction_timedelta="lead_time"
        ),
        "h, as floats": weatherbench.assign_coords(prediction_timedelta=("prediction_timedelta", whole_hours * 1.0, {"units": "h"})),
        "days": weatherbench.assign_coords(prediction_timedelta=("prediction_timedelta", whole_hours / 24, {"units": "days"})),
        "reference time": weatherbench.rename(time="forecast_reference_time", prediction_timedelta="forecast_period"),
        "valid time over two dimensions": cfgrib.drop_vars(["time", "step", "valid_time"])
        .rename(time="run", step="hour")
        .assign_coords(time=(("run", "hour"), DAYS[:, None] + LEADS)),
    }


@pytest.mark.parametrize("name", layouts(np.zeros((5, 12, 4, 5, 6))))
def test_forecasts_are_joined_with_an_analysis_on_valid_time(name):
    members, truth, at_valid_time = two_files()
    wanted = expected(members, at_valid_time, AREAS)
    data = layouts(members)[name]
    for other in (
        analysis(truth),
        analysis(truth, time="valid_time", latitude="lat", longitude="lon"),
        analysis(truth)[["t2m"]].isel(time=slice(None, None, -1)),
    ):
        values, notes = score(data, other)
        assert agree(values, wanted) and values["n_case"] == 12
        assert not any("no truth" in note for note in notes)


def test_forecasts_without_a_truth_are_left_out_and_counted():
    members, truth, at_valid_time = two_files()
    at_valid_time = at_valid_time.copy()
    kept = slice(0, 44)  # the truth ends on 11 January at 18:00
    known = DAYS[:, None] + LEADS <= TRUTH_TIMES[43]
    at_valid_time[~known] = np.nan
    values, notes = score(layouts(members)["WeatherBench 2"], analysis(truth).isel(time=kept))
    assert agree(values, expected(members, at_valid_time, AREAS)) and values["n_case"] == 11
    assert any(
        f"{(~known).sum()} of 48 forecasts have no truth at their valid time" in note and "2020-01-11 18:00" in note for note in notes
    )
    whole = read_ensemble(stored(layouts(members)["cfgrib"]), truth=stored(analysis(truth).isel(time=kept)))
    assert whole.lead_time == (0, 6, 24, 30) and whole.lead_unit == "h" and len(whole.index) == 11
    assert agree(scores(whole.pooled), {name: values[name] for name in ("rmse", "spread", "crps_fair")})


def test_periods_without_a_common_time_are_refused_and_the_same_period_scored():
    members, truth, at_valid_time = two_files()
    later = analysis(truth, TRUTH_TIMES + np.timedelta64(100, "D"))
    with pytest.raises(
        ValueError, match=r"2020-01-01 00:00 to 2020-01-13 06:00 in 'e\.nc' and 2020-04-10 00:00 to 2020-04-24 18:00 in 'truth\.nc'"
    ) as error:
        score(layouts(members)["cfgrib"], later)
    assert "bring the truth of the same period with --truth" in str(error.value)
    assert score(layouts(members)["cfgrib"], analysis(truth))[0]["n"] == at_valid_time.size


@pytest.mark.parametrize("units", ("", "fortnights", "K"))
def test_lead_times_of_an_unknown_unit_are_refused_and_read_with_hours_or_valid_times(units):
    members, truth, at_valid_time = two_files()
    data = layouts(members)["hours"]
    unclear = data.assign_coords(lead_time=("lead_time", data.lead_time.values, {"units": units} if units else {}))
    with pytest.raises(ValueError, match="write the attribute units='hours' on lead_time, or add a coordinate valid_time"):
        score(unclear, analysis(truth))
    wanted = expected(members, at_valid_time, AREAS)
    assert agree(score(data, analysis(truth))[0], wanted)
    valid = unclear.assign_coords(valid_time=(("init_time", "lead_time"), DAYS[:, None] + LEADS))
    assert agree(score(valid, analysis(truth))[0], wanted)


def test_one_lead_time_and_one_init_time_are_joined_too():
    members, truth, at_valid_time = two_files()
    data = layouts(members)["cfgrib"]
    values, _ = score(data.isel(step=2), analysis(truth))
    assert agree(values, expected(members[:, :, 2], at_valid_time[:, 2], AREAS))
    values, _ = score(data.isel(time=3), analysis(truth))
    assert agree(values, expected(members[:, 3], at_valid_time[3], AREAS))
    values, _ = score(data.isel(time=3, step=1), analysis(truth))
    assert agree(values, expected(members[:, 3, 1], at_valid_time[3, 1], AREAS)) and values["n_case"] == 1
    values, _ = score(data.isel(time=3, step=1), analysis(truth).isel(time=13))
    assert agree(values, expected(members[:, 3, 1], at_valid_time[3, 1], AREAS))


@pytest.mark.parametrize("name", ("time", "valid_time"))
def test_a_file_of_valid_times_alone_is_joined_with_a_note(name):
    members, _ = numbers()
    truth = np.random.default_rng(9).normal(size=(60, 5, 6))
    data = forecast_file(members, ("number", name, "latitude", "longitude"), {name: DAYS})
    values, notes = score(data, analysis(truth))
    assert agree(values, expected(members, truth[:48:4], AREAS))
    assert any("no lead times" in note for note in notes) == (name == "time")


def test_a_time_beside_a_reference_time_is_the_valid_time():
    members, _ = numbers()
    truth = np.random.default_rng(9).normal(size=(60, 5, 6))
    data = forecast_file(
        members, ("realization", "time", "latitude", "longitude"), {"time": DAYS, "forecast_period": ("time", LEADS[[2] * 12])}
    )
    data = data.assign_coords(forecast_reference_time=("time", DAYS - LEADS[2]))
    assert agree(score(data, analysis(truth))[0], expected(members, truth[:48:4], AREAS))


def test_a_truth_by_init_time_and_lead_time_is_matched_by_both():
    members, _, at_valid_time = two_files()
    data = layouts(members)["WeatherBench 2"]
    truth = xr.Dataset(
        {"t2m": (("lead_time", "init_time", "latitude", "longitude"), at_valid_time.swapaxes(0, 1)[::-1, 2:])},
        {
            "lead_time": ("lead_time", (LEADS[::-1] / HOURS).astype(int), {"units": "hours"}),
            "init_time": DAYS[2:],
            "latitude": LATITUDE,
            "longitude": LONGITUDE,
        },
    )
    values, notes = score(data, truth)
    assert agree(values, expected(members[:, 2:], at_valid_time[2:], AREAS)) and any(
        "2 of 12 values of init_time have no truth" in note for note in notes
    )


def test_a_truth_by_valid_time_in_the_same_file_is_joined_with_a_note():
    members, truth, at_valid_time = two_files()
    data = layouts(members)["hours"].rename(t2m="forecast").merge(analysis(truth).rename(t2m="obs"))
    values, notes = score(data)
    assert agree(values, expected(members, at_valid_time, AREAS)) and any("at its valid time" in note for note in notes)


@pytest.mark.parametrize("calendar", ("360_day", "noleap", "all_leap", "julian", "proleptic_gregorian"))
def test_every_calendar_gives_the_scores_of_the_standard_one(calendar):
    members, target = numbers()
    dates = [cftime.datetime(2000, 2, 20, calendar=calendar) + pd.Timedelta(days=day) for day in range(12)]
    data = dataset(members, target, init_time=("init_time", dates))
    values, _ = score(data)
    assert agree(values, on_map(members, target))
    whole, usual = read_ensemble(stored(data)), read_ensemble(stored(dataset(members, target)))
    assert np.array_equal(whole.block, usual.block) and whole.index[3].day == dates[3].day
    shuffled = data.isel(init_time=[5, 3, 11, 0, 1, 2, 4, 6, 7, 8, 9, 10])
    assert np.array_equal(read_ensemble(stored(shuffled)).block, usual.block[[5, 3, 11, 0, 1, 2, 4, 6, 7, 8, 9, 10]])


@pytest.mark.parametrize("calendar", ("360_day", "noleap"))
def test_forecasts_and_truth_of_a_model_calendar_are_joined(calendar):
    members, truth, at_valid_time = two_files()
    start = cftime.datetime(2000, 2, 20, calendar=calendar)
    inits = [start + pd.Timedelta(days=day) for day in range(12)]
    times = [start + pd.Timedelta(hours=6 * step) for step in range(60)]
    data = layouts(members)["WeatherBench 2"].assign_coords(time=inits)
    assert agree(score(data, analysis(truth, times))[0], expected(members, at_valid_time, AREAS))


def test_rows_of_two_tables_are_matched_by_label_else_in_order():
    members, target = numbers(shape=(40,))
    forecast = xr.Dataset({"forecast": (("case", "member"), members.T)})
    truth = xr.Dataset({"target": ("case", target)})
    assert agree(score(forecast, truth)[0], expected(members, target))
    labels = [f"row {number}" for number in range(40)]
    turned = truth.assign_coords(case=labels).isel(case=slice(None, None, -1))
    assert agree(score(forecast.assign_coords(case=labels), turned)[0], expected(members, target))
    with pytest.raises(ValueError, match=r"got 40 in 'e\.nc' and 39 in 'truth\.nc'; align the two"):
        score(forecast, truth.isel(case=slice(1, None)))


def test_blocks_and_chunks_are_those_of_the_whole_file():
    members, truth, _ = two_files()
    gaps = truth.copy()
    gaps[5, 2, 2] = np.nan
    files = {"source": stored(layouts(members)["WeatherBench 2"]), "truth": stored(analysis(gaps).isel(time=slice(3, 50)))}
    whole = read_ensemble(**files)
    for budget in (1, 3000, 2**26):
        in_chunks = score_file(**files, budget=budget)
        pooled = whole.pooled
        assert torch_equal(in_chunks.statistics.rank, pooled.rank) and torch_equal(in_chunks.statistics.energy, pooled.energy)
        one, other = scores(in_chunks.statistics), scores(pooled)
        assert all(one[key] == pytest.approx(other[key], rel=1e-12, nan_ok=True) for key in one)
        assert intervals(in_chunks.statistics, scores)["rmse"] == pytest.approx(intervals(pooled, scores)["rmse"], rel=1e-9)
        assert in_chunks.notes == whole.notes


def torch_equal(first, second):
    return first.shape == second.shape and np.allclose(first.numpy(), second.numpy(), rtol=1e-12, atol=1e-12)


def test_lead_times_in_months_follow_the_calendar():
    members, _ = numbers(shape=(4, 3))
    inits = np.array(["2020-01-01", "2020-02-01", "2020-11-01", "2021-01-01"], "datetime64[ns]")
    months = pd.date_range("2020-01-01", periods=20, freq="MS")
    truth = np.random.default_rng(3).normal(size=20)
    leads = ("lead_time", [1, 2, 4], {"step": "month"})
    data = xr.Dataset({"forecast": (("member", "init_time", "lead_time"), members)}, {"init_time": inits, "lead_time": leads})
    at_valid_time = truth[np.array([0, 1, 10, 12])[:, None] + [1, 2, 4]]
    values, notes = score(data, xr.Dataset({"target": ("time", truth)}, {"time": months}))
    assert agree(values, expected(members, at_valid_time)) and len(notes) == 1
    alone, _ = score(data.isel(lead_time=1), xr.Dataset({"target": ("time", truth)}, {"time": months}))
    assert agree(alone, expected(members[..., 1], at_valid_time[:, 1]))


def test_times_that_miss_each_other_are_refused_and_shifted_ones_scored():
    members, target = numbers()
    data = dataset(members, target)
    with pytest.raises(ValueError, match="with no time in common; shift the times of one of them"):
        score(data[["forecast"]], data[["target"]].assign_coords(init_time=DAYS + 12 * HOURS))
    assert agree(
        score(data[["forecast"]], data[["target"]].assign_coords(init_time=DAYS + 12 * HOURS - 12 * HOURS))[0], on_map(members, target)
    )


def test_a_unit_of_lead_times_that_is_not_known_is_no_matter_within_one_file():
    members, target = numbers(shape=(12, 3))
    leads = ("lead_time", [1, 2, 3], {"step": "year"})
    data = xr.Dataset(
        {"forecast": (("member", "init_time", "lead_time"), members), "target": (("init_time", "lead_time"), target)},
        {"init_time": DAYS, "lead_time": leads},
    )
    assert agree(score(data)[0], expected(members, target)) and read_ensemble(stored(data)).lead_unit == "year"


@pytest.mark.parametrize(("unit", "months"), [("months", 1), ("quarters", 3), ("years", 12)])
def test_lead_times_counted_on_the_calendar_meet_the_truth_at_the_date_they_name(unit, months):
    starts = pd.date_range("2000-01-01", periods=4, freq="MS")
    array = xr.DataArray(
        np.zeros((4, 2)), dims=("init_time", "lead_time"), coords={"init_time": starts, "lead_time": ("lead_time", [1, 2], {"units": unit})}
    )
    expected = [[start + pd.DateOffset(months=months * lead) for lead in (1, 2)] for start in starts]
    assert (valid_times(array, "f.nc").values == np.array(expected, dtype="datetime64[us]")).all()
