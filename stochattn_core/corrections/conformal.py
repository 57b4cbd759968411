"""Conformal intervals on top of an ensemble: its own intervals, moved out or in until they hold what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stochattn_core.baselines.conformal import finite_sample_quantile, interval_scores
from stochattn_core.metrics import central_intervals
from stochattn_core.metrics.scores import SHOWN_LEVELS


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """[lower - q, upper + q], lower and upper the ends of the ensemble's central interval, q one offset a level and lead time.

    If calibration and test cases are exchangeable, and the ensemble was tuned on neither, a new target is inside with probability at least
    `level`, whatever the ensemble. An ensemble tuned on the same calibration cases by one number loses little of that, and a series or a
    climate is exchangeable only as far as its world stays the same. On a map, one lead time, the promise is on the share of its area with a
    target that is inside, on average over maps: not on any one cell. It gives intervals; the members, and so their CRPS, stay as they are.
    """

    level: tuple[float, ...]
    offset: Tensor  # (level, *lead), units of the target, negative where the intervals were too wide; inf where n is too small

    def intervals(self, members: Tensor) -> tuple[Tensor, Tensor]:
        """members: (member, case, *event).   Returns lower and upper, (level, case, *event); ends that would cross meet half-way."""
        lower, upper = central_intervals(members, self.level)
        offset = self.offset.view(len(self.level), 1, *self.offset.shape[1:], *[1] * (members.ndim - 1 - self.offset.ndim))
        middle = (lower + upper) / 2
        return torch.minimum(lower - offset, middle), torch.maximum(upper + offset, middle)

    def scores(self, members: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, float]:
        """coverage_50, width_50, ... over all elements with a target, by weights, as every score: a map with missing cells counts for less
        than in the promise, which is on the average over maps.
        """
        return interval_scores(*self.intervals(members), target, self.level, weights)


def fit(members: Tensor, target: Tensor, level: Sequence[float] = SHOWN_LEVELS, weights: Tensor | None = None) -> ConformalIntervals:
    """Offsets from calibration cases: of the n values max(lower - y, y - upper) of a lead time, the one of rank ceil((n + 1) level).

    members: (member, case, *event).   target: (case, *event); NaN left out. An event of two axes is a map: its cells are pooled by weights
    (which broadcast to *event), each case counting once, however many of its cells have a target.
    Source: Romano, Patterson, Candes (2019), NeurIPS 32, "Conformalized quantile regression".
    """
    lower, upper = central_intervals(members, level)
    score = torch.maximum(lower - target, target - upper)  # (level, case, *event)
    seen = ~torch.isnan(target)
    if not seen.any():
        raise ValueError("expected calibration cases with a target, found none; give more data")
    n, weight = seen.sum(0), None
    if target.ndim > 2:
        n = seen.flatten(1).any(1).sum()
        area = seen * (torch.ones_like(target, dtype=torch.float64) * (1.0 if weights is None else weights))
        weight = (area / area.sum((1, 2), keepdim=True).clamp(min=1e-300)).flatten()
        score = score.flatten(1)
    offset = [finite_sample_quantile(one, [value], n, weight)[0] for one, value in zip(score, level, strict=True)]
    return ConformalIntervals(tuple(level), torch.stack(offset))
