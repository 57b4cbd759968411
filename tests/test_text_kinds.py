"""Text tables as people have them: for each kind, files that were read as wrong numbers or refused for a false reason.

Every file comes with the numbers that were written into it; the numbers of the dataset must be these, at the times at which they stand.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from stochattn_core.datasets.base import PARTS, Dataset
from stochattn_core.readers import series_from_csv, table_from_csv

N = 240
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)
YEARLY = (10 + np.sin(np.arange(N) * np.pi / 6) + 0.1 * NOISE).round(2)  # season 12
DAILY = (5 * np.sin(np.arange(N) * np.pi / 12) + 0.2 * NOISE).round(3)  # season 24
MONTHS = pd.date_range("1990-01-01", periods=N, freq="MS")
HOURS = pd.date_range("2020-03-01", periods=N, freq="h")
A, B = RNG.normal(size=N).round(3), RNG.normal(size=N).round(3)


class File(NamedTuple):
    """A file, and what is in it. target, time: columns.   values: (row,) of the target, NaN where missing.   times: of each value."""

    content: str
    values: np.ndarray
    times: pd.DatetimeIndex | None = None
    season: int = 1
    time: str = "date"
    target: str = "v"
    features: dict[str, np.ndarray] | None = None


def lines(*columns, head: str = "date,v", separator: str = ",") -> str:
    rows = (separator.join(str(field) for field in row) for row in zip(*columns, strict=True))
    return "\n".join(([head] if head else []) + list(rows)) + "\n"


def months(fields, values=YEARLY, **more) -> File:
    return File(lines(MONTHS.strftime("%Y-%m-%d"), fields), values, MONTHS, season=12, **more)


def coded(code: float, every: int = 20, values=YEARLY) -> File:
    is_code = np.arange(N) % every == 3
    return months(np.where(is_code, code, values), np.where(is_code, np.nan, values))


def monthly_times(fields, **more) -> File:
    return File(lines(fields, YEARLY), YEARLY, MONTHS, season=12, **more)


def hourly_times(fields, times=HOURS, **more) -> File:
    return File(lines(fields, DAILY), DAILY, times, season=24, **more)


def local(zone: str, start: str, standard: int, pattern: str = "%Y-%m-%d %H:%M") -> File:
    """Hours by the clock on the wall, over a change of the clock; standard: hours from UTC without summer time."""
    times = pd.date_range(start, periods=N, freq="h", tz=zone)
    return hourly_times(times.strftime(pattern), times.tz_convert("UTC").tz_localize(None) + pd.Timedelta(hours=standard))


def table(content: str, values, **features) -> File:
    return File(content, values, target="y", time="", features=features)


THOUSANDS = np.arange(1, N + 1) * 37.0
SALES = np.abs(A * 5000).round(2)
US = [f"{value:,.2f}" for value in SALES]


def swap(text: str, comma: str, point: str) -> str:
    return text.replace(",", "_").replace(".", point).replace("_", comma)


GERMAN = [swap(text, ".", ",") for text in US]
NUMBER = [f"{value:,.0f}" for value in THOUSANDS]

KINDS: dict[str, Callable[[], File]] = {
    # a header one field shorter than the rows
    "R rows, tabs": lambda: File(
        lines(range(1, N + 1), MONTHS.strftime("%Y-%m-%d"), YEARLY, head="date\tv", separator="\t"), YEARLY, MONTHS, 12
    ),
    "R rows, spaces": lambda: table(
        lines([f'"{i}"' for i in range(1, N + 1)], A, B, A + B, head='"a" "b" "y"', separator=" "), A + B, a=A, b=B
    ),
    "R rows of names": lambda: table(lines([f'"car {i}"' for i in range(N)], A, A * 2, head='"a","y"'), A * 2, a=A),
    "rows with a last separator": lambda: table(lines(A, B, A + B, [""] * N, head="a,b,y"), A + B, a=A, b=B),
    "numbers of rows without a name": lambda: table(lines(range(N), A, B, A + B, head=",a,b,y"), A + B, a=A, b=B),
    # thousands marks
    "thousands, US": lambda: table(lines(A, [f'"{text}"' for text in US], head="a,y"), SALES, a=A),
    "thousands, US, tabs": lambda: table(lines(A, US, head="a\ty", separator="\t"), SALES, a=A),
    "thousands, German": lambda: table(lines([str(a).replace(".", ",") for a in A], GERMAN, head="a;y", separator=";"), SALES, a=A),
    "thousands, whole numbers, German": lambda: table(
        lines([str(a).replace(".", ",") for a in A], [text.replace(",", ".") for text in NUMBER], head="a;y", separator=";"), THOUSANDS, a=A
    ),
    "thousands, French": lambda: table(
        lines([str(a).replace(".", ",") for a in A], [swap(text, "\u202f", ",") for text in US], head="a;y", separator=";"), SALES, a=A
    ),
    "thousands, Swiss": lambda: table(lines(A, [text.replace(",", "\u2019") for text in US], head="a;y", separator=";"), SALES, a=A),
    "thousands late in the file": lambda: table(
        lines(A, [f'"{k * k:,}"' for k in range(N)], head="a,y"), np.arange(N, dtype=float) ** 2, a=A
    ),
    "an accountant's negative numbers": lambda: table(
        lines(A, [f'"({value:,.2f})"' if i % 3 else f'"{value:,.2f}"' for i, value in enumerate(SALES)], head="a,y"),
        np.where(np.arange(N) % 3 > 0, -SALES, SALES),
        a=A,
    ),
    "currency": lambda: table(lines(A, [f'"${text}"' for text in US], head="a,y"), SALES, a=A),
    # codes for missing values
    **{f"missing is {code:g}": (lambda code=code: coded(code)) for code in (-99.99, -99, 99, 999, -999.9, -8888, 99.9, 9999, -9, -200, -1)},
    "missing is 999 among directions": lambda: coded(999, values=np.round(180 + 170 * np.sin(np.arange(N) * np.pi / 6))),
    "missing is 99 among temperatures": lambda: coded(99.0, values=np.round(5 + 35 * np.sin(np.arange(N) * np.pi / 6) + 0.1 * NOISE, 1)),
    # NA and its like as texts
    "NA is a region": lambda: _levels(("NA", "EU", "SA")),
    "None is a severity": lambda: _levels(("None", "Mild", "Severe")),
    "null is a text": lambda: _levels(("null", "set", "unset", "nan")),
    # dates
    "day first, slashes": lambda: monthly_times(MONTHS.strftime("%d/%m/%Y")),
    "month first, a day a row": lambda: File(
        lines(pd.date_range("2020-01-01", periods=N).strftime("%m/%d/%Y"), YEARLY), YEARLY, pd.date_range("2020-01-01", periods=N)
    ),
    "day first, two digits": lambda: monthly_times(MONTHS.strftime("%d/%m/%y")),
    "months of the 1950s": lambda: File(
        lines(pd.date_range("1950-01-01", periods=N, freq="MS").strftime("%b-%y"), YEARLY),
        YEARLY,
        pd.date_range("1950-01-01", periods=N, freq="MS"),
        12,
    ),
    "R's midnights": lambda: hourly_times([f"{time:%Y-%m-%d}" if time.hour == 0 else f"{time:%Y-%m-%d %H:%M:%S}" for time in HOURS]),
    "German midnights": lambda: hourly_times([f"{time:%d.%m.%Y}" if time.hour == 0 else f"{time:%d.%m.%Y %H:%M}" for time in HOURS]),
    "24:00": lambda: hourly_times(
        [f"{time - pd.Timedelta(days=1):%Y-%m-%d} 24:00" if time.hour == 0 else f"{time:%Y-%m-%d %H:%M}" for time in HOURS]
    ),
    "YYYYMM": lambda: monthly_times(MONTHS.strftime("%Y%m")),
    "YYYYMMDDHH": lambda: hourly_times(HOURS.strftime("%Y%m%d%H")),
    "YYYYMMDDHHMM": lambda: hourly_times(HOURS.strftime("%Y%m%d%H%M")),
    "seconds since 1970": lambda: hourly_times(HOURS.as_unit("s").asi8),
    "milliseconds since 1970": lambda: hourly_times(HOURS.as_unit("ms").asi8),
    "years with a fraction": lambda: monthly_times((MONTHS.year + (MONTHS.day_of_year - 0.5) / 365.25).to_numpy().round(4)),
    "2020M01": lambda: monthly_times(MONTHS.strftime("%YM%m")),
    "quarters": lambda: File(
        lines([f"{time.year}-Q{time.quarter}" for time in pd.date_range("1950-01-01", periods=N, freq="QS")], YEARLY),
        YEARLY,
        pd.date_range("1950-01-01", periods=N, freq="QS"),
    ),
    "a date and a time of day": lambda: File(
        lines(HOURS.strftime("%d/%m/%Y"), HOURS.strftime("%H.%M.%S"), DAILY, head="date,clock,v"), DAILY, HOURS, 24, time="date,clock"
    ),
    "year, month, day, hour": lambda: File(
        lines(HOURS.year, HOURS.month, HOURS.day, HOURS.hour, DAILY, head="year,month,day,hour,v"),
        DAILY,
        HOURS,
        24,
        time="year,month,day,hour",
    ),
    # local time and offsets
    "summer time begins in Berlin": lambda: local("Europe/Berlin", "2021-03-24", 1),
    "summer time ends in Berlin": lambda: local("Europe/Berlin", "2021-10-28", 1, "%d.%m.%Y %H:%M"),
    "summer time begins in London": lambda: local("Europe/London", "2021-03-24", 0),
    "summer time ends in New York": lambda: local("America/New_York", "2021-11-03", -5, "%m/%d/%Y %I:%M %p"),
    "summer time ends in Sydney": lambda: local("Australia/Sydney", "2021-03-30", 10),
    "offsets of summer and winter": lambda: hourly_times(
        [time.isoformat() for time in pd.date_range("2021-03-24", periods=N, freq="h", tz="Europe/Berlin")],
        pd.date_range("2021-03-23 23:00", periods=N, freq="h"),
    ),
    "offsets and local midnights": lambda: File(
        lines([time.isoformat() for time in pd.date_range("2021-03-24", periods=N, tz="Europe/Berlin")], YEARLY),
        YEARLY,
        pd.date_range("2021-03-24", periods=N),
    ),
    # where the table begins
    "no header beside texts": lambda: File(
        lines(MONTHS.strftime("%Y-%m-%d"), ["ok"] * N, YEARLY, head=""), YEARLY, MONTHS, 12, time="column 1", target="column 3"
    ),
    "comments above": lambda: File(
        f"# station 5\n# lat 47.1, lon 8.2\n{monthly_times(MONTHS.strftime('%Y-%m-%d')).content}", YEARLY, MONTHS, 12
    ),
    "names in the last comment": lambda: File(
        lines(MONTHS.strftime("%Y-%m-%d"), YEARLY, head="# station 5\n# date v", separator=" "), YEARLY, MONTHS, 12
    ),
    "a line of units": lambda: File(lines(MONTHS.strftime("%Y-%m-%d"), YEARLY, head="date,v\nUTC,degC"), YEARLY, MONTHS, 12),
    "a logger's four lines": lambda: File(
        lines(HOURS.strftime('"%Y-%m-%d %H:%M:%S"'), DAILY, head='"TOA5","CR1000","x","y"\n"date","v"\n"TS","Volt"\n"","Avg"'),
        DAILY,
        HOURS,
        24,
    ),
    "Excel's sep=;": lambda: File(
        lines(MONTHS.strftime("%Y-%m-%d"), [str(v).replace(".", ",") for v in YEARLY], head="sep=;\ndate;v", separator=";"),
        YEARLY,
        MONTHS,
        12,
    ),
    "lines that end as on old Macintoshes": lambda: monthly_times(MONTHS.strftime("%Y-%m-%d"))._replace(
        content=monthly_times(MONTHS.strftime("%Y-%m-%d")).content.replace("\n", "\r")
    ),
}


def _levels(levels: tuple[str, ...]) -> File:
    texts = np.array(levels)[np.arange(N) % len(levels)]
    return table(
        lines(A, texts, A * 2, head="a,g,y"), A * 2, a=A, **{f"g = {level}": (texts == level).astype(float) for level in sorted(levels)}
    )


def upload(content: str) -> io.BytesIO:
    file = io.BytesIO(content.encode())
    file.name = "mine.csv"
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_of_a_file_are_those_that_were_written(kind):
    file = KINDS[kind]()
    if file.features is None:
        check_series(file, series_from_csv(upload(file.content), file.time, file.target))
    else:
        check_table(file, table_from_csv(upload(file.content), file.target))


def check_series(file: File, data: Dataset) -> None:
    """The last input and the targets of every case are the values that the file has at those times."""
    known = dict(zip(file.times, file.values, strict=True))
    assert data.period == file.season
    step = file.times[1] - file.times[0]
    for part in PARTS:
        split = data.part(part)
        assert set(split.index) <= set(known)
        last = np.array([known[time] for time in split.index])
        is_there = np.isfinite(last)
        np.testing.assert_allclose(split.inputs[:, -1].numpy()[is_there], last[is_there], rtol=1e-6)
        assert is_there.mean() > 0.5 and np.isfinite(split.target.numpy()).all()
        if step < pd.Timedelta(days=20):
            target = np.array([[known[time + (h + 1) * step] for h in range(len(data.lead_time))] for time in split.index])
            np.testing.assert_allclose(split.target.numpy(), target, rtol=1e-6)


def check_table(file: File, data: Dataset) -> None:
    """Every row is in exactly one part, with its target and its features."""
    assert set(data.feature_names) == set(file.features)
    assert sum(len(data.part(part)) for part in PARTS) == len(file.values)
    first_line = min(min(data.part(part).index) for part in PARTS)
    for part in PARTS:
        split = data.part(part)
        place = np.asarray(split.index) - first_line
        np.testing.assert_allclose(split.target.numpy(), file.values[place], rtol=1e-6)
        for i, name in enumerate(data.feature_names):
            np.testing.assert_allclose(split.inputs[:, i].numpy(), file.features[name][place], rtol=1e-6)
