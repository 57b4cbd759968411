"""What a panel is: a figure, the sentence that reads it and the numbers behind it, all made from one view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.compare import Comparison
from stochattn_core.datasets.base import Dataset, Task
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures.theme import BROWSER, Palette
from stochattn_core.metrics import Statistics, scores
from stochattn_core.metrics.events import DEFAULT_EVENT, Event
from stochattn_core.metrics.regions import Region
from stochattn_core.references.result import ReferenceResult
from stochattn_core.tuning import Tuning
from stochattn_core.verdict import Verdict, judge
from stochattn_core.verdict.summary import Summary, summarise

Place = Literal["forecast", "diagnostics", "tab", "tune", "compare"]
T = TypeVar("T")
ALL_TASKS: tuple[Task, ...] = ("table", "series", "grid")


class OneForecast(NamedTuple):
    """The chosen case: members (member, *event) and the plain answer (*event)."""

    members: np.ndarray
    plain: np.ndarray


def _make_now(what: str, which: Any, make: Callable[[], T]) -> T:
    return make()


@dataclass(frozen=True, eq=False)
class View:
    """Everything from which a panel is made.

    evaluation: of the chosen setting; None while only `first`, the forecast of the chosen case, is known.   lead: 0 for all lead times, else
    one of the dataset's.   case: a position in the test part.   member: from 1 on.   map_field: the field of a map (FIELDS of
    panels.field_map).   projection: a name of figures.projection.PROJECTIONS.   has_wind: whether arrows of wind_fields() are on the map.
    region: a box that the user drew.   event: the threshold event whose probabilities are verified.
    calibration: plain forecasts of the calibration part, on which rivals are fitted; None where they are not computed.
    by_lead: summaries at the lead times that are known.   by_layers: pattern and summary by title of a group of layers.
    remember(what, which, make): returns make(), computed once for all panels of the same evaluation.
    """

    dataset: Dataset
    evaluation: Evaluation | None = None
    first: OneForecast | None = None
    lead: int = 0
    case: int = 0
    member: int = 1
    map_field: str = "mean"
    projection: str = "robinson"
    has_wind: bool = False
    wind_fields: Callable[[], tuple[np.ndarray, np.ndarray] | None] = lambda: None
    region: Region | None = None
    event: Event = DEFAULT_EVENT
    by_lead: Mapping[int, Summary] = field(default_factory=dict)
    by_layers: Mapping[str, tuple[str, Summary]] = field(default_factory=dict)
    calibration: Ensemble | None = None
    tuning: Tuning | None = None
    comparison: Comparison | None = None
    remember: Callable[[str, Any, Callable[[], Any]], Any] = _make_now

    @property
    def known(self) -> Evaluation:
        """The evaluation; ValueError without one."""
        if self.evaluation is None:
            raise ValueError("expected a view with an evaluation, got one without; evaluate the setting first")
        return self.evaluation

    @property
    def tuned(self) -> Tuning:
        """The tuning; ValueError without one."""
        if self.tuning is None:
            raise ValueError("expected a view with a tuning, got one without; tune first")
        return self.tuning

    @property
    def compared(self) -> Comparison:
        """The comparison; ValueError without one."""
        if self.comparison is None:
            raise ValueError("expected a view with a comparison, got one without; compare first")
        return self.comparison

    @property
    def has_calibration(self) -> bool:
        return self.calibration is not None

    @property
    def ensemble(self) -> Ensemble:
        return self.known.ensemble

    @property
    def statistics(self) -> Statistics:
        """The sums behind the scores that are shown: of all lead times or of one; of a grid, of all cells weighted by area."""
        return self.ensemble.at_lead(self.lead)

    @property
    def ratio(self) -> float:
        """The spread-skill ratio for the lead times that are shown."""
        has_all_leads = not self.lead or self.ensemble.latitude
        return float((self.known.scores if has_all_leads else scores(self.statistics))["spread_skill_ratio"])

    @cached_property
    def summary(self) -> Summary:
        """The scores for the lead times that are shown, with their ranges and judgements."""
        return self.remember("summary", self.lead, self._summarise)

    def _summarise(self) -> Summary:
        summary, best = summarise(self.statistics), self.reference
        judged = {"rmse": best.judged(summary.judgements["rmse"])} if best else {}
        return replace(summary, judgements={**summary.judgements, **judged})

    @property
    def reference(self) -> ReferenceResult | None:
        """The best reference forecast beside the ensemble, for the lead times that are shown; None where there is none."""
        return self.known.best_reference_at(self.lead)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on all lead times with every slice; on one lead time alone, on all its values together."""
        if self.lead and not self.ensemble.latitude:
            return self.summary.verdict
        return self.remember("verdict", 0, lambda: judge(self.ensemble))

    @property
    def forecast(self) -> OneForecast:
        """The forecast of the chosen case."""
        if self.evaluation is None and self.first is not None:
            return self.first
        return OneForecast(np.asarray(self.ensemble.members[:, self.case]), np.asarray(self.ensemble.plain[self.case]))


@dataclass(frozen=True, eq=False)
class Panel:
    """One line of PANELS.

    key: names the panel, its figure on the page and its cache entry, so that no panel can show another's figure.   place: where on the pages.
    tab: title of its tab; panels of one tab stand side by side.   tasks: the tasks for which it is shown.   choices: the fields of a View on
    which it depends besides the evaluation.   is_cached: False if it depends on more than `choices`.   serves(view): is it shown for this view?
    numbers(view): the data of figure, reading and table.   figure: None for a table alone.   reading: the sentence under the figure.
    table: the numbers behind it, for CSV files and screen readers.   is_wide: takes a whole row.   in_report: is part of the report.
    """

    key: str
    title: str
    place: Place
    numbers: Callable[[View], Any]
    reading: Callable[[Any], str]
    table: Callable[[Any], pd.DataFrame]
    figure: Callable[[Any, Palette], go.Figure] | None = None
    tab: str = ""
    tasks: tuple[Task, ...] = ALL_TASKS
    choices: tuple[str, ...] = ()
    is_cached: bool = True
    serves: Callable[[View], bool] = lambda view: True
    is_wide: bool = False
    in_report: bool = False

    def shows(self, view: View) -> bool:
        """Return whether the panel is shown for this view."""
        return view.dataset.task in self.tasks and self.serves(view)

    def which(self, view: View) -> tuple[Any, ...]:
        """Return the choices of the view on which the panel depends besides the evaluation: the rest of its cache key."""
        return tuple(getattr(view, name) for name in self.choices)

    def draw(self, view: View, palette: Palette = BROWSER) -> Drawn:
        """Return figure and sentence. The table is made on request, because it may be long."""
        numbers = self.numbers(view)
        return Drawn(self.figure(numbers, palette) if self.figure else None, self.reading(numbers))

    def rows(self, view: View) -> pd.DataFrame:
        """Return the table of the numbers behind the panel."""
        return self.table(self.numbers(view))


class Drawn(NamedTuple):
    """A panel on the page: its figure, if it has one, and the sentence that reads it, "" for none."""

    figure: go.Figure | None
    reading: str
