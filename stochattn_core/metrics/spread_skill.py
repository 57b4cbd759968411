"""Spread and skill: does the ensemble vary as much as it errs?"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def finite_size_factor(n_member: int) -> float:
    """Return sqrt((M + 1) / M), the factor by which the spread of M members is multiplied before it is compared with the RMSE of their mean.

    The error of the mean of M members includes the variance of that mean: E(m - y)^2 = (1 + 1 / M) sigma^2 when y is one more member.
    Source: Fortin et al. (2014), Journal of Hydrometeorology 15, 1708.

    >>> finite_size_factor(1)
    1.4142135623730951
    """
    return math.sqrt(variance_factor(n_member))


def variance_factor(n_member: int) -> float:
    """Return (M + 1) / M, the square of `finite_size_factor`, for variances."""
    return (n_member + 1) / n_member


def rmse(
    forecast: Float[Tensor, " case *event"], target: Float[Tensor, " case *event"], *, weights: Tensor | None = None
) -> Float[Tensor, ""]:
    """Return the root mean square error over all elements, sqrt(mean w (f - y)^2).

    forecast, target: (case, *event), same units (give members.mean(0) for an ensemble).   weights: broadcasts to them.
    Returns () in the units of target; smaller is better; elements with a NaN target are left out.

    >>> rmse(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))
    tensor(2.2361)
    """
    return _mean((forecast - target) ** 2, weights).sqrt()


def spread(members: Float[Tensor, "member case *event"], *, weights: Tensor | None = None) -> Float[Tensor, ""]:
    """Return the ensemble spread, sqrt(mean w s2), with s2 the variance of the members, ddof = 1: the root of the mean of VARIANCES.

    members: (member, case, *event), at least 2.   weights: broadcasts to (case, *event).   Returns () in the units of the members.

    >>> spread(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    tensor(1.)
    """
    if members.shape[0] < 2:
        raise ValueError(f"the spread needs at least 2 members, got {members.shape[0]}; ask for a larger ensemble")
    return _mean(members.var(0), weights).sqrt()


def spread_skill_ratio(
    members: Float[Tensor, "member case *event"], target: Float[Tensor, " case *event"], *, weights: Tensor | None = None
) -> Float[Tensor, ""]:
    """Return the spread-skill ratio, sqrt((M + 1) / M) spread / RMSE of the ensemble mean: 1 calibrated, below 1 too narrow, above too wide.

    The factor is `finite_size_factor`.

    members: (member, case, *event), at least 2.   target: (case, *event), same units; NaN elements are left out of both.
    Returns (), no units.   Source: Fortin et al. (2014), Journal of Hydrometeorology 15, 1708.

    >>> spread_skill_ratio(torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([2.0, 0.0]))
    tensor(1.7321)
    """
    m = members.shape[0]
    seen = torch.where(torch.isnan(target), torch.nan, members)
    return finite_size_factor(m) * spread(seen, weights=weights) / rmse(seen.mean(0), target, weights=weights)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    seen = ~torch.isnan(values)
    weights = seen.to(values.dtype) * (1 if weights is None else weights)
    return (torch.where(seen, values, 0) * weights).sum() / weights.sum()
