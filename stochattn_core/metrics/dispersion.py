"""The two lengths that tuning makes equal: how far a stochastic pass strays from the plain answer, and how far that errs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics.statistics import Statistics


class Deviation(NamedTuple):
    """Both in the units of the target (or in units of `scale`)."""

    member: Tensor  # (member,) d_j = rms (f_j - f)
    error: Tensor  # () d0 = rms (f - y)


def deviation(statistics: Statistics, scale: Tensor | None = None) -> Deviation:
    """Pooled root-mean-square deviation of each member from the plain model, and error of the plain model.

    One norm over all cases and elements with a target: a norm per case would bias the tuned spread low by E[chi_k]^2 / k,
    36% for one number a case.

    scale: broadcasts to the first event axis; variables of unlike units are divided by it first.
    Returns member (member,) and error (); NaN without cases.

    >>> members = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    >>> found = deviation(Statistics.of(members, torch.tensor([3.0, 3.0]), torch.zeros(2), [0, 0], 1))
    >>> found.member, found.error
    (tensor([1.0000, 1.4142], dtype=torch.float64), tensor(3., dtype=torch.float64))
    """
    member, error = deviation_by_block(statistics.total(), scale)
    return Deviation(member[0], error[0])


def deviation_by_block(sums: Statistics, scale: Tensor | None = None) -> Deviation:
    """The same for each entry of the leading axis: member (block, member), error (block,)."""
    square = 1.0 if scale is None else torch.as_tensor(scale, dtype=torch.float64) ** 2
    count, error_sq, member_sq = sums.weight, sums.pooled_error_sq / square, sums.deviation_sq / square
    if count.ndim > 1:
        count, error_sq, member_sq = count.flatten(1).sum(1), error_sq.flatten(1).sum(1), member_sq.flatten(2).sum(2)
    return Deviation((member_sq / count[:, None]).sqrt(), (error_sq / count).sqrt())
