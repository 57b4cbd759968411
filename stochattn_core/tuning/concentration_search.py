"""The search for nu* on the calibration part: a log grid about the optimum, or the authors' single passes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from stochattn_core.corrections import CORRECTIONS, parse
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.draw import check_concentration
from stochattn_core.evaluate import experiment_of
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import objective_named
from stochattn_core.tuning.points import GRID, N_NEAR, Budget, Point, crossing, points_about
from stochattn_core.tuning.search_result import SearchResult, from_points
from stochattn_core.tuning.single_passes import single_pass_search

N_PASS, N_PASS_OF_MANY = 10, 4  # stochastic passes at each point of the grid; of maps, with more outputs than MANY, each pass says enough
MANY = 50_000
SEARCHES = ("grid", "thompson")


@dataclass(frozen=True)
class SearchPlan:
    """How nu* is searched for; arguments as in `tune`. ValueError for a plan that cannot be followed."""

    objective: str = "pooled"
    search: str = "grid"
    grid: tuple[int, ...] = GRID
    n_pass: int | None = None
    budget: Budget = Budget()  # noqa: RUF009, frozen

    def __post_init__(self) -> None:
        objective_named(self.objective)
        if self.search not in SEARCHES:
            raise ValueError(f"expected a search out of {', '.join(SEARCHES)}, got {self.search!r}")
        if self.search == "thompson" and self.objective != "pooled":
            raise ValueError(
                f"expected objective 'pooled' with search 'thompson', which fits a law to its deviation, got {self.objective!r}; "
                "use search 'grid'"
            )
        if any(check_concentration(nu) == math.inf for nu in self.grid):
            raise ValueError(f"expected a grid of finite concentrations, got {tuple(self.grid)}; leave grid out for powers of 2")
        if len(set(self.grid)) < 3:
            raise ValueError(f"expected a grid of at least 3 concentrations, got {tuple(self.grid)}; leave grid out for powers of 2")
        n_pass = self.n_pass
        if n_pass is not None and (isinstance(n_pass, bool) or not isinstance(n_pass, int) or n_pass < 2):
            raise ValueError(f"expected at least 2 passes at each concentration, got n_pass={n_pass}; leave it out for {N_PASS}")

    def check_correction(self, correction: str) -> None:
        """ValueError where a search cannot make its passes with this correction."""
        if not correction:
            return
        if not parse(correction).searches_concentration:
            possible = " or ".join(f"{key!r}" for key, entry in CORRECTIONS.items() if entry.recipe and entry.recipe.searches_concentration)
            raise ValueError(
                f"expected correction {possible} or none to search a concentration for, got {correction!r}; compare() fits the others"
            )
        if self.search == "thompson":
            raise ValueError(f"expected no correction with search 'thompson', got {correction!r}; use search 'grid'")


def search_concentration(
    model: Model | nn.Module,
    dataset: Dataset,
    setting: Setting,
    *,
    objective: str = "pooled",
    search: str = "grid",
    grid: tuple[int, ...] = GRID,
    n_pass: int | None = None,
    budget: Budget = Budget(),  # noqa: B008, frozen
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> SearchResult:
    """nu* from the calibration part alone; arguments as in `tune`. setting: seed, layers and correction of the passes."""
    plan = SearchPlan(objective, search, grid, n_pass, budget)
    plan.check_correction(setting.correction)
    experiment = experiment_of(model, dataset, setting, part="calibration", ignore=ignore, device=device, progress=progress)
    return run_search(experiment, plan, progress=progress)


def run_search(experiment: Experiment, plan: SearchPlan, *, progress: Progress | None = None) -> SearchResult:
    """The result of the search that a plan describes. experiment: of the calibration part; its concentration and number of members are not used."""
    setting, dataset = experiment.setting, experiment.dataset
    plan.check_correction(setting.correction)
    target = experiment.split.target
    if not bool(target.isfinite().any()):
        raise ValueError(f"expected calibration targets in {dataset.name!r}, found none that is a number; give more data")
    started = time.monotonic()
    n_pass = plan.n_pass or (N_PASS if target.numel() <= MANY else N_PASS_OF_MANY)
    n_point = min(len(plan.grid), N_NEAR)

    def passes_at(concentration: int, n_done: int) -> Point:
        step = share_of(progress, min(n_done, n_point), min(n_done, n_point) + 1, n_point + 1, f"concentration {concentration}")
        passes = experiment.with_setting(replace(setting, concentration=concentration, n_member=n_pass))
        return Point.of(concentration, ensemble_of(passes, progress=step))

    def seems_best(points: Mapping[int, Point]) -> float:
        if plan.objective == "pooled" or len(points) < 3:
            return crossing(points)
        known = np.array(sorted(points))
        curve = objective_named(plan.objective).curve([points[int(nu)] for nu in known], points[int(known[0])].every_block)
        return float(np.log(minimum(known, curve))[0])

    points, ended = points_about(seems_best, passes_at, np.array(sorted(set(plan.grid))), n_pass, plan.budget, started)
    full = (min(plan.grid), max(plan.grid))
    result = from_points(points, plan.objective, full=full, passes=len(points) * n_pass, ended=ended)
    if plan.search == "grid":
        return result
    step = share_of(progress, n_point, n_point + 1, n_point + 1)
    return single_pass_search(result, experiment, full[1], budget=plan.budget, started=started, progress=step)


def share_of(progress: Progress | None, start: int, end: int, whole: int, what: str | None = None) -> Progress | None:
    """The progress of one part of the work, which goes from start to end of the whole; reported in thousandths."""
    if progress is None:
        return None
    return lambda done, total, stage: progress(int(1000 * (start + (end - start) * done / max(total, 1))), 1000 * whole, what or stage)
