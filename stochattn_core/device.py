"""The device that the work runs on."""

from __future__ import annotations

import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of that name; auto takes CUDA, then MPS, then the CPU.

    ValueError for a name that is unknown or a device that this machine does not have.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_available in available.items() if is_available))
    kind = str(name).split(":")[0]
    if kind not in available:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {name!r}")
    if not available[kind]:
        raise ValueError(f"device {name!r} was asked for and this machine has none; use auto or cpu")
    return torch.device(name)
