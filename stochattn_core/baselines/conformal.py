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

    def scores(self, plain: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, float]:
        """coverage_50 (a share), width_50 (units of the target), ... at every level, over all elements with a target, by weights.

        Coverage should be the level; of two that cover, the narrower is better. A width is inf where the half-width is.

        >>> plain, target = torch.zeros(9), torch.arange(1.0, 10.0)
        >>> fit(plain, target, [0.5]).scores(plain, target)
        {'coverage_50': 0.5555555555555556, 'width_50': 10.0}
        """
        return interval_scores(*self.intervals(plain), target, self.level, weights)


def interval_scores(
    lower: Tensor, upper: Tensor, target: Tensor, level: Sequence[float], weights: Tensor | None = None
) -> dict[str, float]:
    """coverage_50, width_50, ... of intervals lower, upper (level, case, *event), over all elements with a target (case, *event).

    weights: broadcasts to *event (cell areas).
    """
    weight = torch.where(torch.isnan(target), 0.0, torch.ones_like(target, dtype=torch.float64) * (1.0 if weights is None else weights))
    total, found = float(weight.sum()), {}
    for place, value in enumerate(level):
        percent = f"{100 * value:g}"
        held = (lower[place] <= target) & (target <= upper[place])
        width = (upper[place] - lower[place]).double()
        found[f"coverage_{percent}"] = float((held * weight).sum()) / total if total else math.nan
        found[f"width_{percent}"] = float(torch.where(weight > 0, width * weight, 0.0).sum()) / total if total else math.nan
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
    n = seen.sum(0)
    return SplitConformal(tuple(level), finite_sample_quantile((target - plain).abs(), level, n), n)


def finite_sample_quantile(score: Tensor, level: Sequence[float], n: Tensor, weight: Tensor | None = None) -> Tensor:
    """The least score that holds a new one with probability `level`: of n scores, the one of rank ceil((n + 1) level), inf beyond the last.

    With weights it is the least score at or below which the weight is (n + 1) / n level of the whole: where one case has many scores, n is
    the number of cases, and the new case's scores are all taken to lie above.

    score: (value, *event), NaN left out.   n: (*event).   weight: like score, 1 when not given.   Returns (level, *event).
    """
    seen = ~torch.isnan(score)
    values, order = torch.where(seen, score, torch.inf).sort(0)  # missing ones last
    weight = seen.double() if weight is None else torch.where(seen, weight, 0.0).double()
    below = weight.gather(0, order).cumsum(0).movedim(0, -1).contiguous()
    total = below[..., -1] if len(score) else torch.zeros(score.shape[1:], dtype=torch.float64)
    share = torch.tensor(list(level), dtype=torch.float64)
    # 100 * 0.55 is 55.00000000000001 and means the 55 it is
    wanted = (total + total / n.clamp(min=1))[..., None] * share * (1 - 1e-12)
    place = torch.searchsorted(below, wanted.contiguous()).movedim(-1, 0)
    return torch.cat([values, torch.full((1, *score.shape[1:]), torch.inf, dtype=score.dtype)]).gather(0, place)


def steps(plain: Tensor, target: Tensor, n_size: int = 50) -> Tensor:
    """The distribution that the intervals of all levels make: equal steps at f - |r| and f + |r|, r the calibration errors.

    Their CRPS (not fair: they are the whole distribution, not draws from it) is that of split conformal. n_size sizes |r| are taken, evenly
    among the errors, which are all of them where there are as many; an element without a target has steps of 0.

    plain, target: (case, *event).   Returns (2 n_size, *event), to be added to a forecast; ascending.

    >>> steps(torch.zeros(3), torch.tensor([1.0, -2.0, 4.0]), n_size=3)
    tensor([-4., -2., -1.,  1.,  2.,  4.])
    """
    seen = ~torch.isnan(target)
    n = seen.sum(0)
    if not seen.any():
        raise ValueError("expected calibration cases with a target, found none; give more data")
    sizes = torch.where(seen, (target - plain).abs(), torch.inf).sort(0).values
    middle = (torch.arange(n_size, dtype=torch.float64) + 0.5) / n_size
    place = (middle.view(-1, *[1] * n.ndim) * n).ceil().long().sub(1).clamp(min=0)
    steps = torch.where(n > 0, sizes.gather(0, place), 0.0)
    return torch.cat([-steps.flip(0), steps])


def promised_coverage(n: int, level: float) -> float:
    """Probability that a new target is inside, ceil((n + 1) level) / (n + 1), for exchangeable cases without ties; 1 when infinite.

    >>> promised_coverage(30, 0.9)  # 28 of 31
    0.9032258064516129
    """
    return min(1.0, math.ceil((n + 1) * level - 1e-9) / (n + 1))
