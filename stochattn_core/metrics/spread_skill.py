"""Spread and skill: does the ensemble vary as much as it errs?"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def finite_size_factor(n_member: int) -> float:
    """sqrt((M + 1) / M), by which the spread of M members is multiplied before it is compared with the RMSE of their mean.

    The mean of M members errs by one more share of the variance: E(m - y)^2 = (1 + 1 / M) sigma^2 when y is one more member.
    Source: Fortin et al. (2014), Journal of Hydrometeorology 15, 1708.

    >>> finite_size_factor(1)
    1.4142135623730951
    """
    return math.sqrt(variance_factor(n_member))


def variance_factor(n_member: int) -> float:
    """(M + 1) / M: the square of `finite_size_factor`, for variances."""
    return (n_member + 1) / n_member


def rmse(forecast: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Root mean square error, sqrt(mean w (f - y)^2), over every element.

    forecast, target: (case, *event), same units (give members.mean(0) for an ensemble).   weights: broadcasts to them.
    Returns () in the units of target; smaller is better; elements with a NaN target are left out.

    >>> rmse(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))
    tensor(2.2361)
    """
    return _mean((forecast - target) ** 2, weights).sqrt()


def spread(members: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Ensemble spread, sqrt(mean w s2) with s2 the variance of the members with M - 1 below: the mean of VARIANCES, then the root.

    members: (member, case, *event), at least 2.   Returns () in the units of the members.

    >>> spread(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    tensor(1.)
    """
    if members.shape[0] < 2:
        raise ValueError(f"the spread needs at least 2 members, got {members.shape[0]}; ask for a larger ensemble")
    return _mean(members.var(0), weights).sqrt()


def spread_skill_ratio(members: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """sqrt((M + 1) / M) spread / RMSE of the ensemble mean: 1 when calibrated, below 1 too narrow, above 1 too wide.

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
