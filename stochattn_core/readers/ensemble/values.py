"""Reads the numbers of an ensemble, a chunk of cases at a time: missing values, whole numbers of any size, and units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from stochattn_core.readers.door.fill_values import is_fill_value
from stochattn_core.readers.door.units import convert
from stochattn_core.readers.door.values import without_missing_codes
from stochattn_core.readers.ensemble.align import Aligned
from stochattn_core.readers.ensemble.counts import Counts
from stochattn_core.readers.ensemble.places import take
from stochattn_core.readers.grid.file import read_values

EXACT = 2**53  # whole numbers up to here are exact in float64
LARGE = 2**24  # whole numbers around which a mean in float64 is no longer exact to 1e-8
MOST_SAMPLED = 2**18  # numbers of a chunk from which its range is taken
IN_MEMORY = 2**25  # numbers of a target that is held in memory: 256 MB in float64


class NewCodeError(Exception):
    """A code for missing values was first seen after chunks had been read: they are read again, without it."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """A chunk of cases, complete: an element whose forecast or target is missing has the target NaN and any finite members.

    first: the place of the first case.   members: (member, case, *event).   target: (case, *event).   plain: (case, *event) or None.
    """

    first: int
    members: np.ndarray
    target: np.ndarray
    plain: np.ndarray | None


@dataclass(eq=False)
class ValueReader:
    """Reads chunks of an aligned ensemble.

    plain: (case, *event) or None.   units: of the result, those of the forecast.   target_units: those in which the file states the target.
    files: of forecast and target.   exact: the roles of whole numbers that the file holds as such and xarray has turned into float64.
    offset: a whole number that is subtracted from forecast and target where they are too large for float64.
    codes: by role, the values that stand for "missing".
    """

    aligned: Aligned
    plain: xr.DataArray | None
    units: str
    target_units: str
    files: tuple[str, str]
    exact: frozenset[str] = frozenset()
    offset: int = 0
    codes: dict[str, set[float]] = field(default_factory=lambda: {"forecast": set(), "target": set()})
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        """Hold a target that is not large in memory, so that no time of it is read twice and its codes are known from the start."""
        aligned = self.aligned
        axis = "member" in aligned.target.dims
        times = np.unique(aligned.place[aligned.place >= 0]) if aligned.place is not None else np.arange(aligned.target.shape[axis])
        if aligned.target.size // max(aligned.target.shape[axis], 1) * len(times) > IN_MEMORY:
            return
        target = read_values(take(aligned.target, str(aligned.target.dims[axis]), times), self.files[1])
        place = aligned.place
        if place is not None:
            place = np.where(place >= 0, np.searchsorted(times, place), -1)
        self.aligned = replace(aligned, target=target, place=place)
        values = self._read(target, "target")
        if values.dtype.kind in "iu" and aligned.forecast.dtype.kind in "iu":
            present = values[~is_fill_value(values)]
            self.offset = int(present[0]) if len(present) and abs(int(present[0])) > LARGE else 0
        else:
            self._without_codes("target", values, is_fill_value(values), 0)

    def chunk(self, cases: slice) -> Chunk:
        """Return these cases; they are counted. NewCodeError where a code appears that earlier chunks were read without."""
        members = self._read(take(self.aligned.forecast, self.aligned.dims[0], np.arange(cases.start, cases.stop)), "forecast")
        missing = is_fill_value(members)
        self._count_fills("forecast", members, missing)
        members = self._numbers(members, missing, "forecast")
        missing = self._without_codes("forecast", members, missing, cases.start)
        target, target_missing = self._target(cases)
        self.counts.add(missing, target_missing)
        plain = None
        unusable = missing.any(0) | target_missing
        if self.plain is not None:
            plain = self._read(take(self.plain, self.aligned.dims[0], np.arange(cases.start, cases.stop)), "forecast")
            plain_missing = is_fill_value(plain)
            plain = self._numbers(plain, plain_missing, "forecast")
            self.counts.n_plain_missing += int((plain_missing & ~unusable).sum())
            unusable = unusable | plain_missing
        if unusable.any():
            members = _filled(members, missing, unusable)
            target = np.where(unusable, np.nan, target)
            plain = None if plain is None else np.where(unusable, members[0], plain)
        self.counts.add_means(members[0], target, ~unusable)
        return Chunk(cases.start, members, target, plain)

    def _read(self, array: xr.DataArray, role: str) -> np.ndarray:
        """Return values as they are in the file; durations, which xarray makes of some units, and truth values as numbers."""
        values = read_values(array, self.files[role == "target"]).values
        if values.dtype.kind == "m":
            unit = {"d": "D", "h": "h", "min": "m", "s": "s"}.get(self.units if role == "forecast" else self.target_units, "D")
            values = np.where(np.isnat(values), np.nan, values / np.timedelta64(1, unit))  # type: ignore[call-overload]
        return np.ascontiguousarray(values.astype(np.float32) if values.dtype.kind == "b" or values.dtype == np.float16 else values)

    def _target(self, cases: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the targets of these cases as numbers in the units of the forecast, and which are missing: (case, *event) each."""
        place, array = self.aligned.place, self.aligned.target
        axis = "member" in array.dims
        times = np.arange(cases.start, cases.stop) if place is None else np.unique(place[cases][place[cases] >= 0])
        fields = self._read(take(array, str(array.dims[axis]), times), "target")
        fields = self._once(fields) if axis else fields
        missing = is_fill_value(fields)
        self._count_fills("target", fields, missing)
        fields = self._numbers(fields, missing, "target")
        missing = self._without_codes("target", fields, missing, cases.start)
        if self.units and self.target_units:
            fields = convert(fields, self.target_units, self.units)
        if place is None:
            return fields, missing
        if not len(times):
            fields, missing = np.zeros((1, *fields.shape[1:]), fields.dtype), np.ones((1, *fields.shape[1:]), np.bool_)
        spot = np.searchsorted(times, place[cases]).clip(0, max(len(times) - 1, 0))
        unknown = (place[cases] < 0).reshape(*spot.shape, *[1] * (fields.ndim - 1))
        return fields[spot], missing[spot] | unknown

    def _once(self, target: np.ndarray) -> np.ndarray:
        """Return a target that is repeated for each member once. ValueError where it differs from member to member."""
        same = target == target[:1]
        if not (same | (is_fill_value(target) & is_fill_value(target[:1]))).all():
            raise ValueError(
                f"expected one target for all members in {self.files[1]!r}, got {self.aligned.target.name!r}, which differs from member to member; "
                "choose another with --target"
            )
        return np.asarray(target[0])

    def _count_fills(self, role: str, values: np.ndarray, missing: np.ndarray) -> None:
        stated = np.isnan(values) if values.dtype.kind == "f" else np.False_
        n = int((missing & ~stated).sum()) if missing.any() else 0
        if n:
            self.counts.fills[role] = self.counts.fills.get(role, 0) + n

    def _numbers(self, values: np.ndarray, missing: np.ndarray, role: str) -> np.ndarray:
        """Return whole numbers as float32 or float64 without loss, minus the offset; other numbers as they are."""
        if values.dtype.kind == "f":
            if role in self.exact and np.abs(values[~missing]).max(initial=0) >= EXACT:
                raise ValueError(
                    f"expected whole numbers below 2^53 where {role} has the attribute _FillValue in {self.files[role == 'target']!r}, got larger ones, "
                    "which lose digits; write them without _FillValue"
                )
            return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
        if values.dtype.itemsize < 4 or (values.dtype.itemsize == 4 and not self.offset):
            return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
        values = values if values.dtype.itemsize == 8 else values.astype(np.int64)
        rough = np.abs(values[~missing].astype(np.float64) - float(self.offset)).max(initial=0)
        if rough >= EXACT:
            cure = "write both without _FillValue" if self.exact else "write both as integers, or divide both by a common number"
            raise ValueError(
                f"expected whole numbers of {role} within 2^53 of {self.offset} in {self.files[role == 'target']!r}, got differences up to {rough:.3g}, "
                f"which lose digits; {cure}"
            )
        offset = values.dtype.type(self.offset)
        values = np.where(missing, offset, values)
        above = values >= offset
        return np.where(above, 1.0, -1.0) * np.where(above, values - offset, offset - values).astype(np.float64)

    def _without_codes(self, role: str, values: np.ndarray, missing: np.ndarray, first: int) -> np.ndarray:
        """Return what is missing, with the codes of this variable; a code that is seen for the first time is remembered."""
        present, known = values[~missing] if missing.any() else values.reshape(-1), self.codes[role]
        new = _new_codes(present, known, role)
        known |= new
        if new and first:
            raise NewCodeError
        if not known or not len(present):
            return missing
        is_code = np.isin(values, np.array(sorted(known), values.dtype)) & ~missing
        for code in known:
            n = int((values[is_code] == values.dtype.type(code)).sum())
            if n:
                self.counts.codes[role, code] = self.counts.codes.get((role, code), 0) + n
        return missing | is_code


def _new_codes(present: np.ndarray, known: set[float], role: str) -> set[float]:
    """Return the codes for missing values among these numbers, those known apart.

    A code is the least or the greatest number and has two decimals at most, which measurements hardly ever have, so that most data are passed
    over quickly. Others are judged from a sample with all of its extremes.
    """
    new: set[float] = set()
    while True:
        ignored = np.array(sorted(known | new), present.dtype)
        rest = present[~np.isin(present, ignored)] if len(ignored) else present
        extremes = [rest.min(), rest.max()] if len(rest) else []
        if not any(abs(round(float(value), 2) - float(value)) <= 1e-6 * abs(float(value)) for value in extremes):
            return new
        sample = rest[:: 1 + len(rest) // MOST_SAMPLED]
        few = np.concatenate([sample, *(rest[rest == value][:1000] for value in extremes)])
        clean, _ = without_missing_codes(few, role)
        codes = {float(code) for code in np.unique(few[np.isnan(clean)])}
        if not codes:
            return new
        new |= codes


def _filled(members: np.ndarray, missing: np.ndarray, unusable: np.ndarray) -> np.ndarray:
    """Return members that are finite everywhere: the mean of the others in the place of missing ones. Their target is NaN: they are in no sum."""
    usable = ~missing
    mean = float(members[:, ~unusable].mean(dtype=np.float64)) if not unusable.all() else 0.0
    return np.where(usable, members, members.dtype.type(mean))
