"""Dressing: an ensemble of the plain model's one answer and the errors that it made on calibration data.

Two trivial references. They cost no stochastic pass and are hard to beat on the CRPS of each lead time or cell; what they lack is a spread
that knows the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianDressing:
    """f + sigma z, z independent standard normals, sigma the root-mean-square calibration error of each element: (*event), units of the target."""

    sigma: Tensor
    name: ClassVar[str] = "gaussian-dressing"

    @classmethod
    def fit(cls, plain: Tensor, target: Tensor) -> GaussianDressing:
        """plain, target: (case, *event). NaN targets are left out; an element without any is not dressed.

        >>> GaussianDressing.fit(torch.zeros(2), torch.tensor([3.0, -4.0])).sigma
        tensor(3.5355)
        """
        error = _errors(plain, target)
        n = (~torch.isnan(error)).sum(0)
        return cls((error.square().nansum(0) / n.clamp(min=1)).sqrt())

    def members(self, plain: Tensor, n_member: int, seed: int = 0) -> Tensor:
        """plain: (case, *event).   Returns (member, case, *event)."""
        noise = torch.randn((n_member, *plain.shape), generator=torch.Generator().manual_seed(seed), dtype=plain.dtype)
        return noise.mul_(self.sigma).add_(plain)


@dataclass(frozen=True, eq=False)
class ResidualDressing:
    """f + (y - f) of a calibration case drawn at random, with replacement, for each member and case: the whole event of one calibration case."""

    residual: Tensor  # (calibration case, *event)
    name: ClassVar[str] = "residual-dressing"

    @classmethod
    def fit(cls, plain: Tensor, target: Tensor) -> ResidualDressing:
        """plain, target: (case, *event). Cases lacking an element that others have are left out; an element that none has is not dressed."""
        residual = -_errors(plain, target)
        there = ~torch.isnan(residual)
        whole = (there | ~there.any(0)).flatten(1).all(1) if residual.ndim > 1 else there
        if not whole.any():
            raise ValueError("expected a calibration case with its whole event, found none; give more data, or dress with normal noise")
        return cls(residual[whole].nan_to_num(0.0))

    def members(self, plain: Tensor, n_member: int, seed: int = 0) -> Tensor:
        """plain: (case, *event).   Returns (member, case, *event)."""
        drawn = torch.randint(len(self.residual), (n_member, len(plain)), generator=torch.Generator().manual_seed(seed))
        return self.residual[drawn].add_(plain)


def _errors(plain: Tensor, target: Tensor) -> Tensor:
    """f - y, checked."""
    if plain.shape != target.shape:
        raise ValueError(f"plain and target must have the same shape (case, *event), got {tuple(plain.shape)} and {tuple(target.shape)}")
    error = plain - target
    if not bool(error.isfinite().any()):
        raise ValueError("expected calibration targets to dress a forecast with their errors, found none that is a number; give more data")
    return error
