"""Split conformal prediction: an interval about the plain model's answer, as wide as its errors on calibration data were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stochattn_core.metrics.intervals import LEVELS


@dataclass(frozen=True, eq=False)
class SplitConformal:
    """f - q .. f + q, one half-width q for each nominal level and each element of the event.

    What it gives: if calibration and test cases are exchangeable, a new target is inside with probability at least `level`, and
    at most level + 1 / (n + 1) without ties, whatever the model: no other method here promises anything for finite n.
    What it does not: that promise over time when the world changes (a series, a climate); the right coverage in each case or
    region (every case gets the same width, the hard ones too little); members, so no CRPS, no PIT, no joint structure, no paths.
    """

    level: tuple[float, ...]
    half_width: Tensor  # (level, *event), units of the target; inf where n is too small for the level
    n: Tensor  # (*event) calibration cases with a target

    def intervals(self, plain: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper end, each (level, case, *event), for forecasts plain (case, *event)."""
        q = self.half_width.unsqueeze(1)
        return plain - q, plain + q

    def scores(self, plain: Tensor, target: Tensor) -> dict[str, float]:
        """coverage_50 (a share), width_50 (units of the target), ... at every level, over all elements with a target.

        Coverage should be the level; of two that cover, the narrower is better. A width is inf where the half-width is.

        >>> plain, target = torch.zeros(9), torch.arange(1.0, 10.0)
        >>> fit(plain, target, [0.5]).scores(plain, target)
        {'coverage_50': 0.5555555555555556, 'width_50': 10.0}
        """
        lower, upper = self.intervals(plain)
        seen = ~torch.isnan(target)
        found = {}
        for place, level in enumerate(self.level):
            percent = f"{100 * level:g}"
            held = (lower[place] <= target) & (target <= upper[place])
            found[f"coverage_{percent}"] = float(held[seen].double().mean())
            found[f"width_{percent}"] = float((upper[place] - lower[place])[seen].double().mean())
        return found


def fit(plain: Tensor, target: Tensor, level: Sequence[float] = LEVELS) -> SplitConformal:
    """Half-widths from calibration data: of n values |y - f|, the one of rank ceil((n + 1) level).

    Each element of the event (each lead time) by itself. Where that rank exceeds n, no finite width is promised anything: inf
    (9 cases carry 90%, 19 carry 95%).

    plain, target: (case, *event), same units, of data the model was not trained on; elements with a NaN target are left out.
    Source: Papadopoulos et al. (2002), ECML, 345; Lei et al. (2018), JASA 113, 1094.

    >>> fit(torch.zeros(9), torch.arange(1.0, 10.0), [0.5, 0.9, 0.95]).half_width
    tensor([5., 9., inf])
    """
    wrong = [value for value in level if not 0 < value < 1]
    if wrong:
        raise ValueError(f"a nominal level is a share between 0 and 1, got {wrong[0]}; write 90% as 0.9")
    if plain.shape != target.shape:
        raise ValueError(f"plain and target must have the same shape (case, *event), got {tuple(plain.shape)} and {tuple(target.shape)}")
    seen = ~torch.isnan(target)
    if bool(torch.isnan(plain[seen]).any()):
        raise ValueError("plain must hold a number wherever target does, got NaN; look for an overflow in the model")
    residual = torch.where(seen, (target - plain).abs(), torch.inf).sort(0).values  # missing ones last
    n = seen.sum(0)
    ends = torch.full_like(residual[:1], torch.inf) if len(residual) else torch.full((1, *target.shape[1:]), torch.inf)
    residual = torch.cat([residual, ends])  # rank n + 1 is infinite
    rank = torch.stack([_rank(n, value) for value in level])
    return SplitConformal(tuple(level), residual.gather(0, torch.minimum(rank - 1, n)), n)


def _rank(n: Tensor, level: float) -> Tensor:
    """ceil((n + 1) level), with 100 * 0.55 = 55.00000000000001 taken for the 55 it is."""
    return ((n + 1).to(torch.float64) * level - 1e-9).ceil().long().clamp(min=1)


def promised_coverage(n: int, level: float) -> float:
    """Probability that a new target is inside, ceil((n + 1) level) / (n + 1), for exchangeable cases without ties; 1 when infinite.

    >>> promised_coverage(30, 0.9)  # 28 of 31
    0.9032258064516129
    """
    return min(1.0, math.ceil((n + 1) * level - 1e-9) / (n + 1))
