"""The two lengths that tuning makes equal: the deviation of a stochastic pass from the plain model, and the error of the plain model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array, Members
from stochattn_core.metrics.statistics import Statistics


class Deviation(NamedTuple):
    """The two lengths, in the units of the target (or in units of `scale`)."""

    member: Tensor  # (member,) d_j = rms (f_j - f)
    error: Tensor  # () d0 = rms (f - y)


def deviation(statistics: Statistics, scale: Tensor | None = None) -> Deviation:
    """Return the pooled root-mean-square deviation of each member from the plain model, and the RMSE of the plain model.

    One norm is taken over all cases and all elements with a target. A norm for each case would bias the tuned spread low by the
    factor E[chi_k]^2 / k, that is by 36% for one number a case.

    scale: broadcasts to the first event axis; variables with different units are first divided by it.
    Returns member (member,) and error (); NaN without cases.

    >>> members = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    >>> member, error = deviation(Statistics.of(members, torch.tensor([3.0, 3.0]), torch.zeros(2), [0, 0], 1))
    >>> member, error
    (tensor([1.0000, 1.4142], dtype=torch.float64), tensor(3., dtype=torch.float64))
    """
    member, error = deviation_by_block(statistics.total(), scale)
    return Deviation(member[0], error[0])


def deviation_by_block(sums: Statistics, scale: Tensor | None = None) -> Deviation:
    """Return `deviation` for each entry of the leading axis: member (block, member), error (block,)."""
    square = 1.0 if scale is None else torch.as_tensor(scale, dtype=torch.float64) ** 2
    count, error_sq, member_sq = sums.weight, sums.pooled_error_sq / square, sums.deviation_sq / square
    if count.ndim > 1:
        count, error_sq, member_sq = count.flatten(1).sum(1), error_sq.flatten(1).sum(1), member_sq.flatten(2).sum(2)
    return Deviation((member_sq / count[:, None]).sqrt(), (error_sq / count).sqrt())


class PerSample(NamedTuple):
    """Sums over the cases of each block, of norms of single cases: d_ij = |f_j - f| and d0_i = |y - f| over the outputs of case i."""

    cost: Tensor  # (block, member) (d_ij - d0_i)^2
    averaged: Tensor  # (block,) (mean over j of d_ij, minus d0_i)^2
    n: Tensor  # (block,) cases with a target


def per_sample(members: Members, target: Array, plain: Array, block: Array | Sequence[int], *, weights: Array | None = None) -> PerSample:
    """Return the sums for the objectives that take a norm of each case separately.

    members: (member, case, *event).   target, plain: (case, *event); NaN targets are left out of the norm of their case.
    block: (case,) ints.   weights: broadcasts to *event.   It reads one member at a time, so that members may be a numpy memmap.

    >>> cost, averaged, n = per_sample(torch.tensor([[1.0], [3.0]]), torch.tensor([2.0]), torch.tensor([0.0]), [0])
    >>> cost, averaged
    (tensor([[1., 1.]], dtype=torch.float64), tensor([0.], dtype=torch.float64))
    """
    y, f = (torch.tensor(np.asarray(values), dtype=torch.float64) for values in (target, plain))
    blocks = torch.as_tensor(np.asarray(block), dtype=torch.int64)
    n_block = int(blocks.max()) + 1
    seen = ~torch.isnan(y)
    scale = seen.double() if weights is None else seen * torch.as_tensor(weights, dtype=torch.float64)
    counted = seen.flatten(1).any(1) if y.ndim > 1 else seen

    def norm(difference: Tensor) -> Tensor:
        return (torch.where(seen, difference, 0.0).square() * scale).flatten(1).sum(1).sqrt() if y.ndim > 1 else difference.abs()

    def total(values: Tensor) -> Tensor:
        return torch.zeros(n_block, dtype=torch.float64).index_add_(0, blocks, torch.where(counted, values, 0.0))

    error = norm(y - f)
    costs, mean = [], torch.zeros_like(error)
    for member in members:
        deviation = norm(torch.tensor(np.asarray(member), dtype=torch.float64) - f)
        costs.append(total((deviation - error).square()))
        mean += deviation / len(members)
    return PerSample(torch.stack(costs, 1), total((mean - error).square()), total(torch.ones_like(error)))
