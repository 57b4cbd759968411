"""Lists what an ensemble file holds and what would be scored, before anything is computed. Only the first and last fields are read."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import xarray as xr

from stochattn_core.readers.door.fill_values import is_fill_value
from stochattn_core.readers.door.units import standard_unit
from stochattn_core.readers.ensemble.axes import standard_dataset
from stochattn_core.readers.ensemble.pair import EnsemblePair, open_pair
from stochattn_core.readers.ensemble.times import date_text, period_text, valid_times
from stochattn_core.readers.ensemble.variables import numeric_variables
from stochattn_core.readers.grid.file import PathOrFile, open_grid, read_values
from stochattn_core.readers.look import Look, LookColumn

N_SHOWN = 3
MOST_COUNTED = 2**22  # numbers up to which the missing ones of a variable are counted


def look_ensemble(
    source: PathOrFile,
    *,
    truth: PathOrFile | None = None,
    forecast: str | None = None,
    target: str | None = None,
    member: str | None = None,
) -> Look:
    """Return the variables of an ensemble file as they are recognised, and what would be scored. Arguments as in `read_ensemble`.

    A file that would be refused is listed too, with the sentence as the problem. ValueError where the file cannot be opened at all.
    """
    with open_grid(source) as (opened, file):
        try:
            dataset, _ = standard_dataset(opened, member, file)
            columns = [_column(dataset[name], "", file) for name in numeric_variables(dataset)]
        except ValueError as problem:
            return Look(
                file, "ensemble", tuple(_column(opened[name], "", file) for name in numeric_variables(opened)), problem=str(problem)
            )
    try:
        with open_pair(source, truth=truth, forecast=forecast, target=target, member=member) as pair:
            aligned, truth_file = pair.reader.aligned, pair.reader.files[1]
            roles = {str(aligned.forecast.name): "forecast", **({} if truth else {str(aligned.target.name): "target"})}
            recognised = [_with_kind(column, roles.get(column.name, column.kind)) for column in columns]
            if truth is not None:
                recognised.append(_column(aligned.target, "target", truth_file))
            return Look(file, "ensemble", tuple(sorted(recognised, key=_rank)), _facts(pair), tuple(pair.notes))
    except ValueError as problem:
        return Look(file, "ensemble", tuple(columns), problem=str(problem))


def _rank(column: LookColumn) -> int:
    return {"forecast": 0, "target": 1}.get(column.kind, 2)


def _with_kind(column: LookColumn, kind: str) -> LookColumn:
    return LookColumn(**{**vars(column), "kind": kind})


def _column(array: xr.DataArray, kind: str, file: str) -> LookColumn:
    """Return a variable with its first and last values, in the order of the file; its missing values are counted where it is small."""
    kind = kind or ("forecast or another ensemble" if "member" in array.dims else "numbers")
    ends = [_corner(array, last, file) for last in (False, True)]
    missing = float("nan")
    if array.size <= MOST_COUNTED:
        values = read_values(array, file).values
        missing = float((is_fill_value(values) if values.dtype.kind in "iuf" else np.zeros(1)).mean())
    shape = ", ".join(f"{dim} ({n})" for dim, n in array.sizes.items())
    return LookColumn(str(array.name), kind, ends[0], ends[1], missing, standard_unit(array.attrs.get("units")), shape)


def _corner(array: xr.DataArray, last: bool, file: str) -> tuple[str, ...]:
    """Return the first or the last few values of a variable along its last dimension."""
    if not array.size:
        return ()
    edges = {dim: -1 if last else 0 for dim in array.dims[:-1]}
    along = slice(-N_SHOWN, None) if last else slice(0, N_SHOWN)
    values = read_values(array.isel({**edges, array.dims[-1]: along}), file).values
    return tuple(f"{value:.6g}" if values.dtype.kind == "f" else str(value) for value in values.reshape(-1))


def _facts(pair: EnsemblePair) -> tuple[tuple[str, str], ...]:
    """Return what would be scored, in words."""
    aligned, files = pair.reader.aligned, pair.reader.files
    case = pair.dims[0]
    facts = [
        ("forecast", f"{aligned.forecast.name!r} of {files[0]}"),
        ("target", f"{aligned.target.name!r} of {files[1]}"),
        ("units", pair.units or pair.reader.target_units or "not stated"),
        ("members", f"{pair.n_member:,}"),
        ("cases", f"{pair.n_case:,} along {case}" if case in aligned.forecast.coords or case != "case" else f"{pair.n_case:,}"),
    ]
    if len(pair.index) and pair.dated and hasattr(pair.index[0], "isoformat"):
        facts.append(
            (
                f"first and last {case.replace('_', ' ')}",
                " and ".join(date_text(each)[:16].replace("T", " ") for each in (pair.index.min(), pair.index.max())),
            )
        )
    with suppress(ValueError):  # lead times of a unit that is not known have no valid time, and none is needed within one file
        valid = valid_times(aligned.forecast, files[0])
        if valid is not None:
            facts.append(("valid period", period_text(valid.values)))
    if pair.lead_time:
        facts.append(("lead times", f"{_some(pair.lead_time)} {pair.lead_unit}".strip()))
    for axis in ("latitude", "longitude"):
        degrees = getattr(pair, axis)
        if degrees:
            facts.append((axis, f"{len(degrees)} from {degrees[0]:g} to {degrees[-1]:g} degrees"))
    others = [f"{dim} ({aligned.forecast.sizes[dim]})" for dim in pair.dims[1:] if dim not in ("lead_time", "latitude", "longitude")]
    if others:
        facts.append(("scored together", ", ".join(others)))
    facts.append(("weights", "area of the cells" if len(pair.latitude) > 1 else "every element counts the same"))
    n_target = pair.n_case * int(np.prod(pair.event, dtype=np.int64))
    n_lost = 0 if aligned.place is None else int((aligned.place < 0).sum()) * n_target // aligned.place.size
    facts.append(("to be scored", f"{n_target - n_lost:,} targets against {pair.n_member:,} members each, missing values apart"))
    return tuple(facts)


def _some(values: tuple[int, ...]) -> str:
    """Return a few of many values, in words."""
    texts = [f"{value:g}" for value in values]
    return ", ".join(texts) if len(texts) <= 6 else f"{', '.join(texts[:3])} ... {texts[-1]} ({len(texts)})"
