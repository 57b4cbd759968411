"""The samplers of `eager`, compiled for the CPU: the same numbers, several times faster.

Until the compiled code (`kernels.py`) is available, `eager` answers with the same bits, so nothing waits for a compiler and no result
depends on it. See `stochattn_core.compiled`, and `sampler` for the contract.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stochattn_core.compiled import Kernels
from stochattn_core.layout import is_plain
from stochattn_core.sampling import eager

# With fewer rows per thread, starting another thread costs more than it saves.
ROWS_PER_THREAD = 128

_kernels = Kernels("stochattn_core.sampling.kernels")


def takes(values: Tensor) -> bool:
    """Is the compiled code available, and can it use these values: plain tensors on the CPU that require no gradient?

    The caller's arithmetic must be in float32. The functions below may be called only after this has said yes.
    """
    if (
        not is_plain(values)
        or values.device.type != "cpu"
        or torch.compiler.is_compiling()
        or (torch.is_grad_enabled() and values.requires_grad)
    ):
        return False
    return _kernels.loaded() is not None


def mean_of_draws(
    mass: Float[Tensor, "head_row key"],
    keys: Int64[Tensor, "*fold head_row"],
    concentration: int,
    values: Float[Tensor, "head key feature"],
) -> Float[Tensor, "*fold head_row feature"]:
    """As eager.mean_of_draws."""
    out = mass.new_empty(keys[..., 0].numel(), len(mass), values.shape[-1])
    words = _words(keys).reshape(-1, len(mass))
    _over_rows(_code().mean_of_draws, _numpy(mass), words, concentration, _numpy(values), out.numpy())
    return out.view(*keys.shape, -1)


def counts_by_search(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_search, in the memory of out if it is given."""
    return _counts(_code().counts_by_search, mass, keys, concentration, out)


def counts_by_chain(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """As eager.counts_by_chain, in the memory of out if it is given."""
    return _counts(_code().counts_by_chain, mass, keys, concentration, out)


def sample_counts(
    mass: Float[Tensor, "row key"], keys: Int64[Tensor, " row"], concentration: int, *, out: Tensor | None = None
) -> Float[Tensor, "row key"]:
    """As eager.sample_counts, in the memory of out if it is given."""
    sampler = counts_by_search if eager.draws_by_search(concentration, mass.shape[-1]) else counts_by_chain
    return sampler(mass, keys, concentration, out=out)


def wait() -> bool:
    """As Kernels.wait."""
    return _kernels.wait()


def _code() -> ModuleType:
    module = _kernels.loaded()
    assert module is not None, "`takes` is asked before anything is sampled"
    return module


def _counts(kernel: Callable[..., None], mass: Tensor, keys: Tensor, concentration: int, out: Tensor | None) -> Tensor:
    out = torch.empty_like(mass, memory_format=torch.contiguous_format) if out is None else out
    _over_rows(kernel, _numpy(mass), _words(keys), concentration, out.numpy())
    return out


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().contiguous().numpy()


def _words(keys: Tensor) -> np.ndarray:
    return _numpy(keys).view(np.uint64)


def _over_rows(kernel: Callable[..., None], mass: np.ndarray, *arguments: object) -> None:
    """Run a kernel on as many threads as torch uses. Rows are independent, so dividing them among threads changes no bit."""
    n_row = len(mass)
    n_part = max(1, min(torch.get_num_threads(), n_row // ROWS_PER_THREAD))
    ends = [n_row * part // n_part for part in range(n_part + 1)]
    others = [_pool(os.getpid()).submit(kernel, mass, *arguments, ends[i], ends[i + 1]) for i in range(1, n_part)]
    kernel(mass, *arguments, 0, ends[1])
    for other in others:
        other.result()


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the thread pool of this process; threads do not survive a fork."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="stochattn")
