"""Opens gridded files: NetCDF by its first bytes, Zarr by its folder or address. Every failure is one ValueError of one sentence."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.error import URLError

import xarray as xr
import zarr

from stochattn_core.readers.file_kinds import kind_of
from stochattn_core.readers.grid_address import file_name_of, is_address, open_address
from stochattn_core.readers.http_store import ZARR_METADATA, HttpStore

Engine = Literal["h5netcdf", "scipy", "zarr"]
PathOrFile = str | Path | BinaryIO | HttpStore
ENGINES: dict[bytes, Engine] = {b"\x89HDF": "h5netcdf", b"CDF\x01": "scipy", b"CDF\x02": "scipy"}


@contextmanager
def open_grid(source: PathOrFile) -> Iterator[tuple[xr.Dataset, str]]:
    """Yield the opened file and its name; values are read when they are used. An open binary file stays the caller's to close.

    source: a NetCDF file (or an upload of one), a Zarr folder, the address of either (https://, gs://, s3://), or the result of
    `open_address`.
    """
    if is_address(source):
        source = open_address(source)
    if isinstance(source, HttpStore):
        name = file_name_of(source.url)
        dataset = _open_zarr(source, None, name)
    elif isinstance(source, str | Path):
        path = Path(source).expanduser()
        name = path.name
        if path.is_dir():
            dataset = _open_zarr(str(path), path, name)
        elif path.is_file():
            with path.open("rb") as file:
                engine = _engine(file.read(8), path.stat().st_size, name)
            dataset = _open_netcdf(path, engine, name)
        else:
            raise ValueError(f"expected a NetCDF file or a Zarr folder at {str(path)!r}, found nothing there; check the path")
    else:
        name = Path(str(getattr(source, "name", "the file"))).name
        source.seek(0)
        content = source.read()
        dataset = _open_netcdf(io.BytesIO(content), _engine(content[:8], len(content), name), name)
    with dataset:
        yield dataset, name


def read_values(array: xr.DataArray, name: str) -> xr.DataArray:
    """Return the array with its values in memory. This is where a file that ends too early is noticed."""
    try:
        return array.load()
    except Exception as error:  # HDF5, NetCDF-3, Zarr codecs and every file system raise errors of their own kinds
        raise ValueError(f"expected to read {array.name!r} from {name!r}, got {_why(error, 'download or copy it again')}") from error


def _engine(head: bytes, size: int, name: str) -> Engine:
    """Return xarray's engine for a file with these first bytes; ValueError where it is not NetCDF."""
    for magic, engine in ENGINES.items():
        if head.startswith(magic):
            return engine
    kind = kind_of(head)
    came = f"has {size} bytes" if size == 0 else f"is {kind} by its content" if kind else "is neither"
    if head.startswith(b"GRIB"):
        came = "is GRIB"
    if head.startswith(b"CDF\x05"):
        came = "is NetCDF of the CDF-5 kind, which is not read here"
    raise ValueError(f"expected a NetCDF file or a Zarr folder, {name!r} {came}; convert it to NetCDF and bring that")


def _open_netcdf(file: Path | io.BytesIO, engine: Engine, name: str) -> xr.Dataset:
    try:
        return _opened(file, engine)
    except Exception as error:
        raise _not_opened(error, name, "download or copy it again") from error


def _open_zarr(store: str | HttpStore, folder: Path | None, name: str) -> xr.Dataset:
    if folder is not None and not any((folder / metadata).exists() for metadata in ZARR_METADATA):
        raise ValueError(
            f"expected a Zarr store, the folder {name!r} holds none of {', '.join(ZARR_METADATA)}; give the folder that ends in .zarr"
        )
    try:
        group = zarr.open_group(store, mode="r")
        if folder is None and group.metadata.consolidated_metadata is None:
            raise ValueError(f"expected consolidated metadata in {name!r} on a server, found none; write it with consolidated=True")
        if not any("pickle" in str(array.metadata.to_dict()).lower() for _, array in group.arrays()):
            return _opened(store, "zarr")
    except Exception as error:
        if str(error).startswith("expected consolidated"):
            raise
        if "pickle" not in str(error).lower():  # zarr 3 itself refuses most stores with pickles
            raise _not_opened(error, name, "copy the whole folder again" if folder else "check the address and the connection") from error
    raise ValueError(f"expected numbers in {name!r}, it holds Python pickles, which are never opened; write it again without objects")


def _opened(source: str | Path | io.BytesIO | HttpStore, engine: Engine) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about encodings, which do not matter here
        return xr.open_dataset(source, engine=engine, chunks=None)  # type: ignore[arg-type]  # a zarr Store is accepted, xarray's types leave it out


def _not_opened(error: Exception, name: str, cure: str) -> ValueError:
    if "calendar" in str(error) or "cftime" in str(error) or "unable to decode time" in str(error):
        first_line = str(error).strip().splitlines()[0]
        return ValueError(f"expected times of the standard calendar in {name!r}, got others ({first_line[:80]}); convert the time axis")
    return ValueError(f"expected to open {name!r}, got {_why(error, cure)}")


def _why(error: Exception, cure: str) -> str:
    lost = isinstance(error, URLError | TimeoutError | ConnectionError | HTTPException)
    return f"{type(error).__name__}: {'the connection was lost; try again' if lost else f'the file is damaged or incomplete; {cure}'}"
