"""Opens text tables: what kind of file it is, how it is written, and its rows in bounded memory.

Every refusal is one ValueError of one sentence: what was expected, what came, what to do. No pickle is ever read.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.columns import decimal_of, listed
from stochattn_core.readers.text.dialect import Dialect, dialect_of, encoding_and_lines, refuse_other_kinds
from stochattn_core.readers.text.fields import MISSING_FIELDS, kind_of_fields
from stochattn_core.readers.text.lines import Lines, checked_lines
from stochattn_core.readers.text.numbers import bare, style_of
from stochattn_core.readers.text.source import PathOrFile, bytes_of, source_and_name

MAX_COLUMN = 5000
CHUNK = 200_000  # rows in memory at a time
HEAD = 1 << 16  # bytes from which the table is recognised; more where they hold fewer lines than LINES
MOST_HEAD = 1 << 24
LINES = 30
_DATE, _CLOCK, _MORE = "\0date", "\0time of day", "\0more"  # columns of pandas that no file can have


class NotNumbers(Exception):
    """Columns that were read as numbers hold something else and must be read as text, from the first row on."""

    def __init__(self, columns: Collection[str]) -> None:
        super().__init__(", ".join(columns))
        self.columns = frozenset(columns)


@dataclass(frozen=True)
class CsvFile:
    """A text table whose format is known.

    n_row: lines without the header.   offset: bytes before the first row.   reads_all: False where every line has a field
    for each column, so that some columns may be read alone.   decimal: the mark that some column certainly has, or "".
    """

    name: str
    source: Path | BinaryIO
    encoding: str
    dialect: Dialect
    n_row: int
    offset: int
    is_little_endian: bool
    reads_all: bool
    choices: CsvChoices
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.dialect.header.columns

    @property
    def separator(self) -> str:
        return self.dialect.separator

    @cached_property
    def first_fields(self) -> dict[str, list[str]]:
        """The fields of the first rows, by column, those that are missing left out."""
        missing = {*MISSING_FIELDS, *self.choices.missing_fields}
        rows = [row for row in map(self._as_columns, self.dialect.rows) if len(row) >= len(self.columns)]
        return {name: [row[i].strip() for row in rows if row[i].strip() not in missing] for i, name in enumerate(self.columns)}

    @cached_property
    def kinds(self) -> dict[str, str]:
        """What the first rows hold, by column: "numbers", "times", "text" or "missing"."""
        return {name: kind_of_fields(fields) for name, fields in self.first_fields.items()}

    @cached_property
    def decimal(self) -> str:
        """The decimal mark that some column certainly has, "" where none has."""
        return self.choices.decimal or decimal_of([fields for name, fields in self.first_fields.items() if self.kinds[name] == "numbers"])

    @cached_property
    def text_columns(self) -> frozenset[str]:
        """The columns that are read as text: those of texts and times, and those whose numbers pandas would misread."""
        return frozenset(name for name in self.columns if self.kinds[name] in ("text", "times") or not self._is_plain(name))

    def _is_plain(self, name: str) -> bool:
        """Are the numbers of this column those that pandas reads, whatever other fields come later?"""
        fields = self.first_fields[name]
        if any(bare(field)[0] != field for field in fields):
            return False
        try:
            reading = style_of(fields, name, self.choices, file_decimal=self.decimal, separator=self.separator)
        except ValueError:
            return False
        return not reading.reason and not reading.style.thousands and reading.style.decimal == (self.decimal or ".")

    def chunks(self, columns: Sequence[str] | None = None, text: Collection[str] = ()) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, CHUNK at a time, indexed by their line in the file.

        columns: these only.   text: more columns to read as text, beside those of `text_columns`. NotNumbers where a column of numbers turns
        out to hold other fields, or marks where the first rows had none: a thousands mark may look like a decimal mark.
        """
        header, as_text = self.dialect.header, self.text_columns | frozenset(text)
        names = list(self.columns)
        raw = [_DATE, _CLOCK, *names[1:]] if header.joined else [*names]
        raw += [f"\0{i}" for i in range(header.extra)]
        wanted = names if columns is None else list(columns)
        used = [name for name in raw if name in wanted or (header.joined and names[0] in wanted and name in (_DATE, _CLOCK))]
        missing = [*MISSING_FIELDS, *self.choices.missing_fields]
        whole = {
            name for name in wanted if name not in as_text and not any(mark in field for mark in ".," for field in self.first_fields[name])
        }
        with bytes_of(self.source) as data:
            data.seek(self.offset)
            try:
                reader = pd.read_csv(
                    data,
                    sep=self.separator,
                    decimal=self.decimal or ".",
                    encoding={"utf-16": "utf-16-le" if self.is_little_endian else "utf-16-be", "utf-8-sig": "utf-8"}.get(
                        self.encoding, self.encoding
                    ),
                    header=None,
                    names=[*raw, _MORE] if self.reads_all else raw,  # fields that no column has land in the last one
                    usecols=None if self.reads_all else used,
                    # pandas is six times slower where it is told that a column is text than where it finds out
                    dtype={
                        name: "str"
                        for name in used
                        if name in text or name not in names or (name in as_text and self.kinds[name] not in ("text", "times"))
                    },
                    keep_default_na=False,
                    na_values={name: [""] if name in as_text or name not in names else missing for name in used} | {_MORE: [""]},
                    skipinitialspace=True,
                    index_col=False,
                    chunksize=CHUNK,
                    low_memory=False,
                )
                while (chunk := _next(reader)) is not None:
                    chunk.index = chunk.index + header.line
                    self._check_width(chunk)
                    if header.joined and names[0] in wanted:
                        chunk.insert(0, names[0], chunk.pop(_DATE) + " " + chunk.pop(_CLOCK))
                    chunk = chunk[wanted]
                    self._check_numbers(chunk, as_text, whole)
                    yield chunk
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, csv.Error) as error:
                if isinstance(error, pd.errors.EmptyDataError):
                    return
                raise self._bad_line(error) from error

    def _check_width(self, chunk: pd.DataFrame) -> None:
        """ValueError where a row has more fields than the table has columns."""
        more = chunk[_MORE].notna() if _MORE in chunk else pd.Series(dtype=bool)
        if more.any():
            n = len(self.columns) + self.dialect.header.joined
            raise ValueError(
                f"expected {n} fields in every line of {self.name!r}, line {more.index[more][0]} has more; correct it, or put quotes around texts and "
                f"numbers that hold {self.separator!r}"
            )

    def _check_numbers(self, chunk: pd.DataFrame, as_text: Collection[str], whole: Collection[str]) -> None:
        """Raise NotNumbers for columns of numbers that pandas could not read, or whose first rows were whole numbers and later ones are not."""
        other = []
        for name in chunk.columns:
            column = chunk[name]
            if name in as_text:
                if pd.api.types.is_numeric_dtype(column) and column.notna().any():
                    other.append(name)
                continue
            if not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
                other.append(name)
            elif name in whole and pd.api.types.is_float_dtype(column):
                values = column.to_numpy()
                if not np.isnan(values).any() or np.any(np.isfinite(values) & (values != np.round(values))):
                    other.append(name)
        if other:
            raise NotNumbers(other)

    def _bad_line(self, error: Exception) -> ValueError:
        line, n_field = re.search(r"line (\d+)", str(error)), re.search(r"saw (\d+)", str(error))
        came = f"line {line[1]} has {n_field[1]} fields" if line and n_field else str(error).strip().splitlines()[-1]
        return ValueError(
            f"expected {len(self.columns)} fields in every line of {self.name!r}, {came}; correct it, or put quotes around texts that hold "
            f"{self.separator!r}"
        )

    def _as_columns(self, row: Sequence[str]) -> Sequence[str]:
        """Return the fields of a row, one for each column."""
        header = self.dialect.header
        if header.joined:
            return [f"{row[0]} {row[1]}", *row[2:]]
        return row[: len(row) - header.extra] if header.extra else row

    def require(self, column: str, role: str) -> None:
        """ValueError where the table has no such column; role says in the message what it is needed for."""
        if column not in self.columns:
            near = get_close_matches(str(column), self.columns, n=1, cutoff=0.6)
            cure = f"did you mean {near[0]!r}?" if near else "choose one of them"
            raise ValueError(
                f"expected a column {column!r} for the {role} in {self.name!r}, its columns are {listed(self.columns)}; {cure}"
            )


def _next(reader: Iterator[pd.DataFrame]) -> pd.DataFrame | None:
    """Return the next chunk, None after the last. Of fields too many in the first row, which _MORE shows, pandas would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return next(reader, None)


def columns_of(path_or_file: PathOrFile, choices: CsvChoices = FIND_OUT) -> tuple[str, ...]:
    """Return the names of the columns, from the first lines alone."""
    return open_csv(path_or_file, choices, whole=False).columns


def open_csv(path_or_file: PathOrFile, choices: CsvChoices = FIND_OUT, *, whole: bool = True) -> CsvFile:
    """Find out how the table is written. whole=False reads the first lines only, and n_row then counts these."""
    source, name = source_and_name(path_or_file)
    with bytes_of(source) as data:
        head = data.read(HEAD)
        refuse_other_kinds(head, name)
        while len(head) < MOST_HEAD and head.count(b"\n") + head.count(b"\r") < LINES and (more := data.read(HEAD)):
            head += more
        is_all = not data.read(1)
        data.seek(0)
        encoding, n_line = encoding_and_lines(data if whole else io.BytesIO(_whole_lines(head, is_all)), head)
    text = _whole_lines(head, is_all).decode(encoding, errors="ignore").lstrip("\ufeff")
    dialect = dialect_of(text, is_all, name, choices.header)
    columns = dialect.header.columns
    if len(columns) > MAX_COLUMN:
        raise ValueError(f"expected at most {MAX_COLUMN} columns, {name!r} has {len(columns)}; keep the ones that matter")
    notes = list(dialect.notes)
    if encoding in ("cp1252", "latin-1"):
        called = "Windows-1252" if encoding == "cp1252" else encoding
        notes.insert(0, f"the file is not UTF-8 and is read as {called}: check that its letters are right")
    is_little_endian = head.startswith(codecs.BOM_UTF16_LE)
    mark = 2 if encoding == "utf-16" else 3 if head.startswith(codecs.BOM_UTF8) else 0
    plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    header = dialect.header
    offset = mark + len(text[: dialect.start].encode(plain))
    lines = Lines()
    if whole and encoding != "utf-16":
        with bytes_of(source) as data:
            data.seek(offset)
            lines = checked_lines(data, header.line, dialect.separator, len(columns) + header.joined + header.extra, name)
    if lines.n_short:
        notes.append(
            f"{lines.n_short:,} {'line has' if lines.n_short == 1 else 'lines have'} fewer fields than {name!r} has columns: the last ones are missing there"
        )
    return CsvFile(
        name=name,
        source=source,
        encoding=encoding,
        dialect=dialect,
        n_row=max(n_line - header.line + 1, 0),
        offset=offset,
        is_little_endian=is_little_endian,
        reads_all=lines.has_quotes or lines.n_short > 0,
        choices=choices,
        notes=tuple(notes),
    )


def _whole_lines(head: bytes, is_all: bool) -> bytes:
    """Return the first bytes of a file up to the end of a line; all of them where the first line is longer."""
    end = max(head.rfind(b"\n"), head.rfind(b"\r"))
    return head if is_all or end < 0 else head[: end + 1]
