"""nu* by group (lead time, region, variable), drawn towards the mean of all groups where one knows little.

Each group's log nu* is an estimate with a standard error from the block bootstrap. Groups are taken to differ by a normal spread of their
own, found by moments; the estimate that is offered lies between the group's and the mean of all, by how sure each is. A group with few cases
takes the mean of all groups, one with many keeps its own. Source: DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import layers_of, network_of
from stochattn_core.forecasts import Ensemble, ensemble_of
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.regions import REGIONS, region_weights
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.found import Found
from stochattn_core.tuning.interval import resampled
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import objective_named
from stochattn_core.tuning.points import Point
from stochattn_core.tuning.search import search_concentration, share_of

OF_STATISTICS = ("pooled", "ratio", "crps", "w1")  # objectives that a group's sums suffice for


@dataclass(frozen=True)
class Group:
    """kind: "lead time", "region", ...   own: the group's nu* alone, with low and high at 90%.   weight: of its own value, 0 to 1, the rest being
    that of the mean of all groups.   optimum: drawn in; concentration: the same as a whole number.
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
    """What one group says by itself. error: standard error of log nu*."""

    name: str
    own: float
    low: float
    high: float
    error: float
    at_bound: bool


def calibration_ensembles(
    model: Model, dataset: Dataset, found: Found, setting: Setting, *, progress: Progress | None = None
) -> dict[int, Ensemble]:
    """The ensembles of the calibration part that a search made, by concentration, read back. setting: of its passes."""
    network, layers, n_pass = network_of(model, dataset, progress=progress), layers_of(model, setting), found.deviation.shape[1]
    return {
        int(nu): ensemble_of(
            network,
            dataset,
            replace(setting, concentration=int(nu), n_member=n_pass),
            part="calibration",
            layers=layers,
            progress=share_of(progress, done, done + 1, len(found.grid), "reading the passes back"),
        )
        for done, nu in enumerate(found.grid)
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
    """Groups that are datasets by themselves, by name: other lead times or variables of a planet. Each is searched as `tune` does."""
    found = []
    for done, (name, dataset) in enumerate(datasets.items()):
        step = share_of(progress, done, done + 1, len(datasets), name)
        points = search_concentration(model, dataset, setting, objective=objective, progress=step).points
        found.append(estimate(name, list(points), [one.statistics for one in points.values()], objective, seed=setting.seed))
    return shrunk(kind, found)


def by_lead_time(ensembles: Mapping[int, Ensemble], objective: str = "pooled", *, seed: int = 0) -> list[Group]:
    """Groups of the lead times of a series, from the calibration ensembles at every concentration of the grid."""
    first = next(iter(ensembles.values()))
    unit = f" {first.lead_unit}" if first.lead_unit else ""
    names = [f"{lead}{unit}" for lead in first.lead_time]
    parts = [[one.statistics.select(place) for one in ensembles.values()] for place in range(len(names))]
    return shrunk(
        "lead time", [estimate(name, list(ensembles), part, objective, seed=seed) for name, part in zip(names, parts, strict=True)]
    )


def by_region(ensembles: Mapping[int, Ensemble], objective: str = "pooled", *, seed: int = 0) -> list[Group]:
    """Groups of the regions of a grid; the globe is no group."""
    first = next(iter(ensembles.values()))
    found = []
    for region in list(REGIONS.values())[1:]:
        try:
            weights = region_weights(region, first.latitude, first.longitude)
        except ValueError:  # a grid of a part of the globe has no cell there
            continue
        parts = [_within(one, weights) for one in ensembles.values()]
        found.append(estimate(region.label, list(ensembles), parts, objective, seed=seed))
    return shrunk("region", found)


def _within(ensemble: Ensemble, weights: Tensor) -> Statistics:
    """The sums of one part of the map. Those of the deviations pool the map when they are made, so they are made again for its cells."""
    cells = (..., (weights > 0).any(1).nonzero().flatten().numpy()[:, None], (weights > 0).any(0).nonzero().flatten().numpy())
    members, target, plain, inside = ensemble.members[cells], ensemble.target[cells], ensemble.plain[cells], weights[cells]
    return Statistics.of(members, target, plain, ensemble.block, int(ensemble.block.max()) + 1, weights=inside).pooled(inside)


def estimate(name: str, grid: Sequence[int], parts: Sequence[Statistics], objective: str = "pooled", *, seed: int = 0) -> Estimate:
    """nu* of one group. parts: its sums at every concentration of the grid."""
    if objective not in OF_STATISTICS:
        raise ValueError(f"expected an objective out of {', '.join(OF_STATISTICS)} for groups, got {objective!r}")
    points = [Point(nu, part) for nu, part in zip(grid, parts, strict=True)]
    curve = objective_named(objective).curve
    nu = np.array(grid, dtype=float)
    again = resampled(points[0].statistics, lambda counts: minimum(nu, curve(points, counts)), seed=seed)
    own, (low, high) = again.estimate, again.ends(nu[0], nu[-1])
    draws = np.log(again.replicates[np.isfinite(again.replicates)])
    error = float(draws.std(ddof=1)) if len(again.without) > 1 and len(draws) > 1 else math.inf
    at_bound = own in (nu[0], nu[-1])
    if at_bound:  # draws pile up at the end of the grid, which is no knowledge
        error = max(error, 0.5 * math.log(nu[1] / nu[0]))
    return Estimate(name, own, min(low, own), max(high, own), error, at_bound)


def shrunk(kind: str, estimates: Sequence[Estimate]) -> list[Group]:
    """Every group's own value drawn towards the mean of all by empirical Bayes. One group alone keeps its own, one without targets is left out.

    A group whose error is infinite (one block) says nothing and takes the mean.
    """
    estimates = [one for one in estimates if math.isfinite(one.own)]
    if not estimates:
        raise ValueError(f"expected groups by {kind} with calibration targets, found none; choose a dataset that has them")
    y = np.log([one.own for one in estimates])
    variance = np.maximum(np.square([one.error for one in estimates]), 1e-8)
    sure = np.isfinite(variance)
    between = between_groups(y[sure], variance[sure]) if sure.sum() > 1 else 0.0
    precision = 1 / (variance + between) if sure.any() else np.ones(len(y))
    mean = float(precision @ y / precision.sum())
    weight = between / (between + variance) if len(estimates) > 1 else np.ones(1)
    groups = []
    for one, share in zip(estimates, weight, strict=True):
        optimum = math.exp(share * math.log(one.own) + (1 - share) * mean)
        whole = max(1, round(optimum))
        groups.append(Group(kind, one.name, one.own, one.low, one.high, float(share), optimum, whole, one.at_bound))
    return groups


def between_groups(y: np.ndarray, variance: np.ndarray) -> float:
    """The variance of the groups' true values, by moments: max(0, (Q - (k - 1)) / (S1 - S2 / S1)).

    >>> between_groups(np.array([1.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.1]))
    0.0
    """
    weight = 1 / variance
    total = weight.sum()
    spread = float(weight @ np.square(y - weight @ y / total)) - (len(y) - 1)
    scale = float(total - np.square(weight).sum() / total)
    return max(0.0, spread / scale) if scale > 0 else 0.0
