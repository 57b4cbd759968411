"""Files of weights: the small embedded ones beside this module, and those trained here, in a cache folder of the user.

Only safetensors files are read and written, because such a file cannot run code.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stochattn_core import store

EMBEDDED = Path(__file__).with_name("weights")


def cache_folder() -> Path:
    """Return $STOCHATTN_CACHE/weights, by default ~/.cache/stochattn/weights."""
    return store.cache_folder() / "weights"


def save(path: Path, state: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write the whole file or nothing: under a temporary name first, then renamed in one step.

    about: what the file says of itself; values that JSON can hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    os.close(handle)
    try:
        tensors = {name: values.detach().cpu().contiguous() for name, values in state.items()}
        save_file(tensors, temporary, metadata={"about": json.dumps(about, sort_keys=True)})
        os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def about(path: Path) -> dict[str, Any]:
    """Return what the file says of itself; {} if it is missing, damaged, or not written by this project."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("about", "{}"))
    except (OSError, SafetensorError, ValueError):
        return {}


def load(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file by name."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, the file is not a mapping
