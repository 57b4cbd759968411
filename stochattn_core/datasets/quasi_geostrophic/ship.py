"""Cuts the small files of data/ out of the simulated years: one period to calibrate, one to test, and a few init times to train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stochattn_core.data_files import DATA_FOLDER
from stochattn_core.datasets.quasi_geostrophic.archive import HOURS, Packing, load
from stochattn_core.datasets.quasi_geostrophic.training import trajectories

N_TIME = 700  # 175 days: 170 daily init times with lead times up to 120 h
N_START = 64  # init times out of the training years
LEADS = (6, 12, 24, 48, 72, 96, 120)  # h, the lead times shipped with each init time of the training years


def ship(folder: Path, target: Path = DATA_FOLDER) -> list[Path]:
    """Write planet_train.npz, planet_calibration.npz and planet_test.npz; return their paths."""
    packing, _ = load(Path(folder) / "train_000.npz")
    paths = []
    for part in ("calibration", "test"):
        rows = trajectories(folder, part)[0, :N_TIME]
        if len(rows) < N_TIME:
            raise ValueError(f"expected at least {N_TIME} times in {part}_*.npz, got {len(rows)}; simulate with --years 7 or more")
        paths.append(_save(target / f"planet_{part}.npz", packing, {"streamfunction": packing.pack(rows)}))
    rows = trajectories(folder, "train")  # (member, time, level, coefficient)
    n_member, n_time = rows.shape[:2]
    # Init times at midnight, evenly over all members and their times, each with the states at its lead times.
    per_day, last = 24 // HOURS, n_time - max(LEADS) // HOURS
    place = np.linspace(0, n_member * last - 1, N_START).astype(int)
    member, time = place // last, place % last // per_day * per_day
    steps = np.array([0, *LEADS]) // HOURS
    chosen = rows[member[:, None], time[:, None] + steps]  # (start, lead, level, coefficient)
    climate = rows.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    arrays = {
        "streamfunction": packing.pack(chosen),
        "member": member,
        "hour": time * HOURS,
        "lead_time": steps * HOURS,
        "climate": climate,
    }
    arrays["years"] = np.float64(n_member * n_time * HOURS / 24 / 365)
    return [_save(target / "planet_train.npz", packing, arrays), *paths]


def _save(path: Path, packing: Packing, arrays: Mapping[str, np.ndarray]) -> Path:
    np.savez_compressed(path, mean=packing.mean, scale=packing.scale, allow_pickle=False, **arrays)
    return path
