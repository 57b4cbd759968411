"""Lists the variables of a gridded file, and which of them can be forecast, at which levels and lead times. No field is read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd
import xarray as xr

from stochattn_core.readers.door.calendars import LeadUnit, TimeAxis
from stochattn_core.readers.door.places import is_coordinate
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid.axes import KnownTimes, standardise_axes
from stochattn_core.readers.grid.cases import possible_lead_times, step_text, time_step
from stochattn_core.readers.grid.file import PathOrFile, open_grid
from stochattn_core.readers.grid.variables import Choice, choices_of, recognised, select_variable, value_text

BOUNDS = ("bnds", "bounds", "nv", "nbnd", "nbnds", "nvertex", "vertices", "axis_nbounds", "tbnds")  # dimensions of the edges of cells


@dataclass(frozen=True)
class GridVariable:
    """One variable of a gridded file.

    axes: (name, length) in the order of the file.   choices: the further axes, of each of which one value must be chosen; pressures in hPa.
    times: None with a problem.   step: between times, None where it is counted in months.   every: the step as text.   leads: the lead
    times that the period allows, in lead_unit.
    notes: what was recognised.   problem: the sentence with which grid_from_file would refuse it, "" where nothing speaks against it.
    """

    name: str
    title: str
    units: str
    axes: tuple[tuple[str, int], ...]
    choices: tuple[Choice, ...] = ()
    times: TimeAxis | None = field(default=None, compare=False)
    step: pd.Timedelta | None = None
    every: str = ""
    leads: tuple[int, ...] = ()
    lead_unit: LeadUnit = "h"
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def first(self) -> pd.Timestamp | str | None:
        """The first date, text where pandas cannot hold it, None with a problem."""
        return None if self.times is None else self.times.label[0]

    @property
    def last(self) -> pd.Timestamp | str | None:
        """The last date, see `first`."""
        return None if self.times is None else self.times.label[-1]

    @property
    def levels(self) -> tuple[float | str, ...]:
        """The levels to choose from, pressures in hPa; () where there is no choice."""
        return next((choice.values for choice in self.choices if choice.axis == "level"), ())

    def at(self, *values: float | str | None) -> str:
        """Return the name that grid_from_file takes for these values of the choices; None chooses nothing."""
        return "_".join([self.name, *(value_text(value) for value in values if value is not None)])


def contents_of(source: PathOrFile) -> tuple[GridVariable, ...]:
    """Return the variables of two dimensions and more, those that can be forecast first. ValueError as for grid_from_file."""
    with open_grid(source) as (file, name):
        return described(file, name)


def described(file: xr.Dataset, name: str, known: KnownTimes | None = None) -> tuple[GridVariable, ...]:
    """Return the variables of an open file, see `contents_of`. Coordinates and the edges of cells are no variables. known: see standardise_axes."""
    edges = {str(coordinate.attrs.get(key, "")) for coordinate in file.variables.values() for key in ("bounds", "climatology")}
    names = [
        str(variable)
        for variable, array in file.data_vars.items()
        if array.ndim > 1
        and str(variable) not in edges
        and not is_coordinate(array)
        and not any(str(dim).lower() in BOUNDS for dim in array.dims)
    ]
    if not names:
        held = ", ".join(sorted(map(str, file.variables)))[:200] or "nothing"
        raise ValueError(f"expected variables over time, latitude and longitude in {name!r}, it holds {held}; bring another file")
    known = [] if known is None else known
    return tuple(sorted((_described(file, variable, name, known) for variable in names), key=lambda variable: bool(variable.problem)))


def _described(file: xr.Dataset, name: str, file_name: str, known: KnownTimes) -> GridVariable:
    array = file[name]
    variable = GridVariable(
        name=name,
        title=str(array.attrs.get("long_name") or array.attrs.get("standard_name") or ""),
        units=standard_unit(array.attrs.get("units")),
        axes=tuple((str(axis), n) for axis, n in array.sizes.items()),
    )
    try:
        array, _ = recognised(file, name, file_name)
        variable = replace(variable, axes=tuple((str(axis), n) for axis, n in array.sizes.items()), choices=tuple(choices_of(array)))
        selected, notes = select_variable(file, variable.at(*(choice.values[0] for choice in variable.choices)), file_name)
        fields, times, axis_notes = standardise_axes(selected, file_name, known)
        leads = possible_lead_times(times, fields.sizes["latitude"] * fields.sizes["longitude"], file_name)
        if not leads:
            raise ValueError(
                f"expected a period long enough to train, calibrate and test in {file_name!r}, got {len(times)} times; bring more"
            )
        step, step_notes = time_step(times, file_name)
        notes = [*notes, *axis_notes, *step_notes]
        length = pd.Timedelta(seconds=step) if times.unit == "h" else None
        every = step_text(step, times.unit)
        return replace(variable, times=times, step=length, every=every, leads=leads, lead_unit=times.unit, notes=tuple(notes))
    except ValueError as problem:
        return replace(variable, problem=str(problem))
