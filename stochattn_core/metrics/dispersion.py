"""The two lengths that tuning makes equal: how far a stochastic pass strays from the plain answer, and how far that errs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
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


class PerSample(NamedTuple):
    """Sums over the cases of each block, of norms taken case by case: d_ij = |f_j - f| and d0_i = |y - f| over the outputs of case i."""

    cost: Tensor  # (block, member) (d_ij - d0_i)^2
    averaged: Tensor  # (block,) (mean over j of d_ij, minus d0_i)^2
    n: Tensor  # (block,) cases with a target


def per_sample(members, target, plain, block, *, weights=None) -> PerSample:
    """The sums of the objectives that take a norm for each case by itself.

    members: (member, case, *event).   target, plain: (case, *event); NaN targets are left out of their case's norm.   block: (case,) ints.
    weights: broadcasts to *event.   Streams over members, so that they may be a numpy memmap.

    >>> found = per_sample(torch.tensor([[1.0], [3.0]]), torch.tensor([2.0]), torch.tensor([0.0]), [0])
    >>> found.cost, found.averaged
    (tensor([[1., 1.]], dtype=torch.float64), tensor([0.], dtype=torch.float64))
    """
    target, plain = (torch.as_tensor(np.array(x, dtype=np.float64)) for x in (target, plain))
    block = torch.as_tensor(np.asarray(block), dtype=torch.int64)
    n_block = int(block.max()) + 1
    seen = ~torch.isnan(target)
    scale = seen.double() if weights is None else seen * torch.as_tensor(weights, dtype=torch.float64)
    counted = seen.flatten(1).any(1) if target.ndim > 1 else seen

    def norm(difference: Tensor) -> Tensor:
        return (torch.where(seen, difference, 0.0).square() * scale).flatten(1).sum(1).sqrt() if target.ndim > 1 else difference.abs()

    def total(values: Tensor) -> Tensor:
        return torch.zeros(n_block, dtype=torch.float64).index_add_(0, block, torch.where(counted, values, 0.0))

    error = norm(target - plain)
    costs, mean = [], torch.zeros_like(error)
    for member in members:
        strayed = norm(torch.as_tensor(np.array(member, dtype=np.float64)) - plain)
        costs.append(total((strayed - error).square()))
        mean += strayed / len(members)
    return PerSample(torch.stack(costs, 1), total((mean - error).square()), total(torch.ones_like(error)))
