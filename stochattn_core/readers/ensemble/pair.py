"""Opens an ensemble and its targets: files, variables, axes, units and notes. Its values are read case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from stochattn_core.readers.door.units import convert, same_unit, standard_unit
from stochattn_core.readers.ensemble.align import align
from stochattn_core.readers.ensemble.axes import standard_dataset
from stochattn_core.readers.ensemble.counts import Counts, count_notes
from stochattn_core.readers.ensemble.times import is_time, lead_numbers
from stochattn_core.readers.ensemble.values import Chunk, NewCodeError, ValueReader
from stochattn_core.readers.ensemble.variables import choose_forecast, choose_target
from stochattn_core.readers.grid.file import PathOrFile, open_grid

BUDGET = 2**26  # bytes of the members of a chunk of cases; a case is never divided
SLOW = 8  # times that a chunk of the file is read, from which it is said
FAR = 5  # standard deviations of the target between two means, from which the units are doubted
Total = TypeVar("Total")


@dataclass(eq=False)
class EnsemblePair:
    """An ensemble of forecasts and its targets, opened.

    n_member, n_case, event: members and cases, and the lengths of the other axes.   dims: names of (case, *event).   index: (case,).
    block: (case,) from the file, None where it has none.   latitude, longitude: degrees, () where there is no such axis.
    lead_time: whole numbers of lead_unit.   stored: cases in a chunk of the file, 1 where it has no chunks.
    notes: what was guessed; `fold` adds what was missing.
    """

    reader: ValueReader
    n_member: int
    n_case: int
    event: tuple[int, ...]
    dims: tuple[str, ...]
    index: pd.Index
    dated: bool
    block: np.ndarray | None
    units: str
    name: str
    lead_time: tuple[int, ...]
    lead_unit: str
    latitude: tuple[float, ...]
    longitude: tuple[float, ...]
    stored: int
    notes: list[str] = field(default_factory=list)

    def fold(self, start: Callable[[], Total], add: Callable[[Total, Chunk], Total], budget: int = BUDGET) -> tuple[Total, tuple[str, ...]]:
        """Return start() with every chunk of cases added in order, and all notes. ValueError where too little is left to score.

        Begins again where a code for missing values appears that earlier chunks were read without. budget: bytes of the members of a chunk.
        """
        array = self.reader.aligned.forecast
        case_bytes = (4 if array.dtype in (np.float32, np.int16, np.int8) else 8) * self.n_member * int(np.prod(self.event, dtype=np.int64))
        step = max(1, budget // case_bytes)
        slow = []
        if self.stored > SLOW * step and case_bytes * self.n_case > budget:
            slow.append(
                f"the forecasts are stored in chunks of {self.stored:,} cases, each of which is read {-(-self.stored // step):,} times; they are scored "
                "in less time if a chunk holds one case of all members"
            )
        while True:
            self.reader.counts = Counts()
            total = start()
            try:
                for first in range(0, self.n_case, step):
                    total = add(total, self.reader.chunk(slice(first, min(first + step, self.n_case))))
            except NewCodeError:
                continue
            name = {"forecast": str(self.reader.aligned.forecast.name), "target": str(self.reader.aligned.target.name)}
            return total, (*self.notes, *slow, *self._unit_notes(), *count_notes(self.reader.counts, name, self.reader.files[0]))

    def _unit_notes(self) -> list[str]:
        reader, notes = self.reader, list[str]()
        if reader.offset:
            notes.append(
                f"{reader.offset} was subtracted from forecast and target, so that whole numbers keep their last digits; no score depends on it"
            )
        forecast, target = reader.counts.means
        if bool(reader.units) != bool(reader.target_units):
            stated, other = ("forecast", "target") if reader.units else ("target", "forecast")
            notes.append(
                f"only the {stated} states its units ({reader.units or reader.target_units}), so nothing is converted: the mean of the forecast is "
                f"{forecast:.6g}, that of the target {target:.6g}; write the units of the {other} into its file if they differ"
            )
        elif 0 < FAR * reader.counts.deviation < abs(forecast - target):
            notes.append(
                f"the mean of the forecast is {forecast:.6g} and that of the target {target:.6g}, more than {FAR} standard deviations of the target "
                "apart; check that both are the same quantity in the same units"
            )
        return notes


@contextmanager
def open_pair(
    source: PathOrFile,
    *,
    truth: PathOrFile | None = None,
    forecast: str | None = None,
    target: str | None = None,
    member: str | None = None,
) -> Iterator[EnsemblePair]:
    """Yield an ensemble and its targets from one file, or from one file each. A NetCDF file, a Zarr store, or the address of either.

    truth: the file of the targets, where they stand elsewhere; joined on valid time.   forecast, target: variables.   member: a dimension.
    ValueError of one sentence where the files do not hold an ensemble and targets that fit together.
    """
    with ExitStack() as stack:
        opened, file = stack.enter_context(open_grid(source))
        dataset, notes = standard_dataset(opened, member, file)
        truth_file, truth_dataset = file, dataset
        if truth is not None:
            other, truth_file = stack.enter_context(open_grid(truth))
            own_member = member if member is not None and member in other.dims else None
            truth_dataset, truth_notes = standard_dataset(other, own_member, truth_file)
            notes += truth_notes
        name, forecast_notes = choose_forecast(dataset, forecast, file)
        target_name, target_notes = choose_target(truth_dataset, dataset[name], target, truth_file, other_file=truth is not None)
        pair = _pair(dataset, dataset[name], truth_dataset[target_name], (file, truth_file), same_file=truth is None)
        pair.notes[:0] = [*notes, *forecast_notes, *target_notes]
        yield pair


def _pair(dataset: xr.Dataset, forecast: xr.DataArray, target: xr.DataArray, files: tuple[str, str], *, same_file: bool) -> EnsemblePair:
    units, target_units = (standard_unit(array.attrs.get("units") or _duration_units(array)) for array in (forecast, target))
    notes = _check_units(forecast, target, units, target_units, files)
    exact = frozenset(role for role, array in (("forecast", forecast), ("target", target)) if _lost_integers(array))
    whole = forecast
    numbered = forecast.assign_coords({f"{dim}_row": (dim, np.arange(n)) for dim, n in forecast.sizes.items()})
    aligned, align_notes = align(numbered, target, files, same_file=same_file)
    array, case = aligned.forecast, aligned.dims[0]
    chunks = forecast.encoding.get("chunks") or forecast.encoding.get("chunksizes")
    notes += align_notes
    if "member" in aligned.target.dims:
        notes.append(f"{target.name!r} is repeated for each member; it is used once")
    reader = ValueReader(aligned, _beside(dataset, "plain", whole, array, aligned.dims), units, target_units, files, exact)
    block = _beside(dataset, "block", whole, array, (case,))
    lead_time, lead_unit = lead_numbers(array)
    degrees = {
        axis: tuple(array[axis].values.tolist()) if axis in aligned.dims and axis in array.coords else ()
        for axis in ("latitude", "longitude")
    }
    notes += _area_notes(dataset, array, degrees["latitude"], files[0])
    levels = [dim for dim in aligned.dims[1:] if dim not in ("lead_time", "latitude", "longitude")]
    notes += [f"all {array.sizes[dim]:,} values of {dim} are scored together" for dim in levels]
    return EnsemblePair(
        reader=reader,
        n_member=array.sizes["member"],
        n_case=array.sizes[case],
        event=array.shape[2:],
        dims=aligned.dims,
        index=pd.Index(array[case].values) if case in array.coords else pd.RangeIndex(array.sizes[case]),
        dated=is_time(array, case) or case in ("init_time", "lead_time"),
        block=None if block is None else np.unique(block.values, return_inverse=True)[1],
        units=units,
        name=str(forecast.attrs.get("long_name") or (forecast.name if forecast.name != "forecast" else "target")),
        lead_time=lead_time if "lead_time" in aligned.dims or len(lead_time) == 1 else (),
        lead_unit=lead_unit,
        latitude=degrees["latitude"],
        longitude=degrees["longitude"] if degrees["latitude"] else (),
        stored=chunks[forecast.dims.index(case)] if chunks and case in forecast.dims else 1,
        notes=notes,
    )


def _beside(dataset: xr.Dataset, name: str, whole: xr.DataArray, forecast: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray | None:
    """Return a variable that stands beside the forecast in its file, (*dims) and at the same places; None where there is none of these dims."""
    if name not in dataset.variables or name == whole.name:
        return None
    array = dataset[name]
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim not in dims], drop=True)
    array = array.expand_dims([dim for dim in dims if dim not in array.dims and forecast.sizes[dim] == 1])
    if (
        set(array.dims) != set(dims)
        or array.dtype.kind not in "iufb"
        or any(dim in whole.dims and array.sizes[dim] != whole.sizes[dim] for dim in dims)
    ):
        return None
    rows = {dim: forecast[f"{dim}_row"].values for dim in dims if f"{dim}_row" in forecast.coords}
    return array.isel({dim: np.atleast_1d(row) for dim, row in rows.items()}).transpose(*dims)


def _check_units(forecast: xr.DataArray, target: xr.DataArray, units: str, target_units: str, files: tuple[str, str]) -> list[str]:
    """Return a note where the target is to be converted. ValueError where both state units that do not convert."""
    if not units or not target_units or same_unit(units, target_units):
        return []
    try:
        convert(np.zeros(1), target_units, units)
    except ValueError:
        raise ValueError(
            f"expected forecast and target in units of the same quantity, got {forecast.name!r} of {files[0]!r} in {units!r} and {target.name!r} "
            f"of {files[1]!r} in {target_units!r}; choose another with --target, or correct the attribute units"
        ) from None
    return [f"{target.name!r} is in {target_units} and {forecast.name!r} in {units}: the target is converted to {units}"]


def _duration_units(array: xr.DataArray) -> str:
    return str(array.encoding.get("units", "")) if array.dtype.kind == "m" else ""


def _lost_integers(array: xr.DataArray) -> bool:
    """Has xarray turned integers of 64 bits into floats, because they have a fill value?"""
    stored = np.dtype(array.encoding.get("dtype", array.dtype))
    return stored.kind in "iu" and stored.itemsize == 8 and array.dtype.kind == "f" and "scale_factor" not in array.encoding


def _area_notes(dataset: xr.Dataset, forecast: xr.DataArray, latitude: tuple[float, ...], file: str) -> list[str]:
    """Return a note where a field that seems to lie on the Earth is scored without weights."""
    if len(latitude) > 1:
        return []
    if "latitude" in forecast.dims:
        return [
            f"the latitudes of {file!r} have no values, so that every cell counts the same; write them into the file to weight cells by area"
        ]
    curved = [
        str(name)
        for name, array in dataset.coords.items()
        if "lat" in str(name).lower() and array.ndim > 0 and set(array.dims) <= set(forecast.dims)
    ]
    if curved and len(forecast.dims) > 2:
        dims = " and ".join(map(str, dataset[curved[0]].dims))
        return [
            f"{curved[0]!r} of {file!r} runs over {dims}, so that every cell counts the same; put the fields on a regular grid to weight by area"
        ]
    return []
