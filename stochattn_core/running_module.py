"""Which module of a model is running: read from the frames of the call, so that nothing is hooked to the model."""

from __future__ import annotations

import sys
import weakref
from types import FrameType

from torch import nn


class RunningModule:
    """Names the innermost module of a model that is running in this thread."""

    def __init__(self, model: nn.Module):
        self.model = weakref.ref(model)
        self.names = {id(module): name.replace("_orig_mod.", "").replace("_orig_mod", "") for name, module in model.named_modules()}

    def name(self) -> str | None:
        """Return the name of the innermost module, "" for the model itself and None outside of it; a nn.Softmax counts as its owner."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            if code.co_argcount and code.co_varnames[0] == "self":
                owner = frame.f_locals.get("self")
                if isinstance(owner, nn.Module) and id(owner) in self.names and not isinstance(owner, nn.Softmax):
                    return self.names[id(owner)]
            frame = frame.f_back
        return None
