"""What a score is: its names, its unit, its formula over sums, what it is compared with, and its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from stochattn_core.metrics.scores.rule import Rule
from stochattn_core.metrics.statistics import Statistics

Unit = Literal["target", "none", "percent", "count"]
Direction = Literal["smaller", "larger", "ideal", "neither"]
Formula = Callable[[Statistics], Tensor]


@dataclass(frozen=True)
class Curve:
    """How a score is drawn against lead time or by region.

    axes: title of the plot it shares with others.   label: in the legend, "" for none.   role: colour, a field of figures.theme.Palette.
    is_spread: multiplied by the finite-size factor, so that it meets the RMSE.   level: the nominal level of an interval, or None.
    by_region: also drawn for each region.
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
    """One line of SCORES. Every place that shows scores reads it: tiles, tables, curves, verdict, report, command line, docs.

    key: in JSON.   title: on a tile.   short: in the head of a table.   description: one sentence for a newcomer.
    unit: "target" stands for the unit of the target.   ideal: the best value, for direction "ideal".
    formula: sums -> (block, *event), each entry of the leading axis by itself.   of_event: defined for each element, not only for the whole.
    reference: what is shown beside it: the key of another score, "range" for its 90% range, "chance" for what a perfect ensemble exceeds
    one time in ten.   rule and tested: when it is good, and the quantity that the rule judges, (block,) of pooled sums and of the W1
    that chance makes.   tile: shown on a tile.   headline: shown in every table of results.   order: in both, small
    first.   curve: how it is drawn.
    title_at(n_member): the title where it depends on the number of members.   beside_references: shown with the best reference forecast.
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
    reference: str = ""
    rule: Rule | None = None
    tested: Callable[[Statistics, float], Tensor] | None = None
    tile: bool = False
    headline: bool = False
    order: int = 99
    curve: Curve | None = None
    title_at: Callable[[int], str] | None = None
    beside_references: bool = False

    def titled(self, n_member: int) -> str:
        """The title for an ensemble of so many members."""
        return self.title_at(n_member) if self.title_at else self.title
