"""The power law by which the deviation of a stochastic pass falls with the concentration, and the concentration at which it equals the error.

    log d = log b + a log nu + eps,  eps ~ N(0, s^2),  a about -1/2

Source: "Bayesian optimisation under uncertainty", arXiv 2510.06439; `optimum` minimises E[(d - d0)^2] under this law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 5  # points of the grid nearest to the crossing, to which the law is fitted: at small concentrations it bends


@dataclass(frozen=True)
class PowerLaw:
    """A fitted power law.

    slopes, intercepts: (member,), one line for every member.   noise: standard deviation of log d of a single pass about the mean line.
    """

    slopes: np.ndarray
    intercepts: np.ndarray
    noise: float

    @property
    def slope(self) -> float:
        return float(self.slopes.mean())

    @property
    def intercept(self) -> float:
        return float(self.intercepts.mean())

    def minimiser(self, error: float) -> float:
        """nu* of the mean line, not yet a whole number."""
        return float(optimum(error, self.slope, self.intercept, self.noise))


def fit_power_law(grid: np.ndarray, deviation: np.ndarray, error: float) -> PowerLaw:
    """The power law through the points of the grid nearest to the crossing with the error.

    grid: (point,) concentrations, ascending.   deviation: (point, member), positive.   error: d0.
    """
    log_grid, log_deviation = np.log(grid), np.log(np.maximum(deviation, 1e-300))
    mean = log_deviation.mean(1)
    crossing = np.interp(-np.log(max(error, 1e-300)), -mean, log_grid)
    near = np.sort(np.argsort(np.abs(log_grid - crossing), kind="stable")[:WINDOW])
    x, y = log_grid[near], log_deviation[near]
    centred = x - x.mean()
    slopes = centred @ (y - y.mean(0)) / (centred @ centred)
    slopes = np.minimum(slopes, -1e-3)
    intercepts = y.mean(0) - slopes * x.mean()
    noise = float(np.std(y - y.mean(1, keepdims=True), ddof=1)) if y.shape[1] > 1 else 0.0
    return PowerLaw(slopes, intercepts, noise)


def optimum(error: float | np.ndarray, slope: float | np.ndarray, intercept: float | np.ndarray, noise: float | np.ndarray) -> np.ndarray:
    """nu* = (d0 / exp(log b + 1.5 s^2)) ** (1 / a), the minimum of E[(d - d0)^2]: of the shape to which the arguments broadcast."""
    with np.errstate(over="ignore"):
        log_optimum = np.clip((np.log(np.maximum(error, 1e-300)) - intercept - 1.5 * noise**2) / slope, -50, 50)
        return np.asarray(np.exp(log_optimum))
