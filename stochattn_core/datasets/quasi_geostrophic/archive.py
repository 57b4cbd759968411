"""Trajectories on disk: streamfunctions as spherical-harmonic coefficients to T31, two bytes a number.

A number is (coefficient - mean) / scale in half precision, with mean (level, coefficient) the time mean and scale (level, coefficient) the
standard deviation over all coefficients of the same degree n: every number is of the order of 1 and loses at most 0.05% of its departure from the mean.
Coefficients stand in one row: the real parts for m = 0..31 and n = m..31, then the imaginary parts for m = 1..31.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

TRUNCATION = 31
HOURS = 6  # between two times


def _places(truncation: int = TRUNCATION) -> np.ndarray:
    """(coefficient, 3): m, part, n of each coefficient in a row."""
    real = [(m, 0, n) for m in range(truncation + 1) for n in range(m, truncation + 1)]
    imaginary = [(m, 1, n) for m in range(1, truncation + 1) for n in range(m, truncation + 1)]
    return np.array(real + imaginary)


PLACES = _places()


def to_rows(coefficient: torch.Tensor) -> torch.Tensor:
    """(m, part, n, column) of any truncation from 31 -> (column, coefficient)."""
    m, part, n = PLACES.T
    return coefficient[m, part, n].T.contiguous()


def from_rows(rows: torch.Tensor) -> torch.Tensor:
    """(column, coefficient) -> (m, part, n, column) at T31."""
    size = TRUNCATION + 1
    m, part, n = PLACES.T
    coefficient = torch.zeros(size, 2, size, len(rows), dtype=rows.dtype)
    coefficient[m, part, n] = rows.T
    return coefficient


@dataclass(frozen=True)
class Packing:
    """mean, scale: (level, coefficient) float32 in m2 s-1."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Packing:
        """From streamfunctions (case, level, coefficient)."""
        mean = rows.mean(axis=0, dtype=np.float64)
        variance = rows.var(axis=0, dtype=np.float64)
        degree = PLACES[:, 2]
        of_degree = np.stack([variance[:, degree == n].mean(axis=1) for n in range(TRUNCATION + 1)], axis=1)
        scale = np.sqrt(of_degree)[:, degree]
        return cls(mean.astype(np.float32), np.where(scale > 0, scale, 1).astype(np.float32))

    def pack(self, rows: np.ndarray) -> np.ndarray:
        """(..., level, coefficient) in m2 s-1 -> float16."""
        return ((rows - self.mean) / self.scale).astype(np.float16)

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """float16 -> (..., level, coefficient) float32 in m2 s-1."""
        return packed.astype(np.float32) * self.scale + self.mean


def save(path: Path, packing: Packing, **arrays: np.ndarray) -> None:
    """One .npz file, written under another name first: it is whole or not there."""
    part = path.with_name(path.stem + ".part.npz")
    np.savez(part, mean=packing.mean, scale=packing.scale, **arrays)
    part.replace(path)


def load(path: Path) -> tuple[Packing, dict[str, np.ndarray]]:
    """The packing of a file and its other arrays."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return Packing(arrays.pop("mean"), arrays.pop("scale")), arrays
