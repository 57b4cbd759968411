"""Where the files of the top-level folder data/ lie: beside the package in a clone, inside it in an installed wheel.

The wheel carries data/ as stochattn_core/data (see setup.py), so an installed package needs no clone and no network.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "data"

DATA_FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "data"


def data_file(name: str) -> Path:
    """Return the path of a file of data/, such as "coastline_110m.npz". The path is not checked: the reader knows what to say without it."""
    return DATA_FOLDER / name
