"""Output inflation: members moved away from the plain forecast by one factor, f + c (f_nu - f).

At a moderate concentration a pass is nearly linear in its noise, so that the ensemble mean hardly drifts, and c sets the spread without
steps. The factor acts about the plain forecast, not about the ensemble mean: members stretched about their own mean depend on one another,
and the fair CRPS then flatters them. One number more than the paper has, fitted after the fact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stochattn_core.corrections.base import Correction, Fitted, Recipe, Request, Sampler, Workbench, four_digits, number_text, one_number
from stochattn_core.corrections.cross_fitting import cross_fitted, of_cases
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import Statistics

CONCENTRATION = 64  # large enough to be nearly linear; the factor makes up for the spread that is missing
LARGEST = 1e6


@dataclass(frozen=True)
class Inflation(Recipe):
    """f + factor (f_nu - f): a factor of 1 leaves an ensemble as it is, a larger one widens it."""

    factor: float
    example = "inflation 3.2"
    concentration_is_given = True

    def __post_init__(self) -> None:
        if not 0 < self.factor <= LARGEST:
            raise ValueError(f"expected an inflation above 0 and at most {LARGEST:g}, got {self.factor:g}; try {self.example!r}")

    @classmethod
    def of(cls, values: list[str], text: str) -> Inflation:
        return cls(one_number(values, text, cls.example))

    @property
    def text(self) -> str:
        return f"inflation {number_text(self.factor)}"

    @property
    def value(self) -> str:
        return f"× {number_text(self.factor)}"

    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        narrow = sample(request)
        return replace(narrow, members=inflated(narrow.members, narrow.plain, self.factor))


def inflated(members: np.ndarray, plain: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """f + c (f_j - f). members: (member, case, *event).   plain: (case, *event).   factor: a number, or one for each case, (case,).

    >>> inflated(np.array([[1.0], [4.0]]), np.array([2.0]), 3.0).tolist()
    [[-1.0], [8.0]]
    """
    factor = np.asarray(factor, dtype=members.dtype)
    factor = factor.reshape(factor.shape + (1,) * (plain.ndim - factor.ndim)) if factor.ndim else factor
    wide = members - plain
    wide *= factor
    wide += plain
    return wide


def fit_factor(statistics: Statistics) -> float:
    """The factor c at which the spread-skill ratio of these cases is exactly 1, whatever the number of members.

    With s2 the mean member variance (ddof 1), e2 = mean (f - y)^2, and for the mean of infinitely many members drift2 = mean (m - f)^2
    and cross = mean (f - y)(m - f), both estimated without bias: the mean square error of the inflated mean is e2 + 2 c cross + c^2 drift2,
    and c^2 s2 has to equal it. The smallest c > 0 is taken. The error that the finite ensemble adds, s2 / M, is on both sides of the ratio.

    statistics: of an ensemble of the calibration part, pooled.   ValueError where there is no such c > 0, no spread or no error.
    """
    total = statistics.total()
    n = float(total.n.sum())
    s2, e2, error, drift = (
        float(x.sum()) / n if n else math.nan for x in (total.variance, total.plain_error_sq, total.error_sq, total.drift_sq)
    )
    if not e2 > 0:
        raise ValueError(
            f"expected errors of the plain model above 0 to fit an inflation, got a mean square of {e2:g}; give more calibration data"
        )
    if not s2 > e2 / LARGEST**2:
        raise ValueError(f"expected members that differ to fit an inflation, got a mean variance of {s2:g}; see the layers sampled")
    cross, room = (error - e2 - drift) / 2, s2 - (drift - s2 / statistics.n_member)
    inside = cross**2 + room * e2
    under = math.sqrt(max(inside, 0.0)) - cross
    if inside < 0 or under <= 0:
        raise ValueError(
            "expected a factor at which the spread matches the error, there is none: the ensemble mean drifts faster than the members "
            "spread; take a larger concentration"
        )
    return e2 / under


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The factor at the concentration of inflation, to four digits."""
    calibration = workbench.calibration(CONCENTRATION)
    recipe = Inflation(four_digits(fit_factor(calibration.pooled)))

    def members_of(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        factor = fit_factor(of_cases(calibration, fitted).pooled)
        return inflated(calibration.members[:, scored], calibration.plain[scored], factor)

    return Fitted(CONCENTRATION, workbench.n_member, recipe=recipe, calibration=cross_fitted(calibration, members_of))


CORRECTION = Correction(
    key="inflation",
    title="Output inflation",
    description=(
        "Members at a moderate concentration are moved away from the plain forecast by one factor, so that spread matches error on "
        "calibration data while the mean hardly drifts."
    ),
    cost="one ensemble of the calibration part, and one more number that is fitted",
    source="this project",
    fit=fit,
    recipe=Inflation,
)
