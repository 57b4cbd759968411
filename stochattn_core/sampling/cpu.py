"""The samplers of `eager`, compiled for the CPU: the same numbers, several times faster.

The compiled code (`kernels.py`) is kept by Numba beside its source, or in the user's cache where that cannot be written. Compiling takes
seconds, once on a machine, in a process of its own: until it has ended `eager` answers, with the same bits, so nobody waits for it and no
result depends on it. Without Numba, or where nothing can be kept, `eager` answers always.
`python -m stochattn_core.sampling` compiles ahead.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from stochattn_core.sampling import eager

# Rows below which handing a part of them to another thread costs more than it saves.
ROWS_PER_THREAD = 128


def takes(values: Tensor) -> bool:
    """Whether the compiled code is there and can work on such values: plain tensors on the CPU, of which no gradient is asked.

    What is computed with must be float32.
    """
    is_plain = type(values) is Tensor and values.device.type == "cpu" and not torch._C._functorch.is_functorch_wrapped_tensor(values)
    if not is_plain or torch.compiler.is_compiling() or (torch.is_grad_enabled() and values.requires_grad):
        return False
    return _loader.kernels() is not None


def mean_of_draws(mass: Tensor, keys: Tensor, concentration: int, values: Tensor) -> Tensor:
    """As eager.mean_of_draws."""
    out = mass.new_empty(keys[..., 0].numel(), len(mass), values.shape[-1])
    words = _words(keys).reshape(-1, len(mass))
    _over_rows(_loader.kernels().mean_of_draws, _numpy(mass), words, concentration, _numpy(values), out.numpy())
    return out.view(*keys.shape, -1)


def counts_by_search(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_search, in the memory of out where it is given."""
    return _counts(_loader.kernels().counts_by_search, mass, keys, concentration, out)


def counts_by_chain(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_chain, in the memory of out where it is given."""
    return _counts(_loader.kernels().counts_by_chain, mass, keys, concentration, out)


def sample_counts(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.sample_counts, in the memory of out where it is given."""
    sampler = counts_by_search if eager.draws_by_search(concentration, mass.shape[-1]) else counts_by_chain
    return sampler(mass, keys, concentration, out=out)


def _counts(kernel: Callable, mass: Tensor, keys: Tensor, concentration: int, out: Tensor | None) -> Tensor:
    out = torch.empty_like(mass, memory_format=torch.contiguous_format) if out is None else out
    _over_rows(kernel, _numpy(mass), _words(keys), concentration, out.numpy())
    return out


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().contiguous().numpy()


def _words(keys: Tensor) -> np.ndarray:
    return _numpy(keys).view(np.uint64)


def _over_rows(kernel: Callable, mass: np.ndarray, *arguments: object) -> None:
    """Run a kernel on as many threads as torch uses. A row knows nothing of the others, so the parts change no bit."""
    n_row = len(mass)
    n_part = max(1, min(torch.get_num_threads(), n_row // ROWS_PER_THREAD))
    ends = [n_row * part // n_part for part in range(n_part + 1)]
    others = [_pool(os.getpid()).submit(kernel, mass, *arguments, ends[i], ends[i + 1]) for i in range(1, n_part)]
    kernel(mass, *arguments, 0, ends[1])
    for other in others:
        other.result()


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="stochattn")


class _Loader:
    """Finds the compiled code, has it compiled where there is none yet, and says so with None until it is there."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded: ModuleType | None = None
        self.compiling: subprocess.Popen | None = None
        self.is_hopeless = False

    def kernels(self) -> ModuleType | None:
        if self.loaded is not None or self.is_hopeless:
            return self.loaded
        if self.compiling is not None and self.compiling.poll() is None:
            return None
        with self.lock:
            if self.loaded is None and not self.is_hopeless and (self.compiling is None or self.compiling.poll() is not None):
                try:
                    self._load_or_compile()
                except Exception:  # whatever keeps Numba from working here, eager works
                    self.is_hopeless = True
        return self.loaded

    def _load_or_compile(self) -> None:
        if importlib.util.find_spec("numba") is None:
            self.is_hopeless = True
            return
        from stochattn_core.sampling import kernels

        if _mark(kernels).exists():
            warm(kernels)
            self.loaded = kernels
        elif self.compiling is None:
            root = str(Path(__file__).parents[2])
            path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
            silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            self.compiling = subprocess.Popen([sys.executable, "-m", __package__], env={**os.environ, "PYTHONPATH": path}, **silent)
        else:
            self.is_hopeless = True  # it was compiled, and nothing was kept


def _mark(kernels: ModuleType) -> Path:
    """An empty file beside what Numba keeps, which says that every kernel of this source was compiled for this Python and processor."""
    import llvmlite.binding
    import numba

    built_for = (numba.__version__, sys.version, llvmlite.binding.get_host_cpu_name(), Path(kernels.__file__).read_text())
    digest = hashlib.sha256(repr(built_for).encode()).hexdigest()
    return Path(kernels.mean_of_draws.stats.cache_path) / f"stochattn-{digest[:16]}.compiled"


def warm(kernels: ModuleType) -> None:
    """Call every kernel once on one row, which compiles it, or loads what was compiled."""
    mass, keys, out = np.ones((1, 2), np.float32), np.zeros(1, np.uint64), np.empty((1, 2), np.float32)
    kernels.mean_of_draws(mass, keys[None], 1, np.ones((1, 2, 2), np.float32), out[None], 0, 1)
    kernels.counts_by_search(mass, keys, 1, out, 0, 1)
    kernels.counts_by_chain(mass, keys, 1, out, 0, 1)
    _mark(kernels).touch()


def wait() -> bool:
    """Compile or load now, in this process; whether there is compiled code. For programs that measure, and for tests."""
    if _loader.kernels() is None and importlib.util.find_spec("numba") is not None:
        if _loader.compiling is not None:
            _loader.compiling.wait()
        _loader.kernels()
    return _loader.loaded is not None


_loader = _Loader()
