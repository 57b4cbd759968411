"""What a score is: its names, unit, formula over sums, reference, and rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from stochattn_core.metrics.scores.rule import Rule, Scale
from stochattn_core.metrics.statistics import Statistics

Unit = Literal["target", "none", "percent", "count"]
Direction = Literal["smaller", "larger", "ideal", "neither"]
Formula = Callable[[Statistics], Tensor]


@dataclass(frozen=True)
class Curve:
    """How a score is drawn against lead time or by region.

    axes: title of the plot, which several scores may share.   label: in the legend, "" for none.   role: colour, a field of
    figures.theme.Palette.   is_spread: drawn times the finite-size factor, so that it equals the RMSE of a perfect ensemble.
    level: the nominal level of an interval, or None.   by_region: also drawn for each region.
    """

    axes: str
    label: str = ""
    role: str = "ensemble"
    dash: str = "solid"
    is_spread: bool = False
    level: float | None = None
    by_region: bool = False


@dataclass(frozen=True)
class Score:
    """One entry of SCORES. Everything that shows scores reads it: tiles, tables, curves, verdict, report, command line, docs.

    key: in JSON.   title: on a tile.   short: in the head of a table.   description: one sentence for a newcomer.
    unit: "target" means the unit of the target.   ideal: the best value, for direction "ideal".
    formula: sums -> (block, *event), computed for each entry of the leading axis separately.
    of_event: True if the score is defined for each element of the event, False if only for the event as a whole.
    reference: shown beside the score: the key of another score, "range" for its 90% range, or "chance" for the value that a perfect ensemble
    exceeds one time in ten.
    rule: when the score is good.   tested: the quantity that the rule judges, (pooled sums, expected W1 of a perfect ensemble) -> (block,).
    tile: shown on a tile.   headline: a column of every table of results.   order: in both, smallest first.   curve: how it is drawn.
    reference_name: what the reference is called beside the score, if not its short title.
    scale: on which its interval is found.
    title_at: n_member -> title, if it depends on the number of members.   beside_references: shown with the best reference forecast.
    """

    key: str
    title: str
    short: str
    description: str
    unit: Unit
    direction: Direction
    formula: Formula
    ideal: float | None = None
    of_event: bool = True
    scale: Scale = "linear"
    reference: str = ""
    reference_name: str = ""
    rule: Rule | None = None
    tested: Callable[[Statistics, float], Tensor] | None = None
    tile: bool = False
    headline: bool = False
    order: int = 99
    curve: Curve | None = None
    title_at: Callable[[int], str] | None = None
    beside_references: bool = False

    def titled(self, n_member: int) -> str:
        """Return the title for an ensemble of n_member members."""
        return self.title_at(n_member) if self.title_at else self.title
