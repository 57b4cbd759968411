"""Persistence: the last value that the model sees, unchanged, or damped towards the climatology."""

from __future__ import annotations

import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.references.base import Forecast, Reference
from stochattn_core.references.climatology import climatology_of


def _fit(dataset: Dataset) -> Forecast | None:
    if dataset.task == "series":
        past = dataset.train.past_values
        return None if past is None or past.ndim != 2 else _last_value
    place = target_place(dataset)
    return None if place is None else lambda split: split.inputs[:, place]


def _last_value(split: Split) -> torch.Tensor:
    past = split.past_values
    assert past is not None  # every part has inputs of the same kind
    return past[:, -1:].expand(split.target.shape)


def target_place(dataset: Dataset) -> int | None:
    """Return the place of the target variable among the input variables of a grid; None where it is not one of them."""
    is_tensor = isinstance(dataset.train.inputs, torch.Tensor)
    return dataset.feature_names.index(dataset.target_name) if is_tensor and dataset.target_name in dataset.feature_names else None


def _fit_damped(dataset: Dataset) -> Forecast | None:
    """Regress target - climatology on present value - climatology in each cell, the climatology being that of the valid time.

    A slope of 1 is persistence, a slope of 0 the climatology. A cell with fewer than 3 training targets has the climatology.
    """
    place, climatology = target_place(dataset), climatology_of(dataset)
    if place is None or climatology is None:
        return None
    expected = climatology(dataset.train)
    anomaly = (dataset.train.target - expected).double()
    present = torch.where(anomaly.isfinite(), (dataset.train.inputs[:, place] - expected).double(), torch.nan)
    n = anomaly.isfinite().sum(0)
    mean, mean_present = anomaly.nanmean(0), present.nanmean(0)
    covariance = ((anomaly - mean) * (present - mean_present)).nansum(0)
    variance = (present - mean_present).square().nansum(0)
    is_known = (n >= 3) & (variance > 0)
    slope = torch.where(is_known, covariance / variance, 0.0).float()
    shift = torch.where(is_known, mean - slope * mean_present, 0.0).float()

    def forecast(split: Split) -> torch.Tensor:
        normal = climatology(split)
        return normal + shift + slope * (split.inputs[:, place] - normal)

    return forecast


PERSISTENCE = Reference("persistence", "The last value that the model sees.", ("series", "grid"), _fit, is_fitted=False)
DAMPED_PERSISTENCE = Reference(
    "damped persistence",
    "The climatology plus a share of the present anomaly, fitted in each cell.",
    ("grid",),
    _fit_damped,
)
