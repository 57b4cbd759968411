"""Bad gridded files: a missing axis, two of them, wrong units, no file at all. Each is one ValueError of one sentence."""

import io
import json
import pickle
import socket

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid import address as grid_address
from tests.test_grids import N_TIME, fields, saved


def two_time_axes() -> xr.Dataset:
    return fields(80).expand_dims(prediction_timedelta=pd.to_timedelta([6, 12], unit="h"))


def with_levels() -> xr.Dataset:
    return fields().expand_dims(level=[500.0, 850.0])


def without(axis: str):
    return lambda: fields().isel({axis: 0}, drop=True)


def units(name: str, shift: float = 0.0):
    return lambda: fields().assign(t=(fields().t + shift).assign_attrs(units=name))


def curved() -> xr.Dataset:
    shape = (11, 12)
    away = fields().drop_vars(["latitude", "longitude"]).rename(latitude="j", longitude="i")
    return away.assign_coords(lat=(("j", "i"), np.zeros(shape)), lon=(("j", "i"), np.zeros(shape)))


BAD = {
    "no latitude": (without("latitude"), {}, "expected an axis of latitude for 't' in 'grid.nc', got axes time, longitude; add an axis"),
    "no longitude": (without("longitude"), {}, "expected an axis of longitude for 't'"),
    "no time": (
        without("time"),
        {},
        "expected an axis of time for 't' in 'grid.nc', got axes latitude, longitude; add an axis called time",
    ),
    "two time axes": (
        two_time_axes,
        {},
        "expected one time axis for 't' in 'grid.nc', got two: (time and lead_time|lead_time and time); bring analyses",
    ),
    "a 3-D variable": (
        with_levels,
        {},
        r"expected 't' over time, latitude and longitude, got also level \(2\) .* choose one level, such as t_500",
    ),
    "members": (lambda: fields().expand_dims(number=[0, 1]), {}, r"got also member \(2\) in 'grid.nc'; choose one member"),
    "no such level": (with_levels, {"variable": "t_300"}, "expected the level 300 hPa for 't' in 'grid.nc', got 500, 850; choose one"),
    "no levels": (fields, {"variable": "t_300"}, "expected levels for 't' in 'grid.nc', got axes time, latitude, longitude; leave out"),
    "no such variable": (fields, {"variable": "z"}, "expected a variable 'z' in 'grid.nc', its variables are t; choose one of them"),
    "all NaN": (lambda: fields() * np.nan, {}, "expected numbers in 't' of 'grid.nc', every value is missing; choose another"),
    "too many gaps": (lambda: fields().where(_checkerboard()), {}, "expected at most 20% of 't' in 'grid.nc' to be missing .* got 50%"),
    "Kelvin as Celsius": (
        units("degC"),
        {},
        "expected temperatures in degC as the units of 't' in 'grid.nc' say, got values around 25., which look like kelvin",
    ),
    "Celsius as Kelvin": (units("K", -273.15), {}, "expected temperatures in K .* got values around -2., which look like degrees Celsius"),
    "constant": (lambda: fields() * 0 + 280, {}, "expected a field that varies, 't' in 'grid.nc' is 280 everywhere"),
    "one time only": (
        lambda: fields(1),
        {},
        "expected at least 60 times in 'grid.nc', to train, calibrate and test, got 1; bring a longer",
    ),
    "uneven times": (
        lambda: fields().isel(time=[*range(100), 101, *range(104, 240)]).pipe(_shifted),
        {},
        "expected times evenly spaced by whole hours",
    ),
    "every 45 minutes and an hour": (
        lambda: fields().assign_coords(time=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.cumsum([45, 60] * 120), unit="min")),
        {},
        "expected times evenly spaced by whole hours in 'grid.nc', got steps of 1 h and 45 min; resample them",
    ),
    "times as numbers": (lambda: fields().assign_coords(time=np.arange(240)), {}, "expected dates on the time axis of 'grid.nc'"),
    "latitude in metres": (
        lambda: fields().assign_coords(latitude=np.arange(11) * 1e5),
        {},
        "expected at least 2 latitudes within 90 degrees",
    ),
    "curved grid": (
        curved,
        {},
        "expected an axis of latitude for 't' in 'grid.nc', got latitude over 2 dimensions; put the fields on a regular grid",
    ),
    "odd lead": (fields, {"lead_time": 7}, "expected a lead time in hours that is a multiple of the step of 6 h, got 7; try 24"),
    "too long a lead": (
        fields,
        {"lead_time": 600},
        "expected at least 8 init times with a target 600 h later in the (train|calibration) part",
    ),
    "text": (lambda: fields().assign(t=fields().t.astype(str)), {}, "expected numbers in 't' of 'grid.nc', got values of type"),
}


def _checkerboard() -> xr.DataArray:
    place = np.indices((N_TIME, 11, 12)).sum(axis=0) % 2 == 0
    return xr.DataArray(place, dims=("time", "latitude", "longitude"))


def _shifted(dataset: xr.Dataset) -> xr.Dataset:
    time = dataset.time.values.copy()
    time[150] += np.timedelta64(1, "h")
    return dataset.assign_coords(time=time)


def test_inputs_at_other_times_than_the_target_are_refused(tmp_path):
    both = fields().assign(other=fields().t.isel(time=slice(None, -1)).rename(time="valid_time"))
    with pytest.raises(ValueError, match="expected 'other' and 't' at the same times and places, they differ; choose"):
        grid_from_file(saved(both, tmp_path), "t", inputs=["other"])


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_grid_is_refused_in_one_sentence(kind, tmp_path):
    make, options, message = BAD[kind]
    options = dict(options)
    with pytest.raises(ValueError, match=message) as caught:
        grid_from_file(saved(make(), tmp_path), options.pop("variable", "t"), **options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_truncated_netcdf_is_refused(engine, share, tmp_path):
    whole = saved(fields(), tmp_path, engine).read_bytes()
    (tmp_path / "short.nc").write_bytes(whole[: int(share * len(whole))])
    for source in (tmp_path / "short.nc", io.BytesIO(whole[: int(share * len(whole))])):
        with pytest.raises(ValueError, match="the file is damaged or incomplete; download or copy it again") as caught:
            grid_from_file(source, "t")
        assert "\n" not in str(caught.value)


NOT_GRIDS = {
    "nothing": (b"", "has 0 bytes; convert it to NetCDF"),
    "text": (b"a,b\n1,2\n", "is neither; convert it"),
    "CDF-5": (b"CDF\x05" + bytes(50), "is NetCDF of the CDF-5 kind, which is not read here; convert it to NetCDF"),
    "pickle": (b"\x80\x04\x95" + bytes(50), "is a Python pickle, which is never opened"),
}


@pytest.mark.parametrize("kind", NOT_GRIDS)
def test_a_file_that_is_no_grid_is_refused_by_its_kind(kind, tmp_path):
    content, message = NOT_GRIDS[kind]
    (tmp_path / "grid.nc").write_bytes(content)
    with pytest.raises(ValueError, match=rf"expected a NetCDF file or a Zarr folder, 'grid.nc' {message}"):
        grid_from_file(tmp_path / "grid.nc", "t")


def test_a_path_to_nothing_and_a_folder_that_is_no_zarr_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected a NetCDF file or a Zarr folder at .* found nothing there; check the path"):
        grid_from_file(tmp_path / "none.nc", "t")
    with pytest.raises(ValueError, match=r"expected a Zarr store, the folder .* holds none of zarr.json, .zmetadata, .zgroup"):
        grid_from_file(tmp_path, "t")


def test_a_zarr_with_pickles_is_never_opened(tmp_path):
    """Unpickling its chunks would create a file: the store is refused because of its metadata, and no file is created."""
    store = tmp_path / "bad.zarr"
    fields().to_zarr(store, zarr_format=2, consolidated=False)
    table = json.loads((store / "t" / ".zarray").read_text()) | {"compressor": {"id": "pickle", "protocol": 4}, "filters": None}
    (store / "t" / ".zarray").write_text(json.dumps(table))
    for chunk in (store / "t").glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Opens(str(tmp_path / "created"))))
    with pytest.raises(ValueError, match=r"expected numbers in 'bad.zarr', it holds Python pickles, which are never opened"):
        grid_from_file(store, "t")
    assert not (tmp_path / "created").exists()


class Opens:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_zarr_with_a_damaged_chunk_is_refused(tmp_path):
    fields().to_zarr(tmp_path / "a.zarr", zarr_format=2)
    chunk = next(path for path in sorted((tmp_path / "a.zarr" / "t").iterdir()) if path.name[0].isdigit())
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"expected to read 't' from 'a.zarr', got .* the file is damaged or incomplete"):
        grid_from_file(tmp_path / "a.zarr", "t")


def test_an_address_that_does_not_answer_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        ValueError,
        match=r"expected a Zarr store or a NetCDF file at 'http://127.0.0.1:\d+/a.zarr', got no answer \(ConnectionRefusedError\); check",
    ):
        grid_from_file(f"http://127.0.0.1:{port}/a.zarr", "t")
    with pytest.raises(ValueError, match="expected an address that begins with https://, gs:// or s3:// and a name, got 'ftp://x/y'"):
        grid_from_file("ftp://x/y", "t")


def test_an_address_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(grid_address, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ValueError, match=r"got no answer \(TimeoutError\); check the address and the connection"):
            grid_from_file(f"http://127.0.0.1:{silent.getsockname()[1]}/a.zarr", "t")
