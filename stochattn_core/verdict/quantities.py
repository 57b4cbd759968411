"""QUANTITIES: what a verdict tests. Each is a departure from a perfect ensemble, 0 when calibrated, computed from sums over cases.

The PIT is described by its means of four Legendre polynomials, orthonormal on [0, 1]: place, spread, skewness and tails. For a perfect
ensemble each is 0 and varies by 1 / sqrt(n); the root of their sum of squares is the distance of the PIT from uniform in these four ways.
Source: Neyman (1937), Skandinavisk Aktuarietidskrift 20, 149, for the polynomials as a test of uniformity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stochattn_core.metrics.ranks import legendre_weights
from stochattn_core.metrics.scores import rules
from stochattn_core.metrics.scores.pit import SHAPE_LIMIT
from stochattn_core.slices.sums import COVERED, ERROR, ERROR_SQ, LEVEL, N_BIN, PIT, PLAIN_ERROR_SQ, VARIANCE, N

Departure = Callable[[np.ndarray, float], np.ndarray]


@dataclass(frozen=True)
class Quantity:
    """One tested quantity.

    title: for a table.   departure(sums, n_member): from sums (..., field), see slices.sums.FIELDS, to (...), 0 when calibrated.
    low, high: the limits of the departure.   over_slices: the largest root-mean-square departure over the slices of a partition with which
    an ensemble is still called calibrated; inf where slices are not asked for it.
    shown(departure): the value that a person reads.   limits: the limits in words.
    by_chance: standard deviation of the departure of a perfect ensemble with normal errors, times the root of the number of values.
    """

    key: str
    title: str
    departure: Departure
    low: float
    high: float
    limits: str
    shown: Callable[[float], float] = lambda departure: departure
    over_slices: float = math.inf
    is_share: bool = False
    by_chance: float = 0.0

    def __reduce__(self) -> tuple[Callable[[str], Quantity], tuple[str]]:
        """Pickled by its key: results that are cached hold no functions."""
        return quantity_named, (self.key,)


def quantity_named(key: str) -> Quantity:
    """Return the entry of QUANTITIES with this key."""
    return QUANTITIES[key]


def log_ratio(sums: np.ndarray, n_member: float) -> np.ndarray:
    """Return the logarithm of the spread-skill ratio."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 * np.log(sums[..., VARIANCE] / sums[..., ERROR_SQ])


def relative_bias(sums: np.ndarray, n_member: float) -> np.ndarray:
    """Return the mean error of the ensemble mean over its RMSE."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., ERROR] / np.sqrt(sums[..., N] * sums[..., ERROR_SQ])


def excess_coverage(sums: np.ndarray, n_member: float) -> np.ndarray:
    """Return the share of the targets in the central 90% less 90%."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., COVERED] / sums[..., N] - LEVEL


def log_cost(sums: np.ndarray, n_member: float) -> np.ndarray:
    """Return the logarithm of the RMSE of the mean of infinitely many members over that of the plain model."""
    # The squared error of the mean of m members is larger by variance / m; the sums hold (m + 1) / m times the variance.
    with np.errstate(divide="ignore", invalid="ignore"):
        infinite = np.maximum(sums[..., ERROR_SQ] - sums[..., VARIANCE] / (n_member + 1), 0)
        return 0.5 * np.log(infinite / sums[..., PLAIN_ERROR_SQ])


def _of_pit(degree: int) -> Departure:
    weight = legendre_weights(N_BIN)[degree - 1]

    def departure(sums: np.ndarray, n_member: float) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return sums[..., PIT : PIT + N_BIN] @ weight / sums[..., N]

    return departure


_RATIO, _BIAS, _COVERAGE, _COST = (rules(10**6)[key] for key in ("spread_skill_ratio", "bias", "coverage_90", "rmse"))  # limits of SCORES
RATIO = Quantity(
    "ratio",
    "Spread-skill ratio",
    log_ratio,
    math.log(_RATIO.low),
    math.log(_RATIO.high),
    _RATIO.limits,
    shown=math.exp,
    over_slices=math.log(1.2),
    by_chance=math.sqrt(0.5),
)
BIAS = Quantity("bias", "Bias over RMSE", relative_bias, _BIAS.low, _BIAS.high, _BIAS.limits, over_slices=0.25, by_chance=1.0)
COVERAGE = Quantity(
    "coverage_90",
    "Coverage of the central 90%",
    excess_coverage,
    _COVERAGE.low - _COVERAGE.ideal,
    _COVERAGE.high - _COVERAGE.ideal,
    _COVERAGE.limits,
    shown=lambda departure: departure + LEVEL,
    over_slices=0.1,
    is_share=True,
    by_chance=math.sqrt(LEVEL * (1 - LEVEL)),
)
PLACE, WIDTH, SKEW, TAILS = SHAPE = tuple(
    Quantity(key, title, _of_pit(degree), -SHAPE_LIMIT, SHAPE_LIMIT, f"within {SHAPE_LIMIT:g} of 0", by_chance=1.0)
    for degree, (key, title) in enumerate(
        (
            ("pit_place", "PIT: place"),
            ("pit_width", "PIT: spread"),
            ("pit_skew", "PIT: skewness"),
            ("pit_tails", "PIT: tails"),
        ),
        1,
    )
)
COST = Quantity(
    "cost", "RMSE of the mean over that of the plain model", log_cost, -math.inf, math.log(_COST.high), _COST.limits, shown=math.exp
)
QUANTITIES: dict[str, Quantity] = {quantity.key: quantity for quantity in (RATIO, BIAS, COVERAGE, *SHAPE, COST)}
