"""A look at a gridded file before anything runs: its variables, their first and last values, and what would be forecast how far ahead."""

from __future__ import annotations

import numpy as np
import xarray as xr

from stochattn_core.datasets.base import PARTS
from stochattn_core.readers.door.calendars import YEAR_LENGTH, TimeAxis, label_text
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid.axes import KnownTimes, standardise_axes
from stochattn_core.readers.grid.cases import chosen_lead_time, lead_text, possible_lead_times, split_in_time, step_text, time_step
from stochattn_core.readers.grid.contents import GridVariable, described
from stochattn_core.readers.grid.file import PathOrFile, open_grid
from stochattn_core.readers.grid.read import read_times
from stochattn_core.readers.grid.values import missing_share
from stochattn_core.readers.grid.variables import select_variable, value_text
from stochattn_core.readers.look import Look, LookColumn

N_SHOWN = 3  # first and last values
MAX_READ = 20  # variables of which values are read
MAX_CELL = 4_000_000  # of a field that is read for a look


def look_grid(
    source: PathOrFile,
    variable: str | None = None,
    *,
    lead_time: int | None = None,
    level: float | str | None = None,
    with_values: bool = True,
) -> Look:
    """Return what the file holds, and what grid_from_file would make of one variable.

    variable: a name as for grid_from_file; without one the first that can be forecast.   lead_time: as for grid_from_file.   level: the value
    of a further axis, such as a pressure in hPa, in place of a number behind the name.   with_values: read the first and last fields, of the
    named variable, or of the first MAX_READ without a name. A file that cannot be opened is a ValueError of one sentence; a variable that
    cannot be forecast is Look.problem.
    """
    with open_grid(source) as (file, name):
        known: KnownTimes = []
        variables = described(file, name, known)
        is_read = {one.name for one in variables[:MAX_READ] if with_values and (variable is None or is_of(one.name, variable))}
        columns = tuple(_column(file, one, variable, name, known if one.name in is_read else None) for one in variables)
        notes = list(file.encoding.get("notes", ()))
        if variable is None:
            chosen = variables[0]
            variable = chosen.at(*(choice.values[0] for choice in chosen.choices if level is None))
            if not chosen.problem and (len(variables) > 1 or chosen.choices):
                notes.append(
                    f"no variable was named: {variable!r} is looked at, the first that can be forecast; name another variable to change it"
                )
        if level is not None:
            variable = f"{variable}_{value_text(level)}"
        try:
            facts, more = _facts(file, variable, lead_time, name)
        except ValueError as problem:
            return Look(name, "maps", columns, (), tuple(notes), str(problem))
    return Look(name, "maps", columns, tuple(facts), tuple(dict.fromkeys([*notes, *more])))


def is_of(name: str, variable: str) -> bool:
    """Is this the variable of the file that stands in front of the values of its further axes?"""
    return variable == name or variable.startswith(f"{name}_")


def _column(file: xr.Dataset, variable: GridVariable, named: str | None, name: str, known: KnownTimes | None) -> LookColumn:
    """Return a variable as recognised, with values of the cell in the middle at its first and last times.

    named: the variable with values of its further axes, where these are chosen; the first of each otherwise.   known: see standardise_axes;
    None to read no values.
    """
    shape = " × ".join(f"{axis} {n:,}" for axis, n in variable.axes)
    column = LookColumn(variable.name, "maps", units=variable.units, shape=shape, problem=variable.problem)
    if variable.problem:
        return LookColumn(variable.name, "other", units=variable.units, shape=shape, problem=variable.problem)
    if known is None:
        return column
    try:
        first_choice = variable.at(*(choice.values[0] for choice in variable.choices))
        selected, _ = select_variable(file, named if named and named != variable.name else first_choice, name)
        fields, times, _ = standardise_axes(selected, name, known)
        if fields.sizes["latitude"] * fields.sizes["longitude"] > MAX_CELL:
            return column
        ends = np.unique([*range(N_SHOWN), *range(len(times) - N_SHOWN, len(times))])
        values = np.concatenate([read_times(fields, part, name, None)[0] for part in (ends[:N_SHOWN], ends[N_SHOWN:])])
    except ValueError as problem:
        return LookColumn(variable.name, "other", units=variable.units, shape=shape, problem=str(problem))
    cell = values[:, values.shape[1] // 2, values.shape[2] // 2]
    numbers = [f"{number:.7g}" if np.isfinite(number) else "missing" for number in cell]
    return LookColumn(
        variable.name,
        "maps",
        tuple(numbers[:N_SHOWN]),
        tuple(numbers[N_SHOWN:]),
        missing_share(values, variable.name),
        variable.units,
        shape,
    )


def _facts(file: xr.Dataset, variable: str, lead_time: int | None, name: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return label and value of what follows from the variable, in the words of grid_from_file, and the notes that it would make."""
    selected, notes = select_variable(file, variable, name)
    array, times, axis_notes = standardise_axes(selected, name)
    step, step_notes = time_step(times, name)
    n_cell = array.sizes["latitude"] * array.sizes["longitude"]
    lead, lead_notes = chosen_lead_time(lead_time, times, n_cell, None, name)
    cases = split_in_time(times, lead, None, n_cell, name)
    possible = possible_lead_times(times, n_cell, name)
    latitude, longitude = array["latitude"].values, array["longitude"].values
    middle = (latitude[len(latitude) // 2], longitude[len(longitude) // 2])
    units = standard_unit(array.attrs.get("units"))
    facts = [
        ("forecast", f"{variable}{f' in {units}' if units else ''}, {lead_text(lead, times.unit)} ahead"),
        ("time step", step_text(step, times.unit)),
        ("calendar", _calendar_text(times)),
        ("period", f"{label_text(times.label[0])} to {label_text(times.label[-1])}, {len(times):,} times"),
        ("latitudes", _axis_text(latitude)),
        ("longitudes", _axis_text(longitude)),
        ("lead times", ", ".join([*map(str, possible[:-1]), *(lead_text(each, times.unit) for each in possible[-1:])]) or "none"),
        *((part, _part_text(times, *cases[part])) for part in PARTS),
        ("gap", f"at least {lead_text(lead, times.unit)} between parts"),
        ("values shown", f"first and last {N_SHOWN} times, at latitude {middle[0]:g}, longitude {middle[1]:g}"),
    ]
    return facts, [*notes, *axis_notes, *step_notes, *lead_notes]


def _calendar_text(times: TimeAxis) -> str:
    return "standard" if times.calendar == "standard" else f"{times.calendar}, {YEAR_LENGTH[times.calendar]:g} days a year"


def _axis_text(values: np.ndarray) -> str:
    return f"{len(values):,}, from {values[0]:g} to {values[-1]:g} degrees"


def _part_text(times: TimeAxis, init: np.ndarray, target: np.ndarray) -> str:
    if not len(init):
        return "no init time with a target"
    return f"{len(init):,} init times, {label_text(times.label[init[0]])} to {label_text(times.label[init[-1]])}"
