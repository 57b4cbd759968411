"""What a file is, by its first bytes and lines: not an image or an archive, its encoding, separator and header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO

BLOCK = 1 << 20  # bytes at a time
KINDS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 or NetCDF file",
    b"CDF": "a NetCDF file",
    b"\x93NUMPY": "a NumPy file",
    b"\x80": "a Python pickle, which is never opened,",
}
WEB_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


def refuse_other_kinds(head: bytes, name: str) -> None:
    if not head:
        raise ValueError(f"expected a CSV file with a header line and rows of numbers, {name!r} has 0 bytes; export the table again")
    for magic, kind in KINDS.items():
        if head.startswith(magic):
            raise ValueError(
                f"expected a CSV file, text with one row a line, {name!r} is {kind} by its content; export the table as CSV and bring that"
            )
    if WEB_PAGE.match(head[:200]):
        raise ValueError(f"expected a CSV file, text with one row a line, {name!r} is a web page; download the file that the page links to")
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\x00" in head:
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} holds binary data; export the table as CSV and bring that"
        )


def encoding_and_lines(data: BinaryIO, head: bytes) -> tuple[str, int]:
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
    """The sign that cuts most of the first lines into the same number of fields, two at least; white space where none does."""
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
    """Names without white space around them; an empty one is called by its place, a second 'a' is 'a.1'."""
    seen: Counter[str] = Counter()
    out = []
    for i, name in enumerate(names):
        name = name.strip() or f"column {i + 1}"
        out.append(name if not seen[name] else f"{name}.{seen[name]}")
        seen[name] += 1
    return tuple(out)
