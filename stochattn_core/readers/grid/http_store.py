"""A Zarr store on a web server, read chunk by chunk with plain GET requests.

Public buckets (gs://, s3://) are read over https without an account, so they need no package of their own. The stores of fsspec and obstore
were measured on a server that knows no ranges: fsspec returned 100 bytes where 4 were asked for, which are wrong numbers; obstore refused
the chunk. fsspec does not ask again after an answer 503, and both fail on the 403 by which a public bucket says that a file of metadata
is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

ZARR_METADATA = ("zarr.json", ".zmetadata", ".zgroup")  # a folder that holds one of these is a Zarr store
ALL_METADATA = (*ZARR_METADATA, ".zarray", ".zattrs")
SILENCE = 30  # s that a server which has answered may be silent
TRIES = 3


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

    # zarr's abstract Store demands these methods even of a store that is read only and cannot be listed.
    async def set(self, key: str, value: Buffer) -> None:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    async def list(self) -> AsyncIterator[str]:
        raise NotImplementedError
        yield  # makes this an asynchronous generator, as demanded

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        return self.list()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        return self.list()

    def _content(self, key: str, part: ByteRequest | None) -> bytes | None:
        """Return the bytes under this key, None where there are none. A server that knows no ranges sends all, which is then cut here."""
        if isinstance(part, RangeByteRequest):
            headers, cut = {"Range": f"bytes={part.start}-{part.end - 1}"}, slice(part.start, part.end)
        elif isinstance(part, OffsetByteRequest):
            headers, cut = {"Range": f"bytes={part.offset}-"}, slice(part.offset, None)
        elif part is not None:
            headers, cut = {"Range": f"bytes=-{part.suffix}"}, slice(-part.suffix, None)
        else:
            headers, cut = {}, slice(None)
        for tries_left in reversed(range(TRIES)):
            try:
                with urlopen(Request(f"{self.url}/{quote(key)}", headers=headers), timeout=SILENCE) as answer:
                    content: bytes = answer.read()
                    return content if answer.status == 206 else content[cut]
            except HTTPError as error:
                # A public bucket may answer 403 for metadata that it does not have.
                if error.code in (404, 410) or (error.code == 403 and key.endswith(ALL_METADATA)):
                    return None
                if error.code < 500 or not tries_left:
                    raise
            except (OSError, HTTPException):
                if not tries_left:
                    raise
        return None
