"""Consistency bands of a reliability diagram: where its points lie if the forecast probabilities are right."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.events import N_BIN, reliability


def consistency_band(
    counts: Float[Tensor, "case outcome probability"], block: np.ndarray, n_bin: int = N_BIN, *, level: float = 0.9
) -> tuple[Float[Tensor, " bin"], Float[Tensor, " bin"]]:
    """Return the lower and the upper end of the band in which the observed frequency of each bin lies with probability `level` by chance.

    If the probabilities are right, the number of events among n independent values with the mean probability p is binomial. Values of a case
    and of neighbouring cases depend on one another. Therefore n is the effective number: the variance p (1 - p) of one value over the variance
    of observed minus forecast frequency, which counts dependence; it is at most the number of values.
    NaN where a bin is empty, and where the variance is not known.
    Source: Broecker and Smith (2007), Weather and Forecasting 22, 651, who draw outcomes from independent forecasts.
    """
    from scipy import stats  # imported late: it takes long, and the first map of the app does without it

    n_probability = counts.shape[-1]

    def gap(columns: Tensor) -> Tensor:
        points = reliability(columns.unflatten(-1, (2, n_probability)), n_bin)
        return points.observed - points.probability

    p, _, n = reliability(counts.sum(0), n_bin)
    variance = case_estimates(gap, counts.flatten(1), block, is_curve=True).error ** 2
    n_effective = torch.minimum(n, p * (1 - p) / variance)
    n_effective = torch.where((variance == 0) | (p * (1 - p) == 0), n, n_effective)
    known = n_effective.isfinite() & (n_effective > 0)
    size = torch.where(known, n_effective.clamp(min=1).round(), 1.0)
    ends = [
        torch.from_numpy(stats.binom.ppf(share, size.numpy(), p.nan_to_num(0.5).numpy())) / size
        for share in ((1 - level) / 2, (1 + level) / 2)
    ]
    low, high = (torch.where(known, end, torch.nan) for end in ends)
    return low, high
