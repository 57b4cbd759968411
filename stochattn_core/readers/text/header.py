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
OF_ROWS = ("id", "index", "row", "no", "nr", "count")  # names of a column that counts the rows
_UNITS = re.compile(
    r"[\[(].{0,20}[\])]|-|%|\u00b0.{0,3}|\W+|(deg|\u00b0)?\s?[CFK]|deg\w*|[kMmcnu\u00b5]?(m|g|s|l|A|V|W|J|Pa|Hz|bar|ppm|ppb|ppmv?)|[a-z\u00b5]+[/^*]\S+|"
    r"h?Pa|kWh?|MWh?|UTC|TS|RN|Avg|Smp|Tot|Max|Min|yr|mo|dy|hr|mn|sec|volts?|watts?|units?|none|\w{1,4}[-^]\d\S*|yyyy\S*|dd\S*|hh\S*|n/a|text|numeric|float|int|string|num",
    re.IGNORECASE,
)
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
    unit_lines = (_first_row(rows, width) or 0) if is_found_out else 0
    line = lines[1 + unit_lines] if 1 + unit_lines < len(lines) else lines[-1] + 1
    if unit_lines:
        example = next(field for field in rows[0] if field.strip())
        lines_are = "the line" if unit_lines == 1 else f"{unit_lines} lines"
        notes.append(
            f"{lines_are} below the header with texts such as {example!r} {'is' if unit_lines == 1 else 'are'} taken as units and skipped, because no "
            "value stands there; --header keeps all lines"
        )
    row_names = joined = False
    names, extra = list(first), 0
    if is_short:
        if all(not row[-1].strip() for row in rows if len(row) == width):
            extra = 1  # every row ends with a separator
        elif _is_date_and_time(rows, width):
            joined = True
        elif not _are_row_names([row[0] for row in rows if len(row) == width], first[0]):
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
    while len(names) > width and not names[-1].strip():
        names.pop()
    units = _units(names, rows[:1] if unit_lines else ())
    return Header(unique(names), line, units, row_names, joined, extra, tuple(notes))


def first_of_table(records: Sequence[Sequence[str]], width: int) -> int:
    """Return the place of the first record of the table: its header, or the first row where nothing above the rows can be one.

    Above the first row stands what holds no time where the rows have times, or no number where they have numbers. The last such record that
    has a name for each column is the header, or the one above it where the last one holds units.   width: fields of most records.
    """
    first_row = _first_row(records, width)
    if first_row is None:
        return next((place for place, record in enumerate(records) if len(record) == width), 0)
    above = [place for place in range(first_row) if _can_be_names(records[place], width)]
    if not above:
        return first_row
    different = [place for place in above if len(set(records[place])) == len(records[place])]
    place = (different or above)[-1]
    while _are_units(records[place]) and place - 1 in above and _are_only_names(records[place - 1], width):
        place -= 1
    return place


def _first_row(records: Sequence[Sequence[str]], width: int) -> int | None:
    """Return the place of the first record that is a row; None where the columns hold texts alone."""
    rows = [record for record in records if len(record) == width]
    later = rows[len(rows) // 3 :]
    kinds = [kind_of_fields([row[place] for row in later]) for place in range(width)]
    of_times = [place for place, kind in enumerate(kinds) if kind == "times"]
    of_numbers = [place for place, kind in enumerate(kinds) if kind == "numbers"]
    if not of_times and not of_numbers:
        return None
    for place, record in enumerate(records):
        if len(record) != width:
            continue
        if of_times:
            if any(kind_of_field(record[column]) == "times" for column in of_times):
                return place
            continue
        fields = [kind_of_field(record[column]) for column in of_numbers]
        if fields.count("numbers") > fields.count("text"):
            return place
    return None


def _can_be_names(record: Sequence[str], width: int) -> bool:
    """Can this record be a header? It has a text for each column, for all but the first (R's row names), or for more (cells without values)."""
    fields = [field.strip() for field in record]
    while len(fields) > width and not fields[-1]:
        fields.pop()
    if len(fields) < max(width - 1, 1):
        return False
    named = fields[1:] if not fields[0] else fields
    return all(named) and len(set(named)) > len(named) / 2 and not all(kind_of_field(field) in ("numbers", "missing") for field in named)


def _are_only_names(record: Sequence[str], width: int) -> bool:
    """Does a record have a different text for each column and no number?"""
    return len(record) == width == len(set(record)) and all(kind_of_field(field) == "text" for field in record if field.strip())


def _are_units(record: Sequence[str]) -> bool:
    """Do most fields of a record look like units, or like the kinds of values that loggers write under the names?"""
    filled = [field.strip() for field in record if field.strip()]
    return sum(_UNITS.fullmatch(field) is not None for field in filled) > len(filled) / 2


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Is the first record a header? It is where a column of numbers or times has something else on top, and no column of times has a time."""
    if not rows:
        return any(kind_of_field(field) == "text" for field in first)
    is_like = repeats = is_other = 0
    for place, field in enumerate(first):
        fields = [row[place] for row in rows]
        usual, kind = kind_of_fields(fields), kind_of_field(field)
        if usual == kind == "times":
            return False
        is_other += usual in ("numbers", "times") and kind == "text"
        is_like += usual in ("numbers", "times") and kind == usual
        repeats += usual == "text" and field in fields
    if is_other:
        return True
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


def _are_row_names(fields: Sequence[str], first_name: str) -> bool:
    """Can these be the names of rows, as R writes them? They are 1, 2, 3, ... or texts, each once, and the first name is not theirs."""
    if len(set(fields)) < len(fields):
        return False
    numbers = [number_of(bare(field)[0], PLAIN) for field in fields]
    if all(number is None for number in numbers):
        return kind_of_fields(fields) != "times"
    return first_name.strip().lower() not in OF_ROWS and numbers == [float(count) for count in range(1, len(numbers) + 1)]


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
