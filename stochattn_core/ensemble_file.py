"""Ensembles as files: written as NetCDF with CF attributes; read, or scored case by case, from any NetCDF file or Zarr store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import Progress, blocks_at_random
from stochattn_core.datasets.time_step import CF_UNITS, TimeStep
from stochattn_core.ensemble_data import Ensemble, area_weights
from stochattn_core.evaluate import Evaluation
from stochattn_core.extras import explained_extras
from stochattn_core.metrics import Statistics, scores
from stochattn_core.metrics.scores import SCORES
from stochattn_core.metrics.statistics import coarser

with explained_extras():
    import xarray as xr

    from stochattn_core.readers.ensemble.pair import BUDGET, EnsemblePair, open_pair
    from stochattn_core.readers.ensemble.values import Chunk
    from stochattn_core.readers.grid.file import PathOrFile

MOST_BLOCKS = 512  # of neighbouring cases: a file may hold more cases than are needed to see how they depend on one another
BY_ELEMENT = 2**21  # members x elements x blocks, of which the sums by element hold four numbers each: 64 MB


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


def read_ensemble(
    source: PathOrFile,
    *,
    truth: PathOrFile | None = None,
    forecast: str | None = None,
    target: str | None = None,
    member: str | None = None,
) -> Ensemble:
    """Return the ensemble of a NetCDF file (3 or 4) or a Zarr store, on disk or at an address, in memory.

    truth: the file of the targets, where they stand in another one; it is joined on valid time.   forecast, target: names of variables.
    member: the dimension of the members. What is not given is guessed; each guess is a sentence in Ensemble.notes.
    The file may hold `plain` and `block` too. Without plain, the ensemble mean is used in its place. Without block, cases with a time are
    blocked in time, others at random. An element whose forecast or target is missing has the target NaN. ValueError of one sentence for a file
    that does not fit.
    """
    with open_pair(source, truth=truth, forecast=forecast, target=target, member=member) as pair:

        def add(chunks: list[Chunk], chunk: Chunk) -> list[Chunk]:
            return [*chunks, chunk]

        chunks, notes = pair.fold(list[Chunk], add)
        members = chunks[0].members if len(chunks) == 1 else np.concatenate([chunk.members for chunk in chunks], axis=1)
        target_values = np.concatenate([chunk.target for chunk in chunks])
        plains = [chunk.plain for chunk in chunks if chunk.plain is not None]
        return Ensemble(
            members=members,
            target=target_values,
            plain=np.concatenate(plains) if plains else members.mean(0),
            index=pair.index,
            block=blocks_of(pair),
            dims=pair.dims,
            units=pair.units,
            lead_time=pair.lead_time,
            lead_unit=pair.lead_unit,
            name=pair.name,
            latitude=pair.latitude,
            longitude=pair.longitude,
            notes=notes,
        )


@dataclass(frozen=True, eq=False)
class FileScores:
    """Scores of an ensemble file, with its units and the notes of the reader.

    values: the scores by key; n is the number of elements scored.   statistics: pooled over the event, by block; their n is weighted by area.
    """

    values: dict[str, float | int]
    statistics: Statistics
    units: str
    notes: tuple[str, ...]


def score_file(
    source: PathOrFile,
    *,
    truth: PathOrFile | None = None,
    forecast: str | None = None,
    target: str | None = None,
    member: str | None = None,
    budget: int = BUDGET,
    progress: Progress | None = None,
) -> FileScores:
    """Return the sums of the same ensemble as `read_ensemble` returns, without holding it: cases are read, summed and released in turn.

    budget: bytes of the members of a chunk of cases; a case is never divided.   progress(done, total, what) may raise to stop.
    Peak memory: about 10 cases, and 4 numbers for each member and element of one. Arguments and errors as in `read_ensemble`.
    """
    with open_pair(source, truth=truth, forecast=forecast, target=target, member=member) as pair:
        block, n_block = blocks_of(pair), int(blocks_of(pair).max()) + 1
        weights = area_weights(pair.latitude, pair.dims)

        def add(parts: list[Statistics], chunk: Chunk) -> list[Statistics]:
            cases = slice(chunk.first, chunk.first + len(chunk.target))
            sums = _pooled_sums(chunk, block[cases], n_block, weights)
            if progress is not None:
                progress(cases.stop, pair.n_case, "scoring")
            return [parts[0] + sums] if parts else [sums]

        parts, notes = pair.fold(list[Statistics], add, budget)
        counts = pair.reader.counts
        values = {**_without_rounding(scores(parts[0]), counts.largest), "n": counts.n_scored - counts.n_plain_missing}
        return FileScores(values, parts[0], pair.units, notes)


def _without_rounding(values: Mapping[str, float | int], largest: float) -> dict[str, float | int]:
    """Return the scores with 0 in the place of the rounding of numbers as large as `largest`, and the ratio of spread to an error of 0 as NaN.

    The mean of members that are all equal differs from them in its last bit, so that a perfect ensemble would have a ratio of roundings.
    """
    least = 8 * float(np.finfo(np.float64).eps) * largest
    exact = {key: 0.0 if SCORES[key].unit == "target" and abs(value) <= least else value for key, value in values.items()}
    if exact["rmse"] == 0:
        exact["spread_skill_ratio"] = float("nan")
    elif exact["spread"] == 0:
        exact["spread_skill_ratio"] = 0.0
    return exact


def _pooled_sums(chunk: Chunk, block: np.ndarray, n_block: int, weights: torch.Tensor | None) -> Statistics:
    """Return the sums of a chunk over the whole event, by block. Sums by element and block are large, so blocks are then summed one at a time."""
    members, target = chunk.members, chunk.target
    plain = members.mean(0) if chunk.plain is None else chunk.plain
    if n_block * members[:, 0].size <= BY_ELEMENT:
        return Statistics.of(members, target, plain, block, n_block, weights=weights).pooled(weights)
    parts = []
    for number in np.unique(block):
        # A slice does not copy the members; a mask does.
        rows = slice(None) if (block == number).all() else block == number
        none = np.zeros(len(target[rows]), dtype=np.int64)
        sums = Statistics.of(members[:, rows], target[rows], plain[rows], none, 1, weights=weights).pooled(weights)
        parts.append(sums.resampled(torch.nn.functional.one_hot(torch.tensor([number]), n_block).T))
    return sum(parts[1:], parts[0])


def blocks_of(pair: EnsemblePair) -> np.ndarray:
    """Return the blocks of the cases: those of the file, else the init times in order, else the cases at random; (case,) int."""
    if pair.block is not None:
        return pair.block
    if not pair.dated:
        return coarser(blocks_at_random(pair.n_case), MOST_BLOCKS)
    return coarser(np.unique(pair.index, return_inverse=True)[1], MOST_BLOCKS)


def check_writable(path: Path) -> None:
    """Raise ValueError if a file cannot be written at this path. Commands call it before hours of work."""
    if path.is_dir() or not path.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise ValueError(f"expected to write {path}, {reason}; give the path of a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"expected to write {path}, its folder cannot be written; give another path")


def _index_values(index: pd.Index) -> np.ndarray:
    return index.to_numpy() if index.dtype.kind in "iufM" else index.astype(str).to_numpy().astype(object)
