"""Ensembles as NetCDF files: written with CF attributes; read from any file that holds `forecast` and `target`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import blocks_at_random, blocks_in_time
from stochattn_core.datasets.time_step import CF_UNITS, TimeStep
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import Evaluation
from stochattn_core.extras import explained_extras

with explained_extras():
    import xarray as xr

    from stochattn_core.readers.door.axes import FORECAST_AXIS_NAMES, rename_axes


def write_ensemble(evaluation: Evaluation, path: str | os.PathLike) -> None:
    """Write forecast (member, case, *event), target and plain (case, *event), with their units and what they were computed from.

    The file appears in one step, whole or not at all. ValueError if it cannot be written.
    """
    path = Path(path)
    check_writable(path)
    with tempfile.TemporaryDirectory(prefix=".ensemble-", dir=path.parent) as folder:
        fresh = Path(folder) / "ensemble.nc"
        _contents(evaluation).to_netcdf(fresh, engine="h5netcdf")
        os.replace(fresh, path)


def _lead_times(ensemble: Ensemble) -> tuple[np.ndarray, dict[str, str]]:
    """Return lead times as physical times with their attributes: CF units where the unit has a fixed length, else its name in `step`."""
    step = ensemble.step
    if step.unit == "week":  # no unit of CF
        step = TimeStep(7 * step.count, "day")
    attributes = {"long_name": "lead time", "standard_name": "forecast_period", "step": step.unit}
    if step.unit in CF_UNITS:
        attributes["units"] = CF_UNITS[step.unit]
    else:
        attributes["long_name"] = f"lead time in {step.unit_text()}" if step.unit else "lead time"
    if ensemble.step.text and "lead_time" in ensemble.dims:  # a series: its lead times are counted in its own steps
        attributes["time_step"] = ensemble.step.text
    return np.array([step.lead(lead) for lead in ensemble.lead_time]), attributes


def _valid_times(ensemble: Ensemble, dims: tuple[str, ...]) -> dict[str, tuple[object, ...]]:
    """Return the coordinate valid_time over these dims; none where the valid times are not known."""
    times = ensemble.valid_times
    if times is None:
        return {}
    times = times.astype(str).astype(object) if times.dtype == object else times
    attributes = {"long_name": "valid time", "standard_name": "time"} if times.dtype.kind == "M" else {"long_name": "valid time"}
    return {"valid_time": (dims, times if len(dims) == times.ndim else times[:, 0], attributes)}


def _contents(evaluation: Evaluation) -> xr.Dataset:
    ensemble = evaluation.ensemble
    case, *event = ensemble.dims
    coordinates: dict[str, tuple[object, ...]] = {
        "member": ("member", np.arange(len(ensemble.members)), {"standard_name": "realization"}),
        case: (case, _index_values(ensemble.index)),
        "block": (case, ensemble.block, {"long_name": "cases of one block depend on one another"}),
    }
    if event == ["lead_time"]:
        coordinates["lead_time"] = ("lead_time", *_lead_times(ensemble))
        coordinates |= _valid_times(ensemble, (case, "lead_time"))
    if "latitude" in event:
        coordinates["latitude"] = ("latitude", np.array(ensemble.latitude), {"units": "degrees_north", "standard_name": "latitude"})
        coordinates["longitude"] = ("longitude", np.array(ensemble.longitude), {"units": "degrees_east", "standard_name": "longitude"})
        lead_times, about = _lead_times(ensemble)
        coordinates["lead_time"] = ((), lead_times[0], about)
        coordinates |= _valid_times(ensemble, (case,))
    attributes = {"units": ensemble.units or "1", "long_name": ensemble.name}
    return xr.Dataset(
        {
            "forecast": (("member", *ensemble.dims), ensemble.members, attributes),
            "target": (ensemble.dims, ensemble.target, attributes),
            "plain": (ensemble.dims, ensemble.plain, {**attributes, "long_name": f"{ensemble.name}, plain model"}),
        },
        coordinates,
        {
            "Conventions": "CF-1.11",
            "title": f"Stochastic attention ensemble of {evaluation.model} on {evaluation.dataset}",
            "source": "stochattn",
            "model": evaluation.model,
            "weights_sha256": evaluation.weights_sha256,
            "dataset": evaluation.dataset,
            "part": evaluation.part,
            "concentration": str(evaluation.setting.concentration),
            "seed": evaluation.setting.seed,
            "layers": evaluation.layers,
            "correction": evaluation.setting.correction,
        },
    )


def read_ensemble(path: str | os.PathLike) -> Ensemble:
    """Return the ensemble of a NetCDF file (3 or 4) that holds `forecast`, with a member dimension, and `target`.

    The file may hold `plain` and `block` too. Without plain, the ensemble mean is used in its place. Without block, cases with an
    init_time are blocked in time, others at random. Targets may be NaN; ValueError for forecasts that are not finite and for any other
    file that does not fit.
    """
    path = Path(path)
    data = _opened(path)
    members, dims = _checked_members(data, path)
    target = _floats(data["target"])
    plain = _floats(data["plain"].transpose(*dims)) if "plain" in data and set(data["plain"].dims) == set(dims) else members.mean(0)
    index = pd.Index(data[dims[0]].to_numpy()) if dims[0] in data.coords else pd.RangeIndex(len(target))
    if "block" in data and data["block"].dims == dims[:1]:
        block = np.unique(data["block"].to_numpy(), return_inverse=True)[1]
    elif dims[0] == "init_time":
        block = blocks_in_time(len(index), max(1, len(index) // 32))
    else:
        block = blocks_at_random(len(index))
    on_map = [name for name in ("latitude", "longitude") if dims[-2:] == ("latitude", "longitude") and name in data.coords]
    attributes = data["forecast"].attrs
    return Ensemble(
        members=members,
        target=target,
        plain=plain,
        index=index,
        block=block,
        dims=dims,
        units=str(attributes.get("units", "")),
        lead_time=tuple(np.atleast_1d(data["lead_time"].to_numpy()).tolist()) if "lead_time" in data.coords else (),
        lead_unit=str(data["lead_time"].attrs.get("step", "")) if "lead_time" in data.coords else "",
        name=str(attributes.get("long_name", "target")),
        latitude=tuple(data["latitude"].to_numpy().tolist()) if "latitude" in on_map else (),
        longitude=tuple(data["longitude"].to_numpy().tolist()) if "longitude" in on_map else (),
    )


def _opened(path: Path) -> xr.Dataset:
    """Return the contents of a file in memory, with the dimensions renamed."""
    if not path.is_file():
        raise ValueError(f"expected a NetCDF file at {path}, there is none; check the path")
    try:
        classic = path.open("rb").read(3) == b"CDF"  # NetCDF-3
        with xr.open_dataset(path, engine="scipy" if classic else "h5netcdf") as opened:
            data = opened.load()
    except Exception as error:  # the libraries raise a dozen kinds for a broken file or another format
        raise ValueError(f"expected a NetCDF file, {path.name} cannot be read as one ({type(error).__name__}); write it again") from None
    return rename_axes(data, FORECAST_AXIS_NAMES, dimensions_only=True)


def _checked_members(data: xr.Dataset, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the members (member, *dims of the target) and those dims. ValueError where forecast and target do not fit together."""
    for name in ("forecast", "target"):
        if name not in data:
            raise ValueError(
                f"expected variables forecast and target in {path.name}, got {', '.join(map(str, data)) or 'none'}; rename them"
            )
    forecast, target = data["forecast"], data["target"]
    if "member" not in forecast.dims:
        raise ValueError(
            f"expected forecast with a member dimension in {path.name}, got {forecast.dims}; name the ensemble dimension member"
        )
    dims = tuple(map(str, target.dims))
    if set(forecast.dims) != {"member", *dims} or not dims:
        raise ValueError(
            f"expected forecast with dims (member, {', '.join(dims)}) like target in {path.name}, got {forecast.dims}; align the two"
        )
    if forecast.sizes["member"] < 2:
        raise ValueError(f"expected at least 2 members in {path.name}, got {forecast.sizes['member']}; an ensemble score needs two")
    if not target.size or not np.isfinite(target.to_numpy()).any():
        raise ValueError(f"expected targets that are numbers in {path.name}, found none; there is nothing to score")
    members = _floats(forecast.transpose("member", *dims))
    if not np.isfinite(members).all():
        raise ValueError(
            f"expected finite forecasts in {path.name}, got {int((~np.isfinite(members)).sum())} missing or infinite; drop those cases"
        )
    return members, dims


def check_writable(path: Path) -> None:
    """Raise ValueError if a file cannot be written at this path. Commands call it before hours of work."""
    if path.is_dir() or not path.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise ValueError(f"expected to write {path}, {reason}; give the path of a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"expected to write {path}, its folder cannot be written; give another path")


def _floats(values: xr.DataArray) -> np.ndarray:
    """Return the values as float32, or as float64 if they are: differences of large numbers need them."""
    return values.to_numpy().astype(np.float64 if values.dtype == np.float64 else np.float32)


def _index_values(index: pd.Index) -> np.ndarray:
    return index.to_numpy() if index.dtype.kind in "iufM" else index.astype(str).to_numpy().astype(object)
