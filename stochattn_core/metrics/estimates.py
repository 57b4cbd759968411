"""Functions of sums over cases, each with its interval: linearised, so that one pass over the cases serves many functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEVEL = 0.9


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

    function: maps the sums of all cases, (column,), to (value,); differentiable where it is evaluated.   sums: what each case adds, float64.
    block: (case,); cases of one block depend on one another, those of different blocks do not.

    The function is linearised at the sums: case i adds the influence g.x_i, with g the gradient. The variance of the estimate is that of the
    sum of the influences, counted by blocks, and the interval is that of Student's t with one degree of freedom less than there are blocks.
    Source: Hampel (1974), JASA 69, 383 (influence); Liang and Zeger (1986), Biometrika 73, 13 (sums by groups).

    >>> x = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    >>> mean = estimates(lambda s: s[:1] / s[1:], torch.stack([x, torch.ones(4)], 1).double(), torch.arange(4))
    >>> [round(end, 3) for end in mean.at(0)]  # 3 and 2.353 times the standard error 1.080
    [3.0, 0.458, 5.542]
    """
    from scipy import stats  # imported late: it takes long, and the first map of the app does without it

    total = sums.sum(0)
    value = function(total)
    # Forward mode, where a value that is NaN leaves the gradients of the others alone; in reverse mode it is multiplied by 0 in each of them.
    influence = sums @ torch.func.jacfwd(function)(total).T  # (case, value)
    groups = torch.unique(block, return_inverse=True)[1]
    n_group = int(groups.max()) + 1 if len(groups) else 0
    by_group = torch.zeros(n_group, influence.shape[1], dtype=torch.float64).index_add_(0, groups, influence)
    independent = _variance_of_sum(influence)
    variance = _variance_of_sum(by_group)
    width = float(stats.t.ppf((1 + level) / 2, n_group - 1)) if n_group > 1 else torch.nan
    half = torch.where(value.isfinite(), width * variance.sqrt(), torch.nan)
    n_effective = torch.where(half.isfinite() & (variance > 0), len(sums) * independent / variance, torch.nan)
    return Estimates(value, value - half, value + half, half / width, n_effective)


def _variance_of_sum(influence: Tensor) -> Tensor:
    """Return the variance of the sum of independent values, (n, value) -> (value,); NaN for fewer than 2."""
    n = len(influence)
    return influence.var(0) * n if n > 1 else torch.full(influence.shape[1:], torch.nan, dtype=influence.dtype)
