"""Ensembles for the tests of slices: perfect ones, and ones that fail in a place that is known."""

import numpy as np
import pandas as pd

from stochattn_core.ensemble_data import Ensemble

LEADS = (1, 2, 3, 4, 5)


def series(seed=0, *, n_member=9, n_case=1000, leads=LEADS, error=None, width=0.5, rho=0.0, members=None):
    """A perfect ensemble of daily init times over several leads: members and truth are draws of one law, of log-normal spread.

    error(factor, ensemble): changes the factor by which errors are multiplied, 1 when perfect, (case, lead).   rho: autocorrelation of the
    errors from case to case, at each lead.
    """
    rng = np.random.default_rng(seed)
    shape = (n_case, len(leads))
    centre, sd = 3 * rng.standard_normal(shape), np.exp(width * rng.standard_normal(shape))
    noise = rng.standard_normal(shape)
    for case in range(1, n_case):
        noise[case] = rho * noise[case - 1] + np.sqrt(1 - rho**2) * noise[case]
    forecasts = centre + sd * rng.standard_normal((n_member, *shape)) if members is None else members
    index = pd.date_range("2001-01-01", periods=n_case, freq="D")
    times = index.to_numpy()[:, None] + np.array(leads) * np.timedelta64(1, "D")
    factor = np.ones(shape)
    if error is not None:
        error(factor, pd.DatetimeIndex(times.ravel()).month.to_numpy().reshape(shape), centre, sd)
    return Ensemble(
        forecasts, centre + factor * sd * noise, centre, index, np.arange(n_case), ("init_time", "lead_time"), "degC", tuple(leads), "1 day"
    )


def zonal(seed=0, *, n_member=9, n_case=1000, error=None, rho=0.0):
    """A perfect ensemble of zonal means at five latitudes, of which one is in the tropics."""
    made = series(seed, n_member=n_member, n_case=n_case, rho=rho, error=error)
    times = made.index.to_numpy()[:, None] + np.timedelta64(1, "D")
    return Ensemble(
        made.members, made.target, made.plain, made.index, made.block, ("init_time", "latitude"), "m", (1,), "1 day", times,
        latitude=(-75.0, -45.0, 0.0, 45.0, 75.0),
    )  # fmt: skip
