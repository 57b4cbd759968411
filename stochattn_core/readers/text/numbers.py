"""Decimal and thousands marks: each way to read the fields of a column is tried, and the one that explains them all is taken.

A mark that may be either, as in 1,073, is decided by counting: a thousands mark never follows a leading zero, always precedes three digits,
and is missing in numbers below 1000.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices

SPACES = "\u00a0\u2007\u2009\u202f"  # no-break, figure, thin and narrow no-break space, which Excel and typesetters write
_SAME = str.maketrans({**dict.fromkeys(SPACES, " "), "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "\u2212": "-"})
_CURRENCIES = r"[$\u20ac\u00a3\u00a5]|CHF|EUR|USD|GBP|Fr\."
_AFFIX = re.compile(rf"(?P<sign>[+-]?)(?P<before>{_CURRENCIES})?\s*(?P<number>.*?)\s*(?P<after>{_CURRENCIES}|%|\u2030)?$", re.DOTALL)
SEVERAL = 10  # different numbers with a mark, from which they are compared with those without one


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written. thousands: "" where there is no mark."""

    decimal: str = "."
    thousands: str = ""


STYLES = tuple(NumberStyle(decimal, thousands) for decimal in ".," for thousands in ("", ",", ".", "'", " ") if decimal != thousands)
PLAIN = NumberStyle()


@cache
def _pattern(style: NumberStyle) -> re.Pattern[str]:
    whole = r"\d+"
    if style.thousands:
        mark = re.escape(style.thousands)
        whole += rf"|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+"
        if style.thousands == ",":
            whole += r"|[1-9]\d?(?:,\d\d)+,\d{3}"  # lakhs and crores: 12,34,567
    point = re.escape(style.decimal)
    scientific = rf"\d*(?:{point}\d*)?[eEdD][+-]?\d{{1,4}}"
    return re.compile(rf"[+-]?(?={point}?\d)(?:{scientific}|(?:{whole})?(?:{point}\d*)?)", re.ASCII)


def bare(field: str) -> tuple[str, str]:
    """Return the number in a field without currency or percent sign, with plain spaces, apostrophes and minus; and the sign taken away.

    >>> bare("(1\u202f234,5 \u20ac)"), bare("+5%")
    (('-1 234,5', '\u20ac'), ('+5', '%'))
    """
    text = field.strip().translate(_SAME).strip()
    if text.startswith("(") and text.endswith(")") and any(character.isdigit() for character in text):  # an accountant's negative number
        text = "-" + text[1:-1].strip()
    found = _AFFIX.fullmatch(text)
    if found is None:
        return text, ""
    number, affix = found["number"], (found["before"] or "") + (found["after"] or "")
    return (found["sign"] + number if not number.startswith(("+", "-")) or not found["sign"] else text), affix


def number_of(text: str, style: NumberStyle) -> float | None:
    """Return the number that a bare text is in this style; None where it is none.

    >>> number_of("1,073", NumberStyle(".", ",")), number_of("1,07", NumberStyle(".", ",")), number_of("1e3", PLAIN)
    (1073.0, None, 1000.0)
    """
    if _pattern(style).fullmatch(text) is None:
        return None
    if style.thousands:
        text = text.replace(style.thousands, "")
    return float(text.replace(style.decimal, ".").replace("D", "e").replace("d", "e"))


def looks_like_number(field: str) -> bool:
    """Is this field a number in any of the styles?"""
    text, _ = bare(field)
    return any(_pattern(style).fullmatch(text) for style in STYLES)


def is_decimal(field: str, style: NumberStyle) -> bool:
    """Is this field a number with a decimal mark in this style?"""
    text, _ = bare(field)
    return style.decimal in text and _pattern(style).fullmatch(text) is not None


@dataclass(frozen=True)
class Reading:
    """The style of a column. reason: what speaks for it, "" where nothing else is possible.   open: does nothing but custom speak for it?"""

    style: NumberStyle
    reason: str = ""
    is_open: bool = False


def style_of(fields: Sequence[str], name: str, choices: CsvChoices = FIND_OUT, *, file_decimal: str = "", separator: str = ",") -> Reading:
    """Return the style in which most of these different fields are numbers. ValueError where two styles explain them equally well.

    file_decimal: the decimal mark that other columns of the file certainly have, "" where none has one.   separator: between fields.
    """
    texts = list(dict.fromkeys(bare(field)[0] for field in fields))
    possible = [
        style
        for style in STYLES
        if choices.decimal in (None, style.decimal) and (choices.thousands is None or choices.thousands == style.thousands)
    ]
    numbers = {style: [text for text in texts if _pattern(style).fullmatch(text)] for style in possible}
    most = max(len(explained) for explained in numbers.values())
    best = {style: explained for style, explained in numbers.items() if len(explained) == most}
    uses = {style: _marks_used(style, explained) for style, explained in best.items()}
    simplest = [style for style, used in uses.items() if (style.thousands in used) == bool(style.thousands)]
    if not most or not simplest:
        return Reading(NumberStyle(choices.decimal or file_decimal or ".", choices.thousands or ""))
    as_decimal = next((style for style in simplest if not style.thousands and style.decimal in uses[style]), None)
    as_thousands = next((style for style in simplest if style.thousands and style.decimal not in uses[style]), None)
    if as_decimal is None or as_thousands is None or as_decimal.decimal != as_thousands.thousands:
        return Reading(_certain(simplest, uses, file_decimal, choices))
    return _decided(best[as_decimal], as_decimal, as_thousands, name, file_decimal, separator)


def _marks_used(style: NumberStyle, explained: Sequence[str]) -> set[str]:
    return {mark for mark in (style.decimal, style.thousands) if mark and any(mark in text for text in explained)}


def _certain(simplest: Sequence[NumberStyle], uses: dict[NumberStyle, set[str]], file_decimal: str, choices: CsvChoices) -> NumberStyle:
    """Return the style where only one explains the marks; without any decimal mark, that of the rest of the file."""
    with_decimal = [style for style in simplest if style.decimal in uses[style]]
    if with_decimal:
        return with_decimal[0]
    wanted = choices.decimal or file_decimal or "."
    return next((style for style in simplest if style.decimal == wanted), simplest[0])


def _decided(
    texts: Sequence[str], as_decimal: NumberStyle, as_thousands: NumberStyle, name: str, file_decimal: str, separator: str
) -> Reading:
    """Return which of two styles it is, where every field with the mark has it before a group of three digits."""
    mark = as_decimal.decimal
    marked = [text for text in texts if mark in text]
    example, word = marked[0], "point" if mark == "." else "comma"
    change = "--decimal and --thousands change it"
    if file_decimal:
        if mark == file_decimal:
            return Reading(as_decimal)
        return Reading(
            as_thousands,
            f"{example!r} in {name!r} has a thousands mark, because other columns have the decimal mark {file_decimal!r}; {change}",
        )
    plain = [abs(float(text)) for text in texts if mark not in text]
    if any(number >= 1000 for number in plain):
        return Reading(as_decimal)
    decimals = [abs(number) for text in marked if (number := number_of(text, as_decimal)) is not None]
    outside = [number for number in plain if not min(decimals) - 1 <= number <= max(decimals) + 1]
    few = f"in {name!r} a {word} stands before three digits wherever there is one, as in {example!r}, and {len(plain)} numbers have none"
    if plain and any(text.endswith("0") for text in marked):
        return Reading(
            as_thousands,
            f"{few}; decimals that are written with their last 0 would have one everywhere, so it separates thousands; {change}",
        )
    if plain and len(marked) >= SEVERAL:
        if len(outside) > len(plain) / 2:
            return Reading(
                as_thousands, f"{few}, most of which lie beyond the others if it is the decimal mark, so it separates thousands; {change}"
            )
        return Reading(
            as_decimal, f"{few}, which lie among the others if it is the decimal mark, so it is read as that; {change}", is_open=True
        )
    usual = {".": (",", r"\s+", "|"), ",": (";",)}[mark]  # separators beside which this mark is hardly ever for thousands
    if separator in usual:
        return Reading(
            as_decimal,
            f"every {word} in {name!r} stands before three digits, as in {example!r}, and is read as the decimal mark; {change}",
            is_open=True,
        )
    raise ValueError(
        f"expected a decimal or a thousands mark in {name!r}, got a {word} that may be either, as in {example!r} and all {len(marked)} different numbers "
        f"with one; give --thousands {mark} or --decimal {mark}"
    )


def converted(column: pd.Series, style: NumberStyle) -> tuple[np.ndarray, np.ndarray, set[str]]:
    """Return a column of texts as float64, NaN where a field is missing or no number; which fields are no number; the signs that they carry.

    The signs are those of currency and percent, "" among them where a field carries none.
    """
    codes, different = pd.factorize(column)
    values = np.full(len(different) + 1, np.nan)
    signs: set[str] = set()
    is_bad = np.zeros(len(different) + 1, dtype=bool)
    for place, field in enumerate(different):
        text, sign = bare(str(field))
        number = number_of(text, style)
        is_bad[place] = number is None
        if number is not None:
            values[place] = number
            signs.add(sign)
    return values[codes], is_bad[codes], signs
