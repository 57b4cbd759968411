"""Ensembles as NetCDF files: written with CF attributes, and read from anyone who writes `forecast` and `target`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import blocks_at_random, blocks_in_time
from stochattn_core.evaluate import Evaluation
from stochattn_core.extras import explained_extras
from stochattn_core.forecasts import Ensemble

with explained_extras():
    import xarray as xr

# Other people's names of our dimensions, renamed here and nowhere else.
RENAMED = {
    "number": "member", "realization": "member", "ensemble": "member", "ens": "member", "sample": "member",
    "time": "init_time", "forecast_reference_time": "init_time", "prediction_timedelta": "lead_time", "step": "lead_time", "horizon": "lead_time",
    "lat": "latitude", "lon": "longitude",
}  # fmt: skip


def write_ensemble(evaluation: Evaluation, path: str | os.PathLike) -> None:
    """forecast (member, ...), target (...) and plain (...), with units and where they came from; the file appears in one step."""
    ensemble, path = evaluation.ensemble, Path(path)
    case, *event = ensemble.dims
    coordinates: dict = {
        "member": ("member", np.arange(len(ensemble.members)), {"standard_name": "realization"}),
        case: (case, _index_values(ensemble.index)),
        "block": (case, ensemble.block, {"long_name": "cases of one block depend on one another"}),
    }
    if event == ["lead_time"]:
        coordinates["lead_time"] = ("lead_time", np.array(ensemble.lead_time), {"long_name": "lead time", "step": ensemble.lead_unit})
    if "latitude" in event:
        coordinates["latitude"] = ("latitude", np.array(ensemble.latitude), {"units": "degrees_north", "standard_name": "latitude"})
        coordinates["longitude"] = ("longitude", np.array(ensemble.longitude), {"units": "degrees_east", "standard_name": "longitude"})
        coordinates["lead_time"] = ((), ensemble.lead_time[0], {"long_name": "lead time", "step": ensemble.lead_unit})
    about = {"units": ensemble.units or "1", "long_name": ensemble.name}
    data = xr.Dataset(
        {
            "forecast": (("member", *ensemble.dims), ensemble.members, about),
            "target": (ensemble.dims, ensemble.target, about),
            "plain": (ensemble.dims, ensemble.plain, {**about, "long_name": f"{ensemble.name}, plain model"}),
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
    check_writable(path)
    with tempfile.TemporaryDirectory(prefix=".ensemble-", dir=path.parent) as folder:
        fresh = Path(folder) / "ensemble.nc"
        data.to_netcdf(fresh, engine="h5netcdf")
        os.replace(fresh, path)


def read_ensemble(path: str | os.PathLike) -> Ensemble:
    """An ensemble from a NetCDF file with `forecast` (with a member dimension) and `target`; `plain` and `block` where it has them.

    Without plain, the ensemble mean stands in for it. Without block, cases with an init_time are blocked in time, others at random.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"expected a NetCDF file at {path}, there is none; check the path")
    try:
        classic = path.open("rb").read(3) == b"CDF"  # NetCDF-3
        with xr.open_dataset(path, engine="scipy" if classic else "h5netcdf") as opened:
            data = opened.load()
    except Exception as error:  # the readers below raise a dozen kinds for a file that is broken or something else
        raise ValueError(f"expected a NetCDF file, {path.name} cannot be read as one ({type(error).__name__}); write it again") from None
    names = {old: new for old, new in RENAMED.items() if old in data.dims and new not in data.dims}
    data = data.rename(names)
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
    plain = _floats(data["plain"].transpose(*dims)) if "plain" in data and set(data["plain"].dims) == set(dims) else members.mean(0)
    index = pd.Index(data[dims[0]].to_numpy()) if dims[0] in data.coords else pd.RangeIndex(len(target))
    if "block" in data and data["block"].dims == dims[:1]:
        block = np.unique(data["block"].to_numpy(), return_inverse=True)[1]
    else:
        in_time = dims[0] == "init_time"
        block = blocks_in_time(len(index), max(1, len(index) // 32)) if in_time else blocks_at_random(len(index))
    lead_time = tuple(np.atleast_1d(data["lead_time"].to_numpy()).tolist()) if "lead_time" in data.coords else ()
    latitude, longitude = (
        tuple(data[name].to_numpy().tolist()) if name in dims and name in data.coords else () for name in ("latitude", "longitude")
    )
    if dims[-2:] != ("latitude", "longitude"):
        latitude = longitude = ()  # areas are known only where the last two axes are the map
    return Ensemble(
        members=members,
        target=_floats(target),
        plain=plain,
        index=index,
        block=block,
        dims=dims,
        units=str(forecast.attrs.get("units", "")),
        lead_time=lead_time,
        lead_unit=str(data["lead_time"].attrs.get("step", "")) if "lead_time" in data.coords else "",
        name=str(forecast.attrs.get("long_name", "target")),
        latitude=latitude,
        longitude=longitude,
    )


def check_writable(path: Path) -> None:
    """ValueError when a file cannot be put at this path, to be asked before hours of work."""
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise ValueError(f"expected to write {path}, {what}; give the path of a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"expected to write {path}, its folder cannot be written; give another path")


def _floats(values: xr.DataArray) -> np.ndarray:
    """Doubles stay doubles: differences of large numbers need them."""
    return values.to_numpy().astype(np.float64 if values.dtype == np.float64 else np.float32)


def _index_values(index: pd.Index) -> np.ndarray:
    return index.to_numpy() if index.dtype.kind in "iufM" else index.astype(str).to_numpy().astype(object)
