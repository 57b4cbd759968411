"""The authors' search: single passes, a power law with log-normal noise, and more passes where its posterior says the optimum may be.

    log d = log b + a log nu + eps,  eps ~ N(0, s^2);   nu* = (d0 / exp(log b + 1.5 s^2)) ** (1 / a)

Source: "Bayesian optimisation under uncertainty", arXiv 2510.06439: 40 passes at log-spaced concentrations, then Thompson batches of 10,
until the 98th percentile of f(nu*_draw) / f(nu*) is below 1.03 three times.
# DIFFERS: the line is fitted to the passes within a factor of 16 of the optimum so far, because it bends at small concentrations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stochattn_core.tuning.points import Budget
from stochattn_core.tuning.power_law import optimum

N_START, N_BATCH, N_MOST = 40, 10, 400
N_LEAST = 6  # passes that a line and its noise need, whatever the budget and however far from the optimum
TOLERANCE, QUANTILE, N_AGREE = 1.03, 0.98, 3
REACH = 16.0  # the line is fitted to the passes within this factor of the optimum
N_DRAW = 2000
PassAt = Callable[[int, int], np.ndarray]  # (concentration, member) -> (block,) sum of squared deviations


@dataclass(frozen=True, eq=False)
class Line:
    """The posterior of the power law under a flat prior. slope, intercept, noise: the estimate.   draws: (draw, 3) of the three."""

    slope: float
    intercept: float
    noise: float
    draws: np.ndarray = field(repr=False)

    def optimum(self, error: float) -> float:
        """nu* of the estimate."""
        return float(optimum(error, self.slope, self.intercept, self.noise))

    def optima(self, error: float | np.ndarray) -> np.ndarray:
        """nu* of every draw. error: d0, or one draw of it for each."""
        return optimum(error, *self.draws.T)

    def cost(self, concentration: np.ndarray, error: float) -> np.ndarray:
        """E[(d - d0)^2] of the estimate at these concentrations."""
        log_mean = self.intercept + self.slope * np.log(concentration)
        return np.exp(2 * log_mean + 2 * self.noise**2) - 2 * error * np.exp(log_mean + self.noise**2 / 2) + error**2


@dataclass(frozen=True, eq=False)
class Thompson:
    """The result of the single-pass search.

    concentration: (pass,).   deviation: (pass,) d.   deviation_sq: (pass, block) sums.   optimum: nu*, not rounded.
    converged: did the stopping rule of the source end the search, and not the budget?
    """

    concentration: np.ndarray
    deviation: np.ndarray
    deviation_sq: np.ndarray
    line: Line
    optimum: float
    converged: bool

    def resampled_optima(self, counts: np.ndarray, error_sq: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """nu* of resampled blocks, (replicate,). counts: (replicate, block), how often each is taken.   error_sq, weight: (block,), as in Statistics."""
        total = counts @ weight
        deviation, error = np.sqrt(counts @ self.deviation_sq.T / total[:, None]), np.sqrt(counts @ error_sq / total)
        return np.array([line_through(self.concentration, d, e).optimum(e) for d, e in zip(deviation, error, strict=True)])


def thompson(
    pass_at: PassAt,
    error_sq: np.ndarray,
    weight: np.ndarray,
    largest: int,
    *,
    seed: int = 0,
    budget: Budget = Budget(),  # noqa: B008, frozen
    spent: int = 0,
    started: float | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Thompson:
    """nu* from single passes.

    pass_at(concentration, member): the squared deviations of one pass by block, (block,); every member is asked for once.
    error_sq, weight: (block,) sums of squared errors of the plain model, and their weights.   largest: concentrations go from 1 to it.
    spent, started: passes that the search has already taken from its budget, and time.monotonic() when it began.
    """
    rng, started = np.random.default_rng(seed), time.monotonic() if started is None else started
    error = math.sqrt(error_sq.sum() / weight.sum())
    wanted = np.geomspace(1, largest, N_START).round().astype(int)
    wanted = wanted[np.argsort(np.arange(N_START) * 0.618034 % 1)]  # spread over the range, wherever a budget ends it
    asked: list[int] = []
    squares: list[np.ndarray] = []
    agreed = 0
    while True:
        for concentration in wanted:
            if len(asked) >= N_LEAST and budget.spent(spent + len(asked) + 1, started):
                break
            if progress:
                progress(len(asked), N_MOST, f"pass {len(asked) + 1}, concentration {concentration}")
            squares.append(pass_at(int(concentration), len(asked)))
            asked.append(int(concentration))
        concentration, sums = np.array(asked), np.stack(squares)
        deviation = np.sqrt(sums.sum(1) / weight.sum())
        line = line_through(concentration, deviation, error, rng)
        best = float(np.clip(line.optimum(error), 1, largest))
        draws = np.clip(line.optima(error), 1, largest)
        worse = np.quantile(line.cost(draws, error) / max(float(line.cost(np.array(best), error)), 1e-300), QUANTILE)
        agreed = agreed + 1 if worse < TOLERANCE else 0
        converged = agreed >= N_AGREE
        if converged or len(asked) >= N_MOST or budget.spent(spent + len(asked) + 1, started):
            return Thompson(concentration, deviation, sums, line, best, converged)
        wanted = np.clip(rng.choice(draws, N_BATCH).round().astype(int), 1, largest)


def line_through(concentration: np.ndarray, deviation: np.ndarray, error: float, rng: np.random.Generator | None = None) -> Line:
    """Bayesian linear regression of log d on log nu. concentration, deviation: (pass,).   rng: for draws of the posterior; None for no draws."""
    x, y = np.log(concentration), np.log(np.maximum(deviation, 1e-300))
    near = np.ones(len(x), dtype=bool)
    for _ in range(3):  # the line gives the optimum, and the optimum decides which passes the line is fitted to
        slope, intercept, noise, inverse = _regression(x[near], y[near])
        centre = np.clip(np.log(optimum(error, slope, intercept, noise)), x.min(), x.max())
        near = np.abs(x - centre) <= math.log(REACH)
        if near.sum() < N_LEAST:
            near = np.zeros(len(x), dtype=bool)
            near[np.argsort(np.abs(x - centre), kind="stable")[:N_LEAST]] = True
    if rng is None:
        return Line(slope, intercept, noise, np.empty((0, 3)))
    free = max(int(near.sum()) - 2, 1)
    variance = noise**2 * free / rng.chisquare(free, N_DRAW)
    normal = rng.multivariate_normal(np.zeros(2), inverse, size=N_DRAW, method="svd") * np.sqrt(variance)[:, None]
    slopes = np.minimum(slope + normal[:, 1], -1e-3)
    return Line(slope, intercept, noise, np.stack([slopes, intercept + normal[:, 0], np.sqrt(variance)], 1))


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, np.ndarray]:
    """Slope, intercept, residual standard deviation, and the inverse of X^T X."""
    design = np.stack([np.ones_like(x), x], 1)
    inverse = np.linalg.pinv(design.T @ design)
    intercept, slope = inverse @ design.T @ y
    residual = y - intercept - slope * x
    return min(float(slope), -1e-3), float(intercept), float(np.sqrt(residual @ residual / max(len(x) - 2, 1))), inverse
