"""Trajectories on disk: streamfunctions as spherical-harmonic coefficients up to T31, two bytes per number.

A stored number is (coefficient - mean) / scale in half precision, where mean (level, coefficient) is the time mean and scale (level,
coefficient) is the standard deviation over all coefficients of the same degree n. Stored numbers are therefore of the order of 1, and
rounding costs at most 0.05% of the departure from the mean. The coefficients form one row: the real parts for m = 0..31 and n = m..31,
then the imaginary parts for m = 1..31.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

TRUNCATION = 31
HOURS = 6  # between two times


def _places(truncation: int = TRUNCATION) -> np.ndarray:
    """Return m, part and n of each coefficient of a row: (coefficient, 3) int."""
    real = [(m, 0, n) for m in range(truncation + 1) for n in range(m, truncation + 1)]
    imaginary = [(m, 1, n) for m in range(1, truncation + 1) for n in range(m, truncation + 1)]
    return np.array(real + imaginary)


PLACES = _places()


def to_rows(coefficient: torch.Tensor) -> torch.Tensor:
    """Turn (m, part, n, column), truncated at 31 or more, into rows (column, coefficient) at T31."""
    m, part, n = PLACES.T
    return coefficient[m, part, n].T.contiguous()


def from_rows(rows: torch.Tensor) -> torch.Tensor:
    """Turn rows (column, coefficient) into (m, part, n, column) at T31."""
    size = TRUNCATION + 1
    m, part, n = PLACES.T
    coefficient = torch.zeros(size, 2, size, len(rows), dtype=rows.dtype)
    coefficient[m, part, n] = rows.T
    return coefficient


@dataclass(frozen=True)
class Packing:
    """How coefficients become half precision. mean, scale: (level, coefficient) float32 in m2 s-1."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Packing:
        """Return the packing that fits these streamfunctions (case, level, coefficient)."""
        mean = rows.mean(axis=0, dtype=np.float64)
        variance = rows.var(axis=0, dtype=np.float64)
        degree = PLACES[:, 2]
        of_degree = np.stack([variance[:, degree == n].mean(axis=1) for n in range(TRUNCATION + 1)], axis=1)
        scale = np.sqrt(of_degree)[:, degree]
        return cls(mean.astype(np.float32), np.where(scale > 0, scale, 1).astype(np.float32))

    def pack(self, rows: np.ndarray) -> np.ndarray:
        """Turn (..., level, coefficient) in m2 s-1 into float16."""
        return ((rows - self.mean) / self.scale).astype(np.float16)

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """Turn float16 into (..., level, coefficient) float32 in m2 s-1."""
        return packed.astype(np.float32) * self.scale + self.mean


def save(path: Path, packing: Packing, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the packing and these arrays as one .npz file. It gets its name when it is complete: no half-written file is ever read."""
    unfinished = path.with_name(path.stem + ".part.npz")
    np.savez(unfinished, mean=packing.mean, scale=packing.scale, allow_pickle=False, **arrays)
    unfinished.replace(path)


def load(path: Path) -> tuple[Packing, dict[str, np.ndarray]]:
    """Return the packing of a file and its other arrays."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return Packing(arrays.pop("mean"), arrays.pop("scale")), arrays
