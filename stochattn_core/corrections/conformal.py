"""Conformal intervals on top of an ensemble: its own intervals, moved out or in until they have their nominal coverage on calibration data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stochattn_core.baselines.conformal import finite_sample_quantile, interval_scores
from stochattn_core.corrections.base import Correction, Fitted, Workbench
from stochattn_core.metrics import central_intervals
from stochattn_core.metrics.scores import SHOWN_LEVELS


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """[lower - q, upper + q]: lower and upper are the ends of the ensemble's central interval, q is one offset for each level and lead time.

    If calibration and test cases are exchangeable, and the ensemble was tuned on neither, a new target is inside with probability at least
    `level`, whatever the ensemble. An ensemble tuned on the same calibration cases by one number loses little of that. The cases of a series
    or of a climate are exchangeable only while the world stays the same. On a map, which has one lead time, the coverage that is promised is
    the share of the area with a target that is inside, on average over maps; it holds for no single cell. The members, and so their CRPS, stay
    as they are.
    """

    level: tuple[float, ...]
    offset: Tensor  # (level, *lead), units of the target; negative where the intervals were too wide, inf where there are too few cases

    def intervals(self, members: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper end, (level, case, *event); ends that would cross meet half-way. members: (member, case, *event)."""
        lower, upper = central_intervals(members, self.level)
        offset = self.offset.view(len(self.level), 1, *self.offset.shape[1:], *[1] * (members.ndim - 1 - self.offset.ndim))
        middle = (lower + upper) / 2
        return torch.minimum(lower - offset, middle), torch.maximum(upper + offset, middle)

    def scores(self, members: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, float]:
        """coverage_50, width_50, ... over all elements with a target, by weights, as for every score.

        A map with missing cells therefore counts for less than in the promised coverage, which is an average over maps.
        """
        return interval_scores(*self.intervals(members), target, self.level, weights)


def fit_intervals(
    members: Tensor, target: Tensor, level: Sequence[float] = SHOWN_LEVELS, weights: Tensor | None = None
) -> ConformalIntervals:
    """The intervals with offsets from calibration cases: of the n values max(lower - y, y - upper) of a lead time, the one of rank
    ceil((n + 1) level).

    members: (member, case, *event).   target: (case, *event); NaN is left out. An event of two axes is a map: its cells are pooled by weights
    (which broadcast to *event), and each case counts once, however many of its cells have a target.
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
    offset = [finite_sample_quantile(of_level, [value], n, weight)[0] for of_level, value in zip(score, level, strict=True)]
    return ConformalIntervals(tuple(level), torch.stack(offset))


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The intervals on top of the ensemble at the concentration that the search finds."""
    searched = workbench.search()
    calibration = workbench.calibration(searched.whole)
    intervals = fit_intervals(_tensor(calibration.members), _tensor(calibration.target), weights=calibration.weights)
    return Fitted(searched.whole, searched.passes + workbench.n_member, intervals=intervals)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(np.asarray(values))


CORRECTION = Correction(
    key="conformal",
    title="Conformal intervals on top",
    description=(
        "The intervals of the ensemble are widened, or narrowed, until they have their nominal coverage on calibration data: a promise on "
        "coverage for exchangeable cases. The members stay as they are."
    ),
    cost="one ensemble of the calibration part",
    source="Romano, Patterson, Candes (2019), NeurIPS 32",
    fit=fit,
    changes_members=False,
)
