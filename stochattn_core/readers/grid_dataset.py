"""The user's maps from NetCDF or Zarr as a Dataset: one variable at one lead time, forecast from the fields at the init time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import xarray as xr

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.datasets.geography import land_sea_mask
from stochattn_core.readers.climatology import fit_climatology
from stochattn_core.readers.door.axes import AXIS_NAMES, rename_axes
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.grid_axes import AXES, select_variable, standardise_axes
from stochattn_core.readers.grid_cases import MIN_CASE, checked_lead_time, split_in_time, time_blocks, time_step
from stochattn_core.readers.grid_file import PathOrFile, open_grid, read_values
from stochattn_core.readers.grid_values import checked_values, fill_missing

BLOCK_DAYS = 5
BLOCK_BYTES = 32 << 20  # read at a time
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

    source: a NetCDF file or upload, a Zarr folder, or the address of either.
    variable: its name in the file, followed by the pressure in hPa where it has levels ("geopotential_500").
    lead_time: in hours, a multiple of the step; without it the first multiple that is a day or more.
    ends: the dates before which train and calibration end, as pandas reads them; 60 and 80 percent of the period without them.
    progress: counts the times that are read, and may raise to stop.
    name, title, origin, licence: for files that are not the user's.
    The first init time of a part comes `lead_time` after the last target of the part before. An init time without a field at its lead time
    is left out. A missing input becomes the mean of its cell over the training init times; a missing target stays NaN. Dataset.notes say
    what was done; data that cannot be corrected raise a ValueError of one sentence.
    """
    names = (variable, *(other for other in inputs if other != variable))
    with open_grid(source) as (file, file_name):
        file = rename_axes(file)
        standardised = [standardise_axes(select_variable(file, each, file_name), file_name) for each in names]
        arrays, notes = [array for array, _ in standardised], list(standardised[0][1])
        for array in arrays[1:]:
            if any(not np.array_equal(array[axis].values, arrays[0][axis].values) for axis in AXES):
                raise ValueError(f"expected {array.name!r} and {variable!r} at the same times and places, they differ; choose other inputs")
        target = arrays[0]
        units = standard_unit(target.attrs.get("units"))
        times = pd.DatetimeIndex(target["time"].values)
        step, step_notes = time_step(times, file_name)
        notes += step_notes
        lead_time = checked_lead_time(lead_time, step)
        lead, n_number = pd.Timedelta(hours=lead_time), target.sizes["latitude"] * target.sizes["longitude"] * len(names)
        cases = split_in_time(times, lead, ends, n_number, file_name, leap_days=target["time"].attrs["leap_days"])
        needed = np.unique(np.concatenate([np.concatenate(pair) for pair in cases.values()]))
        values = []
        for array, each in zip(arrays, names, strict=True):
            fields = _read_times(array, needed, file_name, progress)
            fields, value_notes = checked_values(fields, each, standard_unit(array.attrs.get("units")), file_name)
            values.append(fields)
            notes += value_notes
        constants = _constants(file, target, file_name)
    raw = np.stack(values, axis=1)  # (time, variable, latitude, longitude), of the needed times alone
    has_values = np.isfinite(raw).any(axis=(2, 3)).all(axis=1)  # every variable has a value somewhere
    positions = _usable_positions(cases, needed, has_values, lead_time, file_name)
    if not has_values.all():
        notes.append(f"{int((~has_values).sum())} of {len(has_values)} times have no values at all and are left out")
    inputs_at = fill_missing(raw, positions["train"][0])
    splits = {
        part: Split(
            inputs=torch.from_numpy(inputs_at[init]),
            target=torch.from_numpy(raw[valid, 0]),
            index=pd.DatetimeIndex(times[needed[init]], name="init_time"),
            block=time_blocks(times[needed[init]], max(BLOCK_DAYS, lead_time / 24)),
        )
        for part, (init, valid) in positions.items()
    }
    climatology = fit_climatology(splits["train"].target.numpy(), _valid_times(splits["train"], lead))
    name = name or file_name.rsplit(".", 1)[0]
    return Dataset(
        name=name,
        task="grid",
        title=title or f"{name}: {variable}, {lead_time} h ahead",
        target_name=variable,
        units=units,
        source=origin or f"your file {file_name}",
        licence=licence,
        train=splits["train"],
        calibration=splits["calibration"],
        test=splits["test"],
        feature_names=names,
        lead_time=(lead_time,),
        lead_unit="h",
        references={
            "persistence": lambda split: split.inputs[:, 0],
            "climatology": lambda split: torch.from_numpy(climatology(_valid_times(split, lead))),
        },
        notes=tuple(dict.fromkeys(notes)),
        recipe=f"grid_from_file({file_name!r}, {variable!r}, lead_time={lead_time})",
        latitude=tuple(target["latitude"].values.tolist()),
        longitude=tuple(target["longitude"].values.tolist()),
        constants=constants,
    )


def _usable_positions(
    cases: Mapping[str, tuple[np.ndarray, np.ndarray]], needed: np.ndarray, has_values: np.ndarray, lead_time: int, file_name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the positions of init times and targets among the needed times, by part; only cases where both have values.

    ValueError where a part has fewer than MIN_CASE such cases.
    """
    positions = {}
    for part, pair in cases.items():
        init, valid = (np.searchsorted(needed, position) for position in pair)
        usable = has_values[init] & has_values[valid]
        if usable.sum() < MIN_CASE:
            raise ValueError(
                f"expected at least {MIN_CASE} init times with a target {lead_time} h later in the {part} part of {file_name!r}, got "
                f"{int(usable.sum())}; bring a longer period, or a shorter lead time"
            )
        positions[part] = init[usable], valid[usable]
    return positions


def _valid_times(split: Split, lead: pd.Timedelta) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(split.index) + lead


def _read_times(array: xr.DataArray, needed: np.ndarray, file_name: str, progress: Progress | None) -> np.ndarray:
    """Return the needed times, (time, latitude, longitude) float32. Whole stretches are read: files give them much faster than single times."""
    chunks = array.encoding.get("preferred_chunks", {})
    chunk = next((n for name, n in chunks.items() if str(name).lower() in AXIS_NAMES["time"]), 1)
    length = max(1, BLOCK_BYTES // max(1, array.nbytes // array.sizes["time"]) // chunk) * chunk
    first, parts = int(needed[0]) // length * length, []
    for start in range(first, int(needed[-1]) + 1, length):
        wanted = needed[(needed >= start) & (needed < start + length)] - start
        if len(wanted):
            stretch = read_values(array.isel(time=slice(start, min(start + length, array.sizes["time"]))), file_name)
            parts.append(stretch.transpose(*AXES).to_numpy()[wanted].astype(np.float32))
        if progress is not None:
            progress(min(start + length, int(needed[-1]) + 1) - first, int(needed[-1]) + 1 - first, f"reading the times of {array.name}")
    return np.concatenate(parts)


def _constants(file: xr.Dataset, target: xr.DataArray, file_name: str) -> dict[str, np.ndarray]:
    """Return land_sea_mask and orography as the file has them on this grid; without a mask, the share of land from our coastlines."""
    latitude, longitude = target["latitude"].values, target["longitude"].values
    constants = {}
    for ours, others in CONSTANTS.items():
        stored = next((file[other] for other in others if other in file.data_vars), None)
        if stored is None or set(stored.dims) != {"latitude", "longitude"} or stored.size != latitude.size * longitude.size:
            continue
        field = read_values(stored, file_name).transpose("latitude", "longitude")
        field = field.assign_coords(longitude=(field["longitude"] - longitude[0]) % 360).sortby(["latitude", "longitude"])
        values = np.nan_to_num(field.to_numpy().astype(np.float32))
        constants[ours] = values / np.float32(STANDARD_GRAVITY) if "geopotential" in str(stored.name) else values
    if "land_sea_mask" not in constants:
        constants["land_sea_mask"] = land_sea_mask(latitude, longitude)
    return constants
