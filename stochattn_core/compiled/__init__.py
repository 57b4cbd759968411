"""Code that Numba compiles: where it is kept, who waits for it, and what answers until it is there.

The compiled code of a module is kept by Numba beside its source, or in the user's cache where that cannot be written. Compiling takes
seconds, once on a machine, in a process of its own: until it has ended, and without Numba, or where nothing can be kept, `Kernels.loaded()`
is None and the caller's own torch code answers, so nobody waits.
`python -m stochattn_core.compiled` compiles ahead.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

MODULES = ("stochattn_core.sampling.kernels", "stochattn_core.metrics.kernels", "stochattn_core.metrics.energy_kernels")


def compiled(function):
    """The decorator of a kernel: kept on disk, and other threads run meanwhile."""
    from numba import njit

    return njit(nogil=True, cache=True, error_model="numpy")(function)


class Kernels:
    """The compiled functions of one module, which has a function warm() that calls each of them once."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.lock = threading.Lock()
        self.found: ModuleType | None = None
        self.compiling: subprocess.Popen | None = None
        self.is_hopeless = False

    def loaded(self) -> ModuleType | None:
        """The module, or None as long as its compiled code is not there; the first call has it compiled."""
        if self.found is not None or self.is_hopeless:
            return self.found
        if self.compiling is not None and self.compiling.poll() is None:
            return None
        with self.lock:
            if self.found is None and not self.is_hopeless and (self.compiling is None or self.compiling.poll() is not None):
                try:
                    self._load_or_compile()
                except Exception:  # whatever keeps Numba from working here, torch works
                    self.is_hopeless = True
        return self.found

    def wait(self) -> bool:
        """Compile or load now, in this process; whether there is compiled code. For programs that measure, and for tests."""
        if self.loaded() is None and importlib.util.find_spec("numba") is not None:
            if self.compiling is not None:
                self.compiling.wait()
            self.loaded()
        return self.found is not None

    def compile(self) -> None:
        """Compile in this process, or load what was compiled."""
        importlib.import_module(self.module).warm()

    def _load_or_compile(self) -> None:
        if importlib.util.find_spec("numba") is None:
            self.is_hopeless = True
            return
        kernels = importlib.import_module(self.module)
        try:
            with _without_compiling():
                kernels.warm()
            self.found = kernels
        except _NotKept:
            if self.compiling is not None:
                self.is_hopeless = True  # it was compiled, and nothing was kept
                return
            root = str(Path(__file__).parents[2])
            path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
            silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            self.compiling = subprocess.Popen(
                [sys.executable, "-m", __name__, self.module], env={**os.environ, "PYTHONPATH": path}, **silent
            )


class _NotKept(Exception):
    """A kernel of this source was not kept for this Python, Numba and processor."""


@contextlib.contextmanager
def _without_compiling() -> Iterator[None]:
    """What Numba has kept is loaded, and _NotKept raised where it would begin to compile. Other threads may compile."""
    from numba.core import event

    thread = threading.get_ident()

    class Refusing(event.Listener):
        def on_start(self, event):
            if threading.get_ident() == thread:
                raise _NotKept

        def on_end(self, event):
            pass

    with event.install_listener("numba:compile", Refusing()):
        yield
