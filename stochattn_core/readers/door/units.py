"""Units: the many ways in which files write them, and the one way in which this project does."""

from __future__ import annotations

import re

UNITS = {
    "degk": "K", "kelvin": "K", "deg_k": "K", "k": "K", "degrees_k": "K",
    "degc": "degC", "c": "degC", "celsius": "degC", "degrees_celsius": "degC", "deg_c": "degC", "degrees_c": "degC", "°c": "degC",
    "m**2s**-2": "m2 s-2", "m2/s2": "m2 s-2", "m^2/s^2": "m2 s-2", "m2s-2": "m2 s-2", "m^2s^-2": "m2 s-2", "j/kg": "m2 s-2", "jkg-1": "m2 s-2",
    "ms**-1": "m s-1", "m/s": "m s-1", "ms-1": "m s-1", "m/sec": "m s-1", "ms^-1": "m s-1",
    "pascal": "Pa", "pascals": "Pa", "pa": "Pa", "millibar": "hPa", "millibars": "hPa", "mbar": "hPa", "mb": "hPa", "hpa": "hPa",
    "gpm": "m", "meters": "m", "metres": "m", "meter": "m", "metre": "m",
}  # fmt: skip


def standard_unit(units: object) -> str:
    """Return the one way in which this project writes a unit; a unit that is not in UNITS stays as it is.

    >>> standard_unit("m**2 s**-2"), standard_unit("furlong")
    ('m2 s-2', 'furlong')
    """
    text = str(units or "").strip()
    return UNITS.get(re.sub(r"\s+", "", text).lower(), text)
