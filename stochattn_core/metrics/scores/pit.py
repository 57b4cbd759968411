"""Scores of the PIT: its distance from uniform, its mean and its dispersion."""

from __future__ import annotations

from torch import Tensor

from stochattn_core.metrics.ranks import legendre_means
from stochattn_core.metrics.ranks import pit_dispersion as dispersion_of_ranks
from stochattn_core.metrics.ranks import pit_mean as mean_of_ranks
from stochattn_core.metrics.ranks import w1 as w1_of_ranks
from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.scores.score import Score
from stochattn_core.metrics.statistics import Statistics

SHAPE_LIMIT = 0.15  # a normal ensemble has 0.14 with a ratio of 0.9, and 0.16 under errors of Student's t with 5 degrees of freedom


def shape_distance(sums: Statistics, w1_by_chance: float = 0.0) -> Tensor:
    """Return the distance of the PIT from uniform, the root of the sum of squares of `legendre_means`: (block,), no units.   sums: pooled."""
    return legendre_means(sums.rank.T).square().sum(0).sqrt()


w1 = Score(
    "w1",
    "PIT distance W1",
    "W1",
    "How far the PIT histogram is from flat, between 0 and 0.5; chance alone keeps it above 0.",
    "none",
    "smaller",
    lambda sums: w1_of_ranks(sums.rank.movedim(1, 0)),
    reference="chance",
    rule=Rule(
        "shape", ideal=0.0, high=SHAPE_LIMIT, within="flat", above="not flat", about="distance of the PIT from uniform in four polynomials"
    ),
    tested=shape_distance,
    tile=True,
    headline=True,
    order=2,
)
pit_mean = Score(
    "pit_mean",
    "Mean PIT",
    "mean PIT",
    "The mean place of the truth among the members: 0.5 without bias, above 0.5 when the forecast is too low.",
    "none",
    "ideal",
    lambda sums: mean_of_ranks(sums.rank.movedim(1, 0)),
    ideal=0.5,
)
pit_dispersion = Score(
    "pit_dispersion",
    "Dispersion of the PIT",
    "PIT dispersion",
    "The variance of the PIT over that of a uniform: 1 when flat, above 1 for a U (too narrow), below 1 for a dome (too wide).",
    "none",
    "ideal",
    lambda sums: dispersion_of_ranks(sums.rank.movedim(1, 0)),
    scale="log",
    ideal=1.0,
)
