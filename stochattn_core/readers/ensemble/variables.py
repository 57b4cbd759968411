"""Chooses the variables of an ensemble: the forecast has a member dimension; the target has the other dimensions, or a name that says so."""

from __future__ import annotations

import re

import xarray as xr

FORECAST_NAMES = ("forecast", "forecasts", "prediction", "predictions", "pred", "y_pred", "fcst", "hindcast", "ensemble")
TARGET_NAMES = (
    *("target", "targets", "truth", "obs", "observation", "observations", "observed", "analysis", "verification", "reference"),
    *("y_true", "true", "era5", "reanalysis"),
)
# Words in the names of fields that stand beside a forecast and are no truth.
_NO_TARGET = re.compile(
    r"(^|_)(plain|control|mean|median|spread|std|sd|stdev|var|variance|clim\w*|block|weights?|mask|area|quality\w*)($|_)"
)


def choose_forecast(dataset: xr.Dataset, name: str | None, file: str) -> tuple[str, list[str]]:
    """Return the name of the forecast, and a note where it was guessed. dataset: on the axes of this project.

    ValueError where no variable has a member dimension, where several have one, and where the named one is not there or has none.
    """
    numbers = numeric_variables(dataset)
    if name is not None:
        _check_there(dataset, name, "forecast", file)
        candidates = [name]
    else:
        candidates = [each for each in numbers if "member" in dataset[each].dims]
    with_member = [each for each in candidates if "member" in dataset[each].dims]
    if not with_member:
        which = (
            f"expected {name or 'forecast'} with a member dimension"
            if name or "forecast" in dataset
            else "expected a variable with a member dimension"
        )
        shapes = "; ".join(f"{each} {_dims(dataset[each])}" for each in ([name] if name else numbers)) or "no variables of numbers"
        raise ValueError(
            f"{which} in {file!r}, got {shapes[:200]}; name the dimension of the members with --member, one forecast alone has no spread to score"
        )
    if name is not None:
        return name, []
    named = [each for each in with_member if each.lower() in FORECAST_NAMES]
    if len(named) == 1:
        return named[0], [] if named[0] == "forecast" else [_note("forecast", named[0], "its name", file)]
    rest = [each for each in with_member if each.lower() not in TARGET_NAMES]
    if len(rest) == 1:
        return rest[0], [_note("forecast", rest[0], "the only variable with a member dimension", file)]
    raise ValueError(
        f"expected one variable with a member dimension in {file!r}, got {', '.join(named or rest or with_member)}; choose one with --forecast"
    )


def choose_target(dataset: xr.Dataset, forecast: xr.DataArray, name: str | None, file: str, *, other_file: bool) -> tuple[str, list[str]]:
    """Return the name of the target, and a note where it was guessed.

    dataset: that of the target.   forecast: the forecast, on the axes of this project.   other_file: is the target in a file of its own?
    ValueError where no variable can be the target, or where several can.
    """
    if name is not None:
        _check_there(dataset, name, "target", file)
        return name, []
    names = [each for each in numeric_variables(dataset) if other_file or each != forecast.name]
    if other_file and forecast.name in names:
        return str(forecast.name), [_note("target", str(forecast.name), "it has the name of the forecast", file)]
    if "target" in names:
        return "target", []
    named = [each for each in names if each.lower() in TARGET_NAMES]
    if len(named) == 1:
        return named[0], [_note("target", named[0], "its name", file)]
    event = {str(dim) for dim, n in forecast.sizes.items() if n > 1} - {"member"}
    fields = [each for each in names if "member" not in dataset[each].dims and not _NO_TARGET.search(each.lower())]
    alike = [each for each in fields if _covers(dataset[each], event, other_file)]
    if not named and len(alike) == 1:
        reason = "the only variable of the other dimensions of the forecast" if len(names) > 1 else "the only other variable"
        return alike[0], [_note("target", alike[0], reason, file)]
    candidates = named or alike
    if not candidates:
        others = ", ".join(names) or "none"
        raise ValueError(
            f"expected a target of the dimensions {_dims(forecast, without='member')} in {file!r}, its other variables are {others[:200]}; "
            "choose one with --target, or give the file of the truth with --truth"
        )
    raise ValueError(f"expected one target in {file!r}, got {', '.join(candidates)}, any of which it could be; choose one with --target")


def numeric_variables(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables of numbers that have dimensions."""
    return [str(name) for name, array in dataset.data_vars.items() if array.dtype.kind in "iufbm" and array.ndim > 0]


def _covers(array: xr.DataArray, event: set[str], other_file: bool) -> bool:
    """Has a variable the dimensions of the forecast, in any order? In a file of its own, its times may have other names."""
    dims = {str(dim) for dim, n in array.sizes.items() if n > 1} - {"member"}
    times = {"init_time", "lead_time", "valid_time", "time"}
    return dims == event or (
        (other_file or "time" in dims or "valid_time" in dims) and dims - times == event - times and bool(dims & times)
    )


def _check_there(dataset: xr.Dataset, name: str, role: str, file: str) -> None:
    if name not in dataset.data_vars:
        names = ", ".join(map(str, dataset.data_vars)) or "none"
        raise ValueError(
            f"expected a variable {name!r} for the {role} in {file!r}, its variables are {names[:200]}; choose one with --{role}"
        )
    if dataset[name].dtype.kind not in "iufbm":
        raise ValueError(
            f"expected numbers in {name!r} of {file!r}, got values of type {dataset[name].dtype}; choose another with --{role}"
        )


def _note(role: str, name: str, reason: str, file: str) -> str:
    return f"{name!r} of {file!r} is taken as the {role}: {reason}; --{role} chooses another"


def _dims(array: xr.DataArray, without: str = "") -> str:
    return f"({', '.join(str(dim) for dim in array.dims if dim != without)})"
