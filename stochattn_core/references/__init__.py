"""The table of reference forecasts, which need no network: every dataset gets those that its task and its inputs allow.

A new reference is one file here and one line in REFERENCES.
"""

from __future__ import annotations

from stochattn_core.references import climatology, gradient_boosting, persistence, regression, seasonal_naive, training_mean
from stochattn_core.references.base import Forecast, Reference

__all__ = ["REFERENCES", "Forecast", "Reference"]

REFERENCES: dict[str, Reference] = {
    reference.name: reference
    for reference in (
        training_mean.TRAINING_MEAN,
        climatology.CLIMATOLOGY,
        persistence.PERSISTENCE,
        seasonal_naive.SEASONAL_NAIVE,
        persistence.DAMPED_PERSISTENCE,
        regression.LINEAR,
        regression.RIDGE,
        gradient_boosting.GRADIENT_BOOSTING,
    )
}
