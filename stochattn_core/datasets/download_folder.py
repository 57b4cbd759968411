"""Where downloaded data are kept: the user's cache folder, or the folder that the environment variable STOCHATTN_CACHE names."""

from __future__ import annotations

import os
from pathlib import Path


def download_folder(name: str) -> Path:
    """Return the folder of this dataset in the cache; it need not exist yet."""
    return Path(os.environ.get("STOCHATTN_CACHE") or Path.home() / ".cache" / "stochattn") / name
