"""The samplers of `eager`, compiled for the CPU: the same numbers, several times faster.

Until the compiled code (`kernels.py`) is there `eager` answers, with the same bits, so nobody waits for it and no result depends on it.
See `stochattn_core.compiled`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from stochattn_core.compiled import Kernels
from stochattn_core.layout import is_plain
from stochattn_core.sampling import eager

# Rows below which handing a part of them to another thread costs more than it saves.
ROWS_PER_THREAD = 128

_kernels = Kernels("stochattn_core.sampling.kernels")


def takes(values: Tensor) -> bool:
    """Whether the compiled code is there and can work on such values: plain tensors on the CPU, of which no gradient is asked.

    What is computed with must be float32.
    """
    if (
        not is_plain(values)
        or values.device.type != "cpu"
        or torch.compiler.is_compiling()
        or (torch.is_grad_enabled() and values.requires_grad)
    ):
        return False
    return _kernels.loaded() is not None


def mean_of_draws(mass: Tensor, keys: Tensor, concentration: int, values: Tensor) -> Tensor:
    """As eager.mean_of_draws."""
    out = mass.new_empty(keys[..., 0].numel(), len(mass), values.shape[-1])
    words = _words(keys).reshape(-1, len(mass))
    _over_rows(_kernels.loaded().mean_of_draws, _numpy(mass), words, concentration, _numpy(values), out.numpy())
    return out.view(*keys.shape, -1)


def counts_by_search(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_search, in the memory of out where it is given."""
    return _counts(_kernels.loaded().counts_by_search, mass, keys, concentration, out)


def counts_by_chain(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_chain, in the memory of out where it is given."""
    return _counts(_kernels.loaded().counts_by_chain, mass, keys, concentration, out)


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


def wait() -> bool:
    """As Kernels.wait."""
    return _kernels.wait()
