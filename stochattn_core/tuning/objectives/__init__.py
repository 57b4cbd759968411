"""The objectives that a concentration can be tuned for. One is a file here and a line in OBJECTIVES; all are computed from the same passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from stochattn_core.tuning.objectives import fair_crps, per_sample, pooled, ratio, w1
from stochattn_core.tuning.points import Point

Curve = Callable[[Sequence[Point], Tensor], np.ndarray]


class Objective(NamedTuple):
    """title: for a legend.   description: one sentence.   curve(points, counts): costs (replicate, point), of which the least is sought."""

    title: str
    description: str
    curve: Curve


OBJECTIVES: dict[str, Objective] = {
    "pooled": Objective(
        "Pooled dispersion",
        "A stochastic pass deviates from the plain forecast as much as the plain forecast errs, over all outputs together: the default.",
        pooled.curve,
    ),
    "per-sample": Objective(
        "Per-sample dispersion",
        "The same for each case by itself, the other way to read the paper: too narrow by design, 0.64 of the right spread where a case is one number.",
        per_sample.curve,
    ),
    "averaged": Objective(
        "Per-sample, passes averaged", "Case by case with the passes averaged first: nearly without that bias.", per_sample.averaged
    ),
    "ratio": Objective(
        "Spread-skill ratio",
        "The spread equals the error of the ensemble mean: the drift of the mean counts as error, not as spread.",
        ratio.curve,
    ),
    "crps": Objective(
        "Fair CRPS", "The best probabilistic forecast by its score: sharpness counts as well as calibration.", fair_crps.curve
    ),
    "w1": Objective(
        "W1 under a CRPS bound",
        f"The flattest PIT among the concentrations whose fair CRPS is within {100 * (w1.BOUND - 1):.0f}% of the best.",
        w1.curve,
    ),
}


def objective_named(name: str) -> Objective:
    """The entry of OBJECTIVES with this name; ValueError where there is none."""
    if name not in OBJECTIVES:
        raise ValueError(f"expected an objective out of {', '.join(OBJECTIVES)}, got {name!r}")
    return OBJECTIVES[name]
