"""torch's global generators, held fixed for the time of a pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from stochattn_core.torch_private import default_generators

HELD_SEED = 0


@contextlib.contextmanager
def held_fixed(seed: int = HELD_SEED) -> Iterator[None]:
    """Start torch's global generators from a seed inside the block, and give them their states back after it."""
    generators = default_generators()
    states = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(seed)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
