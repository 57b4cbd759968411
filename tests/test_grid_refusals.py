"""Grids that cannot be used are refused by name, in one sentence, and whoever does what the sentence says has a file that opens."""

import os
import resource

import h5py
import numpy as np
import pytest
import xarray as xr

from stochattn_core.__main__ import main
from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid.contents import contents_of
from tests.app import opened, upload
from tests.grid_files import file_of
from tests.grid_refused import CURED_NAME, DATES, REFUSED


def saved(dataset: xr.Dataset, folder):
    dataset.to_netcdf(folder / "grid.nc", engine="h5netcdf")
    return folder / "grid.nc"


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_is_one_sentence_and_its_cure_works(kind, tmp_path, capsys):
    make, variable, sentence, cure = REFUSED[kind]
    bad = make()
    path = saved(bad, tmp_path)
    with pytest.raises(ValueError, match=sentence) as caught:
        grid_from_file(path, variable)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("expected") and "; " in str(caught.value)
    assert main(["evaluate", "--model", "climax", "--grid", str(path), "--variable", variable]) == 2
    assert str(caught.value) in capsys.readouterr().err
    good = saved(cure(bad), tmp_path)
    assert len(grid_from_file(good, CURED_NAME.get(kind, variable)).train) >= 8


@pytest.mark.parametrize("kind", ["curvilinear, RASM", "rotated, CORDEX", "unstructured, ICON", "a climatology of CF", "no units of time"])
def test_the_page_refuses_with_the_same_sentence(kind, tmp_path):
    make = REFUSED[kind][0]
    path = saved(make(), tmp_path)
    (variable,) = contents_of(path)
    test = opened("bring")
    upload(test, "own-file", "grid.nc", path.read_bytes())
    (error,) = test.error
    assert not test.exception and error.value == variable.problem[0].upper() + variable.problem[1:]


def test_small_files_without_maps_are_refused_by_what_they_hold(tmp_path):
    """xarray's tutorial file `tiny`."""
    xr.Dataset({"tiny": ("dim_0", np.arange(5))}).to_netcdf(tmp_path / "grid.nc", engine="h5netcdf")
    with pytest.raises(
        ValueError, match=r"expected variables over time, latitude and longitude in 'grid.nc', it holds tiny; bring another"
    ):
        contents_of(tmp_path / "grid.nc")


def test_groups_without_a_choice_are_refused_and_the_cure_works(tmp_path):
    path, new = tmp_path / "grid.nc", tmp_path / "new.nc"
    for group, mode in (("first", "w"), ("second", "a")):
        file_of(DATES).to_netcdf(path, engine="h5netcdf", group=group, mode=mode)
    with pytest.raises(ValueError, match=r"got the groups first, second; write one of them .* group='first'\).to_netcdf\(NEW\)"):
        grid_from_file(path, "t")
    with xr.open_dataset(path, engine="h5netcdf", group="first") as group:
        group.to_netcdf(new, engine="h5netcdf")
    assert len(grid_from_file(new, "t").train) > 8


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x.nc", "a\0b", "x" * 5000, ""])
def test_a_text_that_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"^expected .*; (check the path|give the folder that ends in .zarr)$"):
        grid_from_file(path, "t")


def declared(path, shape, axes=("time", "latitude", "longitude")):
    """Write a small file that declares large fields, of which no chunk is stored."""
    coordinates = (np.arange(shape[0]), np.linspace(-80, 80, shape[1]), np.linspace(0, 359, shape[2]))
    with h5py.File(path, "w") as file:
        for axis, values in zip(axes, coordinates, strict=True):
            file[axis] = values
            file[axis].make_scale(axis)
        file["time"].attrs["units"] = "hours since 2000-01-01"
        fields = file.create_dataset("t", shape, "f4", chunks=(1, *shape[1:]), compression="gzip", fillvalue=1.0)
        for k, axis in enumerate(axes):
            fields.dims[k].attach_scale(file[axis])


@pytest.mark.parametrize("shape", [(100, 2000, 3000), (20_000, 3000, 4000)])
def test_fields_that_do_not_fit_in_memory_are_refused_before_they_are_read_and_coarser_ones_open(shape, tmp_path):
    declared(tmp_path / "grid.nc", shape)
    assert os.path.getsize(tmp_path / "grid.nc") < 4e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"expected fields of at most [\d,]+ numbers, got .* in 'grid.nc'; coarsen the grid"):
        grid_from_file(tmp_path / "grid.nc", "t")
    assert contents_of(tmp_path / "grid.nc")[0].problem
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB
    with xr.open_dataset(tmp_path / "grid.nc", engine="h5netcdf", chunks=None) as large:
        coarse = large.isel(time=slice(100), latitude=slice(None, None, 100), longitude=slice(None, None, 100)).load()
    coarse = coarse + xr.DataArray(np.arange(100.0), dims="time")
    assert len(grid_from_file(saved(coarse.astype("f4"), tmp_path), "t").train) >= 8


def test_an_axis_that_does_not_fit_in_memory_is_refused_before_it_is_read(tmp_path):
    with h5py.File(tmp_path / "grid.nc", "w") as file:
        file.create_dataset("time", (3_000_000_000,), "f8", chunks=(1 << 20,))
        file["t"] = np.zeros((3, 4, 5))
    with pytest.raises(
        ValueError, match=r"expected axes of at most 20,000,000 values in 'grid.nc', got 3,000,000,000 in 'time'; bring a part"
    ):
        contents_of(tmp_path / "grid.nc")


def test_a_chunk_that_does_not_fit_in_memory_is_refused(tmp_path):
    declared(tmp_path / "small.nc", (4000, 300, 400))
    with xr.open_dataset(tmp_path / "small.nc", engine="h5netcdf") as small, h5py.File(tmp_path / "grid.nc", "w") as file:
        for axis in ("time", "latitude", "longitude"):
            file[axis] = small[axis].values if axis != "time" else np.arange(4000)
            file[axis].make_scale(axis)
        file["time"].attrs["units"] = "hours since 2000-01-01"
        fields = file.create_dataset("t", (4000, 300, 400), "f4", chunks=(4000, 300, 400), compression="gzip")
        for k, axis in enumerate(("time", "latitude", "longitude")):
            fields.dims[k].attach_scale(file[axis])
    with pytest.raises(
        ValueError, match=r"expected chunks of at most 1024 MB in 't' of 'grid.nc', got 1831; write the file again with one chunk"
    ):
        grid_from_file(tmp_path / "grid.nc", "t")
