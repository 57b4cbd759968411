"""The table of scores, and the functions that compute them from sums.

A new score is one file here and one line in SCORES; tiles, tables, curves, verdict, report, command line and docs read the table.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from stochattn_core.metrics.scores import coverage, crps, error, event, pit, spread_skill, tails
from stochattn_core.metrics.scores.coverage import SHOWN_LEVELS
from stochattn_core.metrics.scores.rule import Evidence, Grade, Judgement, Rule, Scale
from stochattn_core.metrics.scores.score import Curve, Score
from stochattn_core.metrics.statistics import Statistics

__all__ = [
    "SCORES",
    "SHOWN_LEVELS",
    "Curve",
    "Evidence",
    "Grade",
    "Judgement",
    "Rule",
    "Scale",
    "Score",
    "by_event",
    "headlines",
    "rules",
    "scores",
    "tiles",
    "values_by_block",
]

SCORES: dict[str, Score] = {
    score.key: score
    for score in (
        error.rmse,
        error.bias,
        spread_skill.spread,
        spread_skill.spread_skill_ratio,
        error.drift,
        crps.crps,
        crps.crps_fair,
        crps.crps_reliability,
        crps.crps_potential,
        crps.crps_uncertainty,
        crps.crps_resolution,
        crps.crps_skill_climatology,
        tails.tail_upper,
        tails.tail_upper_skill,
        tails.tail_lower,
        tails.tail_lower_skill,
        pit.w1,
        pit.pit_mean,
        pit.pit_dispersion,
        *coverage.INTERVALS,
        event.energy_score,
        error.mae_plain,
        error.rmse_plain,
        event.n_member,
        event.n_case,
        event.n,
    )
}


def scores(statistics: Statistics, weights: Tensor | None = None) -> dict[str, float | int]:
    """Return every score of SCORES over all cases and all elements of the event, by key.

    weights: broadcasts to *event (cell areas).   Units: see SCORES.   NaN: scores of two members or of a climatology where there is none,
    and every score without cases. crps_uncertainty is the CRPS of the climatology given to Statistics.of, and resolution is
    uncertainty - potential: Hersbach's resolution if that climatology is the sample of the targets.

    >>> import torch
    >>> members, target = torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1.0, 4.0])
    >>> values = scores(Statistics.of(members, target, target + 1, [0, 1], 2))
    >>> round(values["rmse"], 4), round(values["spread"], 4), values["n_case"]
    (1.4142, 1.4142, 2)
    """
    values = values_by_block(statistics.pooled(weights).total())
    return {key: round(float(value[0])) if SCORES[key].unit == "count" else float(value[0]) for key, value in values.items()}


def by_event(statistics: Statistics) -> dict[str, np.ndarray]:
    """Return the scores of each element of the event (each lead time, each cell): key -> (*event).

    Scores of the event as a whole (energy score, numbers of members and cases) are left out.

    >>> import torch
    >>> members, target = torch.tensor([[[0.0, 0.0]], [[2.0, 4.0]]]), torch.tensor([[1.0, 1.0]])
    >>> by_event(Statistics.of(members, target, target, [0], 1))["rmse"]
    array([0., 1.])
    """
    values = values_by_block(statistics.total())
    return {key: value[0].numpy() for key, value in values.items() if SCORES[key].of_event}


def values_by_block(sums: Statistics) -> dict[str, Tensor]:
    """Return the scores of each entry of the leading axis: key -> (block, *event), or (block,) for scores of the event as a whole.

    The entries are the replicates of a bootstrap, or the total alone in `scores` and `by_event`.
    """
    return {key: score.formula(sums) for key, score in SCORES.items()}


def headlines() -> list[Score]:
    """Return the scores that are columns of every table of results, in their order."""
    return sorted((score for score in SCORES.values() if score.headline), key=lambda score: score.order)


def tiles() -> list[Score]:
    """Return the scores that have a tile, in their order."""
    return sorted((score for score in SCORES.values() if score.tile), key=lambda score: score.order)


def rules(n_member: int) -> dict[str, Rule]:
    """Return the rules for an ensemble of n_member members, by the key of each score that has one."""
    return {key: score.rule.at(n_member) for key, score in SCORES.items() if score.rule}
