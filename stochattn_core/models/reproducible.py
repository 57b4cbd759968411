"""Training that gives the same bits whenever it is run on the same machine, and leaves no trace in the caller's random state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Inside the block, torch draws from `seed` and uses one thread; afterwards, generator and thread count are as before.

    With one thread a training run gives the same bits whatever else the machine does, and networks this small gain nothing from more.
    """
    n_thread = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(n_thread)
