"""Temperature scaling: stretch an ensemble about its own mean by one number, fitted on calibration data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from stochattn_core.metrics.spread_skill import spread_skill_ratio


@dataclass(frozen=True)
class Temperature:
    """members -> m + T (members - m), with m the ensemble mean. T > 1 widens; the mean and the ranks of members stay.

    What it gives: the right overall spread. What it does not: a better mean, a better shape, or spread in other places.
    """

    value: float

    def apply(self, members: Tensor) -> Tensor:
        """members: (member, *event).   Returns the same shape and units; NaN stays.

        >>> Temperature(2.0).apply(torch.tensor([0.0, 2.0]))
        tensor([-1.,  3.])
        """
        mean = members.mean(0)
        return mean + self.value * (members - mean)


def fit(members: Tensor, target: Tensor, *, by: Literal["ratio", "crps"] = "ratio") -> Temperature:
    """T from calibration data.

    "ratio" (the default): T = 1 / spread-skill ratio, in closed form; spread matches error on the calibration data, which is
    what the concentration is tuned for too, so that the two are compared on equal terms, and sums over cases suffice.
    "crps": the T of least mean fair CRPS, which is convex in T. Steadier where errors have heavy tails or n is small (in a trial
    with t3 errors half the scatter of T, W1 .02 against .05). Stretched about their own mean the members are no longer
    independent of one another, so that the fair score is fair no more: its T is too large by about 2 / M (Gaussian).

    members: (member, case, *event), at least 2.   target: (case, *event), same units; NaN elements are left out.
    Returns Temperature. ValueError where the members do not differ: no T widens a spread of 0.

    >>> round(fit(torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([3.0, -1.0])).value, 4)  # spread sqrt 2, error 2
    1.1547
    """
    if by not in ("ratio", "crps"):
        raise ValueError(f"expected by='ratio' or by='crps', got {by!r}")
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

    Convex in T, because each |.| is and the rest is linear; one sort for c, none in the search.
    """
    seen = ~torch.isnan(target)
    members, target = members[:, seen], target[seen]
    m = members.shape[0]
    mean = members.mean(0)
    apart, error = members - mean, mean - target
    rank = torch.arange(1, m + 1, dtype=members.dtype, device=members.device)
    half_distance = torch.tensordot(2 * rank - m - 1, members.sort(0).values, dims=1).mean() / (m * (m - 1))

    def mean_crps(t: float) -> float:
        return float((error + t * apart).abs().mean() - t * half_distance)

    high = 1.0
    while mean_crps(2 * high) < mean_crps(high) and high < 2**40:
        high *= 2
    low, high, golden = 0.0, 2 * high, (5**0.5 - 1) / 2
    inner = [high - golden * (high - low), low + golden * (high - low)]
    found = [mean_crps(inner[0]), mean_crps(inner[1])]
    while high - low > 1e-6 * high:
        if found[0] < found[1]:
            high, inner[1], found[1] = inner[1], inner[0], found[0]
            inner[0] = high - golden * (high - low)
            found[0] = mean_crps(inner[0])
        else:
            low, inner[0], found[0] = inner[0], inner[1], found[1]
            inner[1] = low + golden * (high - low)
            found[1] = mean_crps(inner[1])
    return (low + high) / 2
