"""Numbers that stand for "missing" in many files, such as -9999."""

from __future__ import annotations

import numpy as np

MISSING_CODES = (-9999.0, -999.0, -999.9, -99.9, -99999.0, -8888.0, -7777.0, 9999.0, 99999.0, 999.9, -32768.0, 1e20, -1e20)


def is_code(value: float) -> bool:
    """Is this a number with which files mark missing values, also after it was rounded to 32 bits? It may be a value all the same."""
    return bool(np.any(np.float32(value) == np.array(MISSING_CODES, dtype=np.float32)))


def without_missing_codes(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Replace a code such as -9999 by NaN where it lies far outside all other values; return the values and a note for each code."""
    notes = []
    for code in MISSING_CODES:
        is_code = values == code
        others = values[~is_code & np.isfinite(values) & ~np.isin(values, MISSING_CODES)]
        if not is_code.any() or len(others) < 10:
            continue
        low, high = others.min(), others.max()
        margin = max(high - low, 1e-9 * abs(code))
        if code < low - 2 * margin or code > high + 2 * margin:
            values = np.where(is_code, np.nan, values)
            notes.append(f"{code:g} occurs {int(is_code.sum())} times in {name!r}, far outside its other values, and is taken as missing")
    return values, notes
