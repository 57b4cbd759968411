"""python -m stochattn_core.compiled [MODULE ...]: compile these modules, or all, so that nothing has to wait for it later."""

import contextlib
import os
import sys

from stochattn_core.compiled import MODULES, Kernels

with contextlib.suppress(AttributeError, OSError):  # this system has no priorities
    os.nice(10)
for module in sys.argv[1:] or MODULES:
    Kernels(module).compile()
