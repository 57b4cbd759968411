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
    """The interval f - q .. f + q, with one half-width q for each nominal level and each element of the event.

    It guarantees coverage: if calibration and test cases are exchangeable, a new target is inside with probability at least `level`,
    and at most level + 1 / (n + 1) without ties, whatever the model. No other method here has a guarantee for finite n.
    It does not hold over time when the world changes (a series, a climate). It does not give the right coverage in each case or
    region: every case gets the same width, and hard cases too little. It has no members, so no CRPS, PIT, joint structure or paths.
    """

    level: tuple[float, ...]
    half_width: Tensor  # (level, *event), units of the target; inf where n is too small for the level
    n: Tensor  # (*event) calibration cases with a target

    def intervals(self, plain: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lower and the upper end, each (level, case, *event), for forecasts plain (case, *event)."""
        q = self.half_width.unsqueeze(1)
        return plain - q, plain + q

    def scores(self, plain: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, float]:
        """Return coverage_50 (a share), width_50 (units of the target), ... at every level: weighted means over all elements with a target.

        Coverage should equal the level; of two methods that cover, the narrower is better. A width is inf where the half-width is.

        >>> plain, target = torch.zeros(9), torch.arange(1.0, 10.0)
        >>> fit_split_conformal(plain, target, [0.5]).scores(plain, target)
        {'coverage_50': 0.5555555555555556, 'width_50': 10.0}
        """
        return interval_scores(*self.intervals(plain), target, self.level, weights)


def interval_scores(
    lower: Tensor, upper: Tensor, target: Tensor, level: Sequence[float], weights: Tensor | None = None
) -> dict[str, float]:
    """Return coverage_50, width_50, ... of intervals lower, upper (level, case, *event), over all elements with a target (case, *event).

    weights: broadcasts to *event (cell areas). NaN where no element has a target.
    """
    weight = torch.where(torch.isnan(target), 0.0, torch.ones_like(target, dtype=torch.float64) * (1.0 if weights is None else weights))
    total = float(weight.sum())
    scores: dict[str, float] = {}
    for i, value in enumerate(level):
        percent = f"{100 * value:g}"
        inside = (lower[i] <= target) & (target <= upper[i])
        width = (upper[i] - lower[i]).double()
        scores[f"coverage_{percent}"] = float((inside * weight).sum()) / total if total else math.nan
        scores[f"width_{percent}"] = float(torch.where(weight > 0, width * weight, 0.0).sum()) / total if total else math.nan
    return scores


def fit_split_conformal(plain: Tensor, target: Tensor, level: Sequence[float] = LEVELS) -> SplitConformal:
    """Fit half-widths to calibration data: of n values |y - f|, the one of rank ceil((n + 1) level).

    Each element of the event (each lead time) has its own. Where that rank exceeds n, no finite width has a guarantee, and the half-width
    is inf: 9 cases are enough for 90%, 19 for 95%.

    plain, target: (case, *event), same units, of data on which the model was not trained; elements with a NaN target are left out.
    Source: Papadopoulos et al. (2002), ECML, 345; Lei et al. (2018), JASA 113, 1094.

    >>> fit_split_conformal(torch.zeros(9), torch.arange(1.0, 10.0), [0.5, 0.9, 0.95]).half_width
    tensor([5., 9., inf])
    """
    outside = [value for value in level if not 0 < value < 1]
    if outside:
        raise ValueError(f"a nominal level is a share between 0 and 1, got {outside[0]}; write 90% as 0.9")
    if plain.shape != target.shape:
        raise ValueError(
            f"plain and target must have the same shape (case, *event), got {tuple(plain.shape)} and {tuple(target.shape)}; give both for the same cases"
        )
    known = ~torch.isnan(target)
    if bool(torch.isnan(plain[known]).any()):
        raise ValueError("plain must hold a number wherever target does, got NaN; look for an overflow in the model")
    n = known.sum(0)
    return SplitConformal(tuple(level), finite_sample_quantile((target - plain).abs(), level, n), n)


def finite_sample_quantile(score: Tensor, level: Sequence[float], n: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the least score that a new score does not exceed with probability `level`: of n scores, the one of rank ceil((n + 1) level).

    inf where that rank exceeds n. With weights it is the least score such that the weight at or below it is (n + 1) / n level of the
    total weight. Where one case has many scores, n is the number of cases, and all scores of the new case are taken to lie above.

    score: (value, *event), NaN left out.   n: (*event).   weight: like score, 1 when not given.   Returns (level, *event).
    """
    known = ~torch.isnan(score)
    values, order = torch.where(known, score, torch.inf).sort(0)  # missing scores last
    weight = known.double() if weight is None else torch.where(known, weight, 0.0).double()
    below = weight.gather(0, order).cumsum(0).movedim(0, -1).contiguous()
    total = below[..., -1] if len(score) else torch.zeros(score.shape[1:], dtype=torch.float64)
    share = torch.tensor(list(level), dtype=torch.float64)
    # In floating point 100 * 0.55 is 55.00000000000001; the rank must be 55 and not 56.
    wanted = (total + total / n.clamp(min=1))[..., None] * share * (1 - 1e-12)
    rank = torch.searchsorted(below, wanted.contiguous()).movedim(-1, 0)
    return torch.cat([values, torch.full((1, *score.shape[1:]), torch.inf, dtype=score.dtype)]).gather(0, rank)


def steps(plain: Tensor, target: Tensor, n_size: int = 50) -> Tensor:
    """Return the distribution that the intervals of all levels form: equal steps at f - |r| and f + |r|, with r the calibration errors.

    Its CRPS is that of split conformal; use the plain CRPS and not the fair one, as these are the whole distribution and no draws from it.
    n_size sizes |r| are taken evenly among the errors, all of them where there are n_size errors; an element without a target has steps 0.

    plain, target: (case, *event).   Returns (2 n_size, *event), to be added to a forecast; ascending.

    >>> steps(torch.zeros(3), torch.tensor([1.0, -2.0, 4.0]), n_size=3)
    tensor([-4., -2., -1.,  1.,  2.,  4.])
    """
    known = ~torch.isnan(target)
    n = known.sum(0)
    if not known.any():
        raise ValueError("expected calibration cases with a target, found none; give more data")
    sizes = torch.where(known, (target - plain).abs(), torch.inf).sort(0).values
    middle = (torch.arange(n_size, dtype=torch.float64) + 0.5) / n_size
    rank = (middle.view(-1, *[1] * n.ndim) * n).ceil().long().sub(1).clamp(min=0)
    upper = torch.where(n > 0, sizes.gather(0, rank), 0.0)
    return torch.cat([-upper.flip(0), upper])


def guaranteed_coverage(n: int, level: float) -> float:
    """Return the probability that a new target is inside: ceil((n + 1) level) / (n + 1) for exchangeable cases without ties, 1 if infinite.

    >>> guaranteed_coverage(30, 0.9)  # 28 of 31
    0.9032258064516129
    """
    return min(1.0, math.ceil((n + 1) * level - 1e-9) / (n + 1))


fit = fit_split_conformal  # older name, still used by compare/methods.py
