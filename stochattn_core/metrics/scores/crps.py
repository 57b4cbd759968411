"""The CRPS, plain and fair, its parts after Hersbach, and its skill over climatology."""

from __future__ import annotations

from torch import Tensor

from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.scores.score import Curve, Score
from stochattn_core.metrics.statistics import Statistics


def over_plain(sums: Statistics, w1_by_chance: float = 0.0) -> Tensor:
    """Return the fair CRPS over the MAE of the plain model, which is the CRPS of its single forecast: (block,), no units."""
    return sums.crps_fair / sums.plain_error_abs


crps = Score(
    "crps",
    "CRPS",
    "CRPS",
    "The error of the forecast distribution, with the members as the complete distribution; it decreases with more members.",
    "target",
    "smaller",
    lambda sums: sums.crps / sums.n,
    scale="log",
)
crps_fair = Score(
    "crps_fair",
    "Fair CRPS",
    "fair CRPS",
    "The error of the whole forecast distribution, for any number of members: calibration and sharpness in one number.",
    "target",
    "smaller",
    lambda sums: sums.crps_fair / sums.n,
    scale="log",
    reference="mae_plain",
    rule=Rule(
        "crps_over_plain",
        ideal=1.0,
        high=0.98,
        scale="log",
        within="{gap:.0%} below",
        above="no gain",
        about="fair CRPS over that of the plain model's one answer",
    ),
    tested=over_plain,
    tile=True,
    headline=True,
    order=3,
    curve=Curve("fair CRPS"),
)
crps_reliability = Score(
    "crps_reliability",
    "CRPS reliability",
    "reliability",
    "The part of the CRPS that perfect calibration would remove.",
    "target",
    "smaller",
    lambda sums: sums.crps_parts.reliability,
)
crps_potential = Score(
    "crps_potential",
    "Potential CRPS",
    "potential CRPS",
    "The CRPS that would be left after perfect calibration.",
    "target",
    "smaller",
    lambda sums: sums.crps_parts.potential,
)
crps_uncertainty = Score(
    "crps_uncertainty",
    "CRPS uncertainty",
    "uncertainty",
    "The CRPS of the climatology.",
    "target",
    "neither",
    lambda sums: sums.crps_climatology / sums.n,
)
crps_resolution = Score(
    "crps_resolution",
    "CRPS resolution",
    "resolution",
    "How far the CRPS is below that of the climatology, after perfect calibration.",
    "target",
    "larger",
    lambda sums: sums.crps_parts.resolution,
)
crps_skill_climatology = Score(
    "crps_skill_climatology",
    "CRPS skill over climatology",
    "CRPS skill",
    "1 minus the fair CRPS over that of the climatology: 1 is perfect, 0 is no better than the climatology.",
    "none",
    "larger",
    lambda sums: 1 - (sums.crps_fair / sums.n) / (sums.crps_climatology / sums.n),
)
