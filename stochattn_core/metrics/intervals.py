"""Central intervals of an ensemble: their ends, and how often they contain the target."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))  # 5%, 10%, ..., 95%


def quantiles(members: Float[Tensor, " member *event"], probability: Sequence[float]) -> Float[Tensor, " p *event"]:
    """Return the Weibull quantiles: the order statistic at position p (M + 1), linearly interpolated between two members.

    A new draw from the law of the members is below the order statistic k with probability k / (M + 1), whatever the law. An interval between
    these quantiles therefore has its nominal coverage; with the usual linear rule, p (M - 1) + 1, the coverage is too low (.87 instead of
    .90 for 50 members). At positions outside 1 .. M the quantile is the outermost member.

    members: (member, *event), at least 1.   probability: p values.   Returns (p, *event), units of the members; NaN where any member is NaN.
    Source: Hyndman and Fan (1996), American Statistician 50, 361, type 6.

    >>> quantiles(torch.tensor([3.0, 1.0, 2.0]), [0.25, 0.5, 0.99])
    tensor([1., 2., 3.])
    """
    values = members.sort(0).values
    missing = torch.where(torch.isnan(values[-1:]), torch.nan, 0.0)  # the sort puts NaN last
    return quantiles_of_sorted(values, probability) + missing


def quantiles_of_sorted(values: Tensor, probability: Sequence[float]) -> Tensor:
    """Return the quantiles of members that are already sorted on axis 0.

    >>> quantiles_of_sorted(torch.tensor([1.0, 2.0, 3.0]), [0.375])
    tensor([1.5000])
    """
    low, part = positions(probability, values.shape[0])
    low, part = low.to(values.device), part.to(values.dtype).to(values.device).view(-1, *[1] * (values.ndim - 1))
    lower = values[low]
    # Not torch.lerp: its last bit depends on the place of an element in memory, and an end may be exactly at the target.
    return lower + part * (values[(low + 1).clamp(max=len(values) - 1)] - lower)


def positions(probability: Sequence[float], n_member: int) -> tuple[Tensor, Tensor]:
    """Return the positions of the Weibull quantiles of M sorted members: the member below, counted from 0, and the share of the gap above it.

    >>> positions([0.375], 3)
    (tensor([0]), tensor([0.5000], dtype=torch.float64))
    """
    position = torch.tensor(list(probability), dtype=torch.float64) * (n_member + 1)
    position = position.mul(1e9).round().div(1e9).clamp(1, n_member) - 1  # (1 - 0.8) / 2 * 50 is 4.999999999999999: round it to 5
    low = position.floor().long()
    return low, position - low


def central_intervals(
    members: Float[Tensor, " member *event"], level: Sequence[float] = LEVELS
) -> tuple[Float[Tensor, " level *event"], Float[Tensor, " level *event"]]:
    """Return the lower and upper end of the central interval of each nominal level, the quantiles (1 - level)/2 and (1 + level)/2.

    members: (member, *event).   level: in (0, 1).   Returns lower, upper, each (level, *event), units of the members.

    >>> lower, upper = central_intervals(torch.tensor([3.0, 1.0, 2.0]), [0.5])
    >>> lower, upper
    (tensor([1.]), tensor([3.]))
    """
    wrong = [value for value in level if not 0 < value < 1]
    if wrong:
        raise ValueError(f"a nominal level is a share between 0 and 1, got {wrong[0]}; write 90% as 0.9")
    values = quantiles(members, [*((1 - value) / 2 for value in level), *((1 + value) / 2 for value in level)])
    return values[: len(level)], values[len(level) :]


def coverage(
    members: Float[Tensor, " member *event"], target: Float[Tensor, " *event"], level: Sequence[float] = LEVELS
) -> Float[Tensor, " level *event"]:
    """Return 1.0 where the closed central interval contains the target, else 0.0. The mean over cases should be the level.

    members: (member, *event).   target: (*event).   Returns (level, *event), no units; NaN where any input is NaN.
    Read it together with the width: an infinitely wide interval covers everything. Compare it with attainable_coverage.

    >>> coverage(torch.tensor([3.0, 1.0, 2.0]), torch.tensor(1.0), [0.5])
    tensor([1.])
    """
    lower, upper = central_intervals(members, level)
    covered = ((lower <= target) & (target <= upper)).to(lower.dtype)
    return torch.where(torch.isnan(lower + upper + target), torch.nan, covered)


def attainable_coverage(n_member: int, level: Sequence[float] = LEVELS) -> Tensor:
    """Return the coverage of the central intervals of a perfect ensemble of M members: min(level, (M - 1) / (M + 1)).

    A new draw of the same law is between the outermost of M members with probability (M - 1) / (M + 1): 9 members never cover more than
    80%. Exact where (1 - level)/2 (M + 1) is whole. Elsewhere the interpolation between two members covers slightly more (49 Gaussian
    members: .5005 for 50%, .903 for 90%, .954 for 95%).

    Returns (level,) in float64.

    >>> attainable_coverage(9, [0.5, 0.9])
    tensor([0.5000, 0.8000], dtype=torch.float64)
    """
    return torch.tensor(list(level), dtype=torch.float64).clamp(max=(n_member - 1) / (n_member + 1))
