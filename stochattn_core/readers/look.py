"""What a file holds and what would be done with it: a look before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LookColumn:
    """One column of a text table, or one variable of a gridded file or of an ensemble.

    kind: what it is recognised as ("numbers", "text", "times", "maps", "forecast", "target", ...).   first, last: its first and last values,
    numbers in plain digits.   missing: the share of its values that are missing, NaN where they were not counted.   shape: axes and lengths of a variable.
    problem: why it cannot be used, "" where nothing speaks against it.
    """

    name: str
    kind: str
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    missing: float = float("nan")
    units: str = ""
    shape: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Look:
    """What is seen of a file.

    kind: "table", "series", "maps" or "ensemble".   facts: label and value of everything that follows from the file (time step, season, split,
    what will be forecast how far ahead), in the order in which they are shown.   notes: sentences on what was recognised, with the evidence
    and the option that changes it.   problem: the sentence with which the reader would refuse it, "" where nothing speaks against it.
    time, target: the columns that are used.   choose: where a file holds several series, the columns that tell them apart, with their values.
    """

    file: str
    kind: str
    columns: tuple[LookColumn, ...]
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    time: str = ""
    target: str = ""
    choose: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON document."""
        columns = [{name: value for name, value in vars(column).items() if value not in ("", ())} for column in self.columns]
        return {
            "file": self.file,
            "kind": self.kind,
            "columns": columns,
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "choose": {name: list(values) for name, values in self.choose.items()},
            "problem": self.problem or None,
        }
