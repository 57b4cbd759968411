"""Random text tables in the layouts that programs write, beside the numbers that were written.

`python -m tests.text_layouts 20000` writes and reads that many and counts what came back.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stochattn_core.readers.text.choices import CsvChoices
from stochattn_core.readers.text.series import read_series
from stochattn_core.readers.text.table import read_table

TIES = ("may be either", "can be read in one way")  # refusals of files that can be read in two ways


@dataclass(frozen=True)
class Layout:
    """How a program writes a table. rows: "", "names" (R: row names that the header leaves out), "empty" (a name that is empty) or "index"."""

    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    quotes: str = "needed"  # or "texts": every text, as R does
    rows: str = ""
    missing: str = ""
    encoding: str = "utf-8"
    newline: str = "\n"
    dates: tuple[str, ...] = ("%Y-%m-%d",)


ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d", "%Y%m%d", "%d-%b-%Y", "%b %d, %Y")
US = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%y")
DAY_FIRST = ("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%d/%m/%Y %H:%M", "%d-%m-%Y", "%d.%m.%y")
LAYOUTS = {
    "pandas": Layout(dates=ISO),
    "pandas with its index": Layout(rows="index", missing="", dates=ISO),
    "pandas, tabs": Layout("\t", missing="NaN", dates=ISO),
    "pandas, semicolons": Layout(";", ",", dates=ISO),
    "R write.table": Layout(" ", quotes="texts", rows="names", missing="NA", dates=("%Y-%m-%d",)),
    "R write.table, sep tab": Layout("\t", quotes="texts", rows="names", missing="NA", dates=ISO),
    "R write.table, no row names": Layout(" ", quotes="texts", missing="NA", dates=("%Y-%m-%d",)),
    "R write.csv": Layout(quotes="texts", rows="empty", missing="NA", dates=ISO),
    "R write.csv2": Layout(";", ",", quotes="texts", rows="empty", missing="NA", dates=ISO),
    "R write.csv2, no row names": Layout(";", ",", quotes="texts", missing="NA", dates=ISO),
    "Excel text, US": Layout("\t", ".", ",", encoding="cp1252", newline="\r\n", dates=US),
    "Excel unicode text, US": Layout("\t", ".", ",", encoding="utf-16", newline="\r\n", dates=US),
    "Excel CSV, US": Layout(",", ".", ",", encoding="cp1252", newline="\r\n", dates=US),
    "Excel CSV UTF-8, US": Layout(",", ".", ",", encoding="utf-8-sig", newline="\r\n", dates=US),
    "Excel text, German": Layout("\t", ",", ".", encoding="cp1252", newline="\r\n", dates=DAY_FIRST),
    "Excel CSV, German": Layout(";", ",", ".", encoding="cp1252", newline="\r\n", dates=DAY_FIRST),
    "Excel CSV, French": Layout(";", ",", "\u00a0", encoding="cp1252", newline="\r\n", dates=DAY_FIRST),
    "Excel CSV UTF-8, French": Layout(";", ",", "\u202f", encoding="utf-8-sig", newline="\r\n", dates=DAY_FIRST),
    "Excel CSV, Swiss": Layout(";", ".", "\u2019", encoding="cp1252", newline="\r\n", dates=DAY_FIRST),
    "Excel text, Swiss": Layout("\t", ".", "'", encoding="cp1252", newline="\r\n", dates=DAY_FIRST),
}


@dataclass(frozen=True)
class Written:
    """A file and what was written into it: by column, numbers as float64 with NaN where missing, texts as str, times as datetime64."""

    layout: str
    content: bytes
    columns: dict[str, np.ndarray]
    first_line: int


def write(layout_name: str, seed: int, *, time: bool) -> Written:
    """Return a random table in this layout, with or without a first column of times."""
    rng, layout = np.random.default_rng(seed), LAYOUTS[layout_name]
    n = int(rng.integers(90, 130))
    columns: dict[str, np.ndarray] = {}
    texts: dict[str, list[str]] = {}
    if time:
        columns["when"], texts["when"] = _times(rng, layout, n)
    for i in range(int(rng.integers(2, 5))):
        name = f"v{i}"
        plain = _numbers(rng, n)
        while np.ptp([float(text) for text in plain[:20]]) == 0:  # a column that does not vary is refused
            plain = _numbers(rng, n)
        values = np.array([float(text) for text in plain])
        missing = rng.random(n) < rng.choice([0.0, 0.05])
        texts[name] = [layout.missing if gone else _localised(text, layout) for text, gone in zip(plain, missing, strict=True)]
        columns[name] = np.where(missing, np.nan, values)
    if not time and rng.random() < 0.5:
        levels = np.array(["NA", "EU", "AS", "South, America"] if rng.random() < 0.5 else ["low", "high"])
        columns["text"] = rng.choice(levels, size=n)
        texts["text"] = list(columns["text"])
    return Written(layout_name, _content(layout, texts, n), columns, 2)


def _numbers(rng: np.random.Generator, n: int) -> list[str]:
    """Return n numbers as plain text: whole, with fixed decimals, with their last zeros dropped, or with an exponent."""
    size = 10.0 ** rng.uniform(-2, 6.5)
    values = rng.normal(size=n) * size + rng.choice([0.0, 3.0]) * size
    kind = rng.choice(["whole", "fixed", "dropped", "exponent"], p=[0.35, 0.3, 0.3, 0.05])
    if kind == "whole":
        return [f"{round(value)}" for value in values]
    if kind == "exponent":
        return [f"{value:.{rng.integers(3, 17)}e}" for value in values]
    digits = int(rng.integers(1, 7))
    texts = [f"{value:.{digits}f}" for value in values]
    return texts if kind == "fixed" else [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]


def _localised(text: str, layout: Layout) -> str:
    """Return a plain number as the layout writes it."""
    mantissa, _, exponent = text.partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    if layout.thousands and not exponent:
        whole = f"{int(whole):,}".replace(",", layout.thousands)
    return sign + whole + (layout.decimal + fraction if fraction else "") + (f"e{exponent}" if exponent else "")


def _times(rng: np.random.Generator, layout: Layout, n: int) -> tuple[np.ndarray, list[str]]:
    pattern = str(rng.choice(np.array(layout.dates)))
    daily = not any(mark in pattern for mark in ("%H", "%I"))
    start = pd.Timestamp("2001-01-01") + pd.Timedelta(days=int(rng.integers(0, 8000)))
    times = pd.date_range(start, periods=n, freq=str(rng.choice(["D", "MS", "7D"] if daily else ["h", "6h", "D", "30min"])))
    return times.to_numpy(dtype="datetime64[s]"), [time.strftime(pattern) for time in times]


def _content(layout: Layout, texts: dict[str, list[str]], n: int) -> bytes:
    def quoted(text: str, is_text: bool) -> str:
        needs = layout.separator in text or (layout.quotes == "texts" and is_text and text != layout.missing)
        return f'"{text}"' if needs else text

    is_text = {name: name in ("when", "text") for name in texts}
    names = [quoted(name, True) for name in texts]
    head = {"": names, "names": names, "empty": ['""' if layout.quotes == "texts" else "", *names], "index": ["", *names]}[layout.rows]
    lines = [layout.separator.join(head)]
    for row in range(n):
        fields = [quoted(values[row], is_text[name]) for name, values in texts.items()]
        label = {"": [], "names": [f'"{row + 1}"'], "empty": [f'"{row + 1}"'], "index": [str(row)]}[layout.rows]
        lines.append(layout.separator.join([*label, *fields]))
    return (layout.newline.join(lines) + layout.newline).encode(layout.encoding)


def file_of(written: Written) -> io.BytesIO:
    file = io.BytesIO(written.content)
    file.name = "written.csv"
    return file


def difference(written: Written) -> str:
    """Return what came back otherwise than it was written, "" where nothing did, and "refused: ..." where the file was refused."""
    try:
        return _difference_of_series(written) if "when" in written.columns else _difference_of_table(written)
    except ValueError as refusal:
        return f"refused: {refusal}"


def _difference_of_series(written: Written) -> str:
    for target in written.columns:
        if target == "when":
            continue
        series = read_series(file_of(written), "when", target, choices=CsvChoices(missing=("none",)))
        if not np.array_equal(series.axis.times.to_numpy().astype("datetime64[s]"), written.columns["when"]):
            return f"times of {target}: {series.axis.times[:3]}, not {written.columns['when'][:3]}"
        if not np.array_equal(series.values, written.columns[target], equal_nan=True):
            return f"{target}: {series.values[:3]}, not {written.columns[target][:3]}"
    return ""


def _difference_of_table(written: Written) -> str:
    numbers = {name: values for name, values in written.columns.items() if name != "text"}
    table = read_table(file_of(written), "v0", choices=CsvChoices(missing=("none",))).columns
    complete = np.isfinite(np.stack(list(numbers.values()))).all(axis=0)
    if not np.array_equal(table.index.to_numpy(), np.flatnonzero(complete) + written.first_line):
        return f"rows {table.index[:5].tolist()} of {len(table)}, not {int(complete.sum())}"
    wanted = dict(numbers)
    if "text" in written.columns:
        levels = sorted(set(written.columns["text"]))
        wanted |= {
            f"text = {level}": (written.columns["text"] == level).astype(float) for level in (levels[1:] if len(levels) == 2 else levels)
        }
    varies = {name: values for name, values in wanted.items() if np.ptp(values[complete]) > 0}
    if set(table.columns) != set(varies):
        return f"columns {list(table.columns)}, not {list(varies)}"
    for name, values in varies.items():
        if not np.array_equal(table[name].to_numpy(), values[complete]):
            return f"{name}: {table[name].to_numpy()[:3]}, not {values[complete][:3]}"
    return ""


def main(n: int) -> None:
    counts: Counter[str] = Counter()
    names = list(LAYOUTS)
    for seed in range(n):
        written = write(names[seed % len(names)], seed, time=bool(seed // len(names) % 2))
        came = difference(written)
        is_tie = came.startswith("refused") and any(tie in came for tie in TIES)
        kind = "equal" if not came else "refused as a tie" if is_tie else "refused" if came.startswith("refused") else "different"
        counts[kind] += 1
        if kind in ("different", "refused"):
            print(seed, written.layout, came[:220])
    print(dict(counts))


if __name__ == "__main__":
    main(int(sys.argv[1]))
