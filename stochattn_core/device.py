"""Which device the work runs on."""

from __future__ import annotations

import os

import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto") -> torch.device:
    """auto takes CUDA, then MPS, then the CPU. ValueError for a name that is unknown or a device that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, found in there.items() if found))
    kind = str(name).split(":")[0]
    if kind not in there:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {name!r}")
    if not there[kind]:
        raise ValueError(f"device {name!r} was asked for and this machine has none; use auto or cpu")
    return torch.device(name)


def use_half_the_cores() -> None:
    """Let torch use half of the cores, unless OMP_NUM_THREADS says how many. For programs, the app and the command line, not for the library.

    Sampling is many small operations: on all cores, next to a browser or another program, they wait for one another and run three times
    slower. It is one place so that both programs give the same bits.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
