"""Where downloaded data are kept: the user's cache folder, or the folder that the environment variable STOCHATTN_CACHE names."""

from __future__ import annotations

from pathlib import Path

from stochattn_core.store import cache_folder


def download_folder(name: str) -> Path:
    """Return the folder of this dataset in the cache; it need not exist yet."""
    return cache_folder() / name
