"""Random valid files in the dialects of gridded data give back the numbers that were written, and random damage gives one sentence."""

import io

import numpy as np
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stochattn_core.readers import grid_from_file
from stochattn_core.readers.grid.contents import contents_of
from tests.grid_files import counted, file_of, middle_of_months, pattern, right

CALENDARS = ("noleap", "365_day", "all_leap", "366_day", "360_day", "julian", "standard", "gregorian", "proleptic_gregorian")
STEPS = (("hours", 1.0), ("hours", 6.0), ("days", 1.0), ("days", 5.0), ("days", 0.125), ("minutes", 30.0), ("seconds", 10800.0))
FIRST_DATES = ("2000-01-01", "1850-01-01 00:00:00", "0001-01-01", "1970-01-01T12:00:00Z", "1900-1-1 00:00:0.0", "9990-01-01")
NAMES = st.tuples(
    st.sampled_from(("time", "valid_time", "date", "T")),
    st.sampled_from(("lat", "latitude", "nav_lat", "y")),
    st.sampled_from(("lon", "longitude", "nav_lon", "x")),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[xr.Dataset, dict[str, object]]:
    """Return counted fields in a random dialect, and how their values are stored."""
    n_time, n_latitude, n_longitude = draw(st.integers(120, 200)), draw(st.integers(2, 6)), draw(st.integers(2, 7))
    latitude = np.linspace(-88, 88, n_latitude) if draw(st.booleans()) else np.linspace(-90, 90, n_latitude)
    longitude = draw(st.integers(-18000, 18000)) / 100 + np.arange(n_longitude) * draw(st.sampled_from((2.5, 360 / n_longitude)))
    if draw(st.booleans()):
        longitude = (longitude + 180) % 360 - 180
    calendar = draw(st.sampled_from(CALENDARS))
    if draw(st.integers(0, 3)) == 0:
        numbers, units = middle_of_months(n_time, calendar), "days since 1850-01-01"
    else:
        unit, step = draw(st.sampled_from(STEPS))
        numbers, units = np.arange(n_time) * step, f"{unit} since {draw(st.sampled_from(FIRST_DATES))}"
    if np.all(numbers == np.rint(numbers)):
        numbers = numbers.astype(draw(st.sampled_from(("f8", "f4", "i4"))))
    names = draw(NAMES)
    dataset = file_of(numbers, units, calendar, names=names, latitude=latitude, longitude=longitude)
    dataset[names[0]].attrs["standard_name"] = "time"
    if draw(st.booleans()):
        dataset = dataset.isel({names[1]: slice(None, None, -1)})
    if draw(st.booleans()):
        dataset = dataset.isel({names[0]: slice(None, None, -1)})
    dataset = dataset.transpose(*draw(st.permutations(names)))
    if draw(st.booleans()):
        dataset = dataset.expand_dims({draw(st.sampled_from(("number", "plev", "height"))): [1.0]}, axis=draw(st.integers(0, 3)))
    encoding = draw(
        st.sampled_from(
            ({}, {"dtype": "f8"}, {"dtype": "i4", "scale_factor": 1e-4, "add_offset": 50.0, "_FillValue": -2147483647}, {"zlib": True})
        )
    )
    return dataset, encoding


@given(files())
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_was_written_in_any_dialect_comes_back(file):
    dataset, encoding = file
    content = io.BytesIO(dataset.to_netcdf(engine="h5netcdf", encoding={"t": encoding}))
    assert [variable.problem for variable in contents_of(content)] == [""]
    read = grid_from_file(content, "t")
    where = pattern(np.array(read.latitude), np.array(read.longitude))
    first = [float(np.rint((values.double().numpy() - where).mean())) for values in (read.train.inputs[0, 0], read.train.target[0])]
    right(read, int(first[1] - first[0]), tolerance=5e-3)
    written = dataset[dataset["t"].cf.coordinates["longitude"][0]].values
    assert np.allclose(np.sort(np.array(read.longitude) % 360), np.sort((written + 1e-7) % 360), atol=1e-4)


@given(files(), st.floats(0, 1), st.binary(min_size=1, max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_damaged_file_is_one_sentence_or_opens(file, place, damage):
    content = dataset_bytes(file[0])
    start = int(place * (len(content) - len(damage)))
    for damaged in (content[:start] + damage + content[start + len(damage) :], content[:start]):
        try:
            grid_from_file(io.BytesIO(damaged), "t")
        except ValueError as refusal:
            assert type(refusal) is ValueError and "\n" not in str(refusal) and str(refusal).startswith("expected")


def dataset_bytes(dataset: xr.Dataset) -> bytes:
    return bytes(dataset.to_netcdf(engine="h5netcdf"))


def test_counted_fields_tell_their_step():
    assert np.array_equal(np.rint(counted(3)).mean(axis=(1, 2)), [0, 1, 2])
