"""Every case as one row: truth, plain model, ensemble mean, spread and 90% interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stochattn_core.ensemble_data import Ensemble
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.text import lead_head


def rows_of(ensemble: Ensemble, lead: int = 0) -> pd.DataFrame:
    """Return one row for each case and lead time, with its valid time where that is known. lead: one lead time, or 0 for all of them."""
    leads = [lead] if lead else list(ensemble.lead_time)
    places = [ensemble.lead_time.index(lead_time) for lead_time in leads]

    def flat(values: np.ndarray) -> np.ndarray:
        return values[:, places].ravel() if ensemble.lead_time else values

    low, high = (flat(end) for end in ensemble.central_interval(0.9))
    rows = {ensemble.dims[0]: np.repeat(np.asarray(ensemble.index), len(leads) if ensemble.lead_time else 1)}
    if ensemble.lead_time:
        rows[lead_head(ensemble.step)] = np.tile([ensemble.step.lead(lead_time) for lead_time in leads], len(ensemble.index))
        if ensemble.valid_times is not None:
            rows["valid_time"] = flat(ensemble.valid_times)
    elif ensemble.valid_times is not None:
        rows["time"] = ensemble.valid_times
    rows |= {
        "truth": flat(ensemble.target),
        "plain": flat(ensemble.plain),
        "mean": flat(ensemble.mean),
        "spread": flat(ensemble.spread),
        "low_90": low,
        "high_90": high,
    }
    rows["inside"] = (rows["truth"] >= low) & (rows["truth"] <= high)
    return pd.DataFrame(rows)


def numbers(view: View) -> pd.DataFrame:
    return rows_of(view.ensemble, view.lead)


panel = Panel(
    "cases",
    "Cases",
    "tab",
    numbers,
    lambda rows: "",
    lambda rows: rows,
    tab="Cases",
    tasks=("table", "series"),
    choices=("lead",),
    is_wide=True,
)
