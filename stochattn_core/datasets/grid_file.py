"""The door for gridded files: NetCDF by its content, Zarr by folder or address, and each failure in one sentence."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError

import xarray as xr
import zarr

from stochattn_core.datasets.csv_recognise import KINDS
from stochattn_core.datasets.grid_address import ZARR_MARKS, HttpStore, is_address, located, name_of

PathOrFile = str | Path | BinaryIO | HttpStore
ENGINES = {b"\x89HDF": "h5netcdf", b"CDF\x01": "scipy", b"CDF\x02": "scipy"}
GRIDS = (b"\x89HDF", b"CDF", b"GRIB")  # first bytes of gridded files, also of those that are refused


def is_grid(head: bytes) -> bool:
    """Whether a file that begins with these bytes goes through this door; any other is a text table or refused as one."""
    return head.startswith(GRIDS)


@contextmanager
def open_grid(source: PathOrFile) -> Iterator[tuple[xr.Dataset, str]]:
    """The opened file and its name; values are read when they are asked for. An open binary file stays the caller's.

    source: a NetCDF file (or an upload of one), a Zarr folder, the address of either (https://, gs://, s3://), or what `located` found there.
    """
    if is_address(source):
        source = located(source)
    if isinstance(source, HttpStore):
        name = name_of(source.url)
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
    """The array with its values in memory. A file that ends too early shows here."""
    try:
        return array.load()
    except Exception as error:  # HDF5, NetCDF-3, Zarr codecs and each file system have their own kinds of failure
        raise ValueError(f"expected to read {array.name!r} from {name!r}, got {_why(error, 'download or copy it again')}") from error


def _engine(head: bytes, size: int, name: str) -> str:
    for magic, engine in ENGINES.items():
        if head.startswith(magic):
            return engine
    came = (
        f"has {size} bytes"
        if size == 0
        else next((f"is {kind} by its content" for magic, kind in KINDS.items() if head.startswith(magic)), "")
    )
    if head.startswith(b"GRIB"):
        came = "is GRIB"
    if head.startswith(b"CDF\x05"):
        came = "is NetCDF of the CDF-5 kind, which is not read here"
    raise ValueError(f"expected a NetCDF file or a Zarr folder, {name!r} {came or 'is neither'}; convert it to NetCDF and bring that")


def _open_netcdf(path: Path | BinaryIO, engine: str, name: str) -> xr.Dataset:
    try:
        return _opened(path, engine=engine)
    except Exception as error:
        raise _not_opened(error, name, "download or copy it again") from error


def _open_zarr(store: str | HttpStore, folder: Path | None, name: str) -> xr.Dataset:
    if folder is not None and not any((folder / mark).exists() for mark in ZARR_MARKS):
        raise ValueError(
            f"expected a Zarr store, the folder {name!r} holds none of {', '.join(ZARR_MARKS)}; give the folder that ends in .zarr"
        )
    try:
        group = zarr.open_group(store, mode="r")
        if folder is None and group.metadata.consolidated_metadata is None:
            raise ValueError(f"expected consolidated metadata in {name!r} on a server, found none; write it with consolidated=True")
        if not any("pickle" in str(array.metadata.to_dict()).lower() for _, array in group.arrays()):
            return _opened(store, engine="zarr")
    except Exception as error:
        if str(error).startswith("expected consolidated"):
            raise
        if "pickle" not in str(error).lower():  # zarr 3 refuses most of them itself
            raise _not_opened(error, name, "copy the whole folder again" if folder else "check the address and the connection") from error
    raise ValueError(f"expected numbers in {name!r}, it holds Python pickles, which are never opened; write it again without objects")


def _opened(store: object, **options: object) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of encodings that do not matter here
        return xr.open_dataset(store, chunks=None, **options)


def _not_opened(error: Exception, name: str, cure: str) -> ValueError:
    said = str(error).strip().splitlines()
    if "calendar" in str(error) or "cftime" in str(error) or "unable to decode time" in str(error):
        return ValueError(f"expected times of the standard calendar in {name!r}, got others ({said[0][:80]}); convert the time axis")
    return ValueError(f"expected to open {name!r}, got {_why(error, cure)}")


def _why(error: Exception, cure: str) -> str:
    lost = isinstance(error, URLError | TimeoutError | ConnectionError | HTTPException)
    return f"{type(error).__name__}: {'the connection was lost; try again' if lost else f'the file is damaged or incomplete; {cure}'}"
