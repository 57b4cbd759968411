"""Power by zonal wavenumber: has a member as much small-scale power as the truth?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from stochattn_core.figures.map import map_subtitle
from stochattn_core.figures.spectrum import spectrum
from stochattn_core.figures.theme import Palette, number, units_text
from stochattn_core.metrics.spectra import BAND, Spectra, spectra
from stochattn_core.panels.base import Panel, View


class Numbers:
    """values: (wavenumber,) by the names of Spectra."""

    def __init__(self, power: Spectra, units: str) -> None:
        self.values = {name: value.numpy() for name, value in power._asdict().items() if isinstance(value, torch.Tensor)}
        self.n_member, self.n_case, self.units = power.n_member, power.n_case, units


def numbers(view: View) -> Numbers:
    ensemble = view.ensemble
    power = spectra(
        torch.from_numpy(np.array(ensemble.members)),
        torch.from_numpy(ensemble.target),
        ensemble.latitude,
        plain=torch.from_numpy(np.array(ensemble.plain)),
        block=torch.from_numpy(ensemble.block),
    )
    return Numbers(power, units_text(ensemble.units))


def figure(numbers: Numbers, palette: Palette) -> go.Figure:
    values = numbers.values
    band = f"{BAND[0]:.0f}°N to {BAND[1]:.0f}°N"
    return spectrum(
        *(values[name] for name in ("wavenumber", "truth", "member", "mean")),
        low=values["member_low"],
        high=values["member_high"],
        subtitle=map_subtitle(n_member=numbers.n_member, n_forecast=numbers.n_case, more=band),
        plain=values.get("plain"),
        units=numbers.units,
        palette=palette,
    )


def reading(numbers: Numbers) -> str:
    return read_spectrum(*(numbers.values[name] for name in ("wavenumber", "member_ratio", "member_low", "member_high", "mean_ratio")))


def table(numbers: Numbers) -> pd.DataFrame:
    return pd.DataFrame(numbers.values)


def read_spectrum(wavenumber: np.ndarray, member_ratio: np.ndarray, low: np.ndarray, high: np.ndarray, mean_ratio: np.ndarray) -> str:
    """Return the sentence under the spectra: whether a member is too smooth or too rough, and where the mean loses power."""
    known = np.isfinite(member_ratio)
    # Small scales alone: the power lies in the first few waves, the texture in the rest.
    if not known.any():
        return "The truth has no power around the globe in this latitude band."
    small = known & (wavenumber > wavenumber[known][-1] / 3)
    too_smooth, too_rough = small & (high < 1), small & (low > 1)
    typical = float(np.exp(np.mean(np.log(np.maximum(member_ratio[small], 1e-9)))))
    if too_rough.sum() > 0.5 * small.sum():
        shape = f"A member is rougher than the truth at small scales ({number(typical, 2)} times its power): part of the spread is noise, not weather"
    elif too_smooth.sum() > 0.5 * small.sum():
        shape = f"A member is smoother than the truth at small scales ({number(typical, 2)} of its power): the model blurs, and no ν corrects that"
    else:
        shape = "There is no evidence that a member is rougher or smoother than the truth at small scales"
    smoothed = np.flatnonzero(known & (mean_ratio < 0.5))
    if len(smoothed):
        return f"{shape}; the mean has less than half the power of the truth from wavenumber {int(wavenumber[smoothed[0]])} on, because the members disagree."
    return f"{shape}; the mean has at least half the power of the truth at every wavenumber."


panel = Panel("spectra", "Spectra", "tab", numbers, reading, table, figure, tab="Spectra", tasks=("grid",))
