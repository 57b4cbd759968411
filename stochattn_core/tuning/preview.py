"""The preview before tuning: a dozen passes over a part of the calibration data say, in seconds, whether any concentration will do."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from stochattn_core.datasets.base import Dataset, Progress, thinned
from stochattn_core.evaluate import audited, experiment_of
from stochattn_core.forecasts import ensemble_of
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.concentration_search import share_of
from stochattn_core.tuning.objectives.ratio import ratio
from stochattn_core.tuning.points import GRID, Point, crossing

CONCENTRATIONS = (1, 8, 64)
N_PASS = 4  # at each
N_CASE = {"table": 400, "series": 100, "grid": 12}
DRIFT_COST = 1.05  # of the RMSE


@dataclass(frozen=True)
class Preview:
    """What a dozen passes say of nu*.

    reach: spread over error, by concentration, the widest first.   expected: about where nu* will be; NaN where it cannot be told.
    cost: RMSE of the mean there over that of the plain model.   entropy: mean row entropy of each attention layer, 0 for one key, 1 for even rows.
    passes, n_case, seconds: what the preview took.
    """

    reach: Mapping[int, float]
    expected: float
    cost: float
    entropy: Mapping[str, float]
    passes: int
    n_case: int
    seconds: float

    @property
    def reachable(self) -> bool:
        """Does some concentration spread enough?"""
        return self.expected >= GRID[0]

    @property
    def sentence(self) -> str:
        """What to expect of tuning, without a full stop."""
        wide, narrow = self.reach[CONCENTRATIONS[0]], self.reach[CONCENTRATIONS[-1]]
        span = (
            f"the spread reaches {wide:.2f} of the error at ν = {CONCENTRATIONS[0]} and is {narrow:.2f} of it at ν = {CONCENTRATIONS[-1]}"
        )
        if not math.isfinite(wide):
            return "the plain model makes no error here, or there is no target: there is nothing to match"
        if not wide > 0:
            return "the passes do not differ from the plain model: no concentration gives any spread; sample other layers"
        if not self.reachable:
            return f"{span}: even the largest noise is too little, so expect ν* = 1, and compare the corrections after tuning"
        if self.expected > GRID[-1]:
            return f"{span}: even ν = {GRID[-1]:,} will be too wide; compare the corrections after tuning"
        text = f"{span}: expect ν* near {_round(self.expected)}"
        if self.cost > DRIFT_COST:
            return f"{text}, where the ensemble mean errs about {100 * (self.cost - 1):.0f}% more than the plain model; compare the corrections after tuning"
        return text


def preview(
    model: Model | nn.Module,
    dataset: Dataset,
    *,
    seed: int = 0,
    layers: str = "",
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> Preview:
    """One audit and a dozen stochastic passes over evenly spaced calibration cases. Arguments as in `tune`; ValueError as there."""
    started = time.monotonic()
    setting = Setting(seed=seed, layers=layers)
    whole = experiment_of(model, dataset, setting, part="calibration", ignore=ignore, device=device, progress=progress)
    few = thinned(dataset, N_CASE[dataset.task])
    experiment = replace(whole, dataset=few)  # with the network of the whole dataset
    if not bool(few.calibration.target.isfinite().any()):
        raise ValueError(f"expected calibration targets in {dataset.name!r}, found none that is a number; give more data")
    seen = audited(experiment)
    points = {}
    for done, nu in enumerate(CONCENTRATIONS):
        step = share_of(progress, done, done + 1, len(CONCENTRATIONS), "a first look")
        ensemble = ensemble_of(experiment.with_setting(replace(setting, concentration=nu, n_member=N_PASS)), progress=step)
        points[nu] = Point(nu, ensemble.pooled)
    at = [points[nu] for nu in CONCENTRATIONS]
    reach = ratio(at, at[0].every_block)[0]
    expected = math.exp(crossing(points)) if (reach > 0).any() else math.nan
    costs = [float((p.statistics.error_sq.sum() - p.statistics.variance.sum() / N_PASS) / p.statistics.plain_error_sq.sum()) for p in at]
    cost = (
        np.interp(math.log(max(expected, 1.0)), np.log(CONCENTRATIONS), np.sqrt(np.maximum(costs, 0)))
        if math.isfinite(expected)
        else math.nan
    )
    return Preview(
        reach={nu: float(value) for nu, value in zip(CONCENTRATIONS, reach, strict=True)},
        expected=expected,
        cost=float(cost),
        entropy=dict(seen.entropy),
        passes=N_PASS * len(CONCENTRATIONS),
        n_case=len(few.calibration),
        seconds=time.monotonic() - started,
    )


def _round(value: float) -> str:
    return f"{value:.1f}" if value < 3 else f"{value:.0f}"
