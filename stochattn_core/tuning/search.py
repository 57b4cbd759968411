"""The search for nu* on the calibration part: a log grid about the optimum, or the authors' single passes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.draw import check_concentration
from stochattn_core.evaluate import layers_of, network_of
from stochattn_core.forecasts import ensemble_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning.found import Found, from_points
from stochattn_core.tuning.minimum import minimum
from stochattn_core.tuning.objectives import objective_named
from stochattn_core.tuning.points import GRID, N_NEAR, Budget, Point, crossing, points_about
from stochattn_core.tuning.single_passes import single_pass_search

N_PASS, N_PASS_OF_MANY = 10, 4  # stochastic passes at each concentration of the grid; of more outputs than MANY each is known well
MANY = 50_000
SEARCHES = ("grid", "thompson")


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
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Found:
    """nu* from the calibration part alone; arguments as in `tune`. setting: seed, layers and correction of the passes."""
    chosen = objective_named(objective)
    if search not in SEARCHES:
        raise ValueError(f"expected a search out of {', '.join(SEARCHES)}, got {search!r}")
    if search == "thompson" and objective != "pooled":
        raise ValueError(
            f"expected objective 'pooled' with search 'thompson', which fits a law to its deviation, got {objective!r}; use search 'grid'"
        )
    if setting.correction not in ("", "shared"):
        raise ValueError(
            f"expected correction 'shared' or none to search a concentration for, got {setting.correction!r}; compare() fits the others"
        )
    if any(check_concentration(nu) == math.inf for nu in grid):
        raise ValueError(f"expected a grid of finite concentrations, got {tuple(grid)}; leave grid out for powers of 2")
    if search == "thompson" and setting.correction:
        raise ValueError(f"expected no correction with search 'thompson', got {setting.correction!r}; use search 'grid'")
    if len(set(grid)) < 3:
        raise ValueError(f"expected a grid of at least 3 concentrations, got {tuple(grid)}; leave grid out for powers of 2")
    if n_pass is not None and (isinstance(n_pass, bool) or not isinstance(n_pass, int) or n_pass < 2):
        raise ValueError(f"expected at least 2 passes at each concentration, got n_pass={n_pass}; leave it out for {N_PASS}")
    target = dataset.filled("calibration").target
    if not bool(target.isfinite().any()):
        raise ValueError(f"expected calibration targets in {dataset.name!r}, found none that is a number; give more data")
    started = time.monotonic()
    network = network_of(model, dataset, device=device, progress=progress)
    layers = layers_of(model, setting)
    n_pass = n_pass or (N_PASS if target.numel() <= MANY else N_PASS_OF_MANY)
    n_point = min(len(grid), N_NEAR)

    def passes_at(concentration: int, n_done: int) -> Point:
        step = share_of(progress, min(n_done, n_point), min(n_done, n_point) + 1, n_point + 1, f"concentration {concentration}")
        passes = replace(setting, concentration=concentration, n_member=n_pass)
        return Point.of(
            concentration,
            ensemble_of(network, dataset, passes, part="calibration", layers=layers, attention_classes=attention_classes, progress=step),
        )

    def seems_best(points: Mapping[int, Point]) -> float:
        if objective == "pooled" or len(points) < 3:
            return crossing(points)
        known = np.array(sorted(points))
        return float(np.log(minimum(known, chosen.curve([points[int(nu)] for nu in known], points[int(known[0])].once)))[0])

    points, ended = points_about(seems_best, passes_at, np.array(sorted(set(grid))), n_pass, budget, started)
    found = from_points(points, objective, full=(min(grid), max(grid)), seed=setting.seed, passes=len(points) * n_pass, ended=ended)
    if search == "grid":
        return found
    step = share_of(progress, n_point, n_point + 1, n_point + 1)
    return single_pass_search(
        found,
        network,
        dataset,
        layers,
        max(grid),
        setting.seed,
        budget=budget,
        started=started,
        attention_classes=attention_classes,
        progress=step,
    )


def share_of(progress: Progress | None, start: int, end: int, whole: int, what: str | None = None) -> Progress | None:
    """Progress of one part of the work, from start to end of the whole, in thousandths."""
    if progress is None:
        return None
    return lambda done, total, stage: progress(int(1000 * (start + (end - start) * done / max(total, 1))), 1000 * whole, what or stage)
