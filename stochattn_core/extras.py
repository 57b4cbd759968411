"""Packages that only a part of stochattn needs: which extra installs each, and the sentence shown where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXTRA_OF = {
    "streamlit": "app",
    "cartopy": "maps",
    "contourpy": "maps",
    "jinja2": "maps",
    "matplotlib": "maps",
    "plotly": "maps",
    "rtdl_revisiting_models": "tables",
    "sklearn": "tables",
    "statsmodels": "series",
    "transformers": "series",
    "cf_xarray": "files",
    "cfgrib": "grib",
    "cftime": "files",
    "eccodes": "grib",
    "h5netcdf": "files",
    "h5py": "files",
    "huggingface_hub": "series",
    "pooch": "files",
    "xarray": "files",
    "zarr": "files",
    "triton": "gpu",
}


class MissingExtraError(ImportError, ValueError):
    """A package that an extra installs is not there. Also a ValueError, so programs show it to the user as one sentence."""


@contextmanager
def explained_extras() -> Iterator[None]:
    """Inside, a missing package of EXTRA_OF raises MissingExtraError with the command that installs it; other errors pass unchanged.

    >>> with explained_extras():
    ...     raise ModuleNotFoundError("No module named 'zarr'", name="zarr")
    Traceback (most recent call last):
    ...
    stochattn_core.extras.MissingExtraError: expected the package zarr, which is not installed; pip install 'stochattn[files]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in EXTRA_OF:
            raise
        raise MissingExtraError(
            f"expected the package {package}, which is not installed; pip install 'stochattn[{EXTRA_OF[package]}]'", name=package
        ) from error
