"""What was computed once and is kept: arrays on disk, addressed by the content that made them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Raised whenever the same inputs give other numbers than before: what was kept under an older law is then never found.
LAW_VERSION = 2
_LIMIT_BYTES = 2 * 1024**3
_SWEEP_EVERY = 64  # saves, for what other processes keep beside this one
_SLACK = 1.02  # of the limit, so that a store that is full is not looked through at every save
_sizes: dict[Path, tuple[float, int]] = {}  # bytes in a folder of results as far as this process knows, and its saves since it looked


def cache_folder() -> Path:
    """STOCHATTN_CACHE, or a folder in the user's cache."""
    return Path(os.environ.get("STOCHATTN_CACHE") or Path.home() / ".cache" / "stochattn")


def key_of(kind: str, **parts: Any) -> str:
    """SHA-256 of everything the result depends on, as canonical JSON."""
    text = json.dumps({"kind": kind, "law": LAW_VERSION, **parts}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def load(key: str) -> dict[str, np.ndarray] | None:
    """The arrays kept under a key, memory-mapped and read-only; None when there are none, or when they are broken."""
    folder = _folder(key)
    try:
        arrays = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}
        os.utime(folder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return arrays or None


def save(key: str, fill: Callable[[Path], None], *, limit_bytes: int = _LIMIT_BYTES) -> dict[str, np.ndarray]:
    """Let `fill` write .npy files into a fresh folder, then put the folder in place in one step.

    If fill raises, or two do the same work at once, nothing half-written is ever found under the key.
    """
    folder = _folder(key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    except OSError as error:
        raise ValueError(
            f"expected to keep results in {cache_folder()}, got: {error.strerror}; set STOCHATTN_CACHE to a folder that can be written"
        ) from None
    try:
        fill(fresh)
        with contextlib.suppress(OSError):  # another process was faster: its folder holds the same bytes
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _make_room(limit_bytes, keep=folder)
    kept = load(key)
    if kept is None:
        raise OSError(
            f"expected to keep results in {folder.parent}, found nothing there; is the disk full? Set STOCHATTN_CACHE to another folder"
        )
    return kept


def save_arrays(key: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    def fill(folder: Path) -> None:
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)

    return save(key, fill)


def _folder(key: str) -> Path:
    return cache_folder() / "results" / key[:2] / key


def _make_room(limit_bytes: int, keep: Path) -> None:
    """Look through everything that is kept only where it may be too much: at the first save of a process, where its own saves go over the
    limit, and every so many saves.
    """
    results = cache_folder() / "results"
    size, saves = _sizes.get(results, (math.inf, 0))
    with contextlib.suppress(OSError):
        size += sum(f.stat().st_size for f in keep.iterdir())
    if size > _SLACK * limit_bytes or saves >= _SWEEP_EVERY:
        size, saves = _forget_oldest(limit_bytes, keep), 0
    _sizes[results] = size, saves + 1


def _forget_oldest(limit_bytes: int, keep: Path) -> int:
    """Drop the least recently used results until the rest fits, and leftovers of work that was killed an hour ago or more. Bytes left."""
    entries = []
    for folder in (cache_folder() / "results").glob("*/*"):
        with contextlib.suppress(OSError):
            age = time.time() - folder.stat().st_mtime
            if folder.name.startswith("."):
                if time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir())) > 3600:
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                entries.append((age, sum(f.stat().st_size for f in folder.iterdir()), folder))
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries, key=lambda entry: entry[0], reverse=True):
        if total <= limit_bytes:
            break
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
    return total
