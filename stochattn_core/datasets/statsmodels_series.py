"""Three measured series in the public domain that are part of statsmodels: CO2, sea temperature off Peru (El Nino), sunspots."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import series_dataset


def load_co2() -> Dataset:
    """Return monthly means of the weekly flask samples at Mauna Loa. Months without a sample stay missing until windows are cut."""
    from statsmodels.datasets import co2  # statsmodels takes a second to import

    weekly = co2.load_pandas().data["co2"]
    monthly = weekly.resample("MS").mean().round(3)  # rounded, so that the digest does not depend on the order of a sum
    return series_dataset(
        monthly.to_numpy(),
        monthly.index,
        context=96,
        horizon=12,
        period=12,
        name="co2",
        title="Carbon dioxide at Mauna Loa, monthly means 1958-2001",
        target_name="CO2",
        units="ppmv",
        source="Keeling and Whorf (2004), Carbon Dioxide Information Analysis Center; file of statsmodels",
        licence="public domain",
        lead_unit="month",
        notes=_missing(monthly),
    )


def load_elnino() -> Dataset:
    from statsmodels.datasets import elnino

    table = elnino.load_pandas().data.set_index("YEAR")
    values = table.to_numpy().ravel()  # one row a year, twelve months in order
    times = pd.date_range(f"{int(table.index[0])}-01-01", periods=len(values), freq="MS")
    return series_dataset(
        values,
        times,
        context=96,
        horizon=12,
        period=12,
        name="elnino",
        title="Sea surface temperature off Peru (Nino 1+2), monthly 1950-2010",
        target_name="sea surface temperature",
        units="degC",
        source="NOAA Climate Prediction Center, ERSST.V3B, Nino 1+2; file of statsmodels",
        licence="public domain",
        lead_unit="month",
    )


def load_sunspots() -> Dataset:
    from statsmodels.datasets import sunspots

    table = sunspots.load_pandas().data
    times = pd.DatetimeIndex([f"{int(year)}-01-01" for year in table["YEAR"]])
    return series_dataset(
        table["SUNACTIVITY"].to_numpy(),
        times,
        context=88,
        horizon=11,
        period=11,
        name="sunspots",
        title="Sunspot numbers, yearly means 1700-2008",
        target_name="sunspot number",
        units="",  # a count without a unit
        source="NOAA National Geophysical Data Center; file of statsmodels",
        licence="public domain",
        lead_unit="year",
    )


def _missing(values: pd.Series) -> tuple[str, ...]:
    count = int(np.isnan(values.to_numpy()).sum())
    if not count:
        return ()
    return (f"{count} of {len(values)} months have no sample: in inputs each becomes the month before it, and no forecast is scored on it",)
