"""Lists the variables of a gridded file, and which of them can be forecast, at which levels and lead times. No field is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.readers.door.axes import rename_axes
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid_axes import pressure_levels, select_variable, standardise_axes
from stochattn_core.readers.grid_cases import possible_lead_times, time_step
from stochattn_core.readers.grid_file import PathOrFile, open_grid


@dataclass(frozen=True)
class GridVariable:
    """One variable of a gridded file.

    axes: (name, length) in the order of the file.   levels: to choose from, () where there is no choice; pressures in hPa.
    first, last, step: its times, None with a problem.   leads: the lead times in hours that its period allows.
    problem: the sentence with which grid_from_file would refuse it, "" where nothing speaks against it.
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
        """Return the name that grid_from_file takes for this level."""
        return self.name if level is None else f"{self.name}_{level:g}"


def contents_of(source: PathOrFile) -> tuple[GridVariable, ...]:
    """Return the variables of two dimensions and more, those that can be forecast first. ValueError as for grid_from_file."""
    with open_grid(source) as (file, name):
        file = rename_axes(file)
        variables = [_described(file, str(variable), name) for variable, array in file.data_vars.items() if array.ndim > 1]
    if not variables:
        names = ", ".join(sorted(map(str, file.variables)))[:200] or "nothing"
        raise ValueError(f"expected variables over time, latitude and longitude in {name!r}, it holds {names}; bring another file")
    return tuple(sorted(variables, key=lambda variable: bool(variable.problem)))


def _described(file: xr.Dataset, name: str, file_name: str) -> GridVariable:
    array = file[name]
    variable = GridVariable(
        name=name,
        title=str(array.attrs.get("long_name") or array.attrs.get("standard_name") or ""),
        units=standard_unit(array.attrs.get("units")),
        axes=tuple((str(axis), n) for axis, n in array.sizes.items()),
    )
    if array.sizes.get("level", 1) > 1 and "level" in array.coords and np.issubdtype(file["level"].dtype, np.number):
        units = standard_unit(file["level"].attrs.get("units"))
        level_units = "hPa" if units in ("", "Pa", "hPa") else units
        variable = replace(variable, levels=tuple(pressure_levels(array).tolist()), level_units=level_units)
    try:
        selected = variable.at(variable.levels[0] if variable.levels else None)
        fields, _ = standardise_axes(select_variable(file, selected, file_name), file_name)
        times = pd.DatetimeIndex(fields["time"].values)
        n_cell = fields.sizes["latitude"] * fields.sizes["longitude"]
        leads = possible_lead_times(times, n_cell, file_name, leap_days=fields["time"].attrs["leap_days"])
        if not leads:
            raise ValueError(
                f"expected a period long enough to train, calibrate and test in {file_name!r}, got {len(times)} times; bring more"
            )
        return replace(variable, first=times[0], last=times[-1], step=time_step(times, file_name)[0], leads=leads)
    except ValueError as problem:
        return replace(variable, problem=str(problem))
