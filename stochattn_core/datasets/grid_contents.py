"""What a gridded file holds, from its tables of contents alone: its variables, and which of them can be forecast, at which levels and lead times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.datasets.grid_axes import in_order, levels_of, pick, renamed, unit_name
from stochattn_core.datasets.grid_file import PathOrFile, open_grid
from stochattn_core.datasets.grid_times import leads_of, step_of


@dataclass(frozen=True)
class GridVariable:
    """One variable of a gridded file. problem says in a sentence why grid_from_file would refuse it, "" where nothing speaks against it.

    axes: (name, length) in the order of the file.   levels: to choose from, () where there is none to choose; pressures in hPa.
    first, last and step: its times; None with a problem.   leads: the lead times in hours that its period allows.
    """

    name: str
    title: str
    units: str
    axes: tuple[tuple[str, int], ...]
    levels: tuple[float, ...] = ()
    level_units: str = ""
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    step: pd.Timedelta | None = None
    leads: tuple[int, ...] = ()
    problem: str = ""

    def at(self, level: float | None) -> str:
        """The name that grid_from_file takes."""
        return self.name if level is None else f"{self.name}_{level:g}"


def contents_of(source: PathOrFile) -> tuple[GridVariable, ...]:
    """The variables of two dimensions and more, those that can be forecast first. No field is read. ValueError as for grid_from_file."""
    with open_grid(source) as (file, name):
        file = renamed(file)
        found = [_described(file, str(each), name) for each, array in file.data_vars.items() if array.ndim > 1]
    if not found:
        there = ", ".join(sorted(map(str, file.variables)))[:200] or "nothing"
        raise ValueError(f"expected variables over time, latitude and longitude in {name!r}, it holds {there}; bring another file")
    return tuple(sorted(found, key=lambda variable: bool(variable.problem)))


def _described(file: xr.Dataset, name: str, file_name: str) -> GridVariable:
    array = file[name]
    about = {
        "name": name,
        "title": str(array.attrs.get("long_name") or array.attrs.get("standard_name") or ""),
        "units": unit_name(array.attrs.get("units")),
        "axes": tuple((str(axis), n) for axis, n in array.sizes.items()),
    }
    levels: tuple[float, ...] = ()
    if array.sizes.get("level", 1) > 1 and "level" in array.coords and np.issubdtype(file["level"].dtype, np.number):
        levels = tuple(levels_of(array).tolist())
        units = unit_name(file["level"].attrs.get("units"))
        about |= {"levels": levels, "level_units": "hPa" if units in ("", "Pa", "hPa") else units}
    try:
        one, _ = in_order(pick(file, f"{name}_{levels[0]:g}" if levels else name, file_name), file_name)
        times = pd.DatetimeIndex(one["time"].values)
        leads = leads_of(times, one.sizes["latitude"] * one.sizes["longitude"], file_name)
        if not leads:
            raise ValueError(
                f"expected a period long enough to train, calibrate and test in {file_name!r}, got {len(times)} times; bring more"
            )
        return GridVariable(**about, first=times[0], last=times[-1], step=step_of(times, file_name, []), leads=leads)
    except ValueError as problem:
        return GridVariable(**about, problem=str(problem))
