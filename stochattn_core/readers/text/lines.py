"""Does every line of a text table have a field for each column? Counted over the bytes, before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np

from stochattn_core.readers.text.source import BLOCK

NEWLINE, RETURN, QUOTE = b"\n", b"\r", b'"'


@dataclass(frozen=True)
class Lines:
    """What was counted.   n_short: lines with fewer fields than columns.   has_quotes: are there quotation marks, so that some lines were not counted?"""

    n_short: int = 0
    has_quotes: bool = True


def checked_lines(data: BufferedIOBase, first: int, separator: str, n_field: int, name: str) -> Lines:
    """Count the fields of each line. ValueError where one has too many, or where it cannot be told which ones it lacks.

    data: at the first row, whose line number is `first`.   Between white space a blank cell leaves no trace, so a short line is refused
    there. A quotation mark without its partner joins lines: a line inside a quoted text that has as many separators as a row is refused.
    """
    check = _Check(separator, n_field, name, first)
    rest, ends = b"", None
    while block := data.read(BLOCK):
        if ends is None:  # lines end with a return alone as on old Macintoshes, where most returns stand alone
            ends = RETURN if block.count(RETURN) - block.count(RETURN + NEWLINE) > block.count(NEWLINE) else NEWLINE
        end = block.rfind(ends) + 1
        if not end:
            rest += block
            continue
        whole, rest = rest + block[:end], block[end:]
        check.lines(whole, ends)
    if rest.strip():
        check.lines(rest + NEWLINE, NEWLINE)
    return Lines(check.n_short, check.has_quotes)


class _Check:
    """Counts the fields of lines, block by block."""

    def __init__(self, separator: str, n_field: int, name: str, first: int) -> None:
        self.separator, self.n_field, self.name, self.line = separator, n_field, name, first
        self.n_short, self.has_quotes, self.is_inside = 0, False, False

    def lines(self, block: bytes, ends: bytes) -> None:
        """Count the lines of a block that ends with the end of a line."""
        self.has_quotes |= QUOTE in block
        if self.separator == r"\s+" or self.is_inside or QUOTE in block:
            self._one_by_one(block.split(ends)[:-1])
        else:
            self._at_once(block, ends)

    def _at_once(self, block: bytes, ends: bytes) -> None:
        mark = self.separator.encode()
        marks = block.translate(None, bytes(sorted(set(range(256)) - {*mark, *ends})))  # nothing but the separators and the ends of lines
        n_line = marks.count(ends)
        if marks == (mark * (self.n_field - 1) + ends) * n_line:
            self.line += n_line
        else:
            self._find(block, ends)

    def _find(self, block: bytes, ends: bytes) -> None:
        """Count the fields line by line in a block where some line has fewer or more than there are columns."""
        values = np.frombuffer(block, dtype=np.uint8)
        line_end = np.flatnonzero(values == ends[0])
        mark = np.flatnonzero(values == ord(self.separator))
        count = np.diff(np.searchsorted(mark, line_end), prepend=0)
        length = np.diff(line_end, prepend=-1)
        is_blank = length <= (2 if block[line_end[0] - 1 : line_end[0]] == RETURN else 1)
        long, short = np.flatnonzero(count >= self.n_field), (count < self.n_field - 1) & ~is_blank
        if len(long):
            self._refuse_long(self.line + int(long[0]), int(count[long[0]]) + 1)
        self.n_short += int(short.sum())
        self.line += len(line_end)

    def _one_by_one(self, lines: Sequence[bytes]) -> None:
        mark = None if self.separator == r"\s+" else self.separator.encode()
        for line in lines:
            n_quote = line.count(QUOTE)
            if self.is_inside and n_quote != 1 and mark is not None and line.count(mark) == self.n_field - 1:
                raise ValueError(
                    f"expected quotation marks in pairs in {self.name!r}, line {self.line} stands inside a text that begins before it, and has as many "
                    "fields as a row; add the mark that is missing, or take the marks away"
                )
            if not n_quote and not self.is_inside and line.strip():
                count = len(line.split(mark))
                if count > self.n_field:
                    self._refuse_long(self.line, count)
                if count < self.n_field and mark is None:
                    raise ValueError(
                        f"expected {self.n_field} fields in every line of {self.name!r}, line {self.line} has {count}; write NA where a value is missing, "
                        "because a blank cell between white space leaves no trace"
                    )
                self.n_short += count < self.n_field
            self.is_inside ^= bool(n_quote % 2) and mark is not None
            self.line += 1

    def _refuse_long(self, line: int, n_field: int) -> None:
        raise ValueError(
            f"expected {self.n_field} fields in every line of {self.name!r}, line {line} has {n_field} fields; correct it, or put quotes around texts "
            f"and numbers that hold {self.separator!r}"
        )
