"""The user's maps from NetCDF or Zarr as a Dataset: one variable at one lead time, forecast from the fields at the init time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import xarray as xr

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.datasets.calendar_means import fit_climatology, fit_monthly_climatology
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.datasets.geography import land_sea_mask
from stochattn_core.readers.door.axes import rename_axes
from stochattn_core.readers.door.calendars import TimeAxis
from stochattn_core.readers.door.places import places_on_axes, with_coordinates
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid.axes import standardise_axes
from stochattn_core.readers.grid.cases import MIN_CASE, chosen_lead_time, lead_text, split_in_time, time_step
from stochattn_core.readers.grid.file import PathOrFile, open_grid, read_values
from stochattn_core.readers.grid.read import read_times
from stochattn_core.readers.grid.values import checked_values, fill_missing, unit_of
from stochattn_core.readers.grid.variables import AXES, select_variable

CONSTANTS = {  # our name of a field that never changes: its names in files
    "land_sea_mask": ("land_sea_mask", "lsm", "land_mask", "sftlf"),
    "orography": ("orography", "geopotential_at_surface", "orog", "surface_geopotential"),
}


def grid_from_file(
    source: PathOrFile,
    variable: str,
    *,
    lead_time: int | None = None,
    inputs: Sequence[str] = (),
    ends: tuple[object, object] | None = None,
    name: str | None = None,
    title: str | None = None,
    origin: str | None = None,
    licence: str = "yours",
    progress: Progress | None = None,
) -> Dataset:
    """Return one variable at one lead time, forecast from itself and `inputs` at the init time: (case, variable, latitude, longitude).

    source: a NetCDF or GRIB file or upload, a Zarr folder, or the address of either.
    variable: its name in the file, followed by the pressure in hPa where it has levels ("geopotential_500"), by the number of a member, ...
    lead_time: a multiple of the step, in hours, or in months or years where there is one field a month or a year; without it the first
        multiple that is a day, a month or a year, or more.
    ends: the dates before which train and calibration end, as pandas reads them; 60 and 80 percent of the period without them.
    progress: counts the times that are read, and may raise to stop.
    name, title, origin, licence: for files that are not the user's.
    The first init time of a part comes `lead_time` after the last target of the part before. An init time without a field at its lead time
    is left out. A missing input becomes the mean of its cell over the training init times; a missing target stays NaN. Dataset.notes say
    what was done; data that cannot be corrected raise a ValueError of one sentence.
    """
    names = (variable, *(other for other in inputs if other != variable))
    with open_grid(source) as (file, file_name):
        notes = list(file.encoding.get("notes", ()))
        arrays = []
        for each in names:
            array, layout_notes = select_variable(file, each, file_name)
            array, axis, axis_notes = standardise_axes(array, file_name)
            arrays.append(array)
            if len(arrays) == 1:
                times = axis
                notes += [*layout_notes, *axis_notes]
        for array in arrays[1:]:
            if any(not np.array_equal(array[axis].values, arrays[0][axis].values) for axis in AXES):
                raise ValueError(f"expected {array.name!r} and {variable!r} at the same times and places, they differ; choose other inputs")
        target = arrays[0]
        units = standard_unit(target.attrs.get("units"))
        notes += time_step(times, file_name)[1]
        n_number = target.sizes["latitude"] * target.sizes["longitude"] * len(names)
        lead_time, lead_notes = chosen_lead_time(lead_time, times, n_number, ends, file_name)
        notes += lead_notes
        cases = split_in_time(times, lead_time, ends, n_number, file_name)
        needed = np.unique(np.concatenate([np.concatenate(pair) for pair in cases.values()]))
        if not len(needed):
            raise _too_few("train", 0, lead_text(lead_time, times.unit), file_name)
        values = []
        for array, each in zip(arrays, names, strict=True):
            fields, read_notes = read_times(array, needed, file_name, progress)
            fields, value_notes = checked_values(fields, each, unit_of(array), file_name)
            values.append(fields)
            notes += [*read_notes, *value_notes]
        constants = _constants(file, target, file_name)
    raw = (
        np.stack(values, axis=1) if len(values) > 1 else values[0][:, None]
    )  # (time, variable, latitude, longitude), of the needed times alone
    del values, fields
    has_values = np.array([all(np.isfinite(field).any() for field in fields_at) for fields_at in raw])  # every variable has one somewhere
    lead = lead_text(lead_time, times.unit)
    positions = _usable_positions(cases, needed, has_values, lead, file_name)
    if not has_values.all():
        notes.append(f"{int((~has_values).sum())} of {len(has_values)} times have no values at all and are left out")
    inputs_at = fill_missing(raw, positions["train"][0])
    splits = {
        part: Split(
            inputs=torch.from_numpy(inputs_at[init]),
            target=torch.from_numpy(raw[valid, 0]),
            index=times.label[needed[init]].rename("init_time"),
            valid_time=valid_labels(times, needed[valid]),
            block=np.arange(len(init)),
        )
        for part, (init, valid) in positions.items()
    }
    valid_at = pd.Series(  # the position of the valid time of each init time
        np.concatenate([needed[valid] for _, valid in positions.values()]),
        pd.Index(np.concatenate([split.index for split in splits.values()])),
    )
    climatology = _climatology(splits["train"], times, valid_at)
    name = name or file_name.rsplit(".", 1)[0]
    return Dataset(
        name=name,
        task="grid",
        title=title or f"{name}: {variable}, {lead} ahead",
        target_name=variable,
        units=units,
        source=origin or f"your file {file_name}",
        licence=licence,
        train=splits["train"],
        calibration=splits["calibration"],
        test=splits["test"],
        feature_names=names,
        lead_time=(lead_time,),
        lead_unit=times.unit,
        references={"persistence": lambda split: split.inputs[:, 0], "climatology": climatology},
        notes=tuple(dict.fromkeys(notes)),
        recipe=f"grid_from_file({file_name!r}, {variable!r}, lead_time={lead_time})",
        latitude=tuple(target["latitude"].values.tolist()),
        longitude=tuple(target["longitude"].values.tolist()),
        constants=constants,
    )


def valid_labels(times: TimeAxis, position: np.ndarray) -> np.ndarray | None:
    """Return the dates of the targets as the file has them, (case, 1); None where they are text, which no file of times can hold."""
    label = times.label[position]
    return label.to_numpy()[:, None] if isinstance(label, pd.DatetimeIndex) else None


def _climatology(train: Split, times: TimeAxis, valid_at: pd.Series) -> Callable[[Split], torch.Tensor]:
    """Return the climatology at the valid times of a part: harmonics of the year in days of the calendar, or means of the months."""

    def valid(split: Split) -> np.ndarray:
        return valid_at.loc[split.index].to_numpy()

    target = train.target.numpy()
    if times.unit == "h":
        harmonics = fit_climatology(target, times.day[valid(train)], times.year_length)
        return lambda split: torch.from_numpy(harmonics(times.day[valid(split)]))
    means = fit_monthly_climatology(target, times.tick[valid(train)] % 12)
    return lambda split: torch.from_numpy(means(times.tick[valid(split)] % 12))


def _usable_positions(
    cases: Mapping[str, tuple[np.ndarray, np.ndarray]], needed: np.ndarray, has_values: np.ndarray, lead: str, file_name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the positions of init times and targets among the needed times, by part; only cases where both have values.

    ValueError where a part has fewer than MIN_CASE such cases.
    """
    positions = {}
    for part, pair in cases.items():
        init, valid = (np.searchsorted(needed, position) for position in pair)
        usable = has_values[init] & has_values[valid]
        if usable.sum() < MIN_CASE:
            raise _too_few(part, int(usable.sum()), lead, file_name)
        positions[part] = init[usable], valid[usable]
    return positions


def _too_few(part: str, n_case: int, lead: str, file_name: str) -> ValueError:
    return ValueError(
        f"expected at least {MIN_CASE} init times with a target {lead} later in the {part} part of {file_name!r}, got {n_case}; bring a longer "
        "period, or a shorter lead time"
    )


def _constants(file: xr.Dataset, target: xr.DataArray, file_name: str) -> dict[str, np.ndarray]:
    """Return land_sea_mask and orography as the file has them on this grid; without a mask, the share of land from our coastlines."""
    latitude, longitude = target["latitude"].values, target["longitude"].values
    constants = {}
    for ours, others in CONSTANTS.items():
        name = next((other for other in others if other in file.data_vars), None)
        if name is None:
            continue
        stored = places_on_axes(rename_axes(with_coordinates(file, name)))[0][name].squeeze()
        if set(stored.dims) != {"latitude", "longitude"} or stored.size != latitude.size * longitude.size or stored.dtype.kind not in "iuf":
            continue
        field = read_values(stored, file_name).transpose("latitude", "longitude")
        field = field.assign_coords(longitude=(field["longitude"] - longitude[0]) % 360).sortby(["latitude", "longitude"])
        values = np.nan_to_num(field.to_numpy().astype(np.float32))
        constants[ours] = values / np.float32(STANDARD_GRAVITY) if "geopotential" in str(stored.name) else values
    if "land_sea_mask" not in constants:
        constants["land_sea_mask"] = land_sea_mask(latitude, longitude)
    return constants
