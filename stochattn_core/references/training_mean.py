"""The mean of the training targets, the same for every row."""

from __future__ import annotations

import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.references.base import Forecast, Reference


def _fit(dataset: Dataset) -> Forecast:
    mean = float(dataset.train.target.double().nanmean())

    def forecast(split: Split) -> torch.Tensor:
        return torch.full(split.target.shape, mean)

    return forecast


TRAINING_MEAN = Reference("training mean", "The mean of the training targets.", ("table",), _fit)
