"""Climatology: what the calendar alone would forecast, from the training targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.datasets.calendar_means import fit_climatology, fit_monthly_climatology
from stochattn_core.datasets.time_step import MONTHS, SECONDS
from stochattn_core.references.base import Forecast, Reference


def climatology_of(dataset: Dataset) -> Forecast | None:
    """Return the climatology that the dataset brings, such as one of more years, else the one of its training part; None without targets."""
    if "climatology" in dataset.references:
        return dataset.references["climatology"]
    return _fit(dataset) if bool(dataset.train.target.isfinite().any()) else None


def _fit(dataset: Dataset) -> Forecast:
    return _of_series(dataset) if dataset.task == "series" else _of_cells(dataset)


def _of_series(dataset: Dataset) -> Forecast:
    """Return the mean of each phase of the season; without a season, the harmonics of year and day where the valid times are dates.

    One mean for all where neither can be known.
    """
    target, phase = dataset.train.target.double().numpy(), season_phase(dataset, dataset.train)
    known, times, calendar = np.isfinite(target), dataset.valid_times(dataset.train), _without_cases(dataset)
    if dataset.period == 1 and times is not None and np.issubdtype(times.dtype, np.datetime64):
        harmonics = fit_climatology(target[known][:, None], pd.DatetimeIndex(times[known]))
        at_times = lambda split: pd.DatetimeIndex(_times(calendar, split).ravel())  # noqa: E731
        return lambda split: torch.from_numpy(harmonics(at_times(split))).reshape(split.target.shape)
    means = np.full(dataset.period, target[known].mean())
    if phase is not None:
        count = np.bincount(phase[known], minlength=dataset.period)
        total = np.bincount(phase[known], target[known], minlength=dataset.period)
        means = np.where(count > 0, total / np.maximum(count, 1), means)

    def forecast(split: Split) -> torch.Tensor:
        at = season_phase(calendar, split)
        return torch.from_numpy(np.broadcast_to(means[0] if at is None else means[at], split.target.shape).astype(np.float32))

    return forecast


def season_phase(dataset: Dataset, split: Split) -> np.ndarray | None:
    """Return the phase of the season of each target of a series, (case, lead_time) int from 0 to period - 1.

    It counts steps from a fixed origin, so that equal times have equal phases in every part. None without a season, and where the times or
    the length of a step are not known.
    """
    times, step = dataset.valid_times(split), dataset.step
    if dataset.period == 1 or times is None:
        return None
    if np.issubdtype(times.dtype, np.datetime64):
        if step.unit in MONTHS:
            steps = times.astype("datetime64[M]").astype(np.int64) / (step.count * MONTHS[step.unit])
        elif step.unit in SECONDS:
            steps = times.astype("datetime64[us]").astype(np.int64) / (step.count * SECONDS[step.unit] * 1e6)
        else:
            return None
    elif np.issubdtype(times.dtype, np.number) and step.unit:
        steps = times / step.count
    else:
        return None
    return np.floor(steps + 1e-6).astype(np.int64) % dataset.period


def _of_cells(dataset: Dataset) -> Forecast:
    """Return the climatology of each cell: by month or by the harmonics of year and day where the valid times are dates, else the mean.

    A cell without a training target has the mean of all cells.
    """
    target = dataset.train.target.numpy()
    filled = np.where(np.isfinite(target).any(0), target, np.float32(np.nanmean(target)))
    times, calendar = dataset.valid_times(dataset.train), _without_cases(dataset)
    if times is None or not np.issubdtype(times.dtype, np.datetime64):
        mean = torch.from_numpy(np.nanmean(filled, 0, dtype=np.float64).astype(np.float32))
        return lambda split: mean.expand(split.target.shape)
    if dataset.step.unit in MONTHS:
        by_month = fit_monthly_climatology(filled, _months(times))
        return lambda split: torch.from_numpy(by_month(_months(_times(calendar, split))))
    harmonics = fit_climatology(filled, pd.DatetimeIndex(times[:, 0]))
    return lambda split: torch.from_numpy(harmonics(pd.DatetimeIndex(_times(calendar, split)[:, 0])))


def _without_cases(dataset: Dataset) -> Dataset:
    """Return the dataset without its cases: a forecast that held them would keep the dataset in memory as long as it is cached."""
    nothing = dataset.train.of_cases(np.zeros(0, dtype=int))
    return replace(dataset, train=nothing, calibration=nothing, test=nothing, references={})


def _times(dataset: Dataset, split: Split) -> np.ndarray:
    times = dataset.valid_times(split)
    assert times is not None  # the times of every part are of one kind
    return times


def _months(times: np.ndarray) -> np.ndarray:
    return times[:, 0].astype("datetime64[M]").astype(np.int64) % 12


CLIMATOLOGY = Reference(
    "climatology",
    "The mean of the training targets at the same phase of the season, or at the same time of year and day; of a grid, in each cell.",
    ("series", "grid"),
    _fit,
)
