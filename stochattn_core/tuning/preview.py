"""Before tuning: from a dozen passes over a part of the calibration data, whether any concentration will do, in seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from stochattn_core.audit import audit
from stochattn_core.datasets.base import Dataset, Progress, thinned
from stochattn_core.evaluate import layers_of, network_of
from stochattn_core.forecasts import device_of, ensemble_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.objectives.ratio import ratio
from stochattn_core.tuning.points import GRID, Point, crossing
from stochattn_core.tuning.search import share_of

LOOKED_AT = (1, 8, 64)
N_PASS = 4  # at each
N_CASE = {"table": 400, "series": 100, "grid": 12}
DRIFT_COST = 1.05  # of the RMSE


@dataclass(frozen=True)
class Preview:
    """reach: spread over error at the concentrations looked at, the widest first.   expected: about where nu* will be.   cost: RMSE of the mean
    over that of the plain model there.   entropy: of the rows of each sampled layer, in nats.   passes, n_case, seconds: what the look took.
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
        return self.expected >= GRID[0]

    @property
    def sentence(self) -> str:
        wide, narrow = self.reach[LOOKED_AT[0]], self.reach[LOOKED_AT[-1]]
        span = f"the spread reaches {wide:.2f} of the error at ν = {LOOKED_AT[0]} and is {narrow:.2f} of it at ν = {LOOKED_AT[-1]}"
        if not math.isfinite(wide):
            return "the plain model makes no error here, or there is no target: there is nothing to match"
        if not wide > 0:
            return "the passes do not differ from the plain model: no concentration gives any spread; sample other layers"
        if not self.reachable:
            return f"{span}: even the largest noise is too little, so expect ν* = 1 and a need for inflation"
        if self.expected > GRID[-1]:
            return f"{span}: even ν = {GRID[-1]:,} will be too wide; sample fewer layers"
        said = f"{span}: expect ν* near {_round(self.expected)}"
        if self.cost > DRIFT_COST:
            return f"{said}, where the ensemble mean errs about {100 * (self.cost - 1):.0f}% more than the plain model: an inflated ensemble may do better"
        return said


def preview(
    model: Model | nn.Module,
    dataset: Dataset,
    *,
    seed: int = 0,
    layers: str = "",
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Preview:
    """One audit and a dozen stochastic passes over evenly spaced calibration cases. Arguments as in `tune`; ValueError as there."""
    started = time.monotonic()
    network = network_of(model, dataset, device=device, progress=progress)
    few = thinned(dataset, N_CASE[dataset.task])
    setting = Setting(seed=seed, layers=layers)
    layers = layers_of(model, setting)
    if not bool(few.calibration.target.isfinite().any()):
        raise ValueError(f"expected calibration targets in {dataset.name!r}, found none that is a number; give more data")
    place = device_of(network)
    seen = audit(network, few.calibration.inputs[:2].to(place), attention_classes=attention_classes)
    points = {}
    for done, nu in enumerate(LOOKED_AT):
        step = share_of(progress, done, done + 1, len(LOOKED_AT), "a first look")
        ensemble = ensemble_of(
            network, few, Setting(nu, N_PASS, seed), part="calibration", layers=layers, attention_classes=attention_classes, progress=step
        )
        points[nu] = Point(nu, ensemble.pooled)
    at = [points[nu] for nu in LOOKED_AT]
    reach = ratio(at, at[0].once)[0]
    expected = math.exp(crossing(points)) if (reach > 0).any() else math.nan
    costs = [float((p.statistics.error_sq.sum() - p.statistics.variance.sum() / N_PASS) / p.statistics.plain_error_sq.sum()) for p in at]
    cost = (
        np.interp(math.log(max(expected, 1.0)), np.log(LOOKED_AT), np.sqrt(np.maximum(costs, 0))) if math.isfinite(expected) else math.nan
    )
    return Preview(
        reach={nu: float(value) for nu, value in zip(LOOKED_AT, reach, strict=True)},
        expected=expected,
        cost=float(cost),
        entropy=dict(seen.entropy),
        passes=N_PASS * len(LOOKED_AT),
        n_case=len(few.calibration),
        seconds=time.monotonic() - started,
    )


def _round(value: float) -> str:
    return f"{value:.1f}" if value < 3 else f"{value:.0f}"
