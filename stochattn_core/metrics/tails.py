"""Threshold-weighted CRPS: the CRPS of one tail, so that what happens on the other side of a threshold does not count."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from stochattn_core.metrics.crps import crps


def tail_crps(
    members: Float[Tensor, " member *event"],
    target: Float[Tensor, " *event"],
    threshold: Tensor | float,
    *,
    is_upper: bool = True,
    fair: bool = True,
) -> Float[Tensor, " *event"]:
    """Return the threshold-weighted CRPS of the upper tail, integral over z > threshold of (F(z) - 1{y <= z})^2, or of the lower one.

    It is the CRPS of members and target after each value below the threshold (above it, for the lower tail) was moved to the threshold. It is
    proper: unlike scores of those cases alone in which the target was extreme, no forecast gains by always warning.
    Upper and lower tail at one threshold add up to the CRPS.

    members: (member, *event), at least 2 when fair.   target: (*event), same units.   threshold: broadcasts to *event, same units.
    Returns (*event) in the units of target; smaller is better; the fair score may be negative; NaN where any input is NaN.
    Source: Gneiting and Ranjan (2011), JBES 29, 411; chaining: Allen, Ginsbourger and Ziegel (2023), SIAM/ASA JUQ 11, 906.

    >>> members, target = torch.tensor([0.0, 2.0]), torch.tensor(3.0)
    >>> tail_crps(members, target, 1.0), tail_crps(members, target, 1.0, is_upper=False), crps(members, target)
    (tensor(1.), tensor(0.), tensor(1.))
    """
    return crps(_chained(members, threshold, is_upper), _chained(target, threshold, is_upper), fair=fair)


def tail_crps_of_climatology(
    reference: Float[Tensor, " reference *event"],
    target: Float[Tensor, " case *event"],
    threshold: Tensor | float,
    *,
    is_upper: bool = True,
) -> Float[Tensor, " case *event"]:
    """Return the plain threshold-weighted CRPS of one climatology for many targets.

    The mean distance to the sorted climatology follows from its cumulative sums: one search for each target, and no sort.
    reference: the climatology of each element, the same in all cases.   threshold: broadcasts to *event.

    >>> tail_crps_of_climatology(torch.tensor([0.0, 2.0]), torch.tensor([3.0]), 1.0)
    tensor([1.2500])
    """
    values = _chained(reference, threshold, is_upper).sort(0).values
    truth = _chained(target, threshold, is_upper)
    n = len(values)
    sums = torch.cat([torch.zeros_like(values[:1]), values.cumsum(0)])
    below = torch.searchsorted(values.movedim(0, -1).contiguous(), truth.movedim(0, -1).contiguous()).movedim(-1, 0)
    below_sum = sums.gather(0, below)
    distance = (below * truth - below_sum + (sums[-1] - below_sum) - (n - below) * truth) / n
    rank = torch.arange(1, n + 1, dtype=values.dtype)
    return distance - torch.tensordot(2 * rank - n - 1, values, dims=1) / n**2


TAILS = {"tail_upper": (0.9, True), "tail_lower": (0.1, False)}  # the level of the climatology where each begins, and whether it is upper


def tail_threshold(climatology: Float[Tensor, " reference *event"], name: str) -> Float[Tensor, " *event"]:
    """Return where one of TAILS begins in each element: a quantile of its climatology."""
    return climatology.quantile(TAILS[name][0], 0)


def _chained(values: Tensor, threshold: Tensor | float, is_upper: bool) -> Tensor:
    limit = torch.as_tensor(threshold, dtype=values.dtype)
    return torch.maximum(values, limit) if is_upper else torch.minimum(values, limit)
