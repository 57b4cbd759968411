"""Simulated ensembles that are perfect but for a slice that is known: for the benchmark of the search and for its tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from stochattn_core.ensemble_data import Ensemble

LEADS = (1, 2, 3, 4, 5)
LATITUDES = (-75.0, -45.0, 0.0, 45.0, 75.0)


class Values(NamedTuple):
    """What the law of each value is made from, (case, element) each: month of the valid time, mean of the law, and its standard deviation."""

    month: np.ndarray
    centre: np.ndarray
    sd: np.ndarray


Planted = Callable[[Values], np.ndarray]  # returns where errors are too large, (case, element) bool


def autoregression(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> np.ndarray:
    """Return standard normal values with correlation rho from case to case: (case, element)."""
    noise = rng.standard_normal(shape)
    noise[1:] *= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise, axis=0)


def series(
    seed: int = 0,
    *,
    n_member: int = 9,
    n_case: int = 1000,
    leads: Sequence[int] = LEADS,
    planted: Planted | None = None,
    ratio: float = 0.6,
    width: float = 0.5,
    rho: float = 0.0,
) -> Ensemble:
    """Return an ensemble of daily init times at several leads. Members and truth are draws of one law with a log-normal spread.

    planted: where errors are divided by `ratio`, so that the ensemble is too narrow.   width: of the logarithm of the spread.   rho:
    autocorrelation of the errors, from case to case, at each lead.
    """
    rng = np.random.default_rng(seed)
    shape = (n_case, len(leads))
    centre, sd = 3 * rng.standard_normal(shape), np.exp(width * rng.standard_normal(shape))
    noise = autoregression(rng, shape, rho)
    members = centre + sd * rng.standard_normal((n_member, *shape))
    index = pd.date_range("2001-01-01", periods=n_case, freq="D")
    times = index.to_numpy()[:, None] + np.array(leads) * np.timedelta64(1, "D")
    if planted is not None:
        month = pd.DatetimeIndex(times.ravel()).month.to_numpy().reshape(shape)
        noise = np.where(planted(Values(month, centre, sd)), noise / ratio, noise)
    dims = ("init_time", "lead_time")
    return Ensemble(members, centre + sd * noise, centre, index, np.arange(n_case), dims, "degC", tuple(leads), "1 day")


def zonal(seed: int = 0, *, latitudes: Sequence[float] = LATITUDES, **more: object) -> Ensemble:
    """Return such an ensemble of zonal means, one day ahead, at several latitudes in place of leads. more: as for `series`."""
    made = series(seed, leads=[1] * len(latitudes), **more)  # type: ignore[arg-type]
    times = made.index.to_numpy()[:, None] + np.timedelta64(1, "D")
    place = {"dims": ("init_time", "latitude"), "latitude": tuple(latitudes), "lead_time": (1,), "lead_unit": "1 day", "valid_time": times}
    return Ensemble(made.members, made.target, made.plain, made.index, made.block, units="m", **place)  # type: ignore[arg-type]
