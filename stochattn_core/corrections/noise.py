"""Inflation and noise: f + c (f_nu - f) + s z, z normal and independent. What attention knows of the error, and what it cannot see.

A target has noise of its own, the same in cases that the network finds easy and hard. Inflation alone makes up for it with a spread that
varies as attention's does, too much in some cases and too little in others. Two numbers more than the paper has, fitted after the fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from stochattn_core.corrections.base import Ensembles, Recipe, number_text, one_number
from stochattn_core.corrections.inflation import LARGEST, inflated
from stochattn_core.metrics.crps import crps_of_errors

if TYPE_CHECKING:
    from stochattn_core.forecasts import Ensemble
    from stochattn_core.settings import Setting

MOST_CASES = 2000  # evenly spaced, of those that are fitted on: more tell two numbers no better
LEAST_SHARE = 1e-3  # of the error, below which a part is none
STARTS = ((0.9, 0.2), (0.3, 0.8))  # shares of the spread: mostly attention's, mostly noise


@dataclass(frozen=True)
class Noise(Recipe):
    """factor: c, as in Inflation, or 0: attention says nothing of the error, and this is dressing.   size: s, the standard deviation of the
    noise, in the units of the target; each output has its own draw.
    """

    factor: float
    size: float
    example = "noise 2.1 0.3"

    def __post_init__(self) -> None:
        if not (0 <= self.factor <= LARGEST and 0 <= self.size < np.inf and self.factor + self.size > 0):
            raise ValueError(
                f"expected an inflation and a noise of 0 or more, not both 0, got {self.factor:g} and {self.size:g}; try {self.example!r}"
            )

    @classmethod
    def of(cls, values: list[str], text: str) -> Noise:
        if len(values) != 2:
            raise ValueError(f"expected a correction with two numbers, such as {cls.example!r}, got {text!r}")
        return cls(*(one_number([value], text, cls.example) for value in values))

    @property
    def text(self) -> str:
        return f"noise {number_text(self.factor)} {number_text(self.size)}"

    def ensemble(self, of: Ensembles, setting: Setting) -> Ensemble:
        narrow = of(replace(setting, correction=""))
        return replace(narrow, members=self.members(narrow.members, narrow.plain, setting.seed, narrow.first_case))

    def members(self, members: np.ndarray, plain: np.ndarray, seed: int, first_case: int = 0) -> np.ndarray:
        """members: (member, case, *event) as sampled.   plain: (case, *event).   first_case: place of the first in its part.   Returns as members."""
        wide = inflated(members, plain, self.factor)
        wide += (self.size * normals(len(members), plain.shape, seed, first_case)).astype(wide.dtype)
        return wide


def normals(n_member: int, shape: Sequence[int], seed: int, first_case: int = 0) -> np.ndarray:
    """(member, *shape) standard normals, case first in shape; a member's draw in a case is the same whatever others there are."""
    n_case, *event = shape
    draws = (np.random.default_rng([seed, member]).standard_normal((first_case + n_case, *event)) for member in range(n_member))
    return np.stack([one[first_case:] for one in draws])


def fit(members: np.ndarray, target: np.ndarray, plain: np.ndarray, seed: int = 0) -> Noise:
    """c and s at which these cases have the least fair CRPS; (member, case, *event), NaN targets left out.

    Two numbers cannot follow from one ratio, and the score asks for both at once: how much spread, and where.
    """
    step = -(-len(target) // MOST_CASES)
    draws = normals(len(members), target.shape, seed)[:, ::step]
    members, target, plain = members[:, ::step], target[::step], plain[::step]
    seen = ~np.isnan(target)
    deviation, error = (members - plain)[:, seen].astype(np.float64), (target - plain)[seen].astype(np.float64)
    noise, size = draws[:, seen], float(np.sqrt(np.square(error).mean())) if seen.any() else 0.0
    spread = float(np.sqrt(np.square(deviation).mean())) if seen.any() else 0.0
    if not (size > 0 and spread > size / LARGEST):
        raise ValueError(
            f"expected errors of the plain model and members that differ to fit an inflation and a noise, got a root mean square of {size:g} "
            f"and of {spread:g}; give more calibration data, or see the layers sampled"
        )
    deviation *= size / spread

    from scipy.optimize import minimize  # takes long to import, and the app's first map does without it

    def cost(shares: np.ndarray) -> float:
        wide = torch.from_numpy(abs(shares[0]) * deviation + abs(shares[1]) * size * noise - error)
        return float(crps_of_errors(wide.sort(0).values, fair=True).mean()) / size

    found = min(
        (minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6}) for start in STARTS), key=lambda x: x.fun
    )
    attention, noise_share = np.where(np.abs(found.x) < LEAST_SHARE, 0.0, np.abs(found.x))
    return Noise(float(f"{attention * size / spread:.4g}"), float(f"{noise_share * size:.4g}"))
