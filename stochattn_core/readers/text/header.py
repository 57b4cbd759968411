"""Where the header of a text table is: its first row is compared with the rows below it, column by column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stochattn_core.readers.text.fields import kind_of_field, kind_of_fields
from stochattn_core.readers.text.numbers import PLAIN, bare, number_of

ROW_NAMES = "row names"
MOST_UNIT_LINES = 3
_UNIT = re.compile(r".*[\[(]\s*([^\])]{1,16}?)\s*[\])]\s*$")


@dataclass(frozen=True)
class Header:
    """The columns of a table and where its rows begin.

    columns: unique names.   line: the line of the first row, from 1.   units: by column, where a line of units or a name says them.
    row_names: is the first column the names of the rows, which the header leaves out?   joined: are the first two fields of a row, a
    date and a time of day, one column?   extra: fields at the end of each row that are always empty.
    """

    columns: tuple[str, ...]
    line: int
    units: dict[str, str]
    row_names: bool = False
    joined: bool = False
    extra: int = 0
    notes: tuple[str, ...] = ()


def header_of(
    records: Sequence[Sequence[str]], lines: Sequence[int], commented: Sequence[str] | None, has_header: bool | None, name: str
) -> Header:
    """Return the header of a table whose first record is the header or the first row.

    commented: names from a comment above the table.   has_header: None to find out.
    """
    first, rows = records[0], records[1:]
    width = Counter(len(row) for row in rows or [first]).most_common(1)[0][0]
    notes: list[str] = []
    if commented is not None:
        return Header(
            unique(commented),
            lines[0],
            _units(commented, ()),
            notes=("the names of the columns are taken from the last comment above them",),
        )
    is_short = len(first) == width - 1 and len(rows) > 0
    is_found_out = has_header is None
    if has_header is None:
        has_header = is_short or _is_header(first, [row for row in rows if len(row) == len(first)])
        if not has_header:
            notes.append(
                f"line {lines[0]} of {name!r} looks like the rows below it, so there is no header and the columns are called 'column 1' to "
                f"'column {width}'; --header changes it"
            )
    if not has_header:
        return Header(unique([f"column {i + 1}" for i in range(width)]), lines[0], {}, notes=tuple(notes))
    if is_found_out and _counts_up(first) and rows and not _counts_up(rows[0]):
        notes.append(
            f"line {lines[0]} of {name!r} counts up and the rows below it do not, so it is taken as the header; --no-header changes it"
        )
    if not rows:
        return Header(unique(first), lines[0] + 1, _units(first, ()))
    unit_lines = _unit_lines(rows)
    line = lines[1 + unit_lines] if 1 + unit_lines < len(lines) else lines[-1] + 1
    if unit_lines:
        example = next(field for field in rows[0] if field.strip())
        notes.append(
            f"{'line' if unit_lines == 1 else 'lines'} below the header with texts such as {example!r} are taken as units and skipped"
        )
    row_names = joined = False
    names, extra = list(first), 0
    if is_short:
        if all(not row[-1].strip() for row in rows if len(row) == width):
            extra = 1  # every row ends with a separator
        elif _is_date_and_time(rows, width):
            joined = True
        elif not _are_row_names([row[0] for row in rows if len(row) == width]):
            raise ValueError(
                f"expected a name for each field in the header of {name!r}, it has {len(first)} names and its rows have {width} fields; put quotes around "
                "texts that hold the separator, or complete the header"
            )
        else:
            row_names = True
            names = [ROW_NAMES, *first]
            notes.append(
                f"the header of {name!r} has {len(first)} names and its rows have {width} fields, as R writes a table with row names: the first "
                f"field of each row is called {ROW_NAMES!r}"
            )
    elif len(first) == width + 1 and not first[-1].strip():
        names = names[:-1]
    units = _units(names, rows[:1] if unit_lines else ())
    return Header(unique(names), line, units, row_names, joined, extra, tuple(notes))


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Is the first record a header? It is where a column of numbers or times has something else on top."""
    if not rows:
        return any(kind_of_field(field) == "text" for field in first)
    is_like = repeats = 0
    for place, field in enumerate(first):
        fields = [row[place] for row in rows]
        usual, kind = kind_of_fields(fields), kind_of_field(field)
        if usual in ("numbers", "times") and kind == "text":
            return True
        is_like += usual in ("numbers", "times") and kind == usual
        repeats += usual == "text" and field in fields
    if not is_like:
        return not repeats
    return _counts_up(first) and not _counts_up(rows[0])


def _counts_up(fields: Sequence[str]) -> bool:
    """Do the numbers among these fields rise by the same step, as years or the numbers of columns do? At least three, without a gap."""
    numbers = [number_of(bare(field)[0], PLAIN) for field in fields]
    values = [number for number in numbers if number is not None and number == round(number)]
    steps = {later - earlier for earlier, later in pairwise(values)}
    return (
        len(values) >= 3
        and len(values) == sum(number is not None for number in numbers)
        and len(steps) == 1
        and steps.pop() in (1, -1, 5, 10)
    )


def _unit_lines(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows hold units: texts where all rows below hold numbers."""
    below = rows[MOST_UNIT_LINES:]
    if len(below) < 5:
        return 0
    width = Counter(len(row) for row in below).most_common(1)[0][0]
    of_numbers = [place for place in range(width) if kind_of_fields([row[place] for row in below if len(row) == width]) == "numbers"]
    count = 0
    for row in rows[:MOST_UNIT_LINES]:
        if len(row) != width or not of_numbers:
            break
        kinds = [kind_of_field(row[place]) if row[place].strip() else "blank" for place in of_numbers]
        if any(kind in ("numbers", "times", "missing") for kind in kinds) or kinds.count("text") < max(1, len(kinds) / 2):
            break
        if len(of_numbers) == 1 and kind_of_fields([row[0] for row in below]) == "times" and kind_of_field(row[0]) == "times":
            break  # a bad value beside a time, and no line of units
        count += 1
    return count


def _are_row_names(fields: Sequence[str]) -> bool:
    """Can these be the names of rows, as R writes them? They are whole numbers or texts, and each occurs once."""
    numbers = [number_of(bare(field)[0], PLAIN) for field in fields]
    return len(set(fields)) == len(fields) and all(number is None or number == round(number) for number in numbers)


def _is_date_and_time(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Are the first two fields of each row a date and a time of day?"""
    pairs = [(row[0], row[1]) for row in rows if len(row) == width and width > 2]
    return bool(pairs) and all(
        kind_of_field(date) == "times" and re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?", clock.strip()) for date, clock in pairs
    )


def unit_in(name: str) -> str:
    """Return the unit in brackets at the end of a name, "" where there is none.

    >>> unit_in("T (degC)"), unit_in("price (2010)"), unit_in("wv [m/s]")
    ('degC', '', 'm/s')
    """
    found = _UNIT.match(name)
    return found[1] if found and re.search(r"[^\W\d]|%", found[1]) else ""


def _units(names: Sequence[str], unit_rows: Sequence[Sequence[str]]) -> dict[str, str]:
    units = {}
    for place, name in enumerate(unique(names)):
        unit = unit_in(name) or (unit_rows[0][place].strip(" []()") if unit_rows and place < len(unit_rows[0]) else "")
        if unit and kind_of_field(unit) == "text":
            units[name] = unit
    return units


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without white space around them, each once: an empty name becomes its position, a second 'a' becomes 'a.1'.

    >>> unique(["a", " a", ""])
    ('a', 'a.1', 'column 3')
    """
    columns: list[str] = []
    for i, name in enumerate(names):
        name = name.strip() or f"column {i + 1}"
        count, new = 0, name
        while new in columns:
            count += 1
            new = f"{name}.{count}"
        columns.append(new)
    return tuple(columns)
