"""What a method gains on another in fair CRPS, and how sure that is: both are resampled with the same blocks of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics import Statistics
from stochattn_core.metrics.significance import block_counts

N_REPLICATE = 2000


class Gain(NamedTuple):
    """In the units of the target; above 0 the method is better than what it is compared with. NaN ends: too few blocks."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Scored:
    """What a comparison needs of one method on one part. statistics: pooled.   crps: (block,) sums, fair where there are members."""

    statistics: Statistics
    crps: Tensor


def paired_gain(reference: Scored, method: Scored, level: float = 0.9, seed: int = 0) -> Gain:
    """Mean CRPS of the reference minus that of the method, with a percentile interval over blocks drawn with replacement.

    Cases that are hard are hard for both: paired, the interval is far narrower than those of the two scores. The interval is short by about
    1 / n_block.
    """
    n = reference.statistics.n
    if not torch.equal(n, method.statistics.n):
        raise ValueError("expected two methods scored on the same cases, got others; give both the same part")
    lost = reference.crps - method.crps
    counts = block_counts(reference.statistics, N_REPLICATE, seed)
    replicates = (counts @ lost) / (counts @ n)
    if int((n > 0).sum()) < 2:
        replicates = torch.full_like(replicates, torch.nan)
    low, high = torch.nanquantile(replicates, torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64))
    return Gain(float(lost.sum() / n.sum()), float(low), float(high))


def halves(statistics: Statistics) -> Tensor:
    """Two halves of the blocks that hold cases, every other one: (2, block) bool. What is fitted on one is scored on the other."""
    used = (statistics.n_case > 0).nonzero().flatten()
    if len(used) < 2:
        raise ValueError(
            f"expected at least 2 blocks of calibration cases to fit on one half and score on the other, got {len(used)}; give more data"
        )
    half = torch.zeros(2, statistics.n_block, dtype=torch.bool)
    half[0, used[::2]] = half[1, used[1::2]] = True
    return half
