"""Simulated ensembles for which the right verdict is known: calibrated ones, and ones that are wrong in one way with the right variance.

Members are the plain forecast plus normal noise. An ensemble is calibrated where the errors of the plain forecast have the law of that noise in
every case; neighbouring cases may depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from stochattn_core.ensemble_data import Ensemble

N_MEMBER = 49
N_CASE = 1000
BURN_IN = 400
Errors = tuple[np.ndarray, np.ndarray]  # of the plain forecast, and the standard deviation of the members: (case,) or (case, lead_time)


class Kind(NamedTuple):
    """title: for a table.   is_good: whether the ensemble is calibrated.   draw(rng): errors and spreads.   is_daily: one case a day, with seasons.
    is_ordered: cases follow one another in time; otherwise they are exchangeable.
    """

    title: str
    is_good: bool
    draw: Callable[[np.random.Generator], Errors]
    is_daily: bool = False
    is_ordered: bool = False


def autoregression(rng: np.random.Generator, rho: float, n: int, *more: int) -> np.ndarray:
    """Return a stationary normal AR(1) sequence of variance 1 along axis 0: (n, *more)."""
    shocks = rng.standard_normal((n + BURN_IN, *more)) * np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], shocks, axis=0)[BURN_IN:]


def with_errors(draw: Callable[[np.random.Generator, int], np.ndarray], n: int = N_CASE) -> Callable[[np.random.Generator], Errors]:
    """Return a drawing of n errors whose members have standard deviation 1."""
    return lambda rng: (draw(rng, n), np.ones(n))


def normal(ratio: float = 1.0, rho: float = 0.0, n: int = N_CASE) -> Callable[[np.random.Generator], Errors]:
    """Return a drawing of AR(1) normal errors of variance 1 under members with a standard deviation of `ratio`."""
    return lambda rng: (autoregression(rng, rho, n), np.full(n, ratio))


def uneven(rng: np.random.Generator) -> Errors:
    spread = np.exp(0.3 * rng.standard_normal(N_CASE) - 0.09)
    return spread * rng.standard_normal(N_CASE), spread


def varies_too_much(rng: np.random.Generator) -> Errors:
    """The spread varies from case to case, and the size of the errors does not."""
    return rng.standard_normal(N_CASE), np.exp(0.5 * rng.standard_normal(N_CASE) - 0.25)


def by_lead(low: float, high: float) -> Callable[[np.random.Generator], Errors]:
    """Return a drawing of 12 lead times whose ratios go from high to low, with a mean square of 1; errors of a case are correlated 0.8."""

    def draw(rng: np.random.Generator) -> Errors:
        errors = autoregression(rng, 0.8, 12, N_CASE).T
        ratio = np.geomspace(high, low, 12)
        return errors, np.broadcast_to(ratio / np.sqrt(np.mean(ratio**2)), errors.shape)

    return draw


def seasonal_bias(rng: np.random.Generator) -> Errors:
    """A bias that changes sign with the season, with a total variance of 1: half a year +0.6, half a year -0.6."""
    side = np.where(pd.date_range("2001-01-01", periods=4 * 365).month.isin((1, 2, 3, 4, 5, 6)), 0.6, -0.6)
    return side + 0.8 * rng.standard_normal(len(side)), np.ones(len(side))


KINDS: dict[str, Kind] = {
    "good": Kind("calibrated, 1,000 independent cases", True, normal()),
    "good uneven": Kind("calibrated, spread log-normal from case to case", True, uneven),
    "good leads": Kind("calibrated at each of 12 lead times", True, by_lead(1.0, 1.0), is_ordered=True),
    "good season": Kind("calibrated, four years of days", True, normal(n=4 * 365), is_daily=True, is_ordered=True),
    **{f"good {n}": Kind(f"calibrated, {n} cases", True, normal(n=n)) for n in (8, 20, 50, 100, 400)},
    **{
        f"good rho {rho:g}": Kind(f"calibrated, errors AR(1) of {rho:g}, {n:,} cases", True, normal(rho=rho, n=n), is_ordered=True)
        for rho, n in ((0.5, 1000), (0.9, 3000), (0.97, 5000))
    },
    "skewed up": Kind("errors Exp(1) − 1", False, with_errors(lambda rng, n: rng.exponential(size=n) - 1)),
    "skewed down": Kind("errors 1 − Exp(1)", False, with_errors(lambda rng, n: 1 - rng.exponential(size=n))),
    "laplace": Kind("Laplace errors", False, with_errors(lambda rng, n: rng.laplace(size=n) / np.sqrt(2))),
    "student": Kind("errors t with 3 degrees of freedom", False, with_errors(lambda rng, n: rng.standard_t(3, n) / np.sqrt(3))),
    "light": Kind("uniform errors", False, with_errors(lambda rng, n: rng.uniform(-1, 1, n) * np.sqrt(3))),
    "regimes": Kind(
        "regimes with a bias of ±0.8 RMSE",
        False,
        with_errors(lambda rng, n: np.where(rng.random(n) < 0.5, 0.8, -0.8) + 0.6 * rng.standard_normal(n)),
    ),
    "bias and skew": Kind(
        "bias of 0.25 RMSE, and skew", False, with_errors(lambda rng, n: 0.25 + np.sqrt(1 - 0.25**2) * (rng.exponential(size=n) - 1))
    ),
    "bias": Kind("bias of 0.25 RMSE", False, with_errors(lambda rng, n: 0.25 + np.sqrt(1 - 0.25**2) * rng.standard_normal(n))),
    "varies": Kind("spread varies, error does not", False, varies_too_much),
    "leads": Kind("12 lead times, ratios from 2.62 to 0.67", False, by_lead(0.67, 2.62), is_ordered=True),
    "leads mild": Kind("12 lead times, ratios from 1.4 to 0.7", False, by_lead(0.7, 1.4), is_ordered=True),
    "season": Kind("bias of ±0.6 RMSE by season", False, seasonal_bias, is_daily=True, is_ordered=True),
    "wide": Kind("ratio 1.3", False, normal(1.3)),
    **{f"narrow {n}": Kind(f"ratio 0.7, {n} cases", False, normal(0.7, n=n)) for n in (8, 20, 50, 100, 400)},
    **{
        f"narrow rho {rho:g}": Kind(f"ratio 0.8, errors AR(1) of {rho:g}, {n:,} cases", False, normal(0.8, rho, n), is_ordered=True)
        for rho, n in ((0.5, 1000), (0.9, 3000), (0.97, 5000))
    },
}


def ensemble(name: str, seed: int) -> Ensemble:
    """Return the simulated ensemble of a kind."""
    kind, rng = KINDS[name], np.random.default_rng([seed, *name.encode()])
    errors, spread = kind.draw(rng)
    plain = 2 * rng.standard_normal(errors.shape)
    members = plain + spread * rng.standard_normal((N_MEMBER, *errors.shape))
    n = len(errors)
    has_leads = errors.ndim > 1
    return Ensemble(
        members.astype(np.float32),
        (plain + errors).astype(np.float32),
        plain.astype(np.float32),
        pd.date_range("2001-01-01", periods=n, name="init_time") if kind.is_daily else pd.RangeIndex(n),
        np.arange(n) if kind.is_ordered else rng.permutation(n),
        ("init_time", "lead_time") if has_leads else ("case",),
        lead_time=tuple(range(1, errors.shape[1] + 1)) if has_leads else (),
        lead_unit="step" if has_leads else "",
        valid_time=pd.date_range("2001-01-01", periods=n).to_numpy() if kind.is_daily else None,
    )
