"""From a column of a text table to numbers: text where it does not belong is named, codes for "missing" are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

SENTINELS = (-9999.0, -999.0, -999.9, -99.9, -99999.0, -8888.0, -7777.0, 9999.0, 99999.0, 999.9, -32768.0, 1e20, -1e20)


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """float64, NaN where a field is empty; a ValueError that names the first field that is not a number."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = pd.to_numeric(column, errors="coerce")
    bad = values.isna() & column.notna()
    if bad.any():
        line = bad.index[bad][0]
        count = int(bad.sum())
        others = f" and {count - 1} more like it" if count > 1 else ""
        raise ValueError(
            f"expected numbers in the column {name!r}, got {str(column[line])[:40]!r} in line {line}{others}; correct it, or leave the field "
            "empty where the value is missing"
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def is_mostly_numbers(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return True
    filled = column.dropna()
    return len(filled) == 0 or bool(pd.to_numeric(filled, errors="coerce").notna().mean() >= 0.5)


def without_sentinels(values: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Codes such as -9999 become NaN where they lie far outside everything else in the column, and a note says so."""
    notes = []
    for sentinel in SENTINELS:
        hit = values == sentinel
        rest = values[~hit & np.isfinite(values) & ~np.isin(values, SENTINELS)]
        if not hit.any() or len(rest) < 10:
            continue
        low, high = rest.min(), rest.max()
        room = max(high - low, 1e-9 * abs(sentinel))
        if sentinel < low - 2 * room or sentinel > high + 2 * room:
            values = np.where(hit, np.nan, values)
            notes.append(f"{sentinel:g} stands {int(hit.sum())} times in {name!r}, far outside its other values, and is taken as missing")
    return values, notes


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
