"""Temperature scaling: stretch an ensemble about its own mean by one number, fitted on calibration data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stochattn_core.metrics.spread_skill import spread_skill_ratio


@dataclass(frozen=True)
class Temperature:
    """The map members -> m + T (members - m), with m the ensemble mean. T > 1 widens; the mean and the ranks of members stay.

    It corrects the overall spread. It does not improve the mean, the shape of the distribution, or where the spread is.
    """

    value: float

    def apply(self, members: Tensor) -> Tensor:
        """Return the stretched members, (member, *event) as given, in the same units; NaN stays.

        >>> Temperature(2.0).apply(torch.tensor([0.0, 2.0]))
        tensor([-1.,  3.])
        """
        mean = members.mean(0)
        return mean + self.value * (members - mean)


def fit_temperature(members: Tensor, target: Tensor, *, by: Literal["ratio", "crps"] = "ratio") -> Temperature:
    """Fit T to calibration data.

    "ratio" (the default): T = 1 / spread-skill ratio, in closed form. Spread then matches error on the calibration data. The
    concentration is tuned for the same, so the two are compared on equal terms; sums over cases suffice.
    "crps": the T with the least mean fair CRPS, which is convex in T. It varies less where errors have heavy tails or n is small (in
    a trial with t3 errors, T had half the scatter, W1 .02 against .05). But members stretched about their own mean are no longer
    independent of one another, so the fair CRPS is no longer fair: its T is too large by about 2 / M for Gaussian members.

    members: (member, case, *event), at least 2.   target: (case, *event), same units; NaN elements are left out.
    Returns Temperature. ValueError where the members do not differ: no T widens a spread of 0.

    >>> round(fit_temperature(torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([3.0, -1.0])).value, 4)  # spread sqrt 2, error 2
    1.1547
    """
    if by not in ("ratio", "crps"):
        raise ValueError(f"expected by='ratio' or by='crps', got {by!r}; choose one of them")
    members, target = members.to(torch.float64), target.to(torch.float64)
    if members.shape[0] < 2 or float((members.amax(0) - members.amin(0)).max()) == 0:
        raise ValueError(
            f"temperature scaling needs at least 2 members that differ, got {members.shape[0]} without spread; "
            "sample at a finite concentration"
        )
    if by == "ratio":
        return Temperature(float(1 / spread_skill_ratio(members, target)))
    return Temperature(_least_crps(members, target))


def _least_crps(members: Tensor, target: Tensor) -> float:
    """Golden-section search for the minimum of mean |m + T a_j - y| - T c, with a_j = x_j - m and c = E|X - X'| / 2.

    The function is convex in T, because each |.| is and the rest is linear. c needs one sort, the search none.
    """
    known = ~torch.isnan(target)
    members, target = members[:, known], target[known]
    m = members.shape[0]
    mean = members.mean(0)
    deviation, error = members - mean, mean - target
    rank = torch.arange(1, m + 1, dtype=members.dtype, device=members.device)
    half_distance = torch.tensordot(2 * rank - m - 1, members.sort(0).values, dims=1).mean() / (m * (m - 1))

    def mean_crps(t: float) -> float:
        return float((error + t * deviation).abs().mean() - t * half_distance)

    high = 1.0
    while mean_crps(2 * high) < mean_crps(high) and high < 2**40:
        high *= 2
    low, high, golden = 0.0, 2 * high, (5**0.5 - 1) / 2
    inner = [high - golden * (high - low), low + golden * (high - low)]
    score = [mean_crps(inner[0]), mean_crps(inner[1])]
    while high - low > 1e-6 * high:
        if score[0] < score[1]:
            high, inner[1], score[1] = inner[1], inner[0], score[0]
            inner[0] = high - golden * (high - low)
            score[0] = mean_crps(inner[0])
        else:
            low, inner[0], score[0] = inner[0], inner[1], score[1]
            inner[1] = low + golden * (high - low)
            score[1] = mean_crps(inner[1])
    return (low + high) / 2
