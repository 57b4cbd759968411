"""Conformal PIT: an affine map of the members, then weights on their order statistics that make the PIT of calibration cases uniform.

The members are moved away from the plain forecast by one factor and one shift. Their empirical distribution is then recalibrated as a whole, by
the distribution that the PIT of calibration cases has: in place of the quantile p stands the quantile u at which a share p of these cases lay
below. The result is a predictive distribution of which every quantile is calibrated, and not one interval. The order of the members is kept,
and with it the joint structure over lead times and cells.

Lead times and cells are pooled: one map and one set of weights. The promise is thus on average over them, and holds at no single one; apart, each
would have too few cases for weights at 49 levels, and the text of the correction would not fit into a link.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stochattn_core.corrections.base import Correction, Fitted, Recipe, Request, Sampler, Workbench, four_digits, number_text
from stochattn_core.corrections.cross_fitting import cross_fitted, of_cases
from stochattn_core.corrections.inflation import CONCENTRATION, LARGEST, fit_factor
from stochattn_core.ensemble_data import Ensemble

N_LEVEL = 49  # quantiles of the PIT that the text holds: every 2%
STEPS = 1000  # the text holds them in thousandths
CHUNK = 2**22  # numbers of members that are sorted together


@dataclass(frozen=True)
class ConformalPit(Recipe):
    """f + shift + factor (f_nu - f), then the quantile at p is replaced by that at `pit` of p.

    shift: units of the target.   pit: the quantiles at k / (N_LEVEL + 1), k = 1 .. N_LEVEL, of the PIT of calibration cases, in thousandths,
    not decreasing; between them the map is linear, and it leaves 0 and 1 as they are.
    """

    shift: float
    factor: float
    pit: tuple[int, ...]
    example = "cpit 0 1 " + " ".join(str(STEPS * k // (N_LEVEL + 1)) for k in range(1, N_LEVEL + 1))
    concentration_is_given = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and 0 < self.factor <= LARGEST):
            raise ValueError(
                f"expected a finite shift and a factor above 0 and at most {LARGEST:g}, got {self.shift:g} and {self.factor:g}; "
                "copy the whole correction"
            )
        if list(self.pit) != sorted(self.pit) or not 0 <= self.pit[0] <= self.pit[-1] <= STEPS:
            raise ValueError(f"expected quantiles of the PIT from 0 to {STEPS} that do not decrease, got others; copy the whole correction")

    @classmethod
    def of(cls, values: list[str], text: str) -> ConformalPit:
        try:
            shift, factor, *quantiles = values
            recipe = float(shift), float(factor), tuple(map(int, quantiles))
        except ValueError:
            recipe = 0.0, 1.0, ()
        if len(recipe[2]) != N_LEVEL:
            raise ValueError(
                f"expected 'cpit', a shift, a factor and {N_LEVEL} whole numbers, got {text[:40]!r}; copy the whole correction"
            )
        return cls(*recipe)

    @property
    def text(self) -> str:
        return " ".join(["cpit", number_text(self.shift), number_text(self.factor), *map(str, self.pit)])

    @property
    def value(self) -> str:
        return f"× {number_text(self.factor)}, shift {number_text(self.shift)}, {N_LEVEL} quantiles"

    def ensemble(self, sample: Sampler, request: Request) -> Ensemble:
        narrow = sample(request)
        return replace(narrow, members=self.members(narrow.members, narrow.plain))

    def members(self, members: np.ndarray, plain: np.ndarray) -> np.ndarray:
        """The corrected members, in the shape and the order of members.   members: (member, case, *event).   plain: (case, *event).

        The member of rank j takes the quantile at j / (M + 1). With uniform PITs this is the member itself, so that M independent members stay
        independent, and their fair CRPS stays fair.
        """
        wide = np.empty(members.shape, dtype=members.dtype)
        step = max(1, CHUNK // max(members[:, :1].size, 1))
        position, above = self.positions(len(members))
        for start in range(0, len(plain), step):
            cases = slice(start, start + step)
            moved = affine(np.asarray(members[:, cases]), plain[cases], self.shift, self.factor)
            order = moved.argsort(0)
            ascending = np.take_along_axis(moved, order, 0)
            share = above.astype(members.dtype).reshape(-1, *[1] * plain.ndim)
            lower, upper = ascending[position], ascending[np.minimum(position + 1, len(members) - 1)]
            np.put_along_axis(wide[:, cases], order, lower + share * (upper - lower), 0)
        return wide

    def positions(self, n_member: int) -> tuple[np.ndarray, np.ndarray]:
        """Where each rank goes: the order statistic below, counted from 0, and the share of the gap above it; (member,) each."""
        rank = np.arange(1, n_member + 1) / (n_member + 1)
        knots = np.array([0, *self.pit, STEPS]) / STEPS
        place = np.interp(rank, np.linspace(0, 1, N_LEVEL + 2), knots) * (n_member + 1)
        place = np.clip(place.round(9), 1, n_member) - 1
        position = np.floor(place).astype(int)
        return position, place - position


def affine(members: np.ndarray, plain: np.ndarray, shift: float, factor: float) -> np.ndarray:
    """f + shift + factor (f_j - f), a new array of the dtype of members.   members: (member, case, *event).   plain: (case, *event)."""
    moved = members - plain
    moved *= members.dtype.type(factor)
    moved += plain + members.dtype.type(shift)
    return moved


def fit_affine(calibration: Ensemble) -> tuple[float, float]:
    """Shift and factor at which these cases have no bias and a spread-skill ratio of 1.

    # DIFFERS: the source maximises a quasi-likelihood, in which each case has the weight 1 / s2. With M members, 1 / s2 is too large by
    (M - 1) / (M - 3) on average, and cases in which the members nearly agree decide alone.
    ValueError as in `fit_factor`.
    """
    factor = fit_factor(calibration.pooled)
    error = calibration.target - affine(calibration.members, calibration.plain, 0.0, factor).mean(0)
    area = np.where(np.isfinite(error), 1.0 if calibration.weights is None else calibration.weights.numpy(), 0.0)
    return float(np.nansum(area * error) / area.sum()), factor


def fit_recipe(calibration: Ensemble) -> ConformalPit:
    """The recipe that calibration cases give.

    Map and weights are fitted on the same cases; two numbers spoil the exchangeability of many cases little.
    """
    shift, factor = (four_digits(value) for value in fit_affine(calibration))
    moved = affine(np.asarray(calibration.members), calibration.plain, shift, factor)
    level = np.arange(1, N_LEVEL + 1) / (N_LEVEL + 1)
    share = pit_distribution(moved, calibration.target, None if calibration.weights is None else calibration.weights.numpy())
    quantiles = np.interp(level, share, np.linspace(0, 1, len(share)))
    return ConformalPit(shift, factor, tuple(int(value) for value in (STEPS * quantiles).round()))


def pit_distribution(members: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The distribution of the PIT of a new case at 0, 1/(M+1), ..., 1, linear between them: (M + 2,), from 0 to 1.

    It is that of the n calibration cases, in expectation over the random part of each PIT, and of one more case whose PIT may lie anywhere: the
    new case itself. A case counts once, its elements by weights, however many of them have a target.
    """
    seen = np.isfinite(target)
    area = np.where(seen, 1.0 if weights is None else weights, 0.0).reshape(len(target), -1)
    share = (area / np.maximum(area.sum(1, keepdims=True), 1e-300)).reshape(target.shape)[seen]
    below, equal = ((members < target).sum(0)[seen], (members == target).sum(0)[seen])
    # A tie with e members belongs to e + 1 ranks alike: the share of each is added from the first on, and taken away after the last.
    change = np.bincount(below, share / (equal + 1), len(members) + 2) - np.bincount(
        below + equal + 1, share / (equal + 1), len(members) + 2
    )
    count = np.concatenate([[0], change.cumsum()[:-1].cumsum()])
    n_case = count[-1]
    return (count + np.linspace(0, 1, len(count))) / (n_case + 1)


def fit(workbench: Workbench, variant: str) -> Fitted:
    """The map and the weights at the concentration of inflation."""
    calibration = workbench.calibration(CONCENTRATION)

    def members_of(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
        return fit_recipe(of_cases(calibration, fitted)).members(calibration.members[:, scored], calibration.plain[scored])

    recipe = fit_recipe(calibration)
    return Fitted(CONCENTRATION, workbench.n_member, recipe=recipe, calibration=cross_fitted(calibration, members_of))


CORRECTION = Correction(
    key="cpit",
    title="Conformal PIT",
    description=(
        "Members at a moderate concentration are shifted and moved away from the plain forecast, then their quantiles are replaced by those at which "
        "calibration cases lay: a whole distribution that is calibrated on average over lead times and cells."
    ),
    cost="one ensemble of the calibration part, and 51 more numbers that are fitted",
    source="Wang, Tzeng, Fan, Huang (2026), arXiv 2609.19035",
    fit=fit,
    recipe=ConformalPit,
)
