"""python -m stochattn_core.compiled [MODULE ...]: compile now, all that is compiled or these modules, so that nobody waits for it later."""

import contextlib
import os
import sys

from stochattn_core.compiled import MODULES, Kernels

with contextlib.suppress(AttributeError, OSError):  # a system without priorities
    os.nice(10)
for module in sys.argv[1:] or MODULES:
    Kernels(module).compile()
