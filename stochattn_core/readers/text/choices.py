"""What the user says about a text table, instead of what would be recognised."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from typing import Any

THOUSANDS = {"none": "", "space": " ", "apostrophe": "'", "comma": ",", "point": "."}


@dataclass(frozen=True)
class CsvChoices:
    """The options of a text table; None, or () for missing, leaves the reader to find out.

    decimal: "." or ",".   thousands: ",", ".", "'", " ", or "" where there is none.   missing: fields that stand for a missing value besides
    the usual ones; ("none",) says that no number does.   dayfirst: is 01/02 the first of February?   timezone: the zone of the clock that
    wrote the times, such as "Europe/Berlin".   header: does the file have one?   series: ("column=value", ...), which of several series.
    split: "time" or "random", for a table.   ValueError where a value is none of these.
    """

    decimal: str | None = None
    thousands: str | None = None
    missing: tuple[str, ...] = ()
    dayfirst: bool | None = None
    timezone: str | None = None
    header: bool | None = None
    series: tuple[str, ...] = ()
    split: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"expected a decimal mark '.' or ',', got {self.decimal!r}; write one of the two")
        if self.thousands is not None:
            mark = THOUSANDS.get(self.thousands, self.thousands)
            if mark not in THOUSANDS.values():
                raise ValueError(
                    f"expected a thousands mark ',', '.', \"'\", space or none, got {self.thousands!r}; write one of these, space and none as words"
                )
            object.__setattr__(self, "thousands", mark)
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"expected different marks for decimals and thousands, got {self.decimal!r} for both; change one of them")
        if self.split not in (None, "time", "random"):
            raise ValueError(f"expected a split 'time' or 'random', got {self.split!r}; write one of the two")
        for text in self.series:
            if "=" not in text:
                raise ValueError(f"expected a series as COLUMN=VALUE, got {text!r}; name the column and the value")
        if self.timezone is not None:
            check_timezone(self.timezone)

    @property
    def keeps_codes(self) -> bool:
        """Did the user say that numbers such as -999 are values?"""
        return "none" in self.missing

    @property
    def missing_fields(self) -> tuple[str, ...]:
        return tuple(text for text in self.missing if text != "none")

    @property
    def text(self) -> str:
        """The call that makes these choices again, "" where nothing is said."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"CsvChoices({given})" if given else ""

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name: CsvChoices(**given) is this one again."""
        return {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) not in (None, ())}


def fields_of(text: str) -> tuple[str, ...]:
    """Return the fields of a list separated by commas, in which quotes hold a field with a comma together.

    >>> fields_of('-99, n/d'), fields_of('"closed, no data"')
    (('-99', 'n/d'), ('closed, no data',))
    """
    return tuple(field.strip() for field in next(csv.reader([text], skipinitialspace=True), []) if field.strip())


FIND_OUT = CsvChoices()  # nothing is said, everything is found out


def check_timezone(name: str) -> None:
    """ValueError where there is no such time zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        if name:
            ZoneInfo(name)
            return
    except (ValueError, OSError, KeyError):  # no such zone, a name that is no path, a folder
        pass
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.5)
    example = near[0] if near else "Europe/Berlin"
    raise ValueError(f"expected the name of a time zone, got {name!r}; write a name such as {example}")
