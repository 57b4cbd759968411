"""Gradient boosting of trees on the inputs of a row: on tables the honest bar, which many networks do not reach."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.references.base import LARGEST, Forecast, Reference, features, fitted_rows

LARGEST_PRODUCT, MOST_FEATURES = 2_000_000, 200  # rows x features, and features, of a fit that takes seconds
LEAST_ROWS = 2


def _fit(dataset: Dataset) -> Forecast | None:
    """Fit with scikit-learn's default parameters; None with more than MOST_FEATURES, and without scikit-learn (extra `tables`)."""
    x, target = features(dataset.train, dataset.task), dataset.train.target.double().numpy()
    if x is None or not 1 <= x.shape[1] <= MOST_FEATURES or find_spec("sklearn") is None:
        return None
    known = np.flatnonzero(np.isfinite(target))
    if len(known) < LEAST_ROWS:
        return None
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes half a second to import, and only tables need it

    rows = known[fitted_rows(len(known), min(LARGEST, LARGEST_PRODUCT // x.shape[1]))]
    trees = HistGradientBoostingRegressor(random_state=0).fit(x[rows], target[rows])

    def forecast(split: Split) -> torch.Tensor:
        return torch.from_numpy(trees.predict(features(split, "table")).astype(np.float32))

    return forecast


GRADIENT_BOOSTING = Reference(
    "gradient boosting",
    "Gradient boosting of trees on the inputs of a row, with the default parameters of scikit-learn.",
    ("table",),
    _fit,
)
