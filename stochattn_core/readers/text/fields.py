"""What a single field of a text table is: missing, a number, a time, or a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from stochattn_core.readers.text.dates import MONTH_NAME
from stochattn_core.readers.text.numbers import looks_like_number

# Fields that stand for a missing number. In a column of texts, only an empty field is missing: NA is also North America.
MISSING_FIELDS = (
    "", "NA", "N/A", "n/a", "n.a.", "N.A.", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN", "+NaN", "1.#QNAN", "-1.#IND", "1.#IND",
    "-1.#QNAN", "NaT", "NULL", "Null", "null", "None", "none", "nil", "missing", "Missing", "MISSING", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?",
    "#NULL!", "?", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "\u2026", "*", "**", "***", "****",
)  # fmt: skip
_MISSING = frozenset(MISSING_FIELDS)
_CLOCK = r"\d{1,2}(?::?\d{2})?(?::?\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?\s*(?:z|utc|gmt|[a-z]{3,4}|[+-]\d{2}(?::?\d{2})?)?"
_DATE = rf"""\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?|\d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d{{4}}|\d{{2}})|\d{{1,2}}/\d{{4}}
    |\d{{4}}[-\s]?(?:q[1-4]|m\d{{1,2}}|w\d{{1,2}})|q[1-4][-\s/]?\d{{4}}|\d{{4}}-\d{{3}}
    |(?:\d{{1,2}}[-\s/.]*)?{MONTH_NAME}[-\s/,.]*(?:\d{{1,2}},?[-\s/]+)?(?:\d{{4}}|'?\d{{2}})|\d{{4}}[-\s/]*{MONTH_NAME}(?:[-\s/]*\d{{1,2}})?"""
_TIME = re.compile(rf"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s*)?(?:{_DATE})(?:[\sT]+{_CLOCK})?", re.IGNORECASE | re.VERBOSE)


def looks_like_time(field: str) -> bool:
    """Is this a date, with or without a time of day, in one of the usual ways to write it? Numbers alone, such as 2020, are none."""
    return _TIME.fullmatch(field.strip()) is not None


def kind_of_field(field: str) -> str:
    """Return "missing", "numbers", "times" or "text".

    >>> [kind_of_field(field) for field in ("NA", "1,5", "31.12.2020", "12 Jan 2020 10:00", "abc")]
    ['missing', 'numbers', 'times', 'times', 'text']
    """
    text = field.strip()
    if text in _MISSING:
        return "missing"
    if looks_like_number(text):
        return "numbers"
    return "times" if looks_like_time(text) else "text"


def kind_of_fields(fields: Sequence[str]) -> str:
    """Return what most of the fields that are not missing are, at least four of five for times; "missing" where all are."""
    kinds = Counter(kind_of_field(field) for field in fields)
    n = sum(count for kind, count in kinds.items() if kind != "missing")
    if not n:
        return "missing"
    if kinds["times"] >= 0.8 * n:
        return "times"
    return "numbers" if kinds["numbers"] >= 0.5 * n else "text"
