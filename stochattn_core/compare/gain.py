"""The gain of one method over another in fair CRPS, with an interval: both are resampled with the same blocks of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.significance import infer


class Gain(NamedTuple):
    """In the units of the target; above 0 where the method is better than the reference. The ends are NaN where there are too few blocks."""

    estimate: float
    low: float
    high: float
    n_effective: float = float("nan")


@dataclass(frozen=True, eq=False)
class ScoredPart:
    """One method on one part of a dataset. statistics: pooled.   crps: (block,) sums, fair where there are members."""

    statistics: Statistics
    crps: Tensor


def paired_gain(reference: ScoredPart, method: ScoredPart, level: float = 0.9) -> Gain:
    """Mean CRPS of the reference minus that of the method, with an interval that counts the dependence of neighbouring cases.

    A case that is hard for one method is hard for the other, so that the interval of the paired difference is far narrower than those of the
    two scores.
    """
    used = reference.statistics.n > 0
    n = reference.statistics.n
    if not torch.equal(n, method.statistics.n):
        raise ValueError("expected two methods scored on the same cases, got others; give both the same part")
    gained = (reference.crps - method.crps)[used]
    n = n[used]
    without = (gained.sum() - gained) / (n.sum() - n)
    found = infer((gained.sum() / n.sum())[None].numpy(), without[:, None].numpy(), level=level).at(0)
    return Gain(found.estimate, found.low, found.high, found.n_effective)
