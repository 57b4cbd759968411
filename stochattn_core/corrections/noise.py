"""Inflation and noise: f + c (f_nu - f) + s z, with z normal and independent, for the part of the error that attention cannot see.

A target has noise of its own, the same in cases that the network finds easy and hard. Inflation alone makes up for it with a spread that
varies as attention's does, too much in some cases and too little in others. Two numbers more than the paper has, fitted after the fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from stochattn_core.corrections.base import Correction, Fitted, Recipe, Request, Sampler, Workbench, four_digits, number_text, one_number
from stochattn_core.corrections.cross_fitting import cross_fitted
from stochattn_core.corrections.inflation import CONCENTRATION, LARGEST, inflated
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics.crps import crps_of_errors

MOST_CASES = 2000  # evenly spaced, for the fit: more cases determine two numbers no better
LEAST_SHARE = 1e-3  # of the error; a smaller part is set to 0
STARTS = ((0.9, 0.2), (0.3, 0.8))  # shares of the spread: mostly attention's, mostly noise


@dataclass(frozen=True)
class Noise(Recipe):
    """factor: c, as in Inflation; with 0 attention says nothing of the error, and this is dressing.
    size: s, the standard deviation of the noise, in the units of the target; each output has its own draw.
    """

    factor: float
    size: float
    example = "noise 2.1 0.3"
    concentration_is_given = True
    without_attention = "Gaussian dressing"

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

    @property
    def value(self) -> str:
        return f"× {number_text(self.factor)}, noise {number_text(self.size)}"

    def attention_share(self, variance: float) -> float:
        """The share of attention in the variance of the corrected members.   variance: the mean of the members as sampled.

        >>> Noise(2.0, 1.0).attention_share(0.25)
        0.5
        """
        attention = self.factor**2 * variance
        return attention / (attention + self.size**2)

    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        narrow = sample(request)
        return replace(narrow, members=self.members(narrow.members, narrow.plain, request.case_seed, narrow.first_case))

    def members(self, members: np.ndarray, plain: np.ndarray, seed: int, first_case: int = 0) -> np.ndarray:
        """The corrected members, in the shape of members.

        members: (member, case, *event) as sampled.   plain: (case, *event).   first_case: place of the first case in its part.
        """
        wide = inflated(members, plain, self.factor)
        wide += (self.size * normals(len(members), plain.shape, seed, first_case)).astype(wide.dtype)
        return wide


def normals(n_member: int, shape: Sequence[int], seed: int, first_case: int = 0) -> np.ndarray:
    """(member, *shape) standard normals, case first in shape; the draw of a member in a case does not depend on the other members and cases."""
    n_case, *event = shape
    draws = (np.random.default_rng([seed, member]).standard_normal((first_case + n_case, *event)) for member in range(n_member))
    return np.stack([draw[first_case:] for draw in draws])


def fit_noise(members: np.ndarray, target: np.ndarray, plain: np.ndarray, seed: int = 0) -> Noise:
    """c and s at which these cases have the least fair CRPS; (member, case, *event), NaN targets left out.

    Two numbers cannot follow from one ratio. The score asks for both at once: how much spread, and where.
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

    from scipy.optimize import minimize  # imported late: it takes long, and the first map of the app does without it

    def cost(shares: np.ndarray) -> float:
        wide = torch.from_numpy(abs(shares[0]) * deviation + abs(shares[1]) * size * noise - error)
        return float(crps_of_errors(wide.sort(0).values, fair=True).mean()) / size

    best = min(
        (minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6}) for start in STARTS), key=lambda x: x.fun
    )
    attention, noise_share = np.where(np.abs(best.x) < LEAST_SHARE, 0.0, np.abs(best.x))
    return Noise(four_digits(attention * size / spread), four_digits(noise_share * size))


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The factor and the noise at the concentration of inflation."""
    calibration, seed = workbench.calibration(CONCENTRATION), workbench.seed
    members, target, plain = calibration.members, calibration.target, calibration.plain

    def members_of(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        recipe = fit_noise(members[:, fitted], target[fitted], plain[fitted], seed)
        return recipe.members(members, plain, seed)[:, scored]

    recipe = fit_noise(members, target, plain, seed)
    total = calibration.pooled.total()
    return Fitted(
        CONCENTRATION,
        workbench.n_member,
        recipe=recipe,
        calibration=cross_fitted(calibration, members_of),
        attention_share=recipe.attention_share(float(total.variance / total.n)),
    )


CORRECTION = Correction(
    key="noise",
    title="Inflation and noise",
    description=(
        "Inflation, and normal noise added to each member for the part of the error that attention does not see. For tables, one number a case."
    ),
    cost="one ensemble of the calibration part, and two more numbers that are fitted",
    source="this project",
    fit=fit,
    recipe=Noise,
    tasks=("table",),  # with several outputs a case, errors depend on one another, and this noise does not
)
