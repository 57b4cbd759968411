"""Gridded files on a server: which kind answers at an address, a NetCDF file fetched into memory, a Zarr store read chunk by chunk.

Plain requests without an account, so public buckets (gs://, s3://) need no package of their own; every wait has an end.
"""

from __future__ import annotations

import asyncio
import io
import queue
import threading
from collections.abc import AsyncIterator, Iterable
from http.client import HTTPException, HTTPResponse
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request, urlopen

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

from stochattn_core.datasets.base import Progress
from stochattn_core.datasets.csv_recognise import WEB_PAGE

MAGIC = (b"\x89HDF", b"CDF\x01", b"CDF\x02")  # of NetCDF files
ZARR_MARKS = ("zarr.json", ".zmetadata", ".zgroup")
METADATA = (*ZARR_MARKS, ".zarray", ".zattrs")
UNREAD = (b"CDF", b"GRIB")  # of grids that are refused where files are opened, by what they are
HEAD = 200  # bytes that tell what a file is
TIMEOUT = 5  # s, for the first answer of a server
SILENCE = 30  # s that a server which has answered may be silent
MAX_SIZE = 200 << 20  # bytes of a NetCDF file, as of an upload
BLOCK = 1 << 20  # bytes between two calls of progress
TRIES = 3


def is_address(source: object) -> bool:
    return isinstance(source, str) and "://" in source


def name_of(address: str) -> str:
    return unquote(urlsplit(address).path.rstrip("/").rsplit("/", 1)[-1]) or urlsplit(address).netloc or address


def located(address: str, progress: Progress | None = None) -> Store | BinaryIO:
    """The Zarr store at an address (https://, gs://, s3://), or the NetCDF file there in memory, with its name.

    One ValueError of one sentence where neither answers within TIMEOUT seconds. progress counts megabytes and may raise.
    """
    url, came, cause = _url(address), "", None
    for mark in (*ZARR_MARKS, "") if url.endswith(".zarr") else ("", *ZARR_MARKS):
        try:
            with _asked(f"{url}/{mark}" if mark else url) as answer:
                head = answer.read(HEAD)
                if mark and head.lstrip()[:1] == b"{":
                    return HttpStore(url)
                if not mark and head.startswith(MAGIC):
                    return _fetched(answer, head, address, progress)
                if not mark and head.startswith(UNREAD):
                    return _named(head, address)
                if not mark:
                    came, cause = "a web page" if WEB_PAGE.match(head) else "another kind of file", None
        except HTTPError as error:
            if not mark or not came:  # what the address itself answers says more than what is not beneath it
                came, cause = f"the answer {error.code}", error
        except (OSError, HTTPException) as error:  # no network, no such host, refused, too slow, not an address
            cause = error
            came = f"no answer ({type(getattr(error, 'reason', None) or error).__name__})"
            break
    raise ValueError(
        f"expected a Zarr store or a NetCDF file at {address!r}, got {came or 'neither'}; check the address and the connection, or download "
        "it and give its path"
    ) from cause


def _url(address: str) -> str:
    """Where plain requests reach it."""
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


def _asked(url: str) -> HTTPResponse:
    """An answer within TIMEOUT seconds. urlopen alone waits as long for each address of a host, and for its name without end."""
    answers: queue.SimpleQueue = queue.SimpleQueue()

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
        raise OSError(str(answer)) from answer  # not an address at all
    if isinstance(answer, Exception):
        raise answer
    return answer


def _fetched(answer: HTTPResponse, head: bytes, address: str, progress: Progress | None) -> BinaryIO:
    said = answer.headers.get("Content-Length", "")
    size = int(said) if said.isdecimal() else 0
    content = _named(head, address)
    content.seek(0, io.SEEK_END)
    while True:
        if max(size, content.tell()) > MAX_SIZE:
            raise ValueError(
                f"expected at most {MAX_SIZE >> 20} MB at {address!r}, got {max(size, content.tell()) >> 20}; download it and give its path"
            )
        if progress is not None:
            progress(content.tell() >> 20, max(size, content.tell()) >> 20, f"fetching {content.name}, MB")
        piece = answer.read(BLOCK)
        if not piece:
            break
        content.write(piece)
    if content.tell() < size:
        raise OSError("the connection ended early")
    content.seek(0)
    return content


def _named(content: bytes, address: str) -> BinaryIO:
    file = io.BytesIO(content)
    file.name = name_of(address)
    return file


class HttpStore(Store):
    """A Zarr store behind plain GET requests, read only. Folders cannot be listed: it must have consolidated metadata."""

    supports_writes = supports_deletes = supports_listing = False

    def __init__(self, url: str) -> None:
        super().__init__(read_only=True)
        self.url = url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HttpStore) and other.url == self.url

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        content = await asyncio.to_thread(self._content, key, byte_range)
        return None if content is None else prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return list(await asyncio.gather(*(self.get(key, prototype, part) for key, part in key_ranges)))

    async def exists(self, key: str) -> bool:
        return await asyncio.to_thread(self._content, key, RangeByteRequest(0, 1)) is not None

    # zarr's abstract Store demands these even of a store that is only read, and can list nothing.
    async def set(self, key: str, value: Buffer) -> None:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    async def list(self) -> AsyncIterator[str]:
        raise NotImplementedError
        yield  # what makes it the asynchronous generator that is demanded

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        return self.list()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        return self.list()

    def _content(self, key: str, part: ByteRequest | None) -> bytes | None:
        """What lies under the key; None where nothing does. A public bucket may answer 403 for metadata that it does not have."""
        if isinstance(part, RangeByteRequest):
            wanted, cut = {"Range": f"bytes={part.start}-{part.end - 1}"}, slice(part.start, part.end)
        elif isinstance(part, OffsetByteRequest):
            wanted, cut = {"Range": f"bytes={part.offset}-"}, slice(part.offset, None)
        elif part is not None:
            wanted, cut = {"Range": f"bytes=-{part.suffix}"}, slice(-part.suffix, None)
        else:
            wanted, cut = {}, slice(None)
        for left in reversed(range(TRIES)):
            try:
                with urlopen(Request(f"{self.url}/{quote(key)}", headers=wanted), timeout=SILENCE) as answer:
                    content = answer.read()
                    return content if answer.status == 206 else content[cut]  # not every server knows ranges
            except HTTPError as error:
                if error.code in (404, 410) or (error.code == 403 and key.endswith(METADATA)):
                    return None
                if error.code < 500 or not left:
                    raise
            except (OSError, HTTPException):
                if not left:
                    raise
        return None
