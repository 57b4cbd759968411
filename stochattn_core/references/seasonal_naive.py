"""Seasonal naive: the value of the same phase of the season, one season before."""

from __future__ import annotations

import numpy as np
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.references.base import Forecast, Reference


def _fit(dataset: Dataset) -> Forecast | None:
    """Lead h takes the value period - (h - 1) mod period steps back. None without a season, and where the past is shorter than one."""
    period, past = dataset.period, dataset.train.past_values
    if period == 1 or past is None or past.ndim != 2 or past.shape[1] < period:
        return None
    back = torch.from_numpy((np.asarray(dataset.lead_time) - 1) % period - period)

    def forecast(split: Split) -> torch.Tensor:
        values = split.past_values
        assert values is not None  # every part has inputs of the same kind
        return values[:, back]

    return forecast


SEASONAL_NAIVE = Reference(
    "seasonal naive", "The value of the same phase of the season, one season before.", ("series",), _fit, is_fitted=False
)
