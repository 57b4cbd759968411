"""Opens text tables: what kind of file it is, its encoding, separator and header, and its rows in bounded memory.

Every refusal is one ValueError of one sentence: what was expected, what came, what to do. No pickle is ever read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from stochattn_core.readers.csv_columns import listed
from stochattn_core.readers.csv_dialect import encoding_and_lines, fields_of, is_number, refuse_other_kinds, separator_of, unique

PathOrFile = str | Path | BinaryIO
MAX_COLUMN = 1000
CHUNK = 200_000  # rows in memory at a time
HEAD = 1 << 16  # bytes from which separator and header are recognised
MISSING_MARKS = ["?", "-", "--"]  # taken as missing, as pandas does with an empty field, NA, n/a, nan, null, None, ...


@dataclass(frozen=True)
class CsvFile:
    """A text table whose format is known. line is the line of its first row; n_row counts its lines without the header."""

    name: str
    source: Path | BinaryIO
    encoding: str
    separator: str
    decimal: str
    columns: tuple[str, ...]
    line: int
    n_row: int
    notes: tuple[str, ...]

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows in order, CHUNK at a time, indexed by their line in the file. columns: these only."""
        with _bytes_of(self.source) as data:
            try:
                reader = pd.read_csv(
                    data,
                    sep=self.separator,
                    decimal=self.decimal,
                    encoding=self.encoding,
                    header=None,
                    names=list(self.columns),
                    usecols=None if columns is None else list(columns),
                    skiprows=self.line - 1,
                    na_values=MISSING_MARKS,
                    skipinitialspace=True,
                    index_col=False,
                    chunksize=CHUNK,
                    low_memory=False,
                )
                for chunk in reader:
                    chunk.index = chunk.index + self.line
                    yield chunk
            except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, csv.Error) as error:
                line, n_field = re.search(r"line (\d+)", str(error)), re.search(r"saw (\d+)", str(error))
                came = f"line {line[1]} has {n_field[1]} fields" if line and n_field else str(error).strip().splitlines()[-1]
                raise ValueError(
                    f"expected {len(self.columns)} fields in every line of {self.name!r}, {came}; correct it, or put quotes around texts that "
                    f"hold {self.separator!r}"
                ) from error

    def require(self, column: str, role: str) -> None:
        """ValueError where the table has no such column; role says in the message what it is needed for."""
        if column not in self.columns:
            near = get_close_matches(str(column), self.columns, n=1, cutoff=0.6)
            cure = f"did you mean {near[0]!r}?" if near else "choose one of them"
            raise ValueError(
                f"expected a column {column!r} for the {role} in {self.name!r}, its columns are {listed(self.columns)}; {cure}"
            )


def columns_of(path_or_file: PathOrFile) -> tuple[str, ...]:
    """Return the names of the columns, from the first lines alone."""
    return open_csv(path_or_file, whole=False).columns


def open_csv(path_or_file: PathOrFile, *, whole: bool = True) -> CsvFile:
    """Find out how the table is written. whole=False reads the first lines only, and n_row then counts these."""
    source, name = _source_and_name(path_or_file)
    with _bytes_of(source) as data:
        head = data.read(HEAD)
        refuse_other_kinds(head, name)
        data.seek(0)
        encoding, n_line = encoding_and_lines(data if whole else io.BytesIO(head[: head.rfind(b"\n") + 1] or head), head)
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff")
    lines = text.splitlines()[: 200 if len(head) == HEAD else None]
    filled = [i for i, line in enumerate(lines) if line.strip()]
    if not filled:
        raise ValueError(f"expected a header line and rows of numbers, {name!r} holds blank lines only; export the table again")
    first, rows = filled[0], [lines[i] for i in filled[:50]]
    separator = separator_of(rows)
    fields = [fields_of(row, separator) for row in rows]
    decimal = "," if separator != "," and any(re.fullmatch(r"-?\d+,\d+", field.strip()) for row in fields[1:] for field in row) else "."
    has_header = not all(is_number(field, decimal) for field in fields[0])
    columns = unique(fields[0] if has_header else [f"column {i + 1}" for i in range(len(fields[0]))])
    if len(columns) > MAX_COLUMN:
        raise ValueError(f"expected at most {MAX_COLUMN} columns, {name!r} has {len(columns)}; keep the ones that matter")
    notes = []
    if encoding == "latin-1":
        notes.append("the file is not UTF-8 and is read as latin-1: check that its letters are right")
    if not has_header:
        notes.append(
            f"the first line holds numbers only, so there is no header and the columns are called 'column 1' to 'column {len(columns)}'"
        )
    line = first + 1 + has_header
    return CsvFile(name, source, encoding, separator, decimal, columns, line, max(n_line - line + 1, 0), tuple(notes))


def _source_and_name(path_or_file: PathOrFile) -> tuple[Path | BinaryIO, str]:
    if isinstance(path_or_file, str | Path):
        path = Path(path_or_file).expanduser()
        if not path.is_file():
            came = "a folder" if path.is_dir() else "nothing"
            raise ValueError(f"expected a CSV file at {str(path)!r}, found {came} there; check the path")
        return path, path.name
    name = Path(str(getattr(path_or_file, "name", "the file"))).name
    if isinstance(path_or_file, io.TextIOBase):
        return io.BytesIO(path_or_file.read().encode()), name
    if not path_or_file.seekable():
        return io.BytesIO(path_or_file.read()), name
    return path_or_file, name


@contextmanager
def _bytes_of(source: Path | BinaryIO) -> Iterator[io.BufferedIOBase]:
    """Yield the file from its first byte. A file object belongs to the caller and is never closed here."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield _LeftOpen(source)


class _LeftOpen(io.BufferedIOBase):
    """A view of a file that can be closed while the file stays open: pandas closes what it has read, and the file is the caller's."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self.source.read(-1 if size is None else size)

    def read1(self, size: int = -1) -> bytes:
        return self.source.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.source.seek(offset, whence)
