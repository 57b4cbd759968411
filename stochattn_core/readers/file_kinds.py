"""What kind of file this is, judged by its first bytes and not by its name."""

from __future__ import annotations

import re

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
    b"CDF\x01": "a NetCDF file",
    b"CDF\x02": "a NetCDF file",
    b"CDF\x05": "a NetCDF file",
    b"\x93NUMPY": "a NumPy file",
    **{bytes([0x80, protocol]): "a Python pickle, which is never opened," for protocol in range(2, 6)},
}
GRID_KINDS = (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05", b"GRIB")  # gridded files, also those that are then refused
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


def kind_of(head: bytes) -> str:
    """Return what a file with these first bytes is, "a PNG image" for instance; "" where it is none of KINDS."""
    return next((kind for magic, kind in KINDS.items() if head.startswith(magic)), "")


def is_grid(head: bytes) -> bool:
    """Is a file with these first bytes a gridded file? If not, it is read, or refused, as a text table."""
    return head.startswith(GRID_KINDS)


def is_web_page(head: bytes) -> bool:
    return bool(_WEB_PAGE.match(head[:200]))
