"""Diabetes progression one year later from ten measurements of 442 patients; the file is part of scikit-learn."""

from __future__ import annotations

import numpy as np

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset

# scikit-learn names the first four columns; its description names the blood serum measurements "s1" to "s6".
FEATURES = (
    "age (years)",
    "sex (1 or 2)",
    "body mass index (kg m-2)",
    "mean blood pressure (mmHg)",
    "total cholesterol (mg dl-1)",
    "low-density lipoproteins (mg dl-1)",
    "high-density lipoproteins (mg dl-1)",
    "cholesterol ratio",
    "log triglycerides",
    "blood sugar (mg dl-1)",
)


def load() -> Dataset:
    from sklearn.datasets import load_diabetes  # scikit-learn takes a second to import

    data = load_diabetes(scaled=False)
    return table_dataset(
        np.asarray(data.data),
        np.asarray(data.target),
        name="diabetes",
        title="Diabetes progression after one year, 442 patients",
        target_name="disease progression",
        units="",  # a score from 25 to 346 without a unit
        source="Efron, Hastie, Johnstone, Tibshirani (2004), Annals of Statistics 32, 407; file of scikit-learn",
        licence="not stated by the authors; the copy is part of scikit-learn (BSD-3-Clause)",
        feature_names=FEATURES,
    )
