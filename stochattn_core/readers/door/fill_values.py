"""Values with which files and libraries fill what was never written: NaN, infinity, 9.97e36, and the least integers."""

from __future__ import annotations

import numpy as np

# What NetCDF writes where nothing was written, for integers, and what NaN becomes as an integer; floats get 9.969e36, see FILL_FROM.
INTEGER_FILLS: dict[str, tuple[int, ...]] = {
    "i2": (-32767, -32768),
    "u2": (65535,),
    "i4": (-2147483647, -2147483648),
    "u4": (4294967295,),
    "i8": (-9223372036854775806, -9223372036854775808),
    "u8": (18446744073709551614,),
}
FILL_FROM = 1e30  # no quantity of the field is as large in any unit; fill values such as 1e35 and 9.969e36 are


def is_fill_value(values: np.ndarray) -> np.ndarray:
    """Return where values stand for "missing" in every file: NaN, infinity, 1e30 and beyond, and NetCDF's default fill of integers; bool.

    Bytes have no fill value here, because all of their values are in use.
    """
    if values.dtype.kind == "f":
        return ~(np.abs(values) < FILL_FROM)
    return np.isin(values, np.array(INTEGER_FILLS.get(values.dtype.str[1:], ()), values.dtype))


def fill_note(n: int, name: str) -> str:
    """Return the note on n fill values of a variable."""
    counted = f"{n:,} values of {name!r} are fill values or infinite" if n > 1 else f"1 value of {name!r} is a fill value or infinite"
    return f"{counted} (1e30 or beyond) and {'are' if n > 1 else 'is'} taken as missing"
