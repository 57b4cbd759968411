"""Where weights lie: the small embedded ones beside this file, the ones trained here in a cache folder of the user's.

Only safetensors are read or written: a file of weights cannot run code.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stochattn_core import store

EMBEDDED = Path(__file__).with_name("weights")


def cache_folder() -> Path:
    """$STOCHATTN_CACHE/weights, by default ~/.cache/stochattn/weights."""
    return store.cache_folder() / "weights"


def save(path: Path, state: dict[str, torch.Tensor], about: dict) -> None:
    """Writes the whole file or nothing: to a temporary name first, then renamed in one step."""
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


def about(path: Path) -> dict:
    """What the file says of itself, {} when it is missing, damaged or of other hands."""
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("about", "{}"))
    except (OSError, SafetensorError, ValueError):
        return {}


def load(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, the file is no mapping


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Inside, torch draws from `seed` on one thread; outside, generator and thread count are as before.

    One thread makes a training run the same bits whatever else the machine does, and is as fast for networks this small.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
