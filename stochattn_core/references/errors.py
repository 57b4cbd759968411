"""The errors of all reference forecasts on one part of a dataset, fitted and scored once for each dataset."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from stochattn_core.datasets.base import Dataset
from stochattn_core.metrics import cell_area_weights
from stochattn_core.references import REFERENCES, Forecast
from stochattn_core.references.dressing import crps_of_residuals

ROUNDING = 4 * 2.0**-23  # of the largest target: an error below it is rounding in single precision
CHUNK = 2**22  # elements of which the errors are in memory at the same time
_known: WeakKeyDictionary[Dataset, dict[str, Any]] = WeakKeyDictionary()  # what was fitted and scored, by name, for each dataset
_lock = threading.RLock()  # a page waits for a worker that fits the same references, and the other way round


@dataclass(frozen=True, eq=False)
class ReferenceErrors:
    """Squared errors of every reference forecast on one part, with the leading axis case.

    error_sq: sums over the cells of a map by name, weighted by area: (case,), or (case, lead_time) for a series; units of the target squared.
    n: the elements observed, weighted in the same way.   crps: sums like error_sq, with the errors that the forecast makes on the calibration
    part as its distribution, of those that are best at all or at one lead time; none without calibration targets.
    rounding: an RMSE below it is no error but rounding.
    """

    error_sq: Mapping[str, np.ndarray]
    n: np.ndarray
    crps: Mapping[str, np.ndarray]
    rounding: float

    @property
    def rmse(self) -> dict[str, float]:
        """RMSE over all elements observed, by name; NaN where a forecast is missing."""
        return self.rmse_at(None)

    def rmse_at(self, lead: int | None) -> dict[str, float]:
        """The same at one lead time of a series, given by its place; None for all."""
        chosen = (slice(None),) if lead is None else (slice(None), lead)
        n = float(self.n[chosen].sum())
        return {name: math.sqrt(float(values[chosen].sum()) / n) if n else math.nan for name, values in self.error_sq.items()}

    def best(self, lead: int | None = None) -> str:
        """The name of the forecast with the smallest RMSE, at one lead time or over all; "" where there is none."""
        known = {name: value for name, value in self.rmse_at(lead).items() if math.isfinite(value)}
        return min(known, key=known.__getitem__, default="")


def forecasts_of(dataset: Dataset) -> dict[str, Forecast]:
    """Return every reference forecast by name: those of REFERENCES that the dataset allows, and those that it brings, which take precedence."""
    return _once(dataset, "forecasts", lambda: _forecasts(dataset))


def errors_of(dataset: Dataset, part: str) -> ReferenceErrors:
    """Return the errors of all reference forecasts on a part of a dataset; ValueError where the part is empty."""
    dataset.filled(part)
    return _once(dataset, part, lambda: _errors(dataset, part))


def _once(dataset: Dataset, what: str, make: Callable[[], Any]) -> Any:
    with _lock:
        known = _known.setdefault(dataset, {})
        if what not in known:
            known[what] = make()
        return known[what]


def _forecasts(dataset: Dataset) -> dict[str, Forecast]:
    has_targets = bool(dataset.train.target.isfinite().any())
    forecasts: dict[str, Forecast] = {}
    for name, reference in REFERENCES.items():
        if dataset.task not in reference.tasks or (reference.is_fitted and not has_targets):
            continue
        if forecast := dataset.references.get(name) or reference.fit(dataset):
            forecasts[name] = forecast
    return forecasts | dict(dataset.references)


def _errors(dataset: Dataset, part: str) -> ReferenceErrors:
    forecasts, split = forecasts_of(dataset), dataset.part(part)
    error_sq = {name: _error_sq(dataset, part, forecast(split)) for name, forecast in forecasts.items()}
    n = _pooled(dataset, split.target.isfinite().double())
    rounding = ROUNDING * float(split.target.nan_to_num(0.0).abs().max())
    errors = ReferenceErrors(error_sq, n, {}, rounding)
    if not bool(dataset.calibration.target.isfinite().any()):
        return errors
    best = {errors.best(), *(errors.best(lead) for lead in range(n.shape[1] if n.ndim == 2 else 0))}
    return replace(errors, crps={name: _dressed_crps(dataset, part, forecasts[name]) for name in forecasts if name in best})


def _error_sq(dataset: Dataset, part: str, forecast: torch.Tensor) -> np.ndarray:
    """Return the sums of the squared errors of a forecast; elements without a target count nothing, missing forecasts are NaN."""
    target = dataset.part(part).target
    step = max(1, CHUNK // max(target[:1].numel(), 1))
    sums = []
    for start in range(0, len(target), step):
        y = target[start : start + step].double()
        square = (forecast[start : start + step].double() - y).square()
        sums.append(_pooled(dataset, torch.where(y.isnan(), 0.0, square)))
    return np.concatenate(sums)


def _pooled(dataset: Dataset, values: torch.Tensor) -> np.ndarray:
    """Return the values (case, *event) of a table or series as they are, those of a map summed over its cells, weighted by area."""
    if dataset.task != "grid":
        return values.numpy()
    return (values * cell_area_weights(dataset.latitude)[:, None]).sum((1, 2)).numpy()


def _dressed_crps(dataset: Dataset, part: str, forecast: Forecast) -> np.ndarray:
    calibration, split = dataset.calibration, dataset.part(part)
    crps = crps_of_residuals(calibration.target - forecast(calibration), split.target - forecast(split))
    return _pooled(dataset, torch.where(split.target.isnan(), 0.0, crps))
