"""Statistics to scores: the only place where the sums are divided."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.crps import hersbach_parts
from stochattn_core.metrics.intervals import LEVELS
from stochattn_core.metrics.ranks import pit_dispersion, pit_mean, w1
from stochattn_core.metrics.statistics import Statistics

SHOWN = (0.5, 0.8, 0.9, 0.95)  # levels with a key of their own; the whole curve is coverage_curve


def scores(statistics: Statistics, weights: Tensor | None = None) -> dict[str, float | int]:
    """Every score over all cases and all elements of the event, by name. Units: of the target where not said.

    rmse, bias         of the ensemble mean m; bias = mean (m - y), 0 is best
    rmse_plain, mae_plain   of the plain model's one answer (its MAE is its CRPS)
    spread             sqrt(mean member variance), ddof = 1
    spread_skill_ratio sqrt((M + 1) / M) spread / rmse, no units, 1 is best
    drift              rms (m - f) / rms (y - f), no units, 0 is best: how far the mean strays from the plain model
    crps, crps_fair    plain and fair, smaller is better
    crps_reliability, crps_potential, crps_uncertainty, crps_resolution   Hersbach's parts of the plain CRPS
    crps_skill_climatology  1 - crps_fair / crps of climatology, no units, 1 is best
    w1, pit_mean, pit_dispersion    0, 0.5 and 1 are best, no units
    coverage_50 ...    shares; width_50 ... their mean widths, narrower is better at the right coverage
    energy_score       fair, of the event as one vector; smaller is better
    n_member, n_case, n   members, cases with a target, elements with a target

    weights: broadcasts to *event (cell areas). NaN: what needs two members, a climatology, or any case, and had none.
    Uncertainty is the CRPS of the climatology handed to Statistics.of, and resolution = uncertainty - potential: equal to
    Hersbach's when that climatology is the verifying sample.

    >>> members, target = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1.0, 4.0])
    >>> found = scores(Statistics.of(members, target, target + 1, [0, 1], 2))
    >>> round(found["rmse"], 4), round(found["spread"], 4), found["n_case"]
    (1.4142, 1.4142, 2)
    """
    values = values_by_block(statistics.pooled(weights).total())
    found = {name: float(value[0]) for name, value in values.items()}
    return found | {name: round(found[name]) for name in ("n_member", "n_case", "n")}


def by_event(statistics: Statistics) -> dict[str, np.ndarray]:
    """The same scores for every element of the event (each lead time, each cell): name -> (*event).

    The energy score is of the whole event and has no value here; n_member and n_case are left out too.

    >>> members, target = torch.tensor([[[0.0, 0.0]], [[2.0, 4.0]]]), torch.tensor([[1.0, 1.0]])
    >>> by_event(Statistics.of(members, target, target, [0], 1))["rmse"]
    array([0., 1.])
    """
    values = values_by_block(statistics.total())
    return {name: value[0].numpy() for name, value in values.items() if name not in ("energy_score", "n_member", "n_case")}


def values_by_block(sums: Statistics) -> dict[str, Tensor]:
    """Scores of each entry of the leading axis by itself: name -> (block, *event); energy_score and n_case are (block,).

    The bootstrap gives replicates as that axis, `scores` and `by_event` the one total.
    """
    m, n = sums.n_member, sums.n
    rmse = (sums.error_sq / n).sqrt()
    spread = (sums.variance / n).sqrt()
    rmse_plain = (sums.plain_error_sq / n).sqrt()
    rank, below, above = (values.movedim(1, 0) for values in (sums.rank, sums.hersbach_below, sums.hersbach_above))
    climatology = sums.crps_climatology / n
    parts = hersbach_parts(below / n, above / n, rank / n, climatology)
    values = {
        "rmse": rmse,
        "bias": sums.error / n,
        "spread": spread,
        "spread_skill_ratio": math.sqrt((m + 1) / m) * spread / rmse,
        "drift": (sums.drift_sq / n).sqrt() / rmse_plain,
        "crps": sums.crps / n,
        "crps_fair": sums.crps_fair / n,
        "crps_reliability": parts.reliability,
        "crps_potential": parts.potential,
        "crps_uncertainty": parts.uncertainty,
        "crps_resolution": parts.resolution,
        "crps_skill_climatology": 1 - (sums.crps_fair / n) / climatology,
        "w1": w1(rank),
        "pit_mean": pit_mean(rank),
        "pit_dispersion": pit_dispersion(rank),
    }
    for level in SHOWN:
        place, percent = LEVELS.index(level), round(100 * level)
        values[f"coverage_{percent}"] = sums.covered[:, place] / n
        values[f"width_{percent}"] = sums.width[:, place] / n
    values |= {
        "energy_score": sums.energy / sums.n_case,
        "mae_plain": sums.plain_error_abs / n,
        "rmse_plain": rmse_plain,
        "n_member": torch.full_like(sums.n_case, m),
        "n_case": sums.n_case,
        "n": n,
    }
    return values
