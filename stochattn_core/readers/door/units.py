"""Units: the many ways in which files write them, the one way in which this project does, and conversions between them."""

from __future__ import annotations

import re

import numpy as np

UNITS = {
    "degk": "K", "kelvin": "K", "deg_k": "K", "k": "K", "degrees_k": "K", "degree_kelvin": "K", "degrees_kelvin": "K", "kelvins": "K",
    "degc": "degC", "c": "degC", "celsius": "degC", "degrees_celsius": "degC", "deg_c": "degC", "degrees_c": "degC", "°c": "degC",
    "degree_celsius": "degC", "degree_c": "degC", "℃": "degC", "degreesc": "degC", "degreec": "degC",
    "degf": "degF", "f": "degF", "fahrenheit": "degF", "degrees_fahrenheit": "degF", "deg_f": "degF", "degrees_f": "degF", "°f": "degF",
    "degree_fahrenheit": "degF", "degree_f": "degF",
    "m2s-2": "m2 s-2", "m2/s2": "m2 s-2", "j/kg": "m2 s-2", "jkg-1": "m2 s-2",
    "m/s": "m s-1", "ms-1": "m s-1", "m/sec": "m s-1", "meters/second": "m s-1", "metres/second": "m s-1",
    "km/h": "km h-1", "kmh-1": "km h-1", "kph": "km h-1", "kmph": "km h-1", "km/hr": "km h-1", "kmhr-1": "km h-1",
    "kt": "kn", "kts": "kn", "kn": "kn", "knot": "kn", "knots": "kn", "mph": "mph", "mi/h": "mph", "milesperhour": "mph",
    "pascal": "Pa", "pascals": "Pa", "pa": "Pa", "millibar": "hPa", "millibars": "hPa", "mbar": "hPa", "mb": "hPa", "hpa": "hPa",
    "hectopascal": "hPa", "hectopascals": "hPa", "kpa": "kPa", "bar": "bar", "bars": "bar", "atm": "atm", "inhg": "inHg", "mmhg": "mmHg",
    "gpm": "m", "meters": "m", "metres": "m", "meter": "m", "metre": "m", "geopotentialmeter": "m", "geopotentialmetre": "m",
    "geopotentialmeters": "m", "geopotentialmetres": "m", "geopotential_meter": "m", "m": "m", "gpdam": "dam", "dam": "dam", "decameter": "dam",
    "km": "km", "kilometers": "km", "kilometres": "km", "kilometer": "km", "kilometre": "km", "cm": "cm", "centimeters": "cm", "centimetres": "cm",
    "mm": "mm", "millimeters": "mm", "millimetres": "mm", "millimeter": "mm", "millimetre": "mm", "kgm-2": "kg m-2", "kg/m2": "kg m-2",
    "in": "in", "inch": "in", "inches": "in", "ft": "ft", "feet": "ft", "foot": "ft",
    "kgm-2s-1": "kg m-2 s-1", "kg/m2/s": "kg m-2 s-1", "kg/(m2s)": "kg m-2 s-1", "mm/s": "mm s-1", "mms-1": "mm s-1",
    "mm/h": "mm h-1", "mmh-1": "mm h-1", "mm/hr": "mm h-1", "mmhr-1": "mm h-1", "mm/hour": "mm h-1",
    "mm/d": "mm d-1", "mmd-1": "mm d-1", "mm/day": "mm d-1", "mmday-1": "mm d-1", "m/day": "m d-1", "mday-1": "m d-1",
    "kgkg-1": "kg kg-1", "kg/kg": "kg kg-1", "gkg-1": "g kg-1", "g/kg": "g kg-1", "mg/kg": "mg kg-1", "mgkg-1": "mg kg-1",
    "1": "1", "fraction": "1", "(0-1)": "1", "0-1": "1", "dimensionless": "1", "unitless": "1", "m3m-3": "m3 m-3", "m3/m3": "m3 m-3",
    "%": "%", "percent": "%", "per_cent": "%", "pct": "%",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "min", "mins": "min", "minute": "min", "minutes": "min",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d", "week": "week", "weeks": "week",
    "degrees": "degree", "degree": "degree", "deg": "degree", "°": "degree", "radian": "radian", "radians": "radian", "rad": "radian",
}  # fmt: skip
GRAVITY = 9.80665  # m s-2: geopotential over geopotential height, by definition
KNOT, MILE, INCH, FOOT = 1852 / 3600, 1609.344, 0.0254, 0.3048  # m s-1, and m

# Unit -> quantity, factor and offset of value * factor + offset in the first unit of that quantity. Water: 1 kg m-2 is 1 mm deep.
CONVERSIONS: dict[str, tuple[str, float, float]] = {
    "K": ("temperature", 1.0, 0.0),
    "degC": ("temperature", 1.0, 273.15),
    "degF": ("temperature", 5 / 9, 273.15 - 32 * 5 / 9),
    "m": ("length", 1.0, 0.0),
    "m2 s-2": ("length", 1 / GRAVITY, 0.0),
    "km": ("length", 1e3, 0.0),
    "dam": ("length", 10.0, 0.0),
    "cm": ("length", 0.01, 0.0),
    "mm": ("length", 1e-3, 0.0),
    "kg m-2": ("length", 1e-3, 0.0),
    "in": ("length", INCH, 0.0),
    "ft": ("length", FOOT, 0.0),
    "Pa": ("pressure", 1.0, 0.0),
    "hPa": ("pressure", 100.0, 0.0),
    "kPa": ("pressure", 1e3, 0.0),
    "bar": ("pressure", 1e5, 0.0),
    "atm": ("pressure", 101325.0, 0.0),
    "mmHg": ("pressure", 101325 / 760, 0.0),
    "inHg": ("pressure", 101325 / 760 * 25.4, 0.0),
    "m s-1": ("speed", 1.0, 0.0),
    "km h-1": ("speed", 1 / 3.6, 0.0),
    "kn": ("speed", KNOT, 0.0),
    "mph": ("speed", MILE / 3600, 0.0),
    "kg m-2 s-1": ("speed", 1e-3, 0.0),
    "mm s-1": ("speed", 1e-3, 0.0),
    "mm h-1": ("speed", 1e-3 / 3600, 0.0),
    "mm d-1": ("speed", 1e-3 / 86400, 0.0),
    "m d-1": ("speed", 1 / 86400, 0.0),
    "1": ("share", 1.0, 0.0),
    "%": ("share", 0.01, 0.0),
    "kg kg-1": ("share", 1.0, 0.0),
    "g kg-1": ("share", 1e-3, 0.0),
    "mg kg-1": ("share", 1e-6, 0.0),
    "m3 m-3": ("share", 1.0, 0.0),
    "s": ("duration", 1.0, 0.0),
    "min": ("duration", 60.0, 0.0),
    "h": ("duration", 3600.0, 0.0),
    "d": ("duration", 86400.0, 0.0),
    "week": ("duration", 604800.0, 0.0),
    "degree": ("angle", 1.0, 0.0),
    "radian": ("angle", 180 / np.pi, 0.0),
}


def standard_unit(units: object) -> str:
    """Return the one way in which this project writes a unit; a unit that is not in UNITS stays as it is.

    >>> standard_unit("m**2 s**-2"), standard_unit("furlong")
    ('m2 s-2', 'furlong')
    """
    text = str(units or "").strip()
    return UNITS.get(re.sub(r"\s+|\*\*|\^", "", text).lower(), text)


def same_unit(first: object, second: object) -> bool:
    """Are these two texts the same unit, written in two ways?

    >>> same_unit("kg m-3", "kg/m^3"), same_unit("kg m-3", "g m-3")
    (True, False)
    """
    one, other = standard_unit(first), standard_unit(second)
    return one == other or (bool(one) and _powers(one) == _powers(other))


def convert(values: np.ndarray, source: object, to: object) -> np.ndarray:
    """Return the values in another unit of the same quantity, as float64; unchanged where the two are one unit.

    source, to: units as files write them. A geopotential in m2 s-2 becomes a geopotential height and the other way round (9.80665 m s-2).
    ValueError where the units do not measure the same quantity, or are not in CONVERSIONS.

    >>> convert(np.array([273.15, 300.0]), "K", "celsius").round(9).tolist(), convert(np.array([1.5]), "hPa", "Pa").tolist()
    ([0.0, 26.85], [150.0])
    """
    if same_unit(source, to):
        return values
    before, after = CONVERSIONS.get(standard_unit(source)), CONVERSIONS.get(standard_unit(to))
    if before is None or after is None or before[0] != after[0]:
        raise ValueError(f"expected two units of the same quantity, got {str(source)!r} and {str(to)!r}; write both in the same unit")
    return (values.astype(np.float64) * before[1] + (before[2] - after[2])) / after[1]


def _powers(unit: str) -> dict[str, int]:
    """Return the exponent of each factor of a unit: "kg/m^3" and "kg m**-3" are both {"kg": 1, "m": -3}."""
    powers: dict[str, int] = {}
    for slash, name, exponent in re.findall(r"(/?)\s*([^\W\d_]+|[%°])\s*(?:\*\*|\^)?\s*\(?([+-]?\d+)?", unit):
        power = int(exponent or 1) * (-1 if slash else 1)
        powers[name] = powers.get(name, 0) + power
    return powers
