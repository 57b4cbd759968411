"""Scores of the same field in every layout of a file: order of dimensions, names, coordinates and grids."""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr

from stochattn_core.ensemble_file import read_ensemble
from stochattn_core.metrics import scores
from tests.score_files import DAYS, DIMS, LATITUDE, LONGITUDE, agree, areas, dataset, expected, numbers, on_map, score, stored

SCHEMES = {
    "cfgrib": ("number", "time", "latitude", "longitude"),
    "CF": ("realization", "forecast_reference_time", "lat", "lon"),
    "British": ("realisation", "init_time", "lat", "lon"),
    "NEMO": ("ensemble_member", "time", "nav_lat", "nav_lon"),
    "y and x": ("members", "time", "y", "x"),
    "short": ("ens", "init_time", "Lat", "Lon"),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_orders_of_four_dimensions_give_the_same_scores(scheme):
    members, target = numbers()
    wanted = on_map(members, target)
    data = dataset(members, target).rename(dict(zip(DIMS, SCHEMES[scheme], strict=True)))
    orders = list(permutations(SCHEMES[scheme]))
    first = None
    for order, other in zip(orders, reversed(orders), strict=True):
        turned = xr.Dataset(
            {
                "forecast": data.forecast.transpose(*order),
                "target": data.target.transpose(*(dim for dim in other if dim in data.target.dims)),
            }
        )
        values, notes = score(turned, engine="scipy")  # NetCDF 3, which is written in less time
        assert agree(values, wanted) and not notes
        first = first or values
        assert all(values[key] == pytest.approx(first[key], rel=1e-12, abs=1e-12, nan_ok=True) for key in first)


def test_latitudes_may_fall_and_longitudes_may_be_counted_from_minus_180():
    members, target = numbers()
    data = dataset(members, target).assign_coords(longitude=(((LONGITUDE + 180) % 360) - 180)).sortby("longitude")
    for turned in (data, data.isel(latitude=slice(None, None, -1)), data.isel(latitude=[3, 0, 4, 2, 1])):
        assert agree(score(turned)[0], on_map(members, target))


def test_a_truth_on_its_own_order_of_the_grid_is_matched_by_coordinate():
    members, target = numbers()
    data = dataset(members, target)
    truth = data[["target"]].isel(latitude=slice(None, None, -1), init_time=slice(None, None, -1))
    truth = truth.assign_coords(
        longitude=(((LONGITUDE + 180) % 360) - 180).astype("f4"), latitude=truth.latitude.astype("f4") + np.float32(1e-5)
    )
    values, _ = score(data[["forecast"]], truth.sortby("longitude").rename(init_time="time"))
    assert agree(values, on_map(members, target))


def test_a_region_is_scored_against_a_truth_of_the_globe_with_a_note():
    members, target = numbers()
    data = dataset(members, target)
    region = data[["forecast"]].isel(latitude=slice(1, 4), longitude=[2, 3])
    values, notes = score(region, data[["target"]])
    assert agree(values, expected(members[:, :, 1:4, 2:4], target[:, 1:4, 2:4], areas(LATITUDE[1:4])[:, None]))
    assert any("3 of 5 values of latitude" in note for note in notes)


def test_a_truth_on_another_grid_is_refused_and_on_the_same_grid_scored():
    members, target = numbers()
    data = dataset(members, target)
    shifted = data[["target"]].assign_coords(latitude=LATITUDE + 0.5)
    with pytest.raises(ValueError, match=r"5 from -75 to 60 in 'e.nc' and 5 from -74.5 to 60.5 in 'truth.nc'; put both on the same grid"):
        score(data[["forecast"]], shifted)
    same = shifted.interp(latitude=LATITUDE, kwargs={"fill_value": "extrapolate"})
    assert score(data[["forecast"]], same)[0]["n"] == target.size


@pytest.mark.parametrize("stated", (True, False))
def test_latitudes_in_radians_weight_cells_by_their_area(stated):
    members, target = numbers()
    units = {"units": "radians"} if stated else {}
    latitude = np.linspace(-85, 85, 5)
    data = dataset(
        members,
        target,
        latitude=("latitude", np.deg2rad(latitude), units),
        longitude=("longitude", np.deg2rad(LONGITUDE), units),
    )
    values, notes = score(data)
    assert agree(values, expected(members, target, areas(latitude)[:, None]))
    assert any("radians" in note for note in notes)
    whole = read_ensemble(stored(data))
    assert whole.latitude == pytest.approx(latitude) and whole.longitude == pytest.approx(LONGITUDE)


def test_degrees_on_a_dimension_called_y_and_one_dimensional_coordinates_beside_a_dimension_are_latitudes():
    members, target = numbers()
    named = dataset(
        members, target, latitude=("latitude", LATITUDE, {"units": "degrees"}), longitude=("longitude", LONGITUDE, {"units": "degrees"})
    )
    assert agree(score(named.rename(latitude="y", longitude="x"))[0], on_map(members, target))
    beside = xr.Dataset(
        {
            "forecast": (("member", "time", "y", "x"), members),
            "target": (("time", "y", "x"), target),
            "nav_lat": ("y", LATITUDE),
            "nav_lon": ("x", LONGITUDE),
        },
        {"time": DAYS},
    )
    assert agree(score(beside)[0], on_map(members, target))
    assert agree(score(beside.assign_coords(y=np.arange(5), x=np.arange(6)))[0], on_map(members, target))


def test_zonal_means_are_weighted_by_area():
    members, target = numbers()
    data = dataset(members, target).mean("longitude")
    wanted = expected(members.mean(-1), target.mean(-1), areas(LATITUDE))
    assert agree(score(data)[0], wanted) and agree(score(data.transpose("latitude", ...))[0], wanted)
    whole = read_ensemble(stored(data))
    assert whole.latitude == tuple(LATITUDE) and not whole.longitude and agree(scores(whole.pooled), wanted)


@pytest.mark.parametrize("name", ("level", "plev", "isobaricInhPa"))
def test_a_level_axis_anywhere_is_scored_together_and_said(name):
    members, target = numbers(shape=(12, 3, 5, 6))
    dims = ("number", "time", name, "lat", "lon")
    data = xr.Dataset(
        {"forecast": (dims, members), "target": (dims[1:], target)},
        {"time": DAYS, "lat": LATITUDE, "lon": LONGITUDE, name: [850, 500, 250]},
    )
    wanted = expected(members, target, areas(LATITUDE)[:, None])
    for order in (dims, dims[::-1], (name, "lat", "number", "lon", "time")):
        values, notes = score(xr.Dataset({"forecast": data.forecast.transpose(*order), "target": data.target}))
        assert agree(values, wanted) and notes == ["all 3 values of level are scored together"]


def test_levels_of_a_truth_in_pascals_are_matched_and_one_of_them_chosen():
    members, target = numbers(shape=(12, 3, 5, 6))
    data = dataset(members[:, :, 0], target[:, 0])
    levels = ("level", [25000.0, 50000.0, 85000.0], {"units": "Pa"})
    truth = xr.Dataset(
        {"target": (("time", "level", "lat", "lon"), target[:, ::-1])}, {"time": DAYS, "lat": LATITUDE, "lon": LONGITUDE, "level": levels}
    )
    one = data[["forecast"]].assign_coords(level=((), 850.0, {"units": "hPa"}))
    values, notes = score(one, truth)
    assert agree(values, on_map(members[:, :, 0], target[:, 0])) and any("level 850.0 of the target is scored" in note for note in notes)
    with pytest.raises(
        ValueError, match=r"got 'target' \(time, level, latitude, longitude\)|got 'target' \(init_time, level, latitude, longitude\)"
    ):
        score(data[["forecast"]], truth)


def test_axes_of_length_one_change_nothing():
    members, target = numbers()
    data = dataset(members, target)
    wide = data.assign(
        forecast=data.forecast.expand_dims({"level": [500], "step": 1}, axis=(1, 3)), target=data.target.expand_dims("surface")
    )
    values, notes = score(wide)
    assert agree(values, on_map(members, target)) and not notes


def test_one_field_is_one_case_and_not_one_for_each_latitude():
    members, target = numbers()
    data = dataset(members, target).isel(init_time=0, drop=True)
    values, _ = score(data)
    assert agree(values, on_map(members[:, :1], target[:1])) and values["n_case"] == 1


def test_the_dimension_of_the_members_may_be_named():
    members, target = numbers()
    data = dataset(members, target).rename(member="draw_of_weights")
    with pytest.raises(ValueError, match="name the dimension of the members with --member"):
        score(data)
    assert agree(score(data, member="draw_of_weights")[0], on_map(members, target))
    with pytest.raises(ValueError, match="its dimensions are draw_of_weights, init_time, latitude, longitude; give one of them"):
        score(data, member="nothing")


def test_a_meridian_that_is_there_twice_counts_once():
    members, target = numbers()
    data = dataset(members, target)
    again = data.isel(longitude=[0]).assign_coords(longitude=[360.0])
    values, notes = score(xr.concat([data, again], "longitude"))
    assert agree(values, on_map(members, target)) and any("twice" in note for note in notes)


def test_cells_without_weights_are_said():
    members, target = numbers()
    bare = dataset(members, target).drop_vars(["latitude", "longitude"])
    values, notes = score(bare)
    assert agree(values, expected(members, target)) and "every cell counts the same" in notes[0]
    values, notes = score(bare.assign_coords(latitude=LATITUDE))
    assert agree(values, on_map(members, target)) and not notes
    curved = bare.rename(latitude="y", longitude="x").assign_coords(lat2=(("y", "x"), np.ones((5, 6))))
    values, notes = score(curved)
    assert agree(values, expected(members, target)) and "runs over y and x, so that every cell counts the same" in notes[0]


def test_a_latitude_over_two_dimensions_that_varies_along_one_is_that_of_a_regular_grid():
    members, target = numbers()
    bare = dataset(members, target).drop_vars(["latitude", "longitude"]).rename(latitude="j", longitude="i")
    lat, lon = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    for order in (("j", "i"), ("i", "j")):
        data = bare.assign_coords(nav_lat=(("j", "i"), lat), nav_lon=(("j", "i"), lon)).transpose(*order, ...)
        values, notes = score(data)
        assert agree(values, on_map(members, target)) and not notes
    tilted, notes = score(bare.assign_coords(nav_lat=(("j", "i"), lat + lon / 100), nav_lon=(("j", "i"), lon + lat)))
    assert agree(tilted, expected(members, target)) and "runs over j and i" in notes[0]


def test_a_list_of_stations_has_no_cells_to_weight():
    members, target = numbers(shape=(12, 7))
    data = xr.Dataset(
        {"forecast": (("station", "member", "time"), members.transpose(2, 0, 1)), "target": (("time", "station"), target)},
        {"time": DAYS, "lat": ("station", np.arange(7.0)), "lon": ("station", np.arange(7.0))},
    )
    values, notes = score(data)
    assert agree(values, expected(members, target)) and values["n_case"] == 12
    assert "runs over station, so that every cell counts the same" in notes[0] and notes[1] == "all 7 values of station are scored together"
