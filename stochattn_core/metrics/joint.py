"""Joint behaviour over the elements of an event: correlation of members and of errors over lead times, and scores of the whole vector."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.case_estimates import Estimates, case_estimates
from stochattn_core.metrics.energy import energy_score, variogram_score

MOST_ELEMENTS = 128  # of a variogram score, whose cost is their number squared


class LagCorrelation(NamedTuple):
    """Correlation over lead times, (lag,) each, at lags of 0, 1, ... steps.

    members: of the members' deviations from their mean.   errors: of the errors of the ensemble mean.   gap: members minus errors, paired.
    """

    members: Estimates
    errors: Estimates
    gap: Estimates


def lag_correlation(members: np.ndarray, target: np.ndarray, block: np.ndarray) -> LagCorrelation:
    """Return how strongly two lead times that are so many steps apart depend on one another, among members and among errors.

    The products of two lead times are summed over cases (and members), added over all pairs of lead times with the same lag, and divided by
    the sum of the products of their root mean squares. Both are about 0 and not about their means: if target and members are exchangeable, they
    have the same expectation.

    members: (member, case, lead_time), at least 2.   target: (case, lead_time).   Cases with a missing target are left out.   block: (case,).
    """
    x, y = (torch.from_numpy(np.asarray(values, dtype=np.float64)) for values in (members, target))
    known = ~y.isnan().any(1)
    x, y = x[:, known], y[known]
    mean = x.mean(0)
    deviation, error = x - mean, (mean - y)[None]
    n_lead = y.shape[1]

    def by_lag(values: Tensor) -> Tensor:
        """(member, case, lead_time) -> (case, lag): sums of products of two lead times."""
        return torch.stack([(values[..., : n_lead - lag] * values[..., lag:]).sum((0, 2)) for lag in range(n_lead)], 1)

    columns = torch.cat([by_lag(deviation), (deviation**2).sum(0), by_lag(error), (error**2).sum(0)], 1)

    def values(sums: Tensor) -> Tensor:
        of_members, of_errors = (
            _correlation(*part.unflatten(-1, (2, n_lead)).unbind(-2)) for part in sums.unflatten(-1, (2, 2 * n_lead)).unbind(-2)
        )
        return torch.cat([of_members, of_errors, of_members - of_errors], -1)

    found = case_estimates(values, columns, np.asarray(block)[known.numpy()], is_curve=True)
    return LagCorrelation(found[:n_lead], found[n_lead : 2 * n_lead], found[2 * n_lead :])


def _correlation(product: Tensor, square: Tensor) -> Tensor:
    """(..., lag), (..., lead_time) -> (..., lag): sums of products over the sums of products of root mean squares."""
    size, n = square.sqrt(), square.shape[-1]
    return product / torch.stack([(size[..., : n - lag] * size[..., lag:]).sum(-1) for lag in range(n)], -1)


class VectorScores(NamedTuple):
    """Scores of the event as one vector, (case,) each, smaller is better.

    energy: fair, in the units of the target.   variogram: of order 0.5, in units of the target.
    """

    energy: Tensor
    variogram: Tensor


def vector_scores(members: np.ndarray, target: np.ndarray, weights: Tensor | None = None) -> VectorScores:
    """Return the energy score and the variogram score of order 0.5 of each case.

    members: (member, case, *event), at least 2 members and one event axis.   target: (case, *event).   weights: broadcasts to *event; used in
    the energy score.   The variogram score takes every second, third, ... element of each axis where there are more than MOST_ELEMENTS.
    Source of the order: Scheuerer and Hamill (2015), Monthly Weather Review 143, 1321.
    """
    x, y = (torch.from_numpy(np.asarray(values, dtype=np.float64)) for values in (members, target))
    step = next(step for step in range(1, y[0].numel() + 1) if y[0][_every(step, y.ndim - 1)].numel() <= MOST_ELEMENTS)
    few = (slice(None), *_every(step, y.ndim - 1))
    return VectorScores(energy_score(x, y, weights=weights), variogram_score(x[(slice(None), *few)], y[few]))


def _every(step: int, n_axis: int) -> tuple[slice, ...]:
    return (slice(None, None, step),) * n_axis


def mean_and_gain(score: Tensor, reference: Tensor, block: np.ndarray) -> Estimates:
    """Return the mean of a score, and by how much the mean of the reference is larger on the same cases: two values with their intervals.

    score, reference: (case,); cases where either is NaN are left out.
    """
    known = ~(score + reference).isnan()
    score, reference = score[known], reference[known]
    columns = torch.stack([score, reference - score, torch.ones_like(score)], 1)
    return case_estimates(lambda sums: sums[..., :2] / sums[..., 2:], columns, np.asarray(block)[known.numpy()])
