"""Which device the work runs on."""

from __future__ import annotations

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
