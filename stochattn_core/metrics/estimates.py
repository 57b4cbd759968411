"""Functions of sums over cases, each with its interval, by leaving out one case at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEVEL = 0.9
CHUNK = 4096  # cases that are left out in one call


@dataclass(frozen=True, eq=False)
class Estimates:
    """Values of several functions of the same cases, with the ends of their intervals, (value,) float64 each.

    low, high: NaN where a value is NaN and where fewer than 2 independent groups of cases are known.   error: the standard error.
    n_effective: the number of independent cases that would determine the value as well; NaN where the interval is.
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


def estimates(
    function: Callable[[Tensor], Tensor], sums: Float[Tensor, "case column"], block: Int[Tensor, " case"], *, level: float = LEVEL
) -> Estimates:
    """Return a smooth function of the sums over all cases, with its interval.

    function: maps sums (*batch, column) to values (*batch, value).   sums: what each case adds, float64.
    block: (case,); cases of one block depend on one another, those of different blocks do not.

    The influence of a case is n - 1 times the change of the value when the case is left out. The value varies as the mean of the influences
    does, whose variance is counted by blocks. The interval is that of Student's t with one degree of freedom less than there are blocks.
    Source: Miller (1974), Biometrika 61, 1 (jackknife); Liang and Zeger (1986), Biometrika 73, 13 (sums by groups).

    >>> x = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    >>> mean = estimates(lambda s: s[..., :1] / s[..., 1:], torch.stack([x, torch.ones(4)], 1).double(), torch.arange(4))
    >>> [round(end, 3) for end in mean.at(0)]  # 3 and 2.353 times the standard error 1.080
    [3.0, 0.458, 5.542]
    """
    from scipy import stats  # imported late: it takes long, and the first map of the app does without it

    n, total = len(sums), sums.sum(0)
    value = function(total)
    without = [function(total - sums[start : start + CHUNK]) for start in range(0, n, CHUNK)]
    influence = (n - 1) * (value - torch.cat(without))
    groups = torch.unique(block, return_inverse=True)[1]
    n_group = int(groups.max()) + 1 if n else 0
    by_group = torch.zeros(n_group, len(value), dtype=torch.float64).index_add_(0, groups, influence)
    independent, variance = (_variance_of_sum(values) / n**2 for values in (influence, by_group))
    width = float(stats.t.ppf((1 + level) / 2, n_group - 1)) if n_group > 1 else torch.nan
    half = torch.where(value.isfinite(), width * variance.sqrt(), torch.nan)
    n_effective = torch.where(half.isfinite() & (variance > 0), n * independent / variance, torch.nan)
    return Estimates(value, value - half, value + half, half / width, n_effective)


def _variance_of_sum(influence: Tensor) -> Tensor:
    """Return the variance of the sum of independent values, (n, value) -> (value,); NaN for fewer than 2."""
    n = len(influence)
    return influence.var(0) * n if n > 1 else torch.full(influence.shape[1:], torch.nan, dtype=influence.dtype)
