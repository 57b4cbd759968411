"""Where does the ensemble fail? The slices that the search lists, one sentence for each, and their PIT histograms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from stochattn_core.figures.slices import Estimates, slice_pits, slices
from stochattn_core.figures.theme import Palette, number, title_size
from stochattn_core.panels.base import Panel, View
from stochattn_core.slices import Estimate, Failure, Search, search_slices
from stochattn_core.slices.search import MOST
from stochattn_core.slices.sums import LEVEL, N_BIN, PIT

TAB = "Where does it fail?"
N_PIT = 4  # slices whose PIT is drawn
TITLES = {
    "ratio": ("spread-skill ratio", 1.0, False),
    "bias": ("bias / RMSE", 0.0, True),
    "coverage": ("coverage of the central 90%", LEVEL, True),
}
ALL = "All values"


class Numbers(NamedTuple):
    search: Search
    n_member: int
    n_case: int


def numbers(view: View) -> Numbers:
    search = view.remember("slices", 0, lambda: search_slices(view.ensemble))
    return Numbers(search, view.ensemble.n_member, len(view.ensemble.index))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    search = numbers.search
    names = [ALL, *(f"{place}. {failure.slice.name}" for place, failure in enumerate(search.failures, 1))]
    unknown = Estimate(*[np.nan] * 4)
    shown = []
    for test, (title, ideal, is_share) in TITLES.items():
        rows = np.array([search.whole.get(test, unknown), *(failure.estimates[test] for failure in search.failures)], dtype=float).T
        selected = np.array([False, *(test in failure.tests for failure in search.failures)])
        here, low, high, elsewhere = rows
        shown.append(Estimates(title, ideal, is_share, here, low, high, elsewhere, selected))
    more = f"{search.n_slice:,} slices searched; bars: 90% ranges; open circles: elsewhere"
    return slices(names, shown, subtitle=title_size(numbers.n_member, numbers.n_case, more).replace("values", "cases"), palette=palette)


def reading(numbers: Numbers) -> str:
    return read_search(numbers.search)


def table(numbers: Numbers) -> pd.DataFrame:
    search = numbers.search
    rows: list[dict[str, object]] = [{"slice": ALL} | _columns(search.whole)]
    for failure in search.failures:
        sizes: dict[str, object] = {"cases": round(failure.n_case), "independent_cases": round(failure.n_effective), "share": failure.share}
        rows.append({"slice": failure.slice.name} | _columns(failure.estimates) | sizes | {"evidence_z": abs(failure.z)})
    return pd.DataFrame(rows)


def _columns(estimates: dict[str, Estimate]) -> dict[str, object]:
    ends = {"": 0, "_low_90": 1, "_high_90": 2, "_elsewhere": 3}
    return {f"{test}{end}": estimates[test][place] if estimates else np.nan for test in TITLES for end, place in ends.items()}


def read_search(search: Search) -> str:
    """Return the sentences under the list: how many places fail, out of how many slices, and the first of them."""
    if search.problem:
        return search.problem
    few = f" {search.n_too_few:,} more slices have too few cases to be searched." if search.n_too_few else ""
    if not search.failures:
        return (
            f"No slice departs from calibration further than the rest of the values, beyond chance, among the {search.n_slice:,} that were "
            f"searched.{few}{_whole_text(search.whole['ratio'])}"
        )
    n = len(search.failures)
    many = "one place" if n == 1 else f"{n} places" if n < MOST else f"at least {n} places"
    first = f" {'It is' if n == 1 else 'The first is'} this: {read_failure(search.failures[0])}"
    return f"The ensemble fails beyond chance in {many}, among {search.n_slice:,} slices that were searched.{few}{first}"


def _whole_text(ratio: Estimate) -> str:
    """Return the ratio of all values in a sentence, "" where a range is not known."""
    if not np.isfinite([ratio.here, ratio.low, ratio.high]).all():
        return " There are too few independent cases for a range of the ratio of all values."
    return f" The ratio of all values is {number(ratio.here)} (90% range {number(ratio.low)} to {number(ratio.high)})."


def read_failure(failure: Failure) -> str:
    """Return the sentence of one slice: what departs there, by how much, and on how many cases."""
    name = failure.slice.name
    clauses = [_CLAUSES[test](failure.estimates[test]) for test in failure.tests]
    independent = f", of which {failure.n_effective:,.0f} are independent" if failure.n_effective < 0.9 * failure.n_case else ""
    return f"{name[0].upper()}{name[1:]}: {'; '.join(clauses)}. This slice has {failure.n_case:,.0f} cases{independent}."


def _ratio_clause(estimate: Estimate) -> str:
    kind = "narrow" if estimate.here < 1 else "wide"
    low, high, elsewhere = (number(value) for value in estimate[1:])
    return f"the ensemble is too {kind}, with a spread-skill ratio of {number(estimate.here)} (90% range {low} to {high}) and of {elsewhere} elsewhere"


def _bias_clause(estimate: Estimate) -> str:
    side = "high" if estimate.here > 0 else "low"
    low, high = sorted((abs(estimate.low), abs(estimate.high)))
    elsewhere = f"{estimate.elsewhere:+.0%}".replace("-", "−")
    return f"the mean is too {side} by {abs(estimate.here):.0%} of the RMSE (90% range {low:.0%} to {high:.0%}), where the bias elsewhere is {elsewhere}"


def _coverage_clause(estimate: Estimate) -> str:
    often = "rarely" if estimate.here < LEVEL else "often"
    low, high, elsewhere = (f"{value:.0%}" for value in estimate[1:])
    return f"the central 90% holds the truth too {often}, in {estimate.here:.0%} of the values (90% range {low} to {high}) and in {elsewhere} elsewhere"


_CLAUSES = {"ratio": _ratio_clause, "bias": _bias_clause, "coverage": _coverage_clause}


class PitNumbers(NamedTuple):
    """density: (slice, bin), 1 when flat."""

    names: list[str]
    density: np.ndarray
    n_member: int
    n_case: int


def pit_numbers(view: View) -> PitNumbers:
    search, n_member, n_case = numbers(view)
    first = search.failures[:N_PIT]
    bins = np.array([failure.sums[PIT : PIT + N_BIN] for failure in first]).reshape(-1, N_BIN)
    return PitNumbers([failure.slice.name for failure in first], N_BIN * bins / bins.sum(1, keepdims=True), n_member, n_case)


def pit_figure(numbers: PitNumbers, palette: Palette) -> go.Figure:
    subtitle = title_size(numbers.n_member, numbers.n_case, "share of members below the truth").replace("values", "cases")
    return slice_pits(numbers.names, numbers.density, subtitle=subtitle, palette=palette)


def pit_reading(numbers: PitNumbers) -> str:
    return "A flat histogram is calibrated. A U says that the truth falls outside the members too often, a dome that it seldom does, a slope a bias."


def pit_table(numbers: PitNumbers) -> pd.DataFrame:
    edges = np.arange(N_BIN + 1) / N_BIN
    columns = {name: values for name, values in zip(numbers.names, numbers.density, strict=True)}
    return pd.DataFrame({"pit_from": edges[:-1], "pit_to": edges[1:]} | columns)


panel = Panel("slices", TAB, "tab", numbers, reading, table, figure, tab=TAB, is_wide=True, in_report=True)
pit_panel = Panel(
    "slices-pit",
    "PIT of the slices",
    "tab",
    pit_numbers,
    pit_reading,
    pit_table,
    pit_figure,
    tab=TAB,
    serves=lambda view: view.evaluation is not None and bool(numbers(view).search.failures),
    is_wide=True,
)
