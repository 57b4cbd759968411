"""Numbers that stand for "missing" in many files, such as -9999, 99.0 or -99.99."""

from __future__ import annotations

import re

import numpy as np

FEWEST_OTHERS = 10  # values beside the code from which their range is known
FEWEST_REPEATS = 3  # of a negative number that is no usual code
MOST_CODES = 6  # at either end
LEAST_PRECISION = 1e-2  # of the standard deviation: the coarsest rounding
NEAR = 0.1  # ranges of the other values: from here on a note asks whether a repeated code is a value
FAR = 2.0  # ranges of the other values: a code or a repeated number so far away needs nothing else
# Digits that are all 9, 8, 7 or 6, at least two of them, and the limits of integers and other numbers that programs fill with.
_REPEATED = re.compile(r"-?(9{2,}|8{3,}|7{3,}|6{4,})(\.(9+|8+|7+|6+))?|-?9\.9{2,}")
_OTHER_NUMBERS = (
    -9, -9990, -999.25, -32768, -32767, 32767, 65535, -2147483648, 2147483647, 1e15, 1e20, -1e20, 1e30, -1e30, 1e31, 1e36, 9.96920996838687e36,
)  # fmt: skip
_OTHER_CODES = frozenset(f"{code:.6g}" for code in _OTHER_NUMBERS)


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
    range (one range for 99 among whole numbers, two for -9). A negative code from -99 on among values of which none is negative needs no
    distance. Other numbers stay.
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
        if _lies_beyond(float(code), count, low, high, is_whole=bool(np.mean(others == np.round(others)) > 0.5)):
            missing |= here
            occurs = "once" if count == 1 else f"{count:,} times"
            notes.append(
                f"{float(code):.6g} occurs {occurs} in {name!r}, whose other values lie from {low:g} to {high:g}, and is taken as missing"
            )
    return (np.where(missing, np.nan, values) if notes else values), notes


def without_far_repeats(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Return the values without a number that is no usual code but is repeated two ranges away from all others, and a note.

    A negative one that occurs three times or more, such as -200, becomes NaN. Any other one stays, such as 0 or a code that lies nearer, and the
    note says how to make it missing.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 * FEWEST_OTHERS:
        return values, []
    for extreme, others in ((known.min(), known[known > known.min()]), (known.max(), known[known < known.max()])):
        count = len(known) - len(others)
        if 1 < count <= len(known) / 2 and len(others) >= FEWEST_OTHERS:
            low, high = float(others.min()), float(others.max())
            distance = max(low - float(extreme), float(extreme) - high)
            is_near_code = is_code(float(extreme)) and distance > NEAR * (high - low)
            if high > low and (distance > FAR * (high - low) or is_near_code):
                occurs = f"{float(extreme):.6g} occurs {count:,} times in {name!r}, apart from its other values, which lie from {low:g} to {high:g}"
                if extreme < 0 and count >= FEWEST_REPEATS and distance > FAR * (high - low):
                    return np.where(values == extreme, np.nan, values), [f"{occurs}, and is taken as missing"]
                return values, [f"{occurs}; if it stands for missing, give --missing {float(extreme):.6g}"]
    return values, []


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


def _lies_beyond(code: float, count: int, low: float, high: float, *, is_whole: bool) -> bool:
    """Does a code lie beyond values from low to high, far enough for how often it occurs?   is_whole: are most of these whole numbers?"""
    distance = max(low - code, code - high)
    if distance <= 0:
        return False
    if code <= -99 and low >= 0:
        return True
    spread = max(high - low, 1e-9 * abs(code))
    enough = FAR if count == 1 or abs(code) < 10 else 1.0 if abs(code) < 100 and is_whole else 0.5
    return distance > enough * spread


def loses_differences(values: np.ndarray) -> bool:
    """Are the differences of these values lost in numbers of 32 bits, in which models compute? So it is for 1,600,000,001 and 1,600,000,002."""
    known = values[np.isfinite(values)]
    largest = float(np.abs(known).max(initial=0))
    return largest > 2**24 and largest * 2.0**-24 > LEAST_PRECISION * float(known.std())


def check_precision(values: np.ndarray, name: str) -> None:
    """ValueError where the differences of these values are lost in numbers of 32 bits."""
    if loses_differences(values):
        known = values[np.isfinite(values)]
        raise ValueError(
            f"expected values whose differences numbers of 32 bits can hold in {name!r}, got values from {known.min():.15g} to {known.max():.15g}; "
            "subtract a constant from them"
        )
