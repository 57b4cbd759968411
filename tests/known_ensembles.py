"""Ensembles for the tests of the verdict: perfect ones, and ones that are wrong in one way that is known."""

import numpy as np
import pandas as pd

from stochattn_core.ensemble_data import Ensemble


def ensemble_of(errors, spread=1.0, *, drift=0.0, m=19, seed=1, plain=None, **more):
    """Members are plain + drift + spread times normal numbers, the target is plain + errors.

    errors: (case,) or (case, lead).   spread, drift: numbers, or of the shape of errors.   more: fields of Ensemble.
    """
    rng, errors = np.random.default_rng(seed), np.asarray(errors, dtype=float)
    n = len(errors)
    plain = 2 * rng.standard_normal(errors.shape) if plain is None else plain
    members = plain + drift + spread * rng.standard_normal((m, *errors.shape))
    defaults = {"index": pd.RangeIndex(n), "block": np.arange(n), "dims": ("case",)}
    if errors.ndim > 1:
        lead = tuple(range(1, errors.shape[1] + 1))
        defaults |= {
            "index": pd.date_range("2001-01-01", periods=n),
            "dims": ("init_time", "lead_time"),
            "lead_time": lead,
            "lead_unit": "1 day",
        }
    return Ensemble(members, plain + errors, plain, **(defaults | more))


def normal(*shape, seed=0):
    """Standard normal errors."""
    return np.random.default_rng([seed, 7]).standard_normal(shape)


def log_normal(width, *shape, seed=2):
    """Log-normal factors with a mean square of 1."""
    return np.exp(width * np.random.default_rng(seed).standard_normal(shape) - width**2)


def perfect(n=2000, *event, m=49, seed=0):
    """Members and target of one law."""
    return ensemble_of(normal(n, *event, seed=seed), m=m, seed=seed + 1000)
