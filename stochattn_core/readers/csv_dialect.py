"""How a text table is written: its encoding, separator and header, found from its first lines."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from io import BufferedIOBase

from stochattn_core.readers.file_kinds import is_web_page, kind_of

BLOCK = 1 << 20  # bytes read at a time


def refuse_other_kinds(head: bytes, name: str) -> None:
    """ValueError where the first bytes of a file are not those of a text table."""
    if not head:
        raise ValueError(f"expected a CSV file with a header line and rows of numbers, {name!r} has 0 bytes; export the table again")
    if kind := kind_of(head):
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} is {kind} by its content; export the table as CSV and bring that"
        )
    if is_web_page(head):
        raise ValueError(f"expected a CSV file, text with one row a line, {name!r} is a web page; download the file that the page links to")
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\x00" in head:
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} holds binary data; export the table as CSV and bring that"
        )


def encoding_and_lines(data: BufferedIOBase, head: bytes) -> tuple[str, int]:
    """Return the encoding (UTF-16 by its mark, UTF-8 where every byte fits, else latin-1) and the number of lines. Reads to the end."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.read().decode("utf-16", errors="replace")
        return "utf-16", text.count("\n") + (not text.endswith("\n"))
    decoder, encoding, n_line, last = codecs.getincrementaldecoder("utf-8")(), "utf-8-sig", 0, b"\n"
    while block := data.read(BLOCK):
        n_line, last = n_line + block.count(b"\n"), block[-1:]
        if encoding == "utf-8-sig":
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                encoding = "latin-1"
    return encoding, n_line + (last != b"\n")


def separator_of(rows: list[str]) -> str:
    """Return the separator that cuts most of the first lines into the same number of fields, at least two; white space has the last rank."""
    best, best_score = ",", (0.0, 0)
    for separator in (",", ";", "\t", "|", r"\s+"):
        counts = Counter(len(fields_of(row, separator)) for row in rows)
        n_field, n_row = max(counts.items(), key=lambda item: (item[1], item[0]))
        score = (n_row / len(rows) if n_field > 1 else 0.0, 0 if separator == r"\s+" else 1)
        if n_field > 1 and score > best_score and score[0] > 0.5:
            best, best_score = separator, score
    return best


def fields_of(row: str, separator: str) -> list[str]:
    if separator == r"\s+":
        return row.split()
    return next(csv.reader([row], delimiter=separator, skipinitialspace=True), [])


def is_number(field: str, decimal: str) -> bool:
    try:
        float(field.strip().replace(decimal, "."))
    except ValueError:
        return False
    return True


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without white space around them, each once: an empty name becomes its position, a second 'a' becomes 'a.1'.

    >>> unique(["a", " a", ""])
    ('a', 'a.1', 'column 3')
    """
    seen: Counter[str] = Counter()
    columns = []
    for i, name in enumerate(names):
        name = name.strip() or f"column {i + 1}"
        columns.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return tuple(columns)
