"""Estimates with an interval that come from sums of one method, or of two methods on the same cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.significance import block_counts, interval_of, n_used

N_REPLICATE = 2000
Value = Callable[[Tensor], Tensor]  # counts (replicate, block) -> (replicate,): a function of sums over cases that are counted so often


class Estimate(NamedTuple):
    """An estimate with the ends of its interval, NaN where there are too few cases.   n_effective: independent cases behind it."""

    estimate: float
    low: float
    high: float
    n_effective: float = math.nan

    @property
    def is_above(self) -> bool:
        """Is the whole interval above 0?"""
        return self.low > 0


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def estimated(statistics: Statistics, value: Value, level: float, seed: int = 0) -> Estimate:
    """Return a function of sums over cases with its interval.   statistics: pooled, of the cases."""
    once = torch.ones(1, statistics.n_block, dtype=torch.float64)
    replicates = value(block_counts(statistics, N_REPLICATE, seed))
    low, high = interval_of(replicates, level, enough=n_used(statistics) > 1)
    return Estimate(float(value(once)[0]), low, high, n_used(statistics))
