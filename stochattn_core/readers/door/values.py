"""Numbers that stand for "missing" in many files, such as -9999, 99.0 or -99.99."""

from __future__ import annotations

import re

import numpy as np

FEWEST_OTHERS = 10  # values beside the code from which their range is known
MOST_CODES = 6  # at either end
# Digits that are all 9, 8, 7 or 6, at least two of them, and the limits of integers and other numbers that programs fill with.
_REPEATED = re.compile(r"-?(9{2,}|8{3,}|7{3,}|6{4,})(\.(9+|8+|7+|6+))?|-?9\.9{2,}")
_OTHER_CODES = frozenset(
    f"{code:.6g}"
    for code in (
        -32768,
        -32767,
        32767,
        65535,
        -2147483648,
        2147483647,
        -999.25,
        -9990,
        1e15,
        1e20,
        -1e20,
        1e30,
        -1e30,
        1e31,
        1e36,
        9.96920996838687e36,
    )
)


def is_code(value: float) -> bool:
    """Is this a number with which files mark missing values? It may be a value all the same.

    >>> is_code(-99.99), is_code(99.0), is_code(98.9), is_code(float(np.float32(-999.9)))
    (True, True, False, True)
    """
    text = f"{value:.6g}"
    return text in _OTHER_CODES or _REPEATED.fullmatch(text if "e" not in text else f"{value:.0f}") is not None


def without_missing_codes(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Replace a code such as -9999 by NaN where it lies beyond all other values; return the values and a note for each code.

    values: any shape, floats. A code that occurs once must lie two ranges of the other values away from them, and one that is repeated half a
    range (one range for 99). A negative code among values of which none is negative needs no distance. Other numbers stay.
    """
    codes = [code for sign in (1, -1) for code in _extreme_codes(values, sign)]
    if not codes:
        return values, []
    is_any_code = np.isin(values, codes)
    others = values[~is_any_code & np.isfinite(values)]
    if len(others) < FEWEST_OTHERS:
        return values, []
    low, high = float(others.min()), float(others.max())
    notes, missing = [], np.zeros(values.shape, dtype=bool)
    for code in codes:
        here = values == code
        count = int(here.sum())
        if _lies_beyond(float(code), count, low, high):
            missing |= here
            occurs = "once" if count == 1 else f"{count:,} times"
            notes.append(
                f"{float(code):.6g} occurs {occurs} in {name!r}, whose other values lie from {low:g} to {high:g}, and is taken as missing"
            )
    return (np.where(missing, np.nan, values) if notes else values), notes


def _extreme_codes(values: np.ndarray, sign: int) -> list[np.floating]:
    """Return the codes among the greatest values (the least for sign -1), from the outside in."""
    codes: list[np.floating] = []
    rest = values
    while len(codes) < MOST_CODES:
        rest = rest[np.isfinite(rest)] if codes or rest.ndim > 1 else rest
        if not rest.size:
            break
        extreme = np.nanmax(rest, initial=-np.inf) if sign > 0 else np.nanmin(rest, initial=np.inf)
        if not np.isfinite(extreme) or not is_code(float(extreme)):
            break
        codes.append(extreme)
        rest = rest[rest < extreme] if sign > 0 else rest[rest > extreme]
    return codes


def _lies_beyond(code: float, count: int, low: float, high: float) -> bool:
    """Does a code lie beyond values from low to high, far enough for how often it occurs?"""
    distance = max(low - code, code - high)
    if distance <= 0:
        return False
    if code < 0 <= low and (count > 1 or code <= -99):
        return True
    spread = max(high - low, 1e-9 * abs(code))
    enough = 2.0 if count == 1 else 1.0 if abs(code) < 100 else 0.5
    return distance > enough * spread
