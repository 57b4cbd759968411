"""Functions of sums over cases that are not Statistics, each with its interval; how far neighbouring cases depend on one another is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stochattn_core.metrics.scores import Scale
from stochattn_core.metrics.significance import LEVEL, infer, student

CHUNK = 4096  # blocks that are left out in one call


@dataclass(frozen=True, eq=False)
class Estimates:
    """Values of several functions of the same cases, with the ends of their intervals, (value,) float64 each.

    low, high: NaN where a value is NaN and where fewer than 2 blocks of cases are known.   error: the standard error, on the linear scale.
    n_effective: the number of independent blocks that would determine the value as well; NaN where the interval is.
    """

    value: Tensor
    low: Tensor
    high: Tensor
    error: Tensor
    n_effective: Tensor

    def at(self, place: int) -> tuple[float, float, float]:
        """Return one value and the ends of its interval."""
        return float(self.value[place]), float(self.low[place]), float(self.high[place])

    def __getitem__(self, places: slice) -> Estimates:
        return Estimates(*(getattr(self, field.name)[places] for field in fields(self)))


def case_estimates(
    function: Callable[[Tensor], Tensor],
    sums: Float[Tensor, "case column"],
    block: np.ndarray,
    *,
    scale: Scale | Sequence[Scale] = "linear",
    is_curve: bool = False,
    level: float = LEVEL,
) -> Estimates:
    """Return a smooth function of the sums over all cases, with its intervals.

    function: maps sums (*batch, column) to values (*batch, value).   sums: what each case adds, float64.   scale: of each value, see `infer`.
    block: (case,) whole numbers in the order of time; cases of one block are left out together.
    is_curve: the values are points of one curve, on the linear scale. All of them then have the median of their effective numbers, because an
    effective number from few cases varies much and neighbouring points have nearly the same dependence.

    >>> x = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    >>> mean = case_estimates(lambda s: s[..., :1] / s[..., 1:], torch.stack([x, torch.ones(4)], 1).double(), np.arange(4))
    >>> round(mean.at(0)[0], 3), bool(mean.low[0] < 3 < mean.high[0])
    (3.0, True)
    """
    groups = torch.from_numpy(np.unique(np.asarray(block), return_inverse=True)[1])
    n_group = int(groups.max()) + 1 if len(groups) else 0
    by_block = torch.zeros(n_group, sums.shape[1], dtype=torch.float64).index_add_(0, groups, sums)
    total = by_block.sum(0)
    value = function(total)
    parts = [function(total - by_block[start : start + CHUNK]) for start in range(0, n_group, CHUNK)]
    without = torch.cat(parts) if parts else value.new_zeros(0, len(value))
    scales = [scale] * len(value) if isinstance(scale, str) else list(scale)
    low, high, error, n_effective = (torch.full_like(value, torch.nan) for _ in range(4))
    for one in dict.fromkeys(scales):
        at = torch.tensor([each == one for each in scales])
        found = infer(value[at].numpy(), without[:, at].numpy(), level=level, scale=one)
        linear = found if one != "log" else infer(value[at].numpy(), without[:, at].numpy(), level=level)
        for ends, values in ((low, found.low), (high, found.high), (error, linear.error), (n_effective, found.n_effective)):
            ends[at] = torch.from_numpy(np.asarray(values, dtype=np.float64))
    if is_curve and (known := n_effective.isfinite()).any():
        influence = (n_group - 1) * (value - without)
        n_effective = torch.where(known, n_effective[known].median(), torch.nan)
        error = (influence.var(0) / n_effective).sqrt()
        half = torch.from_numpy(student(level, n_effective.numpy())) * error
        low, high = value - half, value + half
    return Estimates(value, low, high, error, n_effective)
