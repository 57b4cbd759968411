"""The CRPS of the tails: beyond the 90% quantile of the climatology, and below its 10% quantile."""

from __future__ import annotations

from stochattn_core.metrics.scores.score import Score


def tail_score(side: str, place: str, other: str) -> Score:
    """Return the score of one tail. side: "upper" or "lower".   place: where the tail lies.   other: the side that does not count."""
    return Score(
        f"tail_{side}",
        f"Fair CRPS, {side} tail",
        f"{side} tail",
        f"The fair CRPS {place} of the climatology: what happens {other} it does not count.",
        "target",
        "smaller",
        lambda sums: sums[f"tail_{side}"] / sums.n,
        scale="log",
    )


def tail_skill(side: str, place: str) -> Score:
    """Return the skill of one tail over the climatology. Arguments as in `tail_score`."""
    return Score(
        f"tail_{side}_skill",
        f"CRPS skill, {side} tail",
        f"{side} skill",
        f"1 minus the fair CRPS {place} of the climatology over that of the climatology: 0 is no better than the climatology.",
        "none",
        "larger",
        lambda sums: 1 - sums[f"tail_{side}"] / sums[f"tail_{side}_climatology"],
    )


ABOVE, BELOW = "above the 90% quantile", "below the 10% quantile"
tail_upper, tail_upper_skill = tail_score("upper", ABOVE, "below"), tail_skill("upper", ABOVE)
tail_lower, tail_lower_skill = tail_score("lower", BELOW, "above"), tail_skill("lower", BELOW)
