"""Naive local times over a change of the clock: in spring an hour is skipped, in autumn an hour comes twice.

Standard time, in which every day has 24 hours, is even where the clock on the wall is not.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

HOUR = np.timedelta64(1, "h")
# One zone for each rule of summer time: zones with the same rule change their clocks at the same local time.
RULES = (
    "Europe/Berlin", "Europe/London", "Europe/Helsinki", "America/New_York", "Australia/Sydney", "Pacific/Auckland", "America/Santiago", "America/Sao_Paulo",
    "Asia/Jerusalem", "Africa/Cairo", "Asia/Tehran", "America/Asuncion", "America/Mexico_City", "America/Havana", "Asia/Beirut", "Europe/Chisinau",
    "Atlantic/Azores", "Europe/Moscow",
)  # fmt: skip


def in_standard_time(local: pd.DatetimeIndex, zone: str, name: str, *, utc: pd.DatetimeIndex | None = None) -> tuple[pd.DatetimeIndex, str]:
    """Return the times in the standard time of a zone, and a note. utc: the same times in UTC, where the file says them.

    An hour that comes twice is summer time at first. ValueError for a time that the clock of the zone skips.
    """
    if local.min().year < 1678 or local.max().year > 2261:
        years = f"{local.min().year} to {local.max().year}"
        raise ValueError(f"expected years from 1678 to 2261 in {name!r}, where time zones are known, got {years}; leave out --timezone")
    if utc is None:
        utc = _to_utc(local, zone)
        if utc.isna().any():
            skipped = local[utc.isna()][0]
            raise ValueError(
                f"expected times of the clock of {zone} in {name!r}, got {skipped:%Y-%m-%d %H:%M}, which that clock skips; give the zone in which "
                "the times were written, such as --timezone UTC"
            )
    offset = standard_offset(zone, utc[0])
    hours = offset / pd.Timedelta(hours=1)
    clock = f"{zone} (UTC{'-' if hours < 0 else '+'}{int(abs(hours)):02d}:{int(abs(hours) * 60 % 60):02d})"
    note = (
        f"the times of {name!r} are local times of {zone}"
        if zone.upper() not in ("UTC", "ETC/UTC")
        else f"the times of {name!r} are in UTC"
    )
    return utc + offset, note if hours == 0 and "UTC" in zone.upper() else f"{note} and are shown in the standard time of {clock}"


def recognised(times: pd.DatetimeIndex, step: np.timedelta64, name: str) -> tuple[pd.DatetimeIndex, str] | None:
    """Return the times in standard time, and a note, where the clock that wrote them changes with summer time; None where it does not.

    times: in the order of the file, with steps of an hour or less.   A rule of summer time is recognised where uneven steps are even in its
    standard time: more of them than become uneven, as where an hour that came twice was dropped. No time may be one that it skips.
    """
    if step <= np.timedelta64(0) or step > HOUR or HOUR % step != np.timedelta64(0) or times.min().year < 1900 or times.max().year > 2200:
        return None
    values = times.to_numpy()
    odd = np.flatnonzero(np.diff(values) != step)
    if not len(odd):
        return None
    best, best_score = "", (0, 0)
    for zone in RULES:
        if _to_utc(times[_around(odd, len(values), int(HOUR / step))], zone).isna().any():
            continue
        utc = _to_utc(times, zone)
        if utc.isna().any():
            continue
        still_odd = np.flatnonzero(np.diff(utc.to_numpy()) != step)
        explained, new = len(np.setdiff1d(odd, still_odd)), len(np.setdiff1d(still_odd, odd))
        if explained >= max(new, 1) and (explained - new, explained) > best_score:
            best, best_score = zone, (explained - new, explained)
    if not best:
        return None
    standard, _ = in_standard_time(times, best, name)
    if standard.isna().any() or (np.diff(standard.to_numpy()) <= np.timedelta64(0)).any():
        return None
    return standard, (
        f"the clock of {name!r} {_change(times, standard, step)}, as in {best}: its times are taken as local times and shown in standard time; "
        "--timezone names another zone, and --timezone UTC keeps them as they are"
    )


def _around(odd: np.ndarray, n: int, reach: int) -> np.ndarray:
    """Return the places within an hour of each uneven step, which tell the two hours of the same name apart."""
    near = (odd[:, None] + np.arange(-reach, reach + 2)[None, :]).ravel()
    return np.unique(near[(near >= 0) & (near < n)])


def _to_utc(local: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Return local times in UTC without a zone, NaT where the clock skips them. The first of two equal times is summer time."""
    first = ~np.asarray(local.duplicated())
    aware = local.tz_localize(ZoneInfo(zone), ambiguous=first, nonexistent="NaT")
    return pd.DatetimeIndex(aware.tz_convert("UTC").tz_localize(None))


def _change(times: pd.DatetimeIndex, standard: pd.DatetimeIndex, step: np.timedelta64) -> str:
    """Return in words what the first change does to the clock."""
    shift = np.diff((times - standard).to_numpy())
    place = int(np.flatnonzero(shift != np.timedelta64(0))[0])
    before, after = times[place], times[place + 1]
    if shift[place] > np.timedelta64(0):
        return f"goes from {before:%H:%M} to {after:%H:%M} on {after:%Y-%m-%d}, where summer time begins"
    return f"goes back from {before:%H:%M} to {after:%H:%M} on {after:%Y-%m-%d}, where summer time ends"


def standard_offset(zone: str, when: pd.Timestamp) -> pd.Timedelta:
    """Return the offset of a zone from UTC without summer time.   when: in UTC."""
    there = when.to_pydatetime(warn=False).replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone))
    offset, summer = there.utcoffset(), there.dst()
    return pd.Timedelta(offset or 0) - pd.Timedelta(summer or 0)
