"""Readers of the user's own files: each returns a Dataset, or raises one ValueError of one sentence (expected, got, what to do).

    series_from_csv, table_from_csv   a column of a text table over time, or against the other columns
    columns_of                        the names of the columns of a text table
    CsvChoices                        what the user says about a text table
    grid_from_file                    a variable of a NetCDF file or a Zarr store, on disk or at an address

text/ reads text tables, grid/ maps and ensemble/ ensembles; door/ holds the checks that all of them share.
Each function is imported when it is first used, because xarray and Zarr take long to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stochattn_core.readers.grid.dataset import grid_from_file
    from stochattn_core.readers.text.choices import CsvChoices
    from stochattn_core.readers.text.file import columns_of
    from stochattn_core.readers.text.series import series_from_csv
    from stochattn_core.readers.text.table import table_from_csv

__all__ = ["CsvChoices", "columns_of", "grid_from_file", "series_from_csv", "table_from_csv"]

_MODULES = {
    "CsvChoices": "text.choices",
    "columns_of": "text.file",
    "series_from_csv": "text.series",
    "table_from_csv": "text.table",
    "grid_from_file": "grid.dataset",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
