"""The tuned setting that is exported for a row of a comparison: nu alone, a correction, or intervals on top."""

from __future__ import annotations

import math
from dataclasses import replace

from stochattn_core.compare.rows import Row
from stochattn_core.corrections import Intervals, parse
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import evaluate
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuned_setting import ConformalPart, TunedSetting
from stochattn_core.tuning import SearchResult, Tuning, search_concentration
from stochattn_core.tuning.held_out import held_out
from stochattn_core.tuning.setting_export import tuned_setting_of
from stochattn_core.verdict import judge


def tuned_setting_of_row(model: Model, dataset: Dataset, tuned: Tuning, row: Row, *, progress: Progress | None = None) -> TunedSetting:
    """The tuned setting of a row of `compare(model, dataset, tuned)`, with its own interval, verdict and scores on the test part.

    Results of the comparison are read back from the store. Where the row has intervals on top, the scores are those of the members beneath.
    ValueError for a row without a setting: references have none.
    """
    if row.setting is None:
        raise ValueError(f"expected a method with a setting to export, got {row.title}; choose the concentration alone or a correction")
    after = evaluate(model, dataset, row.setting, progress=progress)
    result = replace(_result_of(model, dataset, tuned, row.setting, progress), passes=row.passes)
    judged = judge(after.ensemble, at_low=result.at_low, at_high=result.at_high)
    halves = held_out(after.ensemble, at_low=result.at_low, at_high=result.at_high)
    exported = tuned_setting_of(result, tuned.before, after, dataset, judged, halves)
    if row.intervals is None:
        return exported
    return exported.model_copy(update={"conformal": _intervals_part(row.intervals, dataset)})


def _result_of(model: Model, dataset: Dataset, tuned: Tuning, setting: Setting, progress: Progress | None) -> SearchResult:
    """What the calibration part says of the concentration of a setting."""
    recipe = parse(setting.correction) if setting.correction else None
    if recipe and recipe.concentration_is_given:
        level, nu = tuned.interval[0], float(setting.concentration)
        return replace(tuned.result, optimum=nu, interval=(level, nu, nu), at_low=False, at_high=False, thompson=None)
    known, correction = tuned.setting.setting, setting.correction if recipe and recipe.searches_concentration else ""
    if (setting.layers, correction) == (known.layers, known.correction):
        result = tuned.result
    else:
        result = search_concentration(model, dataset, replace(setting, correction=correction), objective=tuned.objective, progress=progress)
    return _with_objective(result, recipe.own_objective) if recipe and recipe.own_objective else result


def _with_objective(result: SearchResult, objective: str) -> SearchResult:
    """The same result with the optimum of another objective, whatever was searched for."""
    best = result.optima[objective]
    return replace(
        result,
        objective=objective,
        optimum=best.value,
        interval=(result.interval[0], best.low, best.high),
        at_low=False,
        at_high=False,
        thompson=None,
    )


def _intervals_part(intervals: Intervals, dataset: Dataset) -> ConformalPart:
    """The offsets by level and lead time, None where there are too few cases for a finite one."""
    offset = intervals.offset.reshape(len(intervals.level), -1).tolist()
    finite = [[value if math.isfinite(value) else None for value in of_level] for of_level in offset]
    return ConformalPart(level=list(intervals.level), lead_time=list(dataset.lead_time) or [0], offset=finite)
