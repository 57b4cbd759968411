"""Ensemble files that are refused: one sentence each, and what it tells the user to do works. What a look at a file shows, and the command."""

import json

import numpy as np
import pytest
import xarray as xr

from stochattn_core.__main__ import main
from stochattn_core.ensemble_file import read_ensemble, score_file
from stochattn_core.metrics import scores
from stochattn_core.readers.ensemble import values
from stochattn_core.readers.ensemble.look import look_ensemble
from tests.score_files import LATITUDE, LONGITUDE, agree, dataset, numbers, on_map, score, stored


def command(capsys, *arguments):
    """Exit code, stdout and stderr of `stochattn score`."""
    code = main(["score", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def many_variables():
    """A file with two ensembles and two fields, none of whose names says what it is."""
    members, target = numbers()
    data = dataset(members, target).rename(forecast="t_ens", target="t_field")
    return data.assign(z_ens=data.t_ens * 10, z_field=data.t_field * 10), members, target


def test_two_possible_forecasts_and_targets_are_asked_for_by_name():
    data, members, target = many_variables()
    with pytest.raises(ValueError, match=r"got t_ens, z_ens; choose one with --forecast"):
        score(data)
    with pytest.raises(ValueError, match=r"got t_field, z_field, any of which it could be; choose one with --target"):
        score(data, forecast="t_ens")
    assert agree(score(data, forecast="t_ens", target="t_field")[0], on_map(members, target))
    assert agree(score(data, forecast="z_ens", target="z_field")[0], on_map(10 * members, 10 * target))
    with pytest.raises(ValueError, match=r"expected a variable 'q' for the target in 'e\.nc', its variables are t_ens, t_field"):
        score(data, forecast="t_ens", target="q")


@pytest.mark.parametrize("name", ("truth", "obs", "observation", "analysis", "verification", "reference", "y_true", "anything"))
def test_the_target_is_recognised_by_its_name_or_dimensions_with_a_note(name):
    members, target = numbers()
    data = dataset(members, target).rename(forecast="t2m", target=name)
    data = data.assign(t2m_mean=data.t2m.mean("member"), climatology=data[name] * 0, orography=data[name][0])
    found, notes = score(data)
    assert agree(found, on_map(members, target))
    assert any(f"{name!r} of 'e.nc' is taken as the target" in note and "--target chooses another" in note for note in notes)
    assert any("'t2m' of 'e.nc' is taken as the forecast: the only variable with a member dimension" in note for note in notes)


def test_the_mean_of_an_ensemble_is_never_taken_for_its_truth():
    members, target = numbers()
    data = dataset(members, target)[["forecast"]]
    data = data.assign(ensemble_mean=data.forecast.mean("member"), forecast_std=data.forecast.std("member"))
    with pytest.raises(ValueError, match="its other variables are ensemble_mean, forecast_std; choose one with --target, or give the file"):
        score(data)
    assert agree(score(data, dataset(members, target)[["target"]])[0], on_map(members, target))
    assert score(data, target="ensemble_mean")[0]["rmse"] < 1e-9


def test_one_forecast_has_no_spread_and_one_member_is_too_few():
    members, target = numbers()
    data = dataset(members, target)
    with pytest.raises(ValueError, match=r"expected forecast with a member dimension in 'e\.nc', got .*one forecast alone has no spread"):
        score(data.isel(member=0, drop=True))
    with pytest.raises(ValueError, match=r"expected at least 2 members in 'e\.nc', got 1; an ensemble score needs two"):
        score(data.isel(member=[0]))
    assert agree(score(data.isel(member=[0, 1]))[0], on_map(members[:2], target))


def test_a_target_of_other_dimensions_is_refused_and_with_the_same_scored():
    members, target = numbers()
    data = dataset(members, target)
    for wrong in (data.target.isel(latitude=0), data.target.expand_dims(band=3)):
        with pytest.raises(ValueError, match=r"like the forecast 'forecast' of 'e\.nc', got 'target' \(.*\) in 'e\.nc'; align the two"):
            score(data.assign(target=wrong.drop_vars("latitude") if "latitude" not in wrong.dims else wrong))
    assert agree(score(data)[0], on_map(members, target))


@pytest.mark.parametrize(
    ("change", "message", "cure"),
    (
        ({"latitude": ("latitude", LATITUDE * 2)}, "expected latitudes within 90 degrees", {"latitude": LATITUDE}),
        ({"latitude": ("latitude", [0, 0, 1, 2, 3])}, "expected every latitude once", {"latitude": LATITUDE}),
        ({"latitude": ("latitude", [0, np.nan, 1, 2, 3])}, "got 1 missing; write them in degrees", {"latitude": LATITUDE}),
        ({"longitude": ("longitude", list("abcdef"))}, "expected the longitudes of 'e.nc' as numbers", {"longitude": LONGITUDE}),
    ),
)
def test_coordinates_that_are_no_degrees_are_refused_and_degrees_read(change, message, cure):
    members, target = numbers()
    data = dataset(members, target)
    with pytest.raises(ValueError, match=message):
        score(data.assign_coords(change))
    assert agree(score(data.assign_coords(change).assign_coords(cure))[0], on_map(members, target))


def test_every_refusal_is_one_sentence_on_stderr_and_exit_code_two(capsys, tmp_path):
    data, members, target = many_variables()
    data.to_netcdf(tmp_path / "e.nc", engine="h5netcdf")
    for options in ((), ("--forecast", "t_ens"), ("--member", "x"), ("--truth", tmp_path / "none.nc", "--forecast", "t_ens")):
        code, out, err = command(capsys, tmp_path / "e.nc", *options)
        assert code == 2 and not out and len(err.splitlines()) == 1 and "Traceback" not in err and err.count(";") >= 1
    code, out, err = command(capsys, tmp_path / "e.nc", "--forecast", "t_ens", "--target", "t_field", "--json")
    assert code == 0 and json.loads(out)["rmse"] == pytest.approx(on_map(members, target)["rmse"], rel=1e-12) and not err


def test_notes_go_to_stderr_and_a_ratio_of_zero_to_zero_is_not_defined(capsys, tmp_path):
    _, target = numbers()
    perfect = dataset(np.broadcast_to(target, (5, *target.shape)), target).rename(target="obs")
    perfect.to_netcdf(tmp_path / "e.nc", engine="h5netcdf")
    code, out, err = command(capsys, tmp_path / "e.nc")
    assert (
        code == 0
        and "nan" not in out.lower()
        and "inf" not in out.lower()
        and err.startswith("note: 'obs' of 'e.nc' is taken as the target")
    )
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["spread_skill_ratio"] == "not defined" and lines["rmse"] == lines["spread"] == lines["crps_fair"] == "0"
    document = json.loads(command(capsys, tmp_path / "e.nc", "--json")[1])
    assert document["spread_skill_ratio"] is None and document["rmse"] == 0 and document["n_case"] == 12
    (perfect + xr.zeros_like(perfect.forecast).rename("forecast")).close()
    spread_only = perfect.assign(forecast=perfect.forecast + np.array([-1.0, 1, 0, -1, 1])[:, None, None, None])
    spread_only.assign(
        forecast=spread_only.forecast.round(0), obs=spread_only.obs * 0 + spread_only.forecast.round(0).mean("member")
    ).to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
    assert json.loads(command(capsys, tmp_path / "s.nc", "--json")[1])["spread_skill_ratio"] is None


def test_an_ensemble_without_spread_is_scored():
    _, target = numbers()
    flat = np.broadcast_to(target + 1.0, (5, *target.shape))
    flat_scores, _ = score(dataset(flat, target))
    assert flat_scores["spread"] == 0 and flat_scores["spread_skill_ratio"] == 0 and agree(flat_scores, {"rmse": 1.0, "crps_fair": 1.0})


def test_a_zarr_store_and_a_classic_file_are_read_as_a_netcdf_file_is(tmp_path):
    members, target = numbers()
    data = dataset(members, target)
    data.to_zarr(tmp_path / "e.zarr")
    data.to_netcdf(tmp_path / "e.nc", engine="scipy", format="NETCDF3_CLASSIC")
    data.to_netcdf(tmp_path / "c.nc", engine="h5netcdf", encoding={"forecast": {"zlib": True, "chunksizes": (5, 3, 2, 6)}})
    for name in ("e.zarr", "e.nc", "c.nc"):
        assert agree(
            scores(score_file(tmp_path / name, budget=5000).statistics), {key: on_map(members, target)[key] for key in ("rmse", "bias")}
        )
    data[["target"]].rename(init_time="time").to_zarr(tmp_path / "truth.zarr")
    result = score_file(tmp_path / "e.zarr", truth=tmp_path / "truth.zarr", forecast="forecast")
    assert scores(result.statistics)["rmse"] == pytest.approx(on_map(members, target)["rmse"], rel=1e-12)


def test_a_look_says_what_would_be_scored_and_what_would_be_refused():
    members, target = numbers()
    data = dataset(members, np.where(np.arange(6) < 3, np.nan, target), forecast_attrs={"units": "Kelvin"})
    look = look_ensemble(stored(data))
    facts = dict(look.facts)
    assert [(column.name, column.kind) for column in look.columns] == [("forecast", "forecast"), ("target", "target")]
    assert look.columns[1].missing == 0.5 and look.columns[0].first[0] == f"{members[0, 0, 0, 0]:.6g}" and look.columns[0].units == "K"
    assert (
        facts["members"] == "5"
        and facts["cases"] == "12 along init_time"
        and facts["valid period"] == "2020-01-01 00:00 to 2020-01-12 00:00"
    )
    assert facts["latitude"] == "5 from -75 to 60 degrees" and facts["weights"] == "area of the cells" and not look.problem
    refused, _, _ = many_variables()
    look = look_ensemble(stored(refused))
    assert look.problem.endswith("choose one with --forecast") and len(look.columns) == 4
    assert not look_ensemble(stored(refused), forecast="t_ens", target="t_field").problem
    assert json.dumps(look.document())


def test_no_more_than_one_case_of_the_forecasts_is_in_memory_at_a_time(monkeypatch):
    """With the smallest budget, each read of the forecasts holds one case; the target is read once."""
    members, target = numbers()
    reads = []
    monkeypatch.setattr(values, "read_values", lambda array, file: (reads.append((array.name, array.size)), array.load())[1])
    assert agree(score(dataset(members, target), budget=1)[0], on_map(members, target))
    assert [size for name, size in reads if name == "forecast"] == [5 * 30] * 12 and reads[0] == ("target", 12 * 30)


def test_a_file_in_memory_and_on_disk_give_one_ensemble(tmp_path):
    members, target = numbers()
    data = dataset(members, target)
    data.to_netcdf(tmp_path / "e.nc", engine="h5netcdf")
    on_disk, in_memory = read_ensemble(tmp_path / "e.nc"), read_ensemble(stored(data))
    assert np.array_equal(on_disk.members, in_memory.members) and np.array_equal(on_disk.members, members)
