"""Counts what is missing in an ensemble, chunk by chunk, and says it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stochattn_core.readers.door.fill_values import fill_note


@dataclass(eq=False)
class Counts:
    """What was missing in the chunks read so far, in elements (case, *event)."""

    n_element: int = 0
    n_scored: int = 0
    n_target_missing: int = 0
    n_both_missing: int = 0
    n_plain_missing: int = 0
    n_finite: int = 0
    sums: tuple[float, float] = (0.0, 0.0)  # of the first member and of the target, over n_finite elements
    target_square: float = 0.0
    largest: float = 0.0  # the greatest absolute value of the same
    fills: dict[str, int] = field(default_factory=dict)
    codes: dict[tuple[str, float], int] = field(default_factory=dict)
    lost: np.ndarray | None = None  # (*event): a target is there, and every member is missing
    partly: np.ndarray | None = None  # (*event): a target is there, and some members are missing
    scored: np.ndarray | None = None  # (*event)
    member_missing: np.ndarray | None = None  # (member,)

    def add(self, missing: np.ndarray, target_missing: np.ndarray) -> None:
        """Count a chunk. missing: (member, case, *event) bool.   target_missing: (case, *event) bool."""
        none, some = missing.all(0), missing.any(0)
        parts = (~target_missing & none, ~target_missing & some & ~none, ~target_missing & ~some)
        lost, partly, scored = (part.sum(0, dtype=np.int64) for part in parts)
        self.n_element += target_missing.size
        self.n_scored += int(scored.sum())
        self.n_both_missing += int((target_missing & some).sum())
        self.n_target_missing += int((target_missing & ~some).sum())
        members = missing.reshape(len(missing), -1).sum(1)
        self.lost = lost if self.lost is None else self.lost + lost
        self.partly = partly if self.partly is None else self.partly + partly
        self.scored = scored if self.scored is None else self.scored + scored
        self.member_missing = members if self.member_missing is None else self.member_missing + members

    def add_means(self, member: np.ndarray, target: np.ndarray, usable: np.ndarray) -> None:
        """Add one member and the target of a chunk to their means. All are (case, *event)."""
        self.n_finite += int(usable.sum())
        members, targets = member[usable], target[usable]
        self.sums = (self.sums[0] + float(members.sum(dtype=np.float64)), self.sums[1] + float(targets.sum(dtype=np.float64)))
        self.target_square += float(np.square(targets, dtype=np.float64).sum())
        self.largest = max(self.largest, *(float(np.abs(values).max(initial=0)) for values in (members, targets)))

    @property
    def deviation(self) -> float:
        """Standard deviation of the target."""
        n = max(self.n_finite, 1)
        return float(np.sqrt(max(self.target_square / n - (self.sums[1] / n) ** 2, 0.0)))

    @property
    def means(self) -> tuple[float, float]:
        """Means of the first member and of the target."""
        return self.sums[0] / max(self.n_finite, 1), self.sums[1] / max(self.n_finite, 1)


def count_notes(counts: Counts, name: dict[str, str], file: str) -> list[str]:
    """Return the notes on what was missing in all chunks. name: of the variables, by role.   file: of the forecast.

    ValueError where nothing is left to score, and where more than half of the targets lack a forecast, cells without any forecast apart.
    """
    notes = [fill_note(n, name[role]) for role, n in counts.fills.items()]
    notes += [
        f"{code:g} occurs {n:,} times in {name[role]!r}, far outside its other values, and is taken as missing"
        for (role, code), n in counts.codes.items()
    ]
    assert counts.lost is not None and counts.partly is not None and counts.scored is not None and counts.member_missing is not None
    lost, partly = int(counts.lost.sum()), int(counts.partly.sum())
    n, n_all = counts.n_scored, counts.n_element
    if not n:
        raise ValueError(_nothing_left(counts, name, file))
    ever = counts.scored + counts.partly > 0  # a cell without any forecast, such as land in an ocean model, is no gap
    gaps, wanted = (int(part[ever].sum()) for part in (counts.lost + counts.partly, counts.lost + counts.partly + counts.scored))
    if gaps > wanted / 2:
        raise ValueError(
            f"expected forecasts for most targets in {file!r}, {gaps:,} of {wanted:,} are missing or lack members{_worst_members(counts)}; "
            "leave incomplete members or cases out of the file"
        )
    if counts.n_both_missing:
        notes.append(
            f"{counts.n_both_missing:,} of {n_all:,} elements are missing in forecast and target alike, as land is; the rest is scored"
        )
    if counts.n_target_missing:
        notes.append(f"{counts.n_target_missing:,} of {n_all:,} targets are missing and not scored")
    if lost:
        notes.append(f"{lost:,} of {n_all:,} elements have a target and no forecast; they are not scored")
    if partly:
        notes.append(f"{partly:,} of {n_all:,} elements have a target and lack some of the members; they are not scored")
    if counts.n_plain_missing:
        notes.append(f"{counts.n_plain_missing:,} of {n_all:,} values of 'plain' are missing where there are members; they are not scored")
    return notes


def _nothing_left(counts: Counts, name: dict[str, str], file: str) -> str:
    if counts.n_target_missing + counts.n_both_missing == counts.n_element:
        return (
            f"expected targets that are numbers in {name['target']!r}, found none; there is nothing to score, choose another with --target"
        )
    return (
        f"expected forecasts that are numbers in {name['forecast']!r} of {file!r}, every element with a target is missing or lacks "
        f"members{_worst_members(counts)}; leave incomplete members or cases out of the file"
    )


def _worst_members(counts: Counts) -> str:
    """Return a remark on members that are missing nearly everywhere, "" where there is none."""
    assert counts.member_missing is not None
    share = counts.member_missing / max(counts.n_element, 1)
    worst = np.flatnonzero(share > 0.9)
    few = ", ".join(map(str, worst[:5]))
    return f" (members number {few}, counted from 0, have hardly any value)" if 0 < len(worst) < len(share) else ""
