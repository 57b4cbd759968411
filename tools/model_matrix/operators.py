"""torchvision beside a torch that it was not built for: its compiled operators are missing, and its import ends with an error.

The import only registers shapes for two of them, `nms` and `qnms`, and no model of the matrix calls either. Defining them here makes
`import torchvision`, and with it timm, aurora and transformers, work. Import this module before them.
"""

from __future__ import annotations

import contextlib

import torch

try:
    with contextlib.suppress(ModuleNotFoundError):  # transformers works without it
        import torchvision  # noqa: F401
except RuntimeError:  # operator torchvision::nms does not exist
    LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
    for _name in ("nms", "qnms"):
        LIBRARY.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
