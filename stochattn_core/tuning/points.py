"""The calibration part at some concentrations, from which every objective is computed, and the choice of those concentrations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.dispersion import PerSample, deviation_by_block, per_sample
from stochattn_core.metrics.statistics import coarser

GRID = tuple(2**k for k in range(13))
N_NEAR = 7  # points of the grid that are computed, those nearest to the crossing
MOST_BLOCKS = 1000  # each is left out once for the intervals; neighbouring ones of more are joined
N_LEAST = 3  # a parabola needs three


@dataclass(frozen=True, eq=False)
class Point:
    """The sums of the passes at one concentration, by block.

    statistics: all outputs pooled.   per_sample: a norm for each case by itself; None where no objective needs it.
    """

    concentration: int
    statistics: Statistics
    per_sample: PerSample | None = None

    @classmethod
    def of(cls, concentration: int, ensemble: Ensemble) -> Point:
        """The sums of an ensemble of the calibration part."""
        block = coarser(ensemble.block, MOST_BLOCKS)
        by_case = per_sample(ensemble.members, ensemble.target, ensemble.plain, block, weights=ensemble.weights)
        pooled = ensemble.pooled.merged(MOST_BLOCKS)
        ensemble.forget_elements()
        return cls(concentration, pooled, by_case)

    def pooled(self, counts: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """d of every pass (replicate, pass) and d0 (replicate,). counts: (replicate, block), how often each block is taken."""
        deviation = deviation_by_block(self.statistics.resampled(counts))
        return deviation.member.numpy(), deviation.error.numpy()

    @property
    def every_block(self) -> Tensor:
        """The counts that take every block once: (1, block)."""
        return torch.ones(1, self.statistics.n_block, dtype=torch.float64)


@dataclass(frozen=True)
class Budget:
    """The most that a search may cost: stochastic passes over the calibration part, seconds, or both. None is no bound.

    A search that the budget ends says so, and reports the result so far. With a larger budget it goes on from there, since passes are stored.
    """

    passes: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("passes", "seconds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
                raise ValueError(f"expected a budget of {name} above 0, or None for no bound, got {value!r}")

    def spent(self, passes: int, started: float) -> bool:
        """Would so many passes, or the time since `started` (time.monotonic), exceed the budget?"""
        return (self.passes is not None and passes > self.passes) or (
            self.seconds is not None and time.monotonic() - started > self.seconds
        )


def points_about(
    best: Callable[[Mapping[int, Point]], float],
    passes_at: Callable[[int, int], Point],
    grid: np.ndarray,
    n_pass: int,
    budget: Budget,
    started: float,
) -> tuple[dict[int, Point], bool]:
    """The points at the concentrations of the grid nearest to the optimum, ascending; and whether the budget ended the search.

    The search starts in the middle of the grid and moves to the optimum. best(points): the logarithm of where the optimum seems to be, from
    the points so far. Large concentrations cost most and say nothing of an optimum at small ones, so that they are then left out.
    passes_at(concentration, n_done): computes a point.   started: time.monotonic() when the search began.
    """
    points: dict[int, Point] = {}
    log_grid, n_point = np.log(grid), min(len(grid), N_NEAR)
    centre, ended = log_grid[len(grid) // 2], False
    while True:
        nearest = np.argsort(np.abs(log_grid - centre), kind="stable")[:n_point]
        missing = [int(grid[i]) for i in nearest if int(grid[i]) not in points]
        ended = bool(missing) and len(points) >= N_LEAST and budget.spent((len(points) + 1) * n_pass, started)
        if not missing or ended:
            near = points if ended else {nu: point for nu, point in points.items() if nu in grid[nearest]}
            return dict(sorted(near.items())), ended
        points[missing[0]] = passes_at(missing[0], len(points))
        centre = best(points)


def crossing(points: Mapping[int, Point]) -> float:
    """The logarithm of the concentration where the deviation equals the error: interpolated between the points, with slope -1/2 beyond them."""
    known = np.array(sorted(points))
    member, error = zip(*(points[int(nu)].pooled(points[int(nu)].every_block) for nu in known), strict=True)
    excess = np.log(np.maximum([x.mean() for x in member], 1e-300)) - math.log(max(float(error[0][0]), 1e-300))
    log_known = np.log(known)
    if excess[0] <= 0:
        return float(log_known[0] + 2 * excess[0])
    if excess[-1] >= 0:
        return float(log_known[-1] + 2 * excess[-1])
    return float(np.interp(0.0, -excess, log_known))
