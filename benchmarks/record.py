"""The files in benchmarks/results: the numbers of a benchmark as JSON, with the versions on which they depend and without a date."""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stochattn_core import __version__

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "numba", "llvmlite")


def record(name: str, packages: tuple[str, ...] = (), **content: Any) -> Path:
    """Write benchmarks/results/NAME.json: the same numbers give the same bytes. A number that is not finite becomes null.

    packages: further packages on whose versions the numbers depend, beside PACKAGES.
    """
    versions = {
        "stochattn": __version__,
        **{package: installed(package) for package in (*PACKAGES, *packages)},
        "python": platform.python_version(),
    }
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"versions": versions, **_plain(content)}, indent=1, allow_nan=False) + "\n")
    return path


def installed(package: str) -> str | None:
    """Return the version of a package; None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ("---",) * len(head), *rows))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
