"""nu* by group (lead time, region, variable), shrunk towards the mean of all groups where a group has few cases.

Each group's log nu* is an estimate with a standard error that counts dependence. The true values of the groups are taken to be normal about
their mean, with a variance that is estimated by moments. The estimate that is offered lies between the group's own and the mean of all, by the
precision of each: a group with few cases takes the mean of all groups, a group with many cases keeps its own value.
Source: DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import experiment_of
from stochattn_core.forecasts import ensemble_of
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.regions import REGIONS, region_weights
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.concentration_search import search_concentration, share_of
from stochattn_core.tuning.interval import inference_of, within
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import objective_named
from stochattn_core.tuning.points import Point
from stochattn_core.tuning.search_result import SearchResult

OF_STATISTICS = ("pooled", "ratio", "crps", "w1")  # objectives that can be computed from the sums of a group


@dataclass(frozen=True)
class Group:
    """nu* of one group.

    kind: "lead time", "region", ...   own: nu* from the cases of this group alone, with low and high at 90%.
    weight: of its own value, 0 to 1; the rest is the weight of the mean of all groups.   optimum: the weighted mean of the two.
    concentration: the optimum as a whole number.   at_bound: is `own` at an end of the grid?
    """

    kind: str
    name: str
    own: float
    low: float
    high: float
    weight: float
    optimum: float
    concentration: int
    at_bound: bool


@dataclass(frozen=True)
class Estimate:
    """nu* from the cases of one group alone, with its interval. error: standard error of log nu*."""

    name: str
    own: float
    low: float
    high: float
    error: float
    at_bound: bool


def calibration_ensembles(
    model: Model, dataset: Dataset, result: SearchResult, setting: Setting, *, progress: Progress | None = None
) -> dict[int, Ensemble]:
    """The ensembles of the calibration part that a search made, by concentration, read back from the store. setting: of its passes."""
    experiment, n_pass = experiment_of(model, dataset, setting, part="calibration", progress=progress), result.deviation.shape[1]
    return {
        int(nu): ensemble_of(
            experiment.with_setting(replace(setting, concentration=int(nu), n_member=n_pass)),
            progress=share_of(progress, done, done + 1, len(result.grid), "reading the passes back"),
        )
        for done, nu in enumerate(result.grid)
    }


def by_dataset(
    kind: str,
    model: Model,
    datasets: Mapping[str, Dataset],
    setting: Setting,
    objective: str = "pooled",
    *,
    progress: Progress | None = None,
) -> list[Group]:
    """Groups that are datasets of their own, by name: other lead times or variables of a planet. Each is searched as `tune` searches."""
    estimates = []
    for done, (name, dataset) in enumerate(datasets.items()):
        step = share_of(progress, done, done + 1, len(datasets), name)
        points = search_concentration(model, dataset, setting, objective=objective, progress=step).points
        estimates.append(estimate(name, list(points), [point.statistics for point in points.values()], objective))
    return shrunk(kind, estimates)


def by_lead_time(ensembles: Mapping[int, Ensemble], objective: str = "pooled") -> list[Group]:
    """One group for each lead time of a series, from the calibration ensembles at every concentration of the grid."""
    first = next(iter(ensembles.values()))
    names = [first.step.lead_text(lead) for lead in first.lead_time]
    parts = [[ensemble.statistics.select(place) for ensemble in ensembles.values()] for place in range(len(names))]
    return shrunk("lead time", [estimate(name, list(ensembles), part, objective) for name, part in zip(names, parts, strict=True)])


def by_region(ensembles: Mapping[int, Ensemble], objective: str = "pooled") -> list[Group]:
    """One group for each region of a grid, without the globe."""
    first = next(iter(ensembles.values()))
    estimates = []
    for region in list(REGIONS.values())[1:]:
        try:
            weights = region_weights(region, first.latitude, first.longitude)
        except ValueError:  # the grid covers a part of the globe, and has no cell there
            continue
        parts = [_within(ensemble, weights) for ensemble in ensembles.values()]
        estimates.append(estimate(region.label, list(ensembles), parts, objective))
    return shrunk("region", estimates)


def _within(ensemble: Ensemble, weights: Tensor) -> Statistics:
    """The sums over one part of the map. The sums of the deviations pool the map when they are made, so that all are made again for its cells."""
    cells = (..., (weights > 0).any(1).nonzero().flatten().numpy()[:, None], (weights > 0).any(0).nonzero().flatten().numpy())
    members, target, plain, inside = ensemble.members[cells], ensemble.target[cells], ensemble.plain[cells], weights[cells]
    return Statistics.of(members, target, plain, ensemble.block, int(ensemble.block.max()) + 1, weights=inside).pooled(inside)


def estimate(name: str, grid: Sequence[int], parts: Sequence[Statistics], objective: str = "pooled") -> Estimate:
    """nu* of one group. parts: its sums at every concentration of the grid."""
    if objective not in OF_STATISTICS:
        raise ValueError(f"expected an objective out of {', '.join(OF_STATISTICS)} for groups, got {objective!r}")
    points = [Point(nu, part) for nu, part in zip(grid, parts, strict=True)]
    curve = objective_named(objective).curve
    nu = np.array(grid, dtype=float)
    own = float(minimum(nu, curve(points, points[0].every_block)[0]))
    found = inference_of(points[0].statistics, lambda counts: minimum(nu, curve(points, counts), is_bounded=False))
    low, high = within(found.at(0), float(nu[0]), float(nu[-1]))
    error = float(np.nan_to_num(found.error[0], nan=math.inf))
    at_bound = own in (nu[0], nu[-1])
    if at_bound:  # where the optimum lies beyond the grid, its error there is no measure of the error of the end
        error = max(error, 0.5 * math.log(nu[1] / nu[0]))
    return Estimate(name, own, low, high, error, at_bound)


def shrunk(kind: str, estimates: Sequence[Estimate]) -> list[Group]:
    """Every group's own value shrunk towards the mean of all groups by empirical Bayes.

    A single group keeps its own value, and a group without targets is left out. A group whose error is infinite (one block) takes the mean.
    """
    estimates = [entry for entry in estimates if math.isfinite(entry.own)]
    if not estimates:
        raise ValueError(f"expected groups by {kind} with calibration targets, found none; choose a dataset that has them")
    y = np.log([entry.own for entry in estimates])
    variance = np.maximum(np.square([entry.error for entry in estimates]), 1e-8)
    sure = np.isfinite(variance)
    between = between_groups(y[sure], variance[sure]) if sure.sum() > 1 else 0.0
    precision = 1 / (variance + between) if sure.any() else np.ones(len(y))
    mean = float(precision @ y / precision.sum())
    weight = between / (between + variance) if len(estimates) > 1 else np.ones(1)
    groups = []
    for entry, share in zip(estimates, weight, strict=True):
        optimum = math.exp(share * math.log(entry.own) + (1 - share) * mean)
        whole = max(1, round(optimum))
        groups.append(Group(kind, entry.name, entry.own, entry.low, entry.high, float(share), optimum, whole, entry.at_bound))
    return groups


def between_groups(y: np.ndarray, variance: np.ndarray) -> float:
    """The variance of the true values of the groups, by moments: max(0, (Q - (k - 1)) / (S1 - S2 / S1)).

    y: (group,) estimates.   variance: (group,) of each estimate.

    >>> between_groups(np.array([1.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.1]))
    0.0
    """
    weight = 1 / variance
    total = weight.sum()
    spread = float(weight @ np.square(y - weight @ y / total)) - (len(y) - 1)
    scale = float(total - np.square(weight).sum() / total)
    return max(0.0, spread / scale) if scale > 0 else 0.0
