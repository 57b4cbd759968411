"""Coverage and mean width of the central intervals at four levels; metrics.coverage_curve has all levels."""

from __future__ import annotations

from torch import Tensor

from stochattn_core.metrics.intervals import LEVELS, attainable_coverage
from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.scores.score import Curve, Score
from stochattn_core.metrics.statistics import Statistics

SHOWN_LEVELS = (0.5, 0.8, 0.9, 0.95)
JUDGED_LEVEL = 0.9
TOLERANCE = 0.05  # of the coverage of the central 90%


def attainable(n_member: int, level: float = JUDGED_LEVEL) -> float:
    """Return the coverage of a perfect ensemble of n_member members: below 90% for fewer than 19 members."""
    return float(attainable_coverage(n_member, (level,))[0])


def share_of_sums(sums: Statistics, level: float) -> Tensor:
    """Return the share of the targets in the central interval, (block, *event)."""
    return sums.covered[:, LEVELS.index(level)] / sums.n


def coverage_score(level: float) -> Score:
    """Return the score for the coverage of the central interval of this level; one level has a rule and a tile."""
    percent = round(100 * level)
    is_judged = level == JUDGED_LEVEL
    rule = Rule(
        f"coverage_{percent}",
        ideal=level,
        low=round(level - TOLERANCE, 2),
        high=round(level + TOLERANCE, 2),
        within="holds",
        below="{points:.0f} points short",
        above="{points:.0f} points over",
        scale="share",
        needs_spread=True,
        shift=lambda n_member: attainable(n_member, level) - level,
        text=lambda rule: f"{rule.low:.0%} to {rule.high:.0%}",
    )
    return Score(
        f"coverage_{percent}",
        f"{percent}% coverage",
        f"{percent}% coverage",
        f"How often the truth is in the central {percent}% interval of the members: it should be {percent}% of the time.",
        "percent",
        "ideal",
        lambda sums: share_of_sums(sums, level),
        ideal=level,
        scale="share",
        reference=f"width_{percent}",
        reference_name="mean width",
        rule=rule if is_judged else None,
        tested=(lambda sums, w1_by_chance: share_of_sums(sums, level)) if is_judged else None,
        tile=is_judged,
        headline=is_judged,
        order=4,
        curve=Curve("coverage of central intervals", level=level),
        title_at=lambda n_member: f"{attainable(n_member, level):.0%} coverage",
    )


def width_score(level: float) -> Score:
    """Return the score for the mean width of the central interval of this level."""
    percent = round(100 * level)
    return Score(
        f"width_{percent}",
        f"Mean width of the {percent}% interval",
        f"{percent}% width",
        f"How wide the central {percent}% interval is on average; narrower is better at the right coverage.",
        "target",
        "smaller",
        lambda sums: sums.width[:, LEVELS.index(level)] / sums.n,
        scale="log",
        headline=level == JUDGED_LEVEL,
        order=6,
    )


INTERVALS = [score for level in SHOWN_LEVELS for score in (coverage_score(level), width_score(level))]
