"""Code that Numba compiles: where its machine code is stored, who waits for it, and what answers until it is available.

Numba stores the machine code of a module beside its source, or in the user's cache if that folder cannot be written. Compiling takes
seconds, once on a machine, and runs in a process of its own. Until it has ended, without Numba, or where nothing can be stored,
`Kernels.loaded()` is None and the caller's torch code answers, so nothing waits.
`python -m stochattn_core.compiled` compiles everything ahead.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

MODULES = (
    "stochattn_core.sampling.kernels",
    "stochattn_core.metrics.sum_kernels",
    "stochattn_core.metrics.energy_kernels",
    "stochattn_core.metrics.tail_kernels",
)

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Return the function as a kernel: Numba compiles it and stores its machine code, and other threads run while it runs."""
    from numba import njit

    # A Dispatcher is not the function, but is called like it.
    return njit(nogil=True, cache=True, error_model="numpy")(function)  # type: ignore[return-value]


class Kernels:
    """The compiled functions of one module, which has a function warm() that calls each of them once.

    The module is loaded at most once; is_hopeless says that it never will be here.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self.lock = threading.Lock()
        self.code: ModuleType | None = None
        self.compiling: subprocess.Popen[bytes] | None = None
        self.is_hopeless = False

    def loaded(self) -> ModuleType | None:
        """Return the module, or None as long as its machine code is not available; the first call starts its compilation."""
        if self.code is not None or self.is_hopeless:
            return self.code
        if self._is_compiling():
            return None
        with self.lock:
            if self.code is None and not self.is_hopeless and not self._is_compiling():
                try:
                    self._load_or_compile()
                except Exception:  # whatever keeps Numba from working here, torch works
                    self.is_hopeless = True
        return self.code

    def wait(self) -> bool:
        """Load the module, after waiting for its compilation; return whether it is available. For benchmarks and tests."""
        if self.loaded() is None and importlib.util.find_spec("numba") is not None:
            if self.compiling is not None:
                self.compiling.wait()
            self.loaded()
        return self.code is not None

    def compile(self) -> None:
        """Compile in this process, or load the machine code that is stored."""
        importlib.import_module(self.module).warm()

    def _is_compiling(self) -> bool:
        return self.compiling is not None and self.compiling.poll() is None

    def _load_or_compile(self) -> None:
        if importlib.util.find_spec("numba") is None:
            self.is_hopeless = True
            return
        kernels = importlib.import_module(self.module)
        try:
            with _without_compiling():
                kernels.warm()
            self.code = kernels
        except _NotStored:
            if self.compiling is not None:
                self.is_hopeless = True  # the module was compiled, but its machine code could not be stored
                return
            root = str(Path(__file__).parents[2])
            path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
            self.compiling = subprocess.Popen(
                [sys.executable, "-m", __name__, self.module],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )


class _NotStored(Exception):
    """No machine code is stored for this source, this Python, this Numba and this processor."""


@contextlib.contextmanager
def _without_compiling() -> Iterator[None]:
    """Let this thread load stored machine code, and raise _NotStored where Numba would begin to compile. Other threads may compile."""
    from numba.core import event

    thread = threading.get_ident()

    class Refusing(event.Listener):
        def on_start(self, event: object) -> None:
            if threading.get_ident() == thread:
                raise _NotStored

        def on_end(self, event: object) -> None:
            pass

    with event.install_listener("numba:compile", Refusing()):
        yield
