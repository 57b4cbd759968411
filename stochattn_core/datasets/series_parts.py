"""From one series to a Dataset: sliding windows in three parts of time, with a gap between them."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np
import pandas as pd
import torch

from stochattn_core.datasets.base import PARTS, Dataset, Description, Split
from stochattn_core.datasets.time_step import TimeStep

MAX_CASE = {"train": 1000, "calibration": 300, "test": 300}  # more windows overlap so much that they only cost time
MIN_CASE = 8


def series_dataset(
    values: np.ndarray,
    times: pd.Index,
    *,
    context: int,
    horizon: int,
    period: int = 1,
    ends: tuple[int, int, int] | None = None,
    **description: Unpack[Description],
) -> Dataset:
    """Return a Dataset of windows: a case is `context` values, and the `horizon` values after them are its target.

    values: (time,) in the units of the target, NaN where missing.   times: (time,), one step of `lead_unit` apart, or of any spacing where
    each row counts as one step; times with a zone are turned into UTC.   period: length of the season in steps.   ends: the positions
    where train, calibration and test end; 60, 80 and 100 percent of the series without it.
    The first target of a part comes `horizon` steps after the last target of the part before it: a context may reach back into the part
    before, but targets never overlap. A NaN in a context becomes the last value before it; a window with a NaN in its target is left out.
    """
    n_time = len(values)
    ends = ends or (round(0.6 * n_time), round(0.8 * n_time), n_time)
    starts = (context, ends[0] + horizon, ends[1] + horizon)
    carried = pd.Series(values, dtype=np.float64).ffill().to_numpy()
    missing = np.concatenate([[0], np.cumsum(~np.isfinite(values))])  # missing[j] - missing[i] of them in values[i:j]
    window = np.lib.stride_tricks.sliding_window_view
    if isinstance(times, pd.PeriodIndex):
        times = times.to_timestamp()
    if isinstance(times, pd.DatetimeIndex) and times.tz is not None:
        times = times.tz_convert("UTC").tz_localize(None)
    every_time = times.to_numpy()
    parts, notes = [], description.get("notes", ())
    for part, first, end in zip(PARTS, starts, ends, strict=True):
        init = np.arange(max(first, context) - 1, end - horizon)  # positions of the last value that the model sees
        init = init[(missing[init + 1 + horizon] == missing[init + 1]) & np.isfinite(carried[init + 1 - context])]
        if len(init) < MIN_CASE:
            need = math.ceil((max(context, 2 * horizon) + horizon + MIN_CASE) / 0.2)
            raise ValueError(
                f"expected at least {MIN_CASE} windows of {context} + {horizon} values in the {part} part, got {len(init)} from a series of "
                f"{n_time} values; bring about {need} values, or a shorter horizon or context"
            )
        stride = _stride(len(init), MAX_CASE[part], period)
        if part == "test" and stride > 1:
            notes = (*notes, _note_on_stride(init, stride, TimeStep.of(description.get("lead_unit", "step"))))
        init = init[::stride]
        parts.append(
            Split(
                inputs=torch.from_numpy(window(carried, context)[init + 1 - context].astype(np.float32)),
                target=torch.from_numpy(window(values, horizon)[init + 1].astype(np.float32)),
                index=pd.Index(times[init], name="init_time"),
                block=np.arange(len(init)),
                input_time=window(every_time, context)[init + 1 - context],
                valid_time=window(every_time, horizon)[init + 1],
            )
        )
    train, calibration, test = parts
    description["notes"] = notes
    return Dataset(
        task="series",
        train=train,
        calibration=calibration,
        test=test,
        lead_time=tuple(range(1, horizon + 1)),
        period=period,
        **description,
    )


def _stride(n_window: int, max_case: int, period: int) -> int:
    """Return the smallest step that leaves at most max_case windows and does not keep landing on the same phases of the season."""
    stride = math.ceil(n_window / max_case)
    while stride > 1 and math.gcd(stride, period) > 1:
        stride += 1
    return stride


def _note_on_stride(init: np.ndarray, stride: int, step: TimeStep) -> str:
    """Return the note that only every stride-th of these init times is used; missing values may put them further apart."""
    chosen = init[::stride]
    least = "" if (np.diff(chosen) == stride).all() else "at least "
    return (
        f"{len(chosen):,} of {len(init):,} init times of the test part are used, {least}{step.lead_text(stride)} apart, because forecasts from "
        "neighbouring init times overlap"
    )
