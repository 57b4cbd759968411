"""Spread and the spread-skill ratio: does the ensemble vary as much as it errs?"""

from __future__ import annotations

from torch import Tensor

from stochattn_core.metrics.scores.error import rmse_of_sums
from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.scores.score import Curve, Score
from stochattn_core.metrics.spread_skill import finite_size_factor, variance_factor
from stochattn_core.metrics.statistics import Statistics


def spread_of_sums(sums: Statistics) -> Tensor:
    """Return the root of the mean member variance, (block, *event), in the units of the target."""
    return (sums.variance / sums.n).sqrt()


def ratio_of_sums(sums: Statistics, w1_by_chance: float = 0.0) -> Tensor:
    """Return the spread-skill ratio as the root of one ratio of sums, (block,). It differs from the score by at most the last bit."""
    return (variance_factor(sums.n_member) * sums.variance / sums.error_sq).sqrt()


spread = Score(
    "spread",
    "Spread",
    "spread",
    "How far the members differ: the root of their mean variance.",
    "target",
    "neither",
    spread_of_sums,
    scale="log",
    curve=Curve("error and spread", "ensemble: spread, fair CRPS, coverage", is_spread=True, by_region=True),
)
spread_skill_ratio = Score(
    "spread_skill_ratio",
    "Spread-skill ratio",
    "ratio",
    "Spread over error: 1 when the ensemble varies as much as it errs, below 1 when it is too narrow, above 1 when it is too wide.",
    "none",
    "ideal",
    lambda sums: finite_size_factor(sums.n_member) * spread_of_sums(sums) / rmse_of_sums(sums),
    ideal=1.0,
    scale="log",
    reference="range",
    rule=Rule("ratio", ideal=1.0, low=0.9, high=1.1, scale="log", below="too narrow", above="too wide", needs_spread=True),
    tested=ratio_of_sums,
    tile=True,
    headline=True,
    order=1,
    curve=Curve("spread / error", by_region=True),
)
