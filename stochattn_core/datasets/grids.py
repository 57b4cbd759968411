"""Maps of the user's own, from NetCDF or Zarr, as a Dataset: one variable at one lead time, forecast from the fields at the start."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
import xarray as xr

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.datasets.geography import land_sea_mask
from stochattn_core.datasets.grid_axes import in_order, pick, renamed, unit_name
from stochattn_core.datasets.grid_file import PathOrFile, open_grid, read_values
from stochattn_core.datasets.grid_values import checked, climatology_of, filled

MAX_CASE = {"train": 1000, "calibration": 300, "test": 300}
MAX_NUMBERS = 250_000_000  # in the inputs of a part: 1 GB
MIN_CASE = 8
MIN_TIME = 60
BLOCK_DAYS = 5
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
) -> Dataset:
    """One variable at one lead time, forecast from itself and `inputs` at the start: (case, variable, latitude, longitude).

    source: a NetCDF file or upload, a Zarr folder, or the address of a Zarr store.   variable: its name in the file, with
    the pressure behind it where it has levels ("geopotential_500").   lead_time in hours, a multiple of the step; without
    it the first multiple that is a day or more.   ends: the dates before which train and calibration end, as pandas reads
    them; 60 and 80 percent of the times without. A start is left out when its target is more than a gap away: the first
    start of a part comes `lead_time` after the last target of the part before. Missing values of the inputs become the
    mean of their cell over the training starts and those of the target stay NaN. What was done is told in Dataset.notes; what
    cannot be mended is one ValueError of one sentence. name, title, origin and licence are for files that are not the user's.
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
        lead_time = _lead(lead_time, _step(times, file_name, notes))
        cases = _cases(
            times, pd.Timedelta(hours=lead_time), ends, target.sizes["latitude"] * target.sizes["longitude"] * len(names), file_name
        )
        needed = np.unique(np.concatenate([np.concatenate(pair) for pair in cases.values()]))
        values = []
        for array, each in zip(arrays, names, strict=True):
            # Files give a whole stretch much faster than times picked one by one.
            stretch = slice(int(needed[0]), int(needed[-1]) + 1)
            numbers = read_values(array.isel(time=stretch), file_name).transpose(*AXES).to_numpy()[needed - needed[0]]
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
            block=_blocks(times[needed[init]], max(BLOCK_DAYS, lead_time / 24)),
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


def _step(times: pd.DatetimeIndex, file: str, notes: list[str]) -> pd.Timedelta:
    """The commonest step; times that are missing are whole steps."""
    if len(times) < MIN_TIME:
        raise ValueError(
            f"expected at least {MIN_TIME} times in {file!r}, to train, calibrate and test, got {len(times)}; bring a longer period"
        )
    steps = times[1:] - times[:-1]
    step = steps.value_counts().idxmax()
    if (steps % step != pd.Timedelta(0)).any() or step < pd.Timedelta(hours=1) or step % pd.Timedelta(hours=1) != pd.Timedelta(0):
        odd = steps[(steps % step != pd.Timedelta(0))]
        came = f"{step} and {odd[0]}" if len(odd) else f"{step}"
        raise ValueError(
            f"expected times evenly spaced by whole hours in {file!r}, got steps of {came}; resample them, monthly means cannot be used"
        )
    missing = round((times[-1] - times[0]) / step) + 1 - len(times)
    if missing > len(times):
        raise ValueError(
            f"expected most times between the first and the last in {file!r}, {missing} of {missing + len(times)} are missing; bring fewer gaps"
        )
    if missing:
        notes.append(f"{missing} times are missing; starts without a target at the lead time are left out")
    return step


def _lead(lead_time: int | None, step: pd.Timedelta) -> int:
    hours = int(step / pd.Timedelta(hours=1))
    if lead_time is None:
        return math.ceil(24 / hours) * hours
    if isinstance(lead_time, bool) or int(lead_time) != lead_time or lead_time < 1 or lead_time % hours:
        raise ValueError(
            f"expected a lead time in hours that is a multiple of the step of {hours} h, got {lead_time!r}; try {max(hours, 24)}"
        )
    return int(lead_time)


def _cases(
    times: pd.DatetimeIndex, lead: pd.Timedelta, ends: tuple | None, n_number: int, file: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Positions of start and target of the cases of each part."""
    if n_number > MAX_NUMBERS // (3 * MIN_CASE):
        raise ValueError(
            f"expected fields of at most {MAX_NUMBERS // (3 * MIN_CASE):,} numbers, got {n_number:,} in {file!r}; coarsen the grid"
        )
    then = times.get_indexer(times + lead)
    init = np.flatnonzero(then >= 0)
    first, last = times[0], times[-1]
    bounds = [pd.Timestamp(end) for end in ends] if ends else [first + 0.6 * (last - first), first + 0.8 * (last - first)]
    # A part ends with its last target; the next one's first start keeps a whole lead time away from it.
    begins = [first, *(bound + lead for bound in bounds)]
    finishes = [*bounds, last + pd.Timedelta(1)]
    per_day = max(1, round(pd.Timedelta(days=1) / (times[1:] - times[:-1]).min()))
    cases = {}
    for part, begin, finish in zip(("train", "calibration", "test"), begins, finishes, strict=True):
        some = init[(times[init] >= begin) & (times[then[init]] < finish)]
        stride = max(1, math.ceil(len(some) / min(MAX_CASE[part], max(MIN_CASE, MAX_NUMBERS // n_number))))
        while stride > 1 and math.gcd(stride, per_day) > 1:  # so that all hours of the day have their turn
            stride += 1
        cases[part] = (some[::stride], then[some[::stride]])
    return cases


def _blocks(times: pd.DatetimeIndex, days: float) -> np.ndarray:
    """Cases within the same `days` in one block; at least 3 blocks."""
    span = (times - times[0]) / pd.Timedelta(days=1)
    length = min(days, (span.max() + 1e-6) / 3)
    return np.unique((span // length).astype(int), return_inverse=True)[1]


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
