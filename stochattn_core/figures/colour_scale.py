"""Colour scales of maps: perceptually even, safe for colour-blind readers, and one scale for maps that are compared.

Field: viridis. Magnitudes (RMSE, spread): magma from light to dark, from zero. Errors and components of the wind: red and blue around zero. Ratios: orange
(too narrow) and violet (too wide) around one, by doublings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from plotly import colors

VIRIDIS = tuple(colors.sequential.Viridis)
MAGMA = tuple(colors.sequential.Magma[:0:-1])  # without the black end, on which coastlines would not show
RED_BLUE = tuple(colors.diverging.RdBu[::-1])
# PuOr of Brewer with a violet end as light as the orange one, so that too wide looks no worse than too narrow.
ORANGE_VIOLET = (*colors.diverging.PuOr[:6], "#d8daeb", "#b2abd2", "#9184bd", "#7658a5", "#5b2f8c")
FRACTIONS = {0.125: "⅛", 0.25: "¼", 0.5: "½", 2 / 3: "⅔", 0.8: "0.8", 1.0: "1", 1.25: "1¼", 1.5: "1½", 2.0: "2", 4.0: "4", 8.0: "8"}


@dataclass(frozen=True)
class ColourScale:
    """Values from low to high take the colours in order; values outside take the colour of the nearer end."""

    low: float
    high: float
    colours: tuple[str, ...]
    is_log: bool = False  # colours follow log2 of the value; low and high are values, not logarithms

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers that the colour follows: the values, or log2 of them."""
        if not self.is_log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log2(np.maximum(values, 2.0**-20))

    @property
    def ends(self) -> tuple[float, float]:
        """low and high as `place` gives them."""
        return (math.log2(self.low), math.log2(self.high)) if self.is_log else (self.low, self.high)

    @property
    def ticks(self) -> tuple[list[float], list[str]] | None:
        """Marks of a colour bar of ratios, as `place` gives them, and their texts; None for the default."""
        if not self.is_log:
            return None
        is_wide = self.high > 2.5
        shown = {v: t for v, t in FRACTIONS.items() if self.low <= v * 1.001 and v <= self.high * 1.001}
        shown = {v: t for v, t in shown.items() if not is_wide or math.log2(v).is_integer()}
        return [math.log2(v) for v in shown], list(shown.values())

    @property
    def decimals(self) -> int:
        """Digits after the decimal point that show a hundredth of the range."""
        reach = self.high - self.low
        return 2 if self.is_log or not reach > 0 else max(0, 2 - math.floor(math.log10(reach)))

    @property
    def stops(self) -> list[tuple[float, str]]:
        """Pairs of share and colour for Plotly."""
        return [(share, colour) for share, colour in zip(np.linspace(0, 1, len(self.colours)).tolist(), self.colours, strict=True)]


def _ends(fields: tuple[np.ndarray, ...]) -> tuple[float, float]:
    known = [np.asarray(field)[np.isfinite(field)] for field in fields]
    known = [values for values in known if values.size]
    if not known:
        return 0.0, 1.0
    return float(min(values.min() for values in known)), float(max(values.max() for values in known))


def of_field(*fields: np.ndarray) -> ColourScale:
    """Return one scale for maps of the quantity itself (mean, one member, truth), from the smallest to the largest of all values."""
    low, high = _ends(fields)
    return ColourScale(low, high if high > low else low + 1.0, VIRIDIS)


def of_magnitude(*fields: np.ndarray) -> ColourScale:
    """Return one scale for RMSE and spread, from zero to the largest of all values."""
    high = _ends(fields)[1]
    return ColourScale(0.0, high if high > 0 else 1.0, MAGMA)


def of_error(*fields: np.ndarray) -> ColourScale:
    """Return a scale for signed errors, differences and components, with zero in the middle: blue below, red above."""
    reach = max(map(abs, _ends(fields)))
    return ColourScale(-reach if reach > 0 else -1.0, reach if reach > 0 else 1.0, RED_BLUE)


def of_ratio(*fields: np.ndarray) -> ColourScale:
    """Return a scale for ratios of spread to error, by factors around one: half is as far as double. It ends at a factor of 4."""
    positive = [np.where(np.asarray(field) > 0, field, np.nan) for field in fields]
    low, high = _ends(tuple(positive))
    low, high = (low, high) if high > low > 0 else (1.0, 1.0)
    reach = min(max(high, 1 / low, 1.5), 4.0)
    return ColourScale(1 / reach, reach, ORANGE_VIOLET, is_log=True)
