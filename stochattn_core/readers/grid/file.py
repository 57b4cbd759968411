"""Opens gridded files: NetCDF and GRIB by their first bytes, Zarr by its folder or address. Every failure is one ValueError of one sentence."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.error import URLError

import h5py
import xarray as xr
import zarr

from stochattn_core.readers.door.time_units import decode_each, decode_unusual
from stochattn_core.readers.file_kinds import kind_of
from stochattn_core.readers.grid.address import file_name_of, is_address, open_address
from stochattn_core.readers.grid.grib import open_grib
from stochattn_core.readers.grid.http_store import ZARR_METADATA, HttpStore

Engine = Literal["h5netcdf", "scipy", "zarr", "grib"]
PathOrFile = str | Path | BinaryIO | HttpStore
ENGINES: dict[bytes, Engine] = {b"\x89HDF": "h5netcdf", b"CDF\x01": "scipy", b"CDF\x02": "scipy", b"GRIB": "grib"}
MAX_AXIS = 20_000_000  # values of one axis, which are read when a file is opened


@contextmanager
def open_grid(source: PathOrFile) -> Iterator[tuple[xr.Dataset, str]]:
    """Yield the opened file and its name; values are read when they are used. An open binary file stays the caller's to close.

    source: a NetCDF or GRIB file (or an upload of one), a Zarr folder, the address of either (https://, gs://, s3://), or the result of
    `open_address`. Times are decoded in their own calendar; Dataset.encoding["notes"] holds sentences on what was recognised.
    """
    if is_address(source):
        source = open_address(source)
    if isinstance(source, HttpStore):
        name = file_name_of(source.url)
        dataset = _open_zarr(source, None, name)
    elif isinstance(source, str | Path):
        path = _expanded(source)
        name = path.name
        if path.is_dir():
            dataset = _open_zarr(str(path), path, name)
        elif path.is_file():
            engine = _engine(_head(path), path.stat().st_size, name)
            dataset = open_grib(path, name) if engine == "grib" else _open_netcdf(path, engine, name)
        else:
            raise ValueError(f"expected a NetCDF file or a Zarr folder at {str(path)!r}, found nothing there; check the path")
    else:
        name = Path(str(getattr(source, "name", "the file"))).name
        source.seek(0)
        content = source.read()
        engine = _engine(content[:8], len(content), name)
        if engine == "grib":
            with tempfile.TemporaryDirectory() as folder:  # eccodes reads files alone
                path = Path(folder) / "upload.grib"
                path.write_bytes(content)
                with open_grib(path, name) as dataset:
                    yield dataset, name
            return
        dataset = _open_netcdf(io.BytesIO(content), engine, name)
    with dataset:
        yield dataset, name


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise ValueError(f"expected a file that can be read at {str(path)!r}, got: {error.strerror}; check its permissions") from error


def _expanded(source: str | Path) -> Path:
    """Return the path without ~; ValueError where no user has this name, or where the text is no path."""
    try:
        path = Path(source).expanduser()
        path.is_dir()
    except (RuntimeError, OSError, ValueError) as error:  # no such user, no permission or too long a name, a zero byte
        raise ValueError(f"expected a path that can be read, got {str(source)[:100]!r} ({error}); check the path") from error
    return path


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
    if head.startswith(b"CDF\x05"):
        came = "is NetCDF of the CDF-5 kind, which is not read here"
    raise ValueError(f"expected a NetCDF file or a Zarr folder, {name!r} {came}; convert it to NetCDF and bring that")


def _open_netcdf(file: Path | io.BytesIO, engine: Engine, name: str) -> xr.Dataset:
    try:
        group = _group_of(file, name) if engine == "h5netcdf" else None
        return _opened(file, engine, group)
    except Exception as error:
        if str(error).startswith("expected"):
            raise
        raise _not_opened(error, name, "download or copy it again") from error


def _group_of(file: Path | io.BytesIO, name: str) -> str | None:
    """Return the group of an HDF5 file that holds fields: None for the root, or the only group with them where the root has none."""
    with h5py.File(file, "r") as root:
        _check_axes({key: item.shape for key, item in root.items() if isinstance(item, h5py.Dataset)}, name)
        if any(isinstance(item, h5py.Dataset) and item.ndim > 1 for item in root.values()):
            return None
        groups = {key: item for key, item in root.items() if isinstance(item, h5py.Group)}
        filled = [key for key, item in groups.items() if any(isinstance(each, h5py.Dataset) and each.ndim > 1 for each in item.values())]
        if len(filled) > 1:
            raise ValueError(
                f"expected fields at the top of {name!r}, got the groups {', '.join(filled)[:100]}; write one of them into a file of its own, "
                f"xarray.open_dataset(FILE, group={filled[0]!r}).to_netcdf(NEW)"
            )
        for key in filled:
            _check_axes({each: item.shape for each, item in groups[key].items() if isinstance(item, h5py.Dataset)}, name)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    return filled[0] if filled else None


def _check_axes(shapes: dict[str, tuple[int, ...] | None], name: str) -> None:
    for axis, shape in shapes.items():
        if shape is not None and len(shape) == 1 and shape[0] > MAX_AXIS:
            raise ValueError(
                f"expected axes of at most {MAX_AXIS:,} values in {name!r}, got {shape[0]:,} in {axis!r}; bring a part of the file"
            )


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
            _check_axes({key: array.shape for key, array in group.arrays()}, name)
            return _opened(store, "zarr")
    except Exception as error:
        if str(error).startswith("expected"):
            raise
        if "pickle" not in str(error).lower():  # zarr 3 itself refuses most stores with pickles
            raise _not_opened(error, name, "copy the whole folder again" if folder else "check the address and the connection") from error
    raise ValueError(f"expected numbers in {name!r}, it holds Python pickles, which are never opened; write it again without objects")


def _opened(source: str | Path | io.BytesIO | HttpStore, engine: Engine, group: str | None = None) -> xr.Dataset:
    """Open with times decoded. Where xarray cannot decode one of them, each is decoded alone, so that one odd variable spoils no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about encodings, which do not matter here
        try:
            opened = dataset = xr.open_dataset(source, engine=engine, chunks=None, group=group)  # type: ignore[arg-type]  # xarray's types leave a zarr Store out
        except Exception as error:
            if not _is_about_times(error):
                raise
            opened = xr.open_dataset(source, engine=engine, chunks=None, group=group, decode_times=False)  # type: ignore[arg-type]
            dataset = decode_each(opened)
        dataset, notes = decode_unusual(dataset)
    if dataset is not opened:
        dataset.set_close(opened.close)
    dataset.encoding["notes"] = [*([f"the fields are in the group {group!r} of the file"] if group else []), *notes]
    return dataset


def _is_about_times(error: Exception) -> bool:
    return any(word in str(error) for word in ("calendar", "cftime", "decode time", "decode_times", "since"))


def _not_opened(error: Exception, name: str, cure: str) -> ValueError:
    return ValueError(f"expected to open {name!r}, got {_why(error, cure)}")


def _why(error: Exception, cure: str) -> str:
    lost = isinstance(error, URLError | TimeoutError | ConnectionError | HTTPException)
    return f"{type(error).__name__}: {'the connection was lost; try again' if lost else f'the file is damaged or incomplete; {cure}'}"
