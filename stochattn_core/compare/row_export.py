"""The file that a user takes away with a row of the comparison: nu alone, a correction, or conformal intervals on top."""

from __future__ import annotations

from dataclasses import replace

import torch

from stochattn_core.compare.comparison import Row
from stochattn_core.corrections import conformal, parse
from stochattn_core.corrections.fractional import Fractional
from stochattn_core.corrections.inflation import Inflation
from stochattn_core.corrections.noise import Noise
from stochattn_core.corrections.shared import Shared
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import evaluate, layers_of, network_of
from stochattn_core.forecasts import ensemble_of
from stochattn_core.models.model import Model
from stochattn_core.settings import ConformalPart, Setting, TunedSetting
from stochattn_core.tuning import Found, Tuning, search_concentration
from stochattn_core.tuning.export import exported
from stochattn_core.tuning.verdict import judge


def taken(model: Model, dataset: Dataset, tuned: Tuning, row: Row, *, progress: Progress | None = None) -> TunedSetting:
    """The tuned setting of a row of `compare(model, dataset, tuned)`, with its own interval, verdict and scores on the test part.

    What the comparison computed is read back. Of intervals on top the scores are those of the members beneath. ValueError for a row without
    a setting: references have none.
    """
    if row.setting is None:
        raise ValueError(f"expected a method with a setting to take home, got {row.title}; choose the concentration alone or a correction")
    after = evaluate(model, dataset, row.setting, progress=progress)
    found = replace(_found(model, dataset, tuned, row.setting, progress), passes=row.passes)
    judged = judge(after.ensemble, at_low=found.at_low, at_high=found.at_high)
    file = exported(found, row.setting, tuned.before, after, dataset, judged)
    if row.name != "conformal":
        return file
    return file.model_copy(update={"conformal": _on_top(model, dataset, row.setting, progress)})


def _found(model: Model, dataset: Dataset, tuned: Tuning, setting: Setting, progress: Progress | None) -> Found:
    """What the calibration part says of the concentration of a setting."""
    recipe = parse(setting.correction) if setting.correction else None
    if isinstance(recipe, Inflation | Noise):  # its concentration is given, not found
        level, nu = tuned.interval[0], float(setting.concentration)
        return replace(_plain(tuned), interval=(level, nu, nu), intervals={}, at_low=False, at_high=False, thompson=None)
    searched = tuned.setting.setting
    if (setting.layers, isinstance(recipe, Shared)) == (searched.layers, searched.correction == "shared"):
        found = _plain(tuned)
    else:
        correction = setting.correction if isinstance(recipe, Shared) else ""
        found = search_concentration(model, dataset, replace(setting, correction=correction), objective=tuned.objective, progress=progress)
    return _where_spread_equals_error(found) if isinstance(recipe, Fractional) else found


def _where_spread_equals_error(found: Found) -> Found:
    """The optimum that a fractional concentration is, whatever was searched for."""
    best = found.optima["ratio"]
    return replace(
        found,
        objective="ratio",
        optimum=best.value,
        interval=(found.interval[0], best.low, best.high),
        intervals={"bootstrap": (best.low, best.high)},
        at_low=False,
        at_high=False,
        thompson=None,
    )


def _plain(tuned: Tuning) -> Found:
    return Found(**{name: getattr(tuned, name) for name in Found.__dataclass_fields__})


def _on_top(model: Model, dataset: Dataset, setting: Setting, progress: Progress | None) -> ConformalPart:
    network, layers = network_of(model, dataset), layers_of(model, setting)
    ensemble = ensemble_of(network, dataset, setting, part="calibration", layers=layers, progress=progress)
    fitted = conformal.fit(torch.tensor(ensemble.members), torch.tensor(ensemble.target), weights=ensemble.weights)
    offset = fitted.offset.reshape(len(fitted.level), -1).tolist()
    known = [[value if abs(value) != float("inf") else None for value in one] for one in offset]
    lead_time = list(dataset.lead_time) or [0]
    return ConformalPart(level=list(fitted.level), lead_time=lead_time, offset=known)
