"""Pairs forecast and target: cases and their order, one grid, and valid times where the two stand in different files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from stochattn_core.readers.ensemble.axes import ORDER
from stochattn_core.readers.ensemble.places import places_of, steady_order, take, unique_meridians
from stochattn_core.readers.ensemble.times import date_text, is_time, lead_durations, period_text, positions_of, time_axes, valid_times

CASE_NAMES = ("case", "cases", "sample", "samples", "row", "rows", "index", "obs", "event", "instance", "record")


@dataclass(frozen=True)
class Aligned:
    """Forecast and target on one grid, without their values yet.

    forecast: (member, case, *event).   target: (case, *event), with `member` in front where it is repeated; (time, *event without lead_time)
    where place is given.   place: (case,) or (case, lead_time), the position of each valid time in the target, -1 where it has none.
    dims: the names of (case, *event).   valid: the valid times, (case,) or (case, lead_time), None where there are no dates.
    """

    forecast: xr.DataArray
    target: xr.DataArray
    place: np.ndarray | None
    dims: tuple[str, ...]
    valid: np.ndarray | None


def align(forecast: xr.DataArray, target: xr.DataArray, files: tuple[str, str], *, same_file: bool) -> tuple[Aligned, list[str]]:
    """Return forecast and target with axes in the same order and places, and notes.

    Both are on the axes of `standard_dataset`. ValueError where members are fewer than 2, where the two have different axes, where their grids
    differ, and where they have no valid time in common.
    """
    notes: list[str] = []
    if forecast.sizes["member"] < 2:
        raise ValueError(f"expected at least 2 members in {files[0]!r}, got {forecast.sizes['member']}; an ensemble score needs two")
    forecast, case = _with_cases(forecast, target)
    if case not in ("init_time", "valid_time", "time", "lead_time", *CASE_NAMES) and not is_time(forecast, case) and forecast.ndim > 3:
        notes.append(f"the cases run along {case!r}; rename another dimension to case if they run along it")
    target = target.squeeze(
        [dim for dim in target.dims if target.sizes[dim] == 1 and dim != case and (dim == "member" or dim not in forecast.dims)]
    )
    axes, target_axes = time_axes(forecast), time_axes(target)
    alike = set(axes) == set(target_axes)
    valid = valid_times(forecast, files[0]) if axes or not same_file else None
    joined = valid is not None and not (alike and (same_file or len(axes) == 2))
    joined = joined and (bool(target_axes) or (not same_file and valid_times(target, files[1]) is not None))
    if not joined and case not in target.dims and forecast.sizes[case] == 1:
        target = target.expand_dims(case)
    place = None
    event = [str(dim) for dim in forecast.dims if dim not in ("member", case)]
    event.sort(key=lambda dim: ORDER.index(dim) if dim in ORDER else 0.5)
    over_time: set[str] = set()
    if joined and valid is not None:
        valid = valid if case in valid.dims else valid.expand_dims({case: forecast.sizes[case]})
        over_time = {str(dim) for dim in valid.dims}
        event.sort(key=lambda dim: dim not in over_time)
        forecast, target, place, join_notes = _joined(forecast, target, valid, (case, *event), files)
        if same_file:
            notes.append(f"each forecast is compared with {target.name!r} at its valid time, because the two have different times")
        notes += join_notes
    elif len(target_axes) == 2 and not same_file:
        forecast, drop_notes = _with_known_times(forecast, target, files)
        notes += drop_notes
    time_dim = str(target.dims[0]) if place is not None else case
    target_dims = [dim for dim in event if dim not in over_time]
    _check_axes(forecast, target, {time_dim, "member", *target_dims}, (case, *event), files)
    forecast, target, grid_notes = _on_one_grid(forecast, target, [time_dim, *target_dims], files, same_file)
    notes += grid_notes
    if place is None and not same_file:
        target = take(target, case, places_of(forecast, target, case, files))
    in_front = ("member",) if "member" in target.dims else ()
    forecast, target = forecast.transpose("member", case, *event), target.transpose(*in_front, time_dim, *target_dims)
    times = None
    if valid is not None:
        selected = valid_times(forecast, files[0])
        times = None if selected is None else selected.transpose(*(dim for dim in (case, *event) if dim in selected.dims)).values
    return Aligned(forecast, target, place, (case, *event), times), notes


def _with_cases(forecast: xr.DataArray, target: xr.DataArray) -> tuple[xr.DataArray, str]:
    """Return the forecast without axes of length 1 and the name of the axis of its cases, which is added where there is none.

    The cases are the init times, else other dates, else an axis that is called so, else the first axis of the target that is neither lead
    time, level nor place, else the lead times.
    """
    dims = [str(dim) for dim in forecast.dims if dim != "member"]
    long = [dim for dim in dims if forecast.sizes[dim] > 1]
    dated = [dim for dim in long if is_time(forecast, dim) and dim != "init_time"]
    named = [dim for dim in long if dim.lower() in CASE_NAMES]
    others = [str(dim) for dim in (*target.dims, *forecast.dims) if dim in long and dim not in ORDER]
    candidates = [*(["init_time"] if "init_time" in long else []), *dated, *named, *others]
    candidates += ["init_time"] if "init_time" in dims and not candidates else []
    candidates += [dim for dim in dims if is_time(forecast, dim)] + [dim for dim in long if dim == "lead_time"]
    case = candidates[0] if candidates else next((dim for dim in dims if dim not in ORDER), "case")
    forecast = forecast.squeeze([dim for dim in dims if forecast.sizes[dim] == 1 and dim != case])
    return (forecast if case in forecast.dims else forecast.expand_dims(case)), case


def _joined(
    forecast: xr.DataArray, target: xr.DataArray, valid: xr.DataArray, time_dims: tuple[str, ...], files: tuple[str, str]
) -> tuple[xr.DataArray, xr.DataArray, np.ndarray, list[str]]:
    """Return forecast and target with the place of each valid time in the target; cases and lead times without any are left out, with a note."""
    truth_times, notes = valid_times(target, files[1]), list[str]()
    axes = time_axes(target)
    if truth_times is None or truth_times.ndim > 1 or len(axes) > 1:
        raise ValueError(
            f"expected one time for each field of the target in {files[1]!r}, got {' and '.join(axes) or 'no dates'}; bring the truth by valid time"
        )
    time_dim = axes[0] if axes else "time"
    if len(valid.dims) > 2 or not set(valid.dims) <= set(time_dims):
        raise ValueError(
            f"expected valid times over init times and lead times in {files[0]!r}, got them over {', '.join(map(str, valid.dims))}; bring one time axis"
        )
    if not axes:
        target, truth_times = target.expand_dims("time"), truth_times.expand_dims("time")
    if "lead_time" not in forecast.coords and "valid_time" not in forecast.coords:
        notes.append(f"{files[0]!r} has no lead times, so its times are taken as valid times; add lead_time if they are init times")
    times, wanted = truth_times.values, valid.transpose(*(dim for dim in time_dims if dim in valid.dims)).values
    n_double = len(times) - len(set(times.tolist()))
    if n_double:
        notes.append(f"{n_double:,} times occur more than once in {files[1]!r}; the first of each is used")
    place = positions_of(wanted, times)
    known = place >= 0
    if not known.any():
        apart = max(date_text(each) for each in wanted.flat) < min(map(date_text, times)) or min(
            date_text(each) for each in wanted.flat
        ) > max(map(date_text, times))
        cure = (
            "bring the truth of the same period with --truth"
            if apart
            else "shift the times of one of them, such as from the middle of a month"
        )
        raise ValueError(
            f"expected forecasts and targets that are valid at the same times, got {period_text(wanted)} in {files[0]!r} and "
            f"{period_text(times)} in {files[1]!r}, with no time in common; {cure}"
        )
    if not known.all():
        notes.append(
            f"{int((~known).sum()):,} of {known.size:,} forecasts have no truth at their valid time and are not scored: forecasts are valid from "
            f"{period_text(wanted)}, the truth from {period_text(times)}"
        )
    case = time_dims[0]
    rows = np.flatnonzero(known.reshape(len(known), -1).any(1))
    forecast, place = take(forecast, case, rows), place[rows]
    if place.ndim == 2:
        columns = np.flatnonzero(known.any(0))
        forecast, place = take(forecast, time_dims[1], columns), place[:, columns]
    return forecast, target.transpose(time_dim, ...), place, notes


def _with_known_times(forecast: xr.DataArray, target: xr.DataArray, files: tuple[str, str]) -> tuple[xr.DataArray, list[str]]:
    """Return the forecast at the init times and lead times that the target has too, and a note on the others."""
    notes = []
    for axis in time_axes(forecast):
        if axis == "lead_time":
            wanted, there = (lead_durations(array[axis], file) for array, file in zip((forecast, target), files, strict=True))
            known = np.isin(wanted, there)
        else:
            known = positions_of(forecast[axis].values, target[axis].values) >= 0
        if not known.any():
            raise ValueError(
                f"expected forecasts and targets of the same {axis}, got none in common between {files[0]!r} and {files[1]!r}; "
                "bring the truth of the same period with --truth"
            )
        if not known.all():
            notes.append(f"{int((~known).sum()):,} of {len(known):,} values of {axis} have no truth in {files[1]!r} and are not scored")
        forecast = take(forecast, axis, np.flatnonzero(known))
    return forecast, notes


def _check_axes(forecast: xr.DataArray, target: xr.DataArray, wanted: set[str], dims: tuple[str, ...], files: tuple[str, str]) -> None:
    """Raise where the target has other axes than the forecast; an axis of which the forecast states one value is chosen later."""
    extra = [str(dim) for dim in target.dims if dim not in wanted and not _is_stated(forecast, target, str(dim))]
    missing = [dim for dim in wanted - {"member"} if dim not in target.dims]
    if extra or missing:
        raise ValueError(
            f"expected a target of the dimensions ({', '.join(dims)}) like the forecast {forecast.name!r} of {files[0]!r}, got {target.name!r} "
            f"({', '.join(map(str, target.dims))}) in {files[1]!r}; align the two"
        )


def _is_stated(forecast: xr.DataArray, target: xr.DataArray, dim: str) -> bool:
    return dim in forecast.coords and forecast[dim].ndim == 0 and dim in target.coords


def _on_one_grid(
    forecast: xr.DataArray, target: xr.DataArray, dims: list[str], files: tuple[str, str], same_file: bool
) -> tuple[xr.DataArray, xr.DataArray, list[str]]:
    """Return forecast and target in the same places along these axes but the first, each place once, latitudes in a steady order."""
    notes = []
    for dim in [str(dim) for dim in target.dims if dim not in (*forecast.dims, *dims) and _is_stated(forecast, target, str(dim))]:
        place = places_of(forecast.expand_dims(dim), target, dim, files)
        target = target.isel({dim: int(place[0])})
        notes.append(f"{dim} {forecast[dim].values} of the target is scored, because the forecast holds for it")
    for dim in dims[1:]:
        if dim == "latitude" and dim in forecast.coords:
            forecast = take(forecast, dim, steady_order(forecast, dim))
        if dim == "longitude" and dim in forecast.coords:
            meridians = unique_meridians(forecast)
            if len(meridians) < forecast.sizes[dim]:
                notes.append("a meridian that is in the forecast twice (0 and 360 degrees) is scored once")
            forecast = take(forecast, dim, meridians)
        place = places_of(forecast, target, dim, files)
        if dim in target.coords and len(place) < target.sizes[dim] and not same_file:
            notes.append(f"{len(place):,} of {target.sizes[dim]:,} values of {dim} in {files[1]!r} are scored: those of the forecast")
        target = take(target, dim, place)
    return forecast, target, notes
