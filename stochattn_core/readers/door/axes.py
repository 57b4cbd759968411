"""The names that other people give to the axes of a file. This is the only table of them: every reader renames by it, once.

Attributes come first: cf-xarray recognises latitude, longitude and time by standard_name, units or axis, and pressure levels, members and
lead times are recognised by standard_name. The table of names serves files without such attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import cf_xarray  # noqa: F401  (it adds Dataset.cf)
import xarray as xr

# The axes of fields over time, in files of analyses or of one forecast.
AXIS_NAMES = {
    "time": ("time", "valid_time", "init_time", "date", "datetime", "xtime"),
    "latitude": ("latitude", "lat", "lats", "nav_lat", "rlat", "ylat"),
    "longitude": ("longitude", "lon", "lons", "long", "nav_lon", "rlon", "xlon"),
    "level": ("level", "isobaricinhpa", "plev", "pressure_level", "pressure", "lev", "isobaricinpa"),
    "lead_time": (
        "lead_time",
        "step",
        "prediction_timedelta",
        "leadtime",
        "forecast_period",
        "horizon",
        "lead",
        "forecast_hour",
        "lead_times",
    ),
    "member": (
        *("member", "number", "realization", "realisation", "ensemble_member", "ensemble", "ens", "members", "ensemble_members"),
        *("ens_member", "ensmember", "realizations", "realisations", "perturbation", "draw", "sample", "samples"),
    ),
}
# The axes of an ensemble of forecasts, where a time is the init time unless the file has another axis for it.
FORECAST_AXIS_NAMES = {
    "init_time": (
        *("init_time", "forecast_reference_time", "initialization_time", "initialisation_time", "inittime", "reference_time", "base_time"),
        *("issue_time", "start_date", "init", "time"),
    ),
    **{axis: AXIS_NAMES[axis] for axis in ("member", "lead_time", "latitude", "longitude")},
}
_STANDARD_NAMES = {"level": "air_pressure", "lead_time": "forecast_period", "member": "realization", "init_time": "forecast_reference_time"}
_ROTATED = ("grid_latitude", "grid_longitude")  # standard names of degrees on a rotated globe, which are no places on Earth
_DEGREES = {"latitude": r"degrees?_?(north|n)", "longitude": r"degrees?_?(east|e)"}  # spellings that cf-xarray does not know, too


def rename_axes(dataset: xr.Dataset, names: Mapping[str, Sequence[str]] = AXIS_NAMES, *, dimensions_only: bool = False) -> xr.Dataset:
    """Rename dimensions and coordinates to the names of this project. An axis that has its name already stays as it is.

    names: AXIS_NAMES or FORECAST_AXIS_NAMES.   dimensions_only: leave coordinates that are no dimension alone.
    """
    dimensions = [str(name) for name in dataset.dims]
    candidates = dimensions if dimensions_only else [*dimensions, *(str(name) for name in dataset.coords if name not in dataset.dims)]
    present = {str(name) for name in (*dataset.variables, *dataset.dims)}
    new_names: dict[str, str] = {}
    for axis, others in names.items():
        if axis in present:
            continue
        recognised = [name for name in _recognised(dataset, axis) if name in candidates]
        named = [name for other in others for name in candidates if name.lower() == other and not _is_rotated(dataset, name)]
        order = (*(name for name in recognised if name in dimensions), *named, *recognised)
        foreign = next((name for name in order if name not in new_names), None)
        if foreign is not None:
            new_names[foreign] = axis
    return dataset.rename(new_names)


def _recognised(dataset: xr.Dataset, axis: str) -> list[str]:
    """Return the coordinates whose attributes say that they are this axis."""
    by_standard_name = dataset.cf.standard_names.get(_STANDARD_NAMES.get(axis, ""), [])
    by_coordinate = dataset.cf.coordinates.get("time" if axis == "init_time" else axis, [])
    by_units = [
        name
        for name in dataset.coords
        if axis in _DEGREES and re.fullmatch(_DEGREES[axis], str(dataset[name].attrs.get("units", "")).strip(), re.IGNORECASE)
    ]
    return [str(name) for name in (*by_standard_name, *by_coordinate, *by_units)]


def _is_rotated(dataset: xr.Dataset, name: str) -> bool:
    return name in dataset.coords and dataset[name].attrs.get("standard_name") in _ROTATED
