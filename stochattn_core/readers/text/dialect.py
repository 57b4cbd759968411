"""How a text table is written: encoding, separator, and where its header and its rows begin, from the first lines of the file."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase

from stochattn_core.readers.file_kinds import is_web_page, kind_of
from stochattn_core.readers.text.fields import kind_of_field
from stochattn_core.readers.text.header import Header, first_of_table, header_of
from stochattn_core.readers.text.numbers import looks_like_number
from stochattn_core.readers.text.source import BLOCK

RECORDS = 200  # rows from which the table is recognised
SEPARATORS = (",", ";", "\t", "|", r"\s+")
COMMENT = re.compile(r"\s*(#|%|//)")
HINT = re.compile(r"sep=(.)\s*$", re.IGNORECASE)  # the first line that Excel writes and reads


@dataclass(frozen=True)
class Record:
    """One row of a file as text: the number of its first line, from 1, and its fields."""

    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """Where a table begins and how its fields are separated.

    start: characters of the text before the first row.   rows: the first rows below the header.
    """

    separator: str
    header: Header
    start: int
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def refuse_other_kinds(head: bytes, name: str) -> None:
    """ValueError where the first bytes of a file are not those of a text table."""
    if not head:
        raise ValueError(f"expected a CSV file with a header line and rows of numbers, {name!r} has 0 bytes; export the table again")
    if kind := kind_of(head):
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} is {kind} by its content; export the table as CSV and bring that"
        )
    if re.match(rb"\s*(\[\s*)?\{\s*\"", head):
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} is JSON by its content; export the table as CSV and bring that"
        )
    if is_web_page(head):
        raise ValueError(f"expected a CSV file, text with one row a line, {name!r} is a web page; download the file that the page links to")
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\x00" in head:
        raise ValueError(
            f"expected a CSV file, text with one row a line, {name!r} holds binary data; export the table as CSV and bring that"
        )


def encoding_and_lines(data: BufferedIOBase, head: bytes) -> tuple[str, int]:
    """Return the encoding and the number of lines. Reads to the end.

    UTF-16 by its mark, UTF-8 where every byte fits, else Windows-1252, or latin-1 where a byte has no letter in that.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.read().decode("utf-16", errors="replace")
        return "utf-16", text.count("\n") + (not text.endswith("\n"))
    decoder, encoding, last = codecs.getincrementaldecoder("utf-8")(), "utf-8-sig", b"\n"
    n_line = 0
    while block := data.read(BLOCK):
        n_line += block.count(b"\n")
        if b"\r" in block:
            n_line += block.count(b"\r") - block.count(b"\r\n")
        n_line -= last == b"\r" and block[:1] == b"\n"
        last = block[-1:]
        if encoding == "utf-8-sig" and not (block.isascii() and not decoder.getstate()[0]):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                encoding = "cp1252"
        if encoding == "cp1252" and any(byte in block for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")):
            encoding = "latin-1"
    return encoding, n_line + (last not in (b"\n", b"\r"))


def dialect_of(text: str, is_whole: bool, name: str, has_header: bool | None = None) -> Dialect:
    """Find out how a table is written from its first lines.

    text: the first lines, whole ones.   is_whole: is this the whole file?   has_header: None to find out.
    ValueError where there is nothing but blank lines.
    """
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)  # as csv and pandas cut them; str.splitlines knows more ends of a line
    if not any(line.strip() for line in lines):
        raise ValueError(f"expected a header line and rows of numbers, {name!r} holds blank lines only; export the table again")
    first, comments = _begin(lines)
    hint = HINT.match(lines[first]) if first < len(lines) else None
    if hint:
        first += 1
    body = "".join(lines[first:])
    separators = (hint[1],) if hint else SEPARATORS
    read = {separator: _records(body, separator, first, is_whole) for separator in separators}
    separator = hint[1] if hint else _best(read)
    records = read[separator]
    if not records:
        raise ValueError(
            f"expected a header line and rows of numbers, found none in {name!r}; look for a quotation mark without its partner, or export "
            "the table again"
        )
    width = Counter(len(record.fields) for record in records).most_common(1)[0][0]
    start = first_of_table([record.fields for record in records], width)
    notes = []
    commented = _commented_header(comments, separator, width, records[start:], has_header) if start == 0 else None
    skipped = (records[start].line - records[0].line if start else 0) + len(comments) - (commented is not None)
    if skipped:
        lines_are = "line is" if skipped == 1 else "lines are"
        notes.append(
            f"{skipped} {lines_are} skipped at the top of the file, because {'it is' if skipped == 1 else 'they are'} no part of the table"
        )
    records = records[start:]
    header = header_of([record.fields for record in records], [record.line for record in records], commented, has_header, name)
    rows = tuple(record.fields for record in records if record.line >= header.line)
    return Dialect(separator, header, sum(map(len, lines[: header.line - 1])), rows, (*notes, *header.notes))


def _begin(lines: Sequence[str]) -> tuple[int, list[str]]:
    """Return the place of the first line that is neither blank nor a comment, and the comments before it."""
    comments = []
    for place, line in enumerate(lines):
        if COMMENT.match(line):
            comments.append(line)
        elif line.strip():
            return place, comments
    return len(lines), comments


def _records(body: str, separator: str, before: int, is_whole: bool) -> list[Record]:
    """Return the first records; before: lines of the file above the body. The last one is left out where the file goes on."""
    records: list[Record] = []
    try:
        if separator == r"\s+":
            lines = enumerate(re.split(r"\r\n|\n|\r", body), before + 1)
            records = [Record(number, _split(line)) for number, line in lines if line.strip()][: RECORDS + 1]
        else:
            reader, line = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=separator not in " \t"), 0
            for fields in reader:
                if any(field.strip() for field in fields) or len(fields) > 1:
                    records.append(Record(before + line + 1, tuple(fields)))
                line = reader.line_num
                if len(records) > RECORDS:
                    break
    except csv.Error:
        return records
    return records[:RECORDS] if is_whole or len(records) > RECORDS else records[:-1] or records


def _split(line: str) -> tuple[str, ...]:
    """Return the fields of a line between white space; a text in quotes is one field."""
    if '"' not in line:
        return tuple(line.split())
    return tuple(quoted or bare for quoted, bare in re.findall(r'(?:"([^"]*)"|(\S+))(?=\s|$)', line))


def _best(read: dict[str, list[Record]]) -> str:
    """Return the separator that cuts most records into the same number of fields, at least two, and leaves fewest other separators in texts."""
    best = ","
    best_score: tuple[float, ...] = ()
    for rank, (separator, records) in enumerate(read.items()):
        counts = Counter(len(record.fields) for record in records)
        if not counts:
            continue
        width, n_record = max(counts.items(), key=lambda item: (item[1], item[0]))
        share = n_record / len(records)
        if width < 2 or share <= 0.5:
            continue
        fields = [field for record in records[1:] if len(record.fields) == width for field in record.fields]
        messy = sum(kind_of_field(field) == "text" and _is_cut_wrong(field, separator) for field in fields)
        n_name = len(records[0].fields)
        has_names = 2 if n_name == width else int(n_name == width - 1)  # a header fits its rows
        score = (round(share, 1), -round(messy / max(len(fields), 1), 1), has_names, -rank)
        if not best_score or score > best_score:
            best, best_score = separator, score
    return best


def _is_cut_wrong(field: str, separator: str) -> bool:
    """Does a text hold another separator, or several numbers between spaces?"""
    if any(other in field for other in ",;\t|" if other != separator):
        return True
    return separator != r"\s+" and sum(map(looks_like_number, field.split())) > 2


def _commented_header(
    comments: Sequence[str], separator: str, width: int, records: Sequence[Record], has_header: bool | None
) -> tuple[str, ...] | None:
    """Return the names in the last comments, where one has a name for each column and the first record is no header itself.

    Of two such comments below one another, the second holds units.
    """
    if not comments or has_header is False or not any(looks_like_number(field) for field in records[0].fields):
        return None
    found = None
    for comment in comments[:-3:-1]:
        text = COMMENT.sub("", comment, count=1).strip()
        fields = _split(text) if separator == r"\s+" else next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
        if len(fields) != width or any(map(looks_like_number, fields)):
            break
        found = tuple(fields)
    return found
