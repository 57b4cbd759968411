"""Split conformal with the Schaake shuffle: members whose marginals are conformal and whose order is that of past trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from stochattn_core.baselines.conformal import finite_sample_quantile


@dataclass(frozen=True, eq=False)
class ConformalSchaake:
    """Members f + q_i, i = 1 .. M, at the conformal quantiles i / (M + 1) of each element, in the order of calibration trajectories.

    The quantile i / (M + 1) is an end of the split conformal interval of level |2 i / (M + 1) - 1|: minus its half-width below the middle, plus
    above it. Where no finite half-width has the guarantee, it is the largest calibration error.
    For each case, M calibration cases are drawn. In every element, the member with number j gets the quantile whose rank is that of the j-th
    drawn case among the M: members then depend on one another over elements as the drawn trajectories do.
    Sources: Clark et al. (2004), Journal of Hydrometeorology 5, 243, for the shuffle; Papadopoulos et al. (2002), ECML, 345.
    """

    size: Tensor  # |y - f| of the calibration cases, (calibration case, *event), NaN where missing
    trajectory: Tensor  # whose ranks are taken, (calibration case, *event), complete
    name: ClassVar[str] = "conformal-schaake"

    @classmethod
    def fit(cls, plain: Tensor, target: Tensor, *, ranks_of: Literal["targets", "errors"] = "targets") -> ConformalSchaake:
        """Collect errors and trajectories of calibration data: plain, target (case, *event).

        ranks_of: "targets", as the shuffle was published, or "errors", y - f, for models whose forecasts already follow the trajectory.
        Trajectories that are not complete are left out. ValueError where none is complete, and for shapes that differ.
        """
        if plain.shape != target.shape:
            raise ValueError(
                f"plain and target must have the same shape (case, *event), got {tuple(plain.shape)} and {tuple(target.shape)}; give both for "
                "the same cases"
            )
        if ranks_of not in ("targets", "errors"):
            raise ValueError(f"expected ranks_of='targets' or ranks_of='errors', got {ranks_of!r}; choose one of them")
        error = target - plain
        known = ~torch.isnan(error)
        complete = (known | ~known.any(0)).flatten(1).all(1) if error.ndim > 1 else known
        if not known.any() or not complete.any():
            raise ValueError("expected a calibration case with its whole event, found none; give more data")
        return cls(error.abs(), (target if ranks_of == "targets" else error)[complete].nan_to_num(0.0))

    def members(self, plain: Tensor, n_member: int, seed: int = 0) -> Tensor:
        """Return members (member, case, *event) for forecasts plain (case, *event)."""
        offset, generator = self.offsets(n_member).to(plain.dtype), torch.Generator().manual_seed(seed)
        members, n = torch.empty((n_member, *plain.shape), dtype=plain.dtype), len(self.trajectory)
        for case in range(len(plain)):
            whole_rounds = [torch.randperm(n, generator=generator) for _ in range(-(-n_member // n))]  # no case twice before all were drawn
            drawn = self.trajectory[torch.cat(whole_rounds)[:n_member]]
            members[:, case] = plain[case] + offset.gather(0, _ranks(drawn, generator))
        return members

    def offsets(self, n_member: int) -> Tensor:
        """Return the conformal quantiles minus the forecast, ascending: (member, *event)."""
        level = 2 * torch.arange(1, n_member + 1, dtype=torch.float64) / (n_member + 1) - 1
        known = ~torch.isnan(self.size)
        largest = torch.where(known, self.size, 0.0).amax(0)
        half = torch.minimum(finite_sample_quantile(self.size, level.abs().tolist(), known.sum(0)), largest)
        sign = level.sign().view(-1, *[1] * largest.ndim)  # the middle one of an odd number is the forecast itself
        return half * sign.to(half.dtype)


def _ranks(values: Tensor, generator: torch.Generator) -> Tensor:
    """Return the rank of each value on axis 0, from 0, ties in random order."""
    mixed = torch.rand(values.shape, generator=generator).argsort(0)
    order = mixed.gather(0, values.gather(0, mixed).sort(dim=0, stable=True).indices)
    return order.argsort(0)
