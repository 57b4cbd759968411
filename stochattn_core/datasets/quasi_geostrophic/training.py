"""Reads the simulated training years as streamfunctions or as fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from stochattn_core.datasets.quasi_geostrophic.archive import load
from stochattn_core.datasets.quasi_geostrophic.fields import VARIABLES, decode


def trajectories(folder: Path, part: str = "train") -> np.ndarray:
    """Return the streamfunctions of all files of a part, in time order: (member, time, level, coefficient) float32, every 6 h.

    Twelve years take 215 MB. Members are separate trajectories: an init time and its target must come from the same member.
    """
    pieces = []
    for path in sorted(Path(folder).glob(f"{part}_[0-9][0-9][0-9].npz")):
        packing, arrays = load(path)
        pieces.append(packing.unpack(arrays["streamfunction"]))
    if not pieces:
        raise ValueError(
            f"expected files {part}_000.npz and so on in {str(folder)!r}, found none; make them with "
            f"python -m stochattn_core.datasets.quasi_geostrophic.simulate --out {folder}"
        )
    return np.concatenate(pieces, axis=1)


def fields(folder: Path, variables: tuple[str, ...] = VARIABLES, part: str = "train") -> Iterator[torch.Tensor]:
    """Yield one member after the other: (time, variable, latitude, longitude) float32 in physical units, every 6 h.

    A year of eleven variables takes 130 MB. To train a network on twelve years, keep the streamfunctions and decode each batch,
    which takes about 0.3 ms a time.
    """
    for member in trajectories(folder, part):
        yield decode(member, variables)
