"""One column of a text table as numbers or as texts; a text among numbers is an error that names its line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stochattn_core.readers.door.values import without_far_repeats, without_missing_codes
from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.fields import MISSING_FIELDS, kind_of_field
from stochattn_core.readers.text.numbers import PLAIN, converted, is_decimal, number_of, style_of


@dataclass(frozen=True)
class Numbers:
    """One column as numbers.

    values: (row,) float64, NaN where missing.   notes: what was recognised.   sign: the currency or percent sign that every field has.
    """

    values: np.ndarray
    notes: tuple[str, ...] = ()
    sign: str = ""


def is_mostly_numbers(column: pd.Series) -> bool:
    """Are at least half of the fields that are not missing numbers, in any style?"""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return True
    kinds = [(kind_of_field(str(field)), int(n)) for field, n in column.value_counts().items()]
    return sum(n for kind, n in kinds if kind == "numbers") >= 0.5 * sum(n for kind, n in kinds if kind != "missing")


def n_other_text(column: pd.Series) -> int:
    """Return how many different fields of a column are neither numbers nor missing."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return 0
    return sum(kind_of_field(str(field)) in ("text", "times") for field in column.dropna().unique())


def _one_sign(signs: Collection[str], name: str) -> str:
    """Return the currency or percent sign of a column, "" where it has none. ValueError where numbers of different units are mixed."""
    named = sorted(sign for sign in signs if sign)
    if len(named) > 1 or ("" in signs and any(sign in ("%", "\u2030") for sign in named)):
        came = f"{', '.join(map(repr, named))}{' and numbers without a sign' if '' in signs else ''}"
        raise ValueError(f"expected numbers of one unit in {name!r}, got {came}; write them in one unit")
    return named[0] if named else ""


def without_missing_fields(column: pd.Series, more: Sequence[str]) -> pd.Series:
    """Return the texts with NaN where a field stands for a missing number."""
    texts = column.astype("object")
    stripped = column.astype("str").str.strip()
    return texts.where(~stripped.isin([*MISSING_FIELDS, *more]) & column.notna(), None)


def numbers(column: pd.Series, name: str, choices: CsvChoices = FIND_OUT, *, file_decimal: str = "", separator: str = ",") -> Numbers:
    """Return the column as numbers. ValueError that names the first field that is none.

    column: indexed by the line of each row.   file_decimal, separator: as for style_of.
    """
    notes: list[str] = []
    sign = ""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        texts = without_missing_fields(column, choices.missing_fields)
        filled = texts[texts.notna()]
        reading = style_of([str(field) for field in filled.unique()], name, choices, file_decimal=file_decimal, separator=separator)
        values, is_bad, signs = converted(texts, reading.style)
        notes += [reading.reason] if reading.reason else []
        is_bad &= texts.notna().to_numpy()
        if is_bad.any():
            line, count = column.index[is_bad][0], int(is_bad.sum())
            field = str(column.iloc[int(np.argmax(is_bad))])
            others = f" and {count - 1} more like it" if count > 1 else ""
            advice = "" if len(field) > 40 else f", or give --missing {_quoted(field)} where it stands for that"
            raise ValueError(
                f"expected numbers in the column {name!r}, got {field[:40]!r} in line {line}{others}; correct it, {'' if advice else 'or '}leave the field "
                f"empty where the value is missing{advice}"
            )
        sign = _one_sign(signs, name)
        if sign:
            notes.append(f"every number of {name!r} is written with {sign!r}, which is its unit")
    if choices.missing_fields:
        named = [number for text in choices.missing_fields if (number := number_of(text, PLAIN)) is not None]
        values = np.where(np.isin(values, named), np.nan, values)
    if not choices.keeps_codes:
        values, code_notes = without_missing_codes(values, name)
        if not code_notes:
            values, code_notes = without_far_repeats(values, name)
        notes += [note if "--missing" in note else f"{note}; --missing none keeps it" for note in code_notes]
    return Numbers(values, tuple(notes), sign)


def _quoted(field: str) -> str:
    if field.isalnum():
        return field
    return "'" + '"' + field + '"' + "'" if "," in field else repr(field)


def decimal_of(columns: Sequence[Sequence[str]]) -> str:
    """Return the decimal mark that some column of a file certainly has, "" where none has one or where two differ."""
    marks = set()
    for fields in columns:
        try:
            reading = style_of(fields, "")
        except ValueError:
            continue
        if not reading.reason and any(is_decimal(field, reading.style) for field in fields):
            marks.add(reading.style.decimal)
    return marks.pop() if len(marks) == 1 else ""


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return the names in quotes, separated by commas, at most this many of them.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
