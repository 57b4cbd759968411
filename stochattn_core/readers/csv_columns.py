"""From one column of a text table to numbers; a text among them is an error that names its line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """Return the column as float64, NaN where a field is empty; ValueError that names the first field that is not a number."""
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
    """Are at least half of the fields that are not empty numbers?"""
    if pd.api.types.is_numeric_dtype(column):
        return True
    filled = column.dropna()
    return len(filled) == 0 or bool(pd.to_numeric(filled, errors="coerce").notna().mean() >= 0.5)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return the names in quotes, separated by commas, at most this many of them.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
