"""The CRPS of the tails: beyond the 90% quantile of the climatology, and below its 10% quantile."""

from __future__ import annotations

from stochattn_core.metrics.scores.score import Score

tail_upper = Score(
    "tail_upper",
    "Fair CRPS, upper tail",
    "upper tail",
    "The fair CRPS above the 90% quantile of the climatology: what happens below it does not count.",
    "target",
    "smaller",
    lambda sums: sums["tail_upper"] / sums.n,
    scale="log",
)
tail_upper_skill = Score(
    "tail_upper_skill",
    "CRPS skill, upper tail",
    "upper skill",
    "1 minus the fair CRPS above the 90% quantile of the climatology over that of the climatology: 0 is no better than the climatology.",
    "none",
    "larger",
    lambda sums: 1 - sums["tail_upper"] / sums["tail_upper_climatology"],
)
tail_lower = Score(
    "tail_lower",
    "Fair CRPS, lower tail",
    "lower tail",
    "The fair CRPS below the 10% quantile of the climatology: what happens above it does not count.",
    "target",
    "smaller",
    lambda sums: sums["tail_lower"] / sums.n,
    scale="log",
)
tail_lower_skill = Score(
    "tail_lower_skill",
    "CRPS skill, lower tail",
    "lower skill",
    "1 minus the fair CRPS below the 10% quantile of the climatology over that of the climatology: 0 is no better than the climatology.",
    "none",
    "larger",
    lambda sums: 1 - sums["tail_lower"] / sums["tail_lower_climatology"],
)
