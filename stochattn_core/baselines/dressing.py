"""Dressing: an ensemble made of the plain model's answer and the errors that it made on calibration data.

These are two simple references. They need no stochastic pass and are hard to beat on the CRPS of each lead time or cell, but their spread
is the same in every case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianDressing:
    """Members f + sigma z, with z independent standard normals and sigma the root-mean-square calibration error of each element.

    sigma: (*event), units of the target.
    """

    sigma: Tensor
    name: ClassVar[str] = "gaussian-dressing"

    @classmethod
    def fit(cls, plain: Tensor, target: Tensor) -> GaussianDressing:
        """Fit sigma to calibration data: plain, target (case, *event). NaN targets are left out; an element without a target gets sigma 0.

        >>> GaussianDressing.fit(torch.zeros(2), torch.tensor([3.0, -4.0])).sigma
        tensor(3.5355)
        """
        error = _errors(plain, target)
        n = (~torch.isnan(error)).sum(0)
        return cls((error.square().nansum(0) / n.clamp(min=1)).sqrt())

    def members(self, plain: Tensor, n_member: int, seed: int = 0) -> Tensor:
        """Return members (member, case, *event) for forecasts plain (case, *event)."""
        noise = torch.randn((n_member, *plain.shape), generator=torch.Generator().manual_seed(seed), dtype=plain.dtype)
        return noise.mul_(self.sigma).add_(plain)


@dataclass(frozen=True, eq=False)
class ResidualDressing:
    """Members f + r, with r = y - f of a calibration case that is drawn at random, with replacement, for each member and case.

    The whole event comes from one calibration case, so that errors keep their joint structure.
    """

    residual: Tensor  # (calibration case, *event)
    name: ClassVar[str] = "residual-dressing"

    @classmethod
    def fit(cls, plain: Tensor, target: Tensor) -> ResidualDressing:
        """Collect the residuals of calibration data: plain, target (case, *event).

        A case is left out where it lacks an element that another case has; an element that no case has gets the residual 0.
        """
        residual = -_errors(plain, target)
        known = ~torch.isnan(residual)
        complete = (known | ~known.any(0)).flatten(1).all(1) if residual.ndim > 1 else known
        if not complete.any():
            raise ValueError("expected a calibration case with its whole event, found none; give more data, or dress with normal noise")
        return cls(residual[complete].nan_to_num(0.0))

    def members(self, plain: Tensor, n_member: int, seed: int = 0) -> Tensor:
        """Return members (member, case, *event) for forecasts plain (case, *event)."""
        drawn = torch.randint(len(self.residual), (n_member, len(plain)), generator=torch.Generator().manual_seed(seed))
        return self.residual[drawn].add_(plain)


def _errors(plain: Tensor, target: Tensor) -> Tensor:
    """Return f - y; ValueError where shapes differ or no error is a number."""
    if plain.shape != target.shape:
        raise ValueError(
            f"plain and target must have the same shape (case, *event), got {tuple(plain.shape)} and {tuple(target.shape)}; give both for the same cases"
        )
    error = plain - target
    if not bool(error.isfinite().any()):
        raise ValueError("expected calibration targets to dress a forecast with their errors, found none that is a number; give more data")
    return error
