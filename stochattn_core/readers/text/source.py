"""A file of the user, on disk or open: its name, and its bytes from the first one on. An open file stays the caller's to close."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PathOrFile = str | Path | BinaryIO
BLOCK = 1 << 20  # bytes read at a time


def source_and_name(path_or_file: PathOrFile) -> tuple[Path | BinaryIO, str]:
    if isinstance(path_or_file, str | Path):
        path = Path(os.path.expanduser(path_or_file))  # Path.expanduser raises for a user that does not exist
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
def bytes_of(source: Path | BinaryIO) -> Iterator[io.BufferedIOBase]:
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

    def readline(self, size: int | None = -1) -> bytes:
        return self.source.readline(-1 if size is None else size)

    def read1(self, size: int = -1) -> bytes:
        return self.source.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.source.seek(offset, whence)
