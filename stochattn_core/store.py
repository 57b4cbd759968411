"""Results on disk: arrays under a key that is the digest of everything they were computed from."""

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

import numpy as np

# Raised whenever the same inputs give other numbers than before: results of an older version then have other keys and are never read.
LAW_VERSION = 2
_LIMIT_BYTES = 2 * 1024**3
_SWEEP_EVERY = 64  # saves, because other processes save into the same folder
_SLACK = 1.02  # of the limit, so that a full store is not searched at every save
_sizes: dict[Path, tuple[float, int]] = {}  # by folder of results: its bytes as far as this process knows, and saves since it last looked


def cache_folder() -> Path:
    """Return the folder of everything that can be computed or fetched again: $STOCHATTN_CACHE, or ~/.cache/stochattn."""
    return Path(os.environ.get("STOCHATTN_CACHE") or Path.home() / ".cache" / "stochattn")


def key_of(kind: str, **parts: object) -> str:
    """Return the SHA-256 of everything the result depends on, written as canonical JSON."""
    text = json.dumps({"kind": kind, "law": LAW_VERSION, **parts}, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def load(key: str) -> dict[str, np.ndarray] | None:
    """Return the arrays under a key by name, memory-mapped and read-only; None if there are none, or if they are broken."""
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
    """Let `fill` write .npy files into a new folder, move the folder to its place in one step, and return the arrays as load does.

    If fill raises, or if two processes do the same work at once, nothing half-written is ever read under the key. Older results are
    deleted where the store is then larger than limit_bytes. ValueError if the cache folder cannot be written, OSError if the disk is full.
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
    arrays = load(key)
    if arrays is None:
        raise OSError(
            f"expected to keep results in {folder.parent}, found nothing there; is the disk full? Set STOCHATTN_CACHE to another folder"
        )
    return arrays


def save_arrays(key: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Save arrays that are in memory, as save does."""

    def fill(folder: Path) -> None:
        for name, values in arrays.items():
            np.save(folder / f"{name}.npy", values, allow_pickle=False)

    return save(key, fill)


def _folder(key: str) -> Path:
    return cache_folder() / "results" / key[:2] / key


def _make_room(limit_bytes: int, keep: Path) -> None:
    """Delete the oldest results where the store may be too large.

    The store is searched only at the first save of a process, when its own saves exceed the limit, and every _SWEEP_EVERY saves.
    """
    results = cache_folder() / "results"
    size, saves = _sizes.get(results, (math.inf, 0))
    with contextlib.suppress(OSError):
        size += sum(f.stat().st_size for f in keep.iterdir())
    if size > _SLACK * limit_bytes or saves >= _SWEEP_EVERY:
        size, saves = _forget_oldest(limit_bytes, keep), 0
    _sizes[results] = size, saves + 1


def _forget_oldest(limit_bytes: int, keep: Path) -> int:
    """Delete the least recently used results until the rest fits, and return the bytes of the rest.

    Unfinished folders are deleted when nothing in them has changed for an hour: the work that made them was killed.
    """
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
