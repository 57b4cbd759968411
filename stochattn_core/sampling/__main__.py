"""python -m stochattn_core.sampling: compile the samplers now, so that nobody waits for it later."""

import contextlib
import os

from stochattn_core.sampling import cpu, kernels

with contextlib.suppress(AttributeError, OSError):  # a system without priorities
    os.nice(10)
cpu.warm(kernels)
