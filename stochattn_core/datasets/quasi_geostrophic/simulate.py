"""Makes the simulated years: python -m stochattn_core.datasets.quasi_geostrophic.simulate --years 12 --out FOLDER

Sixteen independent trajectories run side by side from different random states: the first fourteen are for training, the fifteenth for
calibration, the last for testing. After SPIN_UP days the initial states are forgotten. Every CHUNK days the files train_NNN.npz,
calibration_NNN.npz and test_NNN.npz are written with a checkpoint beside them; the same command goes on where it was stopped. With
--ship the command then writes the files of data/.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from stochattn_core.datasets.quasi_geostrophic.archive import HOURS, Packing, load, save, to_rows
from stochattn_core.datasets.quasi_geostrophic.climate import build
from stochattn_core.datasets.quasi_geostrophic.model import QuasiGeostrophicModel
from stochattn_core.datasets.quasi_geostrophic.ship import ship

MEMBERS = {"train": slice(0, 14), "calibration": slice(14, 15), "test": slice(15, 16)}
N_MEMBER = 16
SPIN_UP = 120  # days
CHUNK = 30  # days
PER_DAY = 24 // HOURS


def simulate(folder: Path, years: float, seed: int = 0) -> None:
    """Run until the training members together have simulated that many years of 365 days."""
    folder.mkdir(parents=True, exist_ok=True)
    model = build()
    per_member = years * 365 / (MEMBERS["train"].stop - MEMBERS["train"].start)
    n_chunk = int(np.ceil(per_member / CHUNK))
    checkpoint = folder / "checkpoint.npz"
    if checkpoint.exists():
        state, chunk, packing = _resume(model, checkpoint, seed)
    else:
        state, chunk, packing = beginning(model, seed), 0, None
    with tqdm(total=SPIN_UP + n_chunk * CHUNK, initial=SPIN_UP * (packing is not None) + chunk * CHUNK, unit="day", smoothing=0.05) as bar:
        if packing is None:
            state, rows = _run(model, state, SPIN_UP, bar)
            late = rows[rows.shape[0] // 2 :]  # the packing only needs the right order of magnitude
            packing = Packing.of(late.reshape(-1, *late.shape[2:]))
            _save_checkpoint(model, checkpoint, state, chunk, packing, seed)
        for number in range(chunk, n_chunk):
            state, rows = _run(model, state, CHUNK, bar)
            packed = packing.pack(rows).transpose(1, 0, 2, 3)  # (member, time, level, coefficient)
            for part, members in MEMBERS.items():
                arrays = {"streamfunction": packed[members], "first_hour": np.array(number * CHUNK * 24)}
                save(folder / f"{part}_{number:03d}.npz", packing, arrays)
            _save_checkpoint(model, checkpoint, state, number + 1, packing, seed)


def beginning(model: QuasiGeostrophicModel, seed: int, n_member: int = N_MEMBER) -> torch.Tensor:
    """Return weak large waves, different for each member: vorticity (m, part, n, level * member)."""
    size = model.transform.truncation + 1
    generator = torch.Generator().manual_seed(seed)
    psi = torch.zeros(size, 2, size, 3 * n_member)
    psi[1:9, :, :17] = 3e5 * torch.randn(8, 2, 17, 3 * n_member, generator=generator)
    order, degree = torch.arange(size)[:, None], torch.arange(size)
    return model.vorticity((psi * (degree >= order)[:, None, :, None]).to(model.transform.dtype))


def _run(model: QuasiGeostrophicModel, state: torch.Tensor, days: int, bar: tqdm) -> tuple[torch.Tensor, np.ndarray]:
    """Return the state after that many days and the streamfunctions (time, member, level, coefficient), every 6 h, without the last state."""
    steps = round(HOURS * 3600 / model.physics.dt)
    rows = []
    for time in range(days * PER_DAY):
        psi = to_rows(model.streamfunction(state))
        rows.append(psi.reshape(3, -1, psi.shape[-1]).transpose(0, 1).numpy())
        for _ in range(steps):
            state = model.step(state)
        if time % PER_DAY == PER_DAY - 1:
            bar.update(1)
    if not torch.isfinite(state).all():
        raise ValueError(f"expected finite vorticity, got NaN within {days} days; take a shorter time step than {model.physics.dt:g} s")
    return state, np.stack(rows)


def _save_checkpoint(model: QuasiGeostrophicModel, path: Path, state: torch.Tensor, chunk: int, packing: Packing, seed: int) -> None:
    past = torch.stack(model.past).numpy()
    save(path, packing, {"state": state.numpy(), "past": past, "chunk": np.array(chunk), "seed": np.array(seed)})


def _resume(model: QuasiGeostrophicModel, path: Path, seed: int) -> tuple[torch.Tensor, int, Packing]:
    packing, arrays = load(path)
    if int(arrays["seed"]) != seed:
        raise ValueError(f"expected to go on with seed {arrays['seed']} of {str(path)!r}, got {seed}; give that seed, or another folder")
    model.past = list(torch.tensor(arrays["past"]))
    return torch.tensor(arrays["state"]), int(arrays["chunk"]), packing


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m stochattn_core.datasets.quasi_geostrophic.simulate", description="Makes the simulated years of the planet."
    )
    parser.add_argument("--years", type=float, default=12.0, help="years of training data, all training members together")
    parser.add_argument(
        "--out", type=Path, default=Path("planet-years"), help="folder for the files; the run goes on from the checkpoint in it"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ship", action="store_true", help="write data/planet_*.npz from the simulated years")
    options = parser.parse_args()
    if not options.years > 0:
        parser.error(f"expected years above 0, got {options.years}; try --years 12")
    torch.set_num_threads(options.threads)
    try:
        simulate(options.out, options.years, options.seed)
        paths = ship(options.out) if options.ship else []
    except ValueError as error:
        parser.error(str(error))
    for path in paths:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
