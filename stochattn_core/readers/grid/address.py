"""Gridded files on a web server: finds out what lies at an address, fetches a NetCDF file into memory, opens a Zarr store.

Every wait has an end, and every failure is one ValueError of one sentence.
"""

from __future__ import annotations

import io
import queue
import threading
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO, TypeGuard
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from stochattn_core.datasets.base import Progress
from stochattn_core.readers.file_kinds import is_web_page
from stochattn_core.readers.grid.http_store import SILENCE, ZARR_METADATA, HttpStore

FETCHED = (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"GRIB")  # first bytes of NetCDF and GRIB files that are read
REFUSED = (b"CDF",)  # first bytes of gridded files that grid_file refuses with a sentence of its own
HEAD = 200  # bytes from which the kind of a file is recognised
TIMEOUT = 5  # s, for the first answer of a server
MAX_SIZE = 200 << 20  # bytes of a NetCDF file, the limit of an upload too
BLOCK = 1 << 20  # bytes between two calls of progress


def is_address(source: object) -> TypeGuard[str]:
    """Is this text an address (https://, gs://, s3://) and not a path?"""
    return isinstance(source, str) and "://" in source


def file_name_of(address: str) -> str:
    """Return the last part of an address.

    >>> file_name_of("https://host/folder/a%20b.nc?download=1")
    'a b.nc'
    """
    return unquote(urlsplit(address).path.rstrip("/").rsplit("/", 1)[-1]) or urlsplit(address).netloc or address


def open_address(address: str, progress: Progress | None = None) -> HttpStore | BinaryIO:
    """Return the Zarr store at an address (https://, gs://, s3://), or the NetCDF file there, in memory and with its name.

    progress counts megabytes and may raise to stop. ValueError of one sentence where neither answers within TIMEOUT seconds.
    """
    url, came = _https_url(address), ""
    cause: Exception | None = None
    for metadata in (*ZARR_METADATA, "") if url.endswith(".zarr") else ("", *ZARR_METADATA):
        try:
            with _answer_of(f"{url}/{metadata}" if metadata else url) as answer:
                head = answer.read(HEAD)
                if metadata and head.lstrip()[:1] == b"{":
                    return HttpStore(url)
                if not metadata and head.startswith(FETCHED):
                    return _fetched(answer, head, address, progress)
                if not metadata and head.startswith(REFUSED):
                    return _named_file(head, address)
                if not metadata:
                    came, cause = "a web page" if is_web_page(head) else "another kind of file", None
        except HTTPError as error:
            if not metadata or not came:  # the answer at the address itself says more than the answers beneath it
                came, cause = f"the answer {error.code}", error
        except (OSError, HTTPException) as error:  # no network, no such host, refused, too slow, not an address
            cause = error
            came = f"no answer ({type(getattr(error, 'reason', None) or error).__name__})"
            break
    raise ValueError(
        f"expected a Zarr store or a NetCDF file at {address!r}, got {came or 'neither'}; check the address and the connection, or download "
        "it and give its path"
    ) from cause


def _https_url(address: str) -> str:
    """Return the URL under which plain requests reach this address."""
    scheme, _, rest = address.strip().partition("://")
    scheme, rest = scheme.lower(), rest.rstrip("/")
    bucket, _, path = rest.partition("/")
    if bucket and scheme in ("gs", "gcs"):
        return f"https://storage.googleapis.com/{bucket}/{quote(path)}"
    if bucket and scheme == "s3":
        return f"https://{bucket}.s3.amazonaws.com/{quote(path)}"
    if bucket and scheme in ("http", "https"):
        return f"{scheme}://{rest}"
    raise ValueError(
        f"expected an address that begins with https://, gs:// or s3:// and a name, got {address[:60]!r}; download the file and give its path"
    )


def _answer_of(url: str) -> HTTPResponse:
    """Return the answer to a request, TimeoutError after TIMEOUT seconds.

    The request runs in a thread of its own: urlopen waits its whole timeout for each address of a host, and without end for its name.
    """
    answers: queue.SimpleQueue[HTTPResponse | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urlopen(Request(url), timeout=SILENCE))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=TIMEOUT)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, ValueError):
        raise OSError(str(answer)) from answer  # the text is not an address
    if isinstance(answer, Exception):
        raise answer
    return answer


def _fetched(answer: HTTPResponse, head: bytes, address: str, progress: Progress | None) -> BinaryIO:
    """Return the file whose first bytes have been read, in memory; ValueError where it is larger than MAX_SIZE."""
    stated = answer.headers.get("Content-Length", "")
    size, name = int(stated) if stated.isdecimal() else 0, file_name_of(address)
    content = _named_file(head, address)
    content.seek(0, io.SEEK_END)
    while True:
        if max(size, content.tell()) > MAX_SIZE:
            raise ValueError(
                f"expected at most {MAX_SIZE >> 20} MB at {address!r}, got {max(size, content.tell()) >> 20}; download it and give its path"
            )
        if progress is not None:
            progress(content.tell() >> 20, max(size, content.tell()) >> 20, f"fetching {name}, MB")
        piece = answer.read(BLOCK)
        if not piece:
            break
        content.write(piece)
    if content.tell() < size:
        raise OSError("the connection ended early")
    content.seek(0)
    return content


def _named_file(content: bytes, address: str) -> BinaryIO:
    file = _NamedFile(content)
    file.name = file_name_of(address)
    return file


class _NamedFile(io.BytesIO):
    """A file in memory that has a name, as an upload does."""

    name: str = ""
