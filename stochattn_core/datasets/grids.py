"""Maps of the user's own, from NetCDF or Zarr, as a Dataset: one variable at one lead time, forecast from the fields at the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
import xarray as xr

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.datasets.geography import land_sea_mask
from stochattn_core.datasets.grid_axes import NAMES, in_order, pick, renamed, unit_name
from stochattn_core.datasets.grid_file import PathOrFile, open_grid, read_values
from stochattn_core.datasets.grid_times import MIN_CASE, blocks_of, cases_of, lead_of, step_of
from stochattn_core.datasets.grid_values import checked, climatology_of, filled

BLOCK_DAYS = 5
BLOCK_BYTES = 32 << 20  # that are read at a time
AXES = ("time", "latitude", "longitude")
GRAVITY = 9.80665  # m s-2
CONSTANTS = {  # ours: what files call it
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
    """One variable at one lead time, forecast from itself and `inputs` at the start: (case, variable, latitude, longitude).

    source: a NetCDF file or upload, a Zarr folder, or the address of either.   variable: its name in the file, with the pressure
    behind it where it has levels ("geopotential_500").   lead_time in hours, a multiple of the step; without it the first multiple
    that is a day or more.   ends: the dates before which train and calibration end, as pandas reads them; 60 and 80 percent of the
    times without. A start is left out when its target is more than a gap away: the first start of a part comes `lead_time` after the
    last target of the part before. Missing values of the inputs become the mean of their cell over the training starts and those of
    the target stay NaN. What was done is told in Dataset.notes; what cannot be corrected is one ValueError of one sentence. progress
    counts the times that are read and may raise. name, title, origin and licence are for files that are not the user's.
    """
    names = (variable, *(other for other in inputs if other != variable))
    with open_grid(source) as (file, file_name):
        file = renamed(file)
        ordered = [in_order(pick(file, each, file_name), file_name) for each in names]
        arrays, notes = [array for array, _ in ordered], list(ordered[0][1])
        for array in arrays[1:]:
            if any(not np.array_equal(array[axis].values, arrays[0][axis].values) for axis in AXES):
                raise ValueError(f"expected {array.name!r} and {variable!r} at the same times and places, they differ; choose other inputs")
        target = arrays[0]
        units = unit_name(target.attrs.get("units"))
        times = pd.DatetimeIndex(target["time"].values)
        lead_time = lead_of(lead_time, step_of(times, file_name, notes))
        cases = cases_of(
            times, pd.Timedelta(hours=lead_time), ends, target.sizes["latitude"] * target.sizes["longitude"] * len(names), file_name
        )
        needed = np.unique(np.concatenate([np.concatenate(pair) for pair in cases.values()]))
        values = []
        for array, each in zip(arrays, names, strict=True):
            numbers = _read(array, needed, file_name, progress)
            numbers, told = checked(numbers, each, unit_name(array.attrs.get("units")), file_name)
            values.append(numbers)
            notes += told
        constants = _constants(file, target, file_name)
    raw = np.stack(values, axis=1)  # (time, variable, latitude, longitude), of the needed times alone
    whole = np.isfinite(raw).any(axis=(2, 3)).all(axis=1)  # no variable is missing altogether
    place = {}
    for part, pair in cases.items():
        init, then = (np.searchsorted(needed, positions) for positions in pair)
        place[part] = init[whole[init] & whole[then]], then[whole[init] & whole[then]]
        if len(place[part][0]) < MIN_CASE:
            raise ValueError(
                f"expected at least {MIN_CASE} starts with a target {lead_time} h later in the {part} part of {file_name!r}, got "
                f"{len(place[part][0])}; bring a longer period, or a shorter lead time"
            )
    if not whole.all():
        notes.append(f"{int((~whole).sum())} of {len(whole)} times have no values at all and are left out")
    given, told = filled(raw, place["train"][0])
    notes += told
    splits = {
        part: Split(
            inputs=torch.from_numpy(given[init]),
            target=torch.from_numpy(raw[then, 0]),
            index=pd.DatetimeIndex(times[needed[init]], name="init_time"),
            block=blocks_of(times[needed[init]], max(BLOCK_DAYS, lead_time / 24)),
        )
        for part, (init, then) in place.items()
    }
    lead = pd.Timedelta(hours=lead_time)
    expected = climatology_of(splits["train"].target.numpy(), splits["train"].index + lead)
    name = name or file_name.rsplit(".", 1)[0]
    return Dataset(
        name=name,
        task="grid",
        title=title or f"{name}: {variable}, {lead_time} h ahead",
        target_name=variable,
        units=units,
        source=origin or f"your file {file_name}",
        licence=licence,
        **splits,
        feature_names=names,
        lead_time=(lead_time,),
        lead_unit="h",
        references={
            "persistence": lambda split: split.inputs[:, 0],
            "climatology": lambda split: torch.from_numpy(expected(split.index + lead)),
        },
        notes=tuple(dict.fromkeys(notes)),
        latitude=tuple(target["latitude"].values.tolist()),
        longitude=tuple(target["longitude"].values.tolist()),
        constants=constants,
    )


def _read(array: xr.DataArray, needed: np.ndarray, file_name: str, progress: Progress | None) -> np.ndarray:
    """The needed times: (time, latitude, longitude) float32. Whole stretches, as files give them much faster than times picked one by one."""
    chunks = array.encoding.get("preferred_chunks", {})
    chunk = next((n for name, n in chunks.items() if str(name).lower() in NAMES["time"]), 1)
    length = max(1, BLOCK_BYTES // max(1, array.nbytes // array.sizes["time"]) // chunk) * chunk
    first, parts = int(needed[0]) // length * length, []
    for start in range(first, int(needed[-1]) + 1, length):
        wanted = needed[(needed >= start) & (needed < start + length)] - start
        if len(wanted):
            block = read_values(array.isel(time=slice(start, min(start + length, array.sizes["time"]))), file_name)
            parts.append(block.transpose(*AXES).to_numpy()[wanted].astype(np.float32))
        if progress is not None:
            progress(min(start + length, int(needed[-1]) + 1) - first, int(needed[-1]) + 1 - first, f"reading the times of {array.name}")
    return np.concatenate(parts)


def _constants(file: xr.Dataset, target: xr.DataArray, file_name: str) -> dict[str, np.ndarray]:
    """Land and height as the file has them on this grid; without, the share of land from the coastlines of this project."""
    latitude, longitude = target["latitude"].values, target["longitude"].values
    constants = {}
    for ours, others in CONSTANTS.items():
        found = next((file[other] for other in others if other in file.data_vars), None)
        if found is None or set(found.dims) != {"latitude", "longitude"} or found.size != latitude.size * longitude.size:
            continue
        field = read_values(found, file_name).transpose("latitude", "longitude")
        field = field.assign_coords(longitude=(field["longitude"] - longitude[0]) % 360).sortby(["latitude", "longitude"])
        values = np.nan_to_num(field.to_numpy().astype(np.float32))
        constants[ours] = values / np.float32(GRAVITY) if "geopotential" in str(found.name) else values
    if "land_sea_mask" not in constants:
        constants["land_sea_mask"] = land_sea_mask(latitude, longitude)
    return constants
