"""torch's global generators, held fixed for the time of a pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from stochattn_core.arguments import leaves_of
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


@contextlib.contextmanager
def kept_generators(arguments: Any) -> Iterator[None]:
    """Give torch's global generators, and those among the arguments, the states back that they had before the block, if it moved them."""
    generators = [*default_generators(), *leaves_of(arguments, torch.Generator)]
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            if not torch.equal(generator.get_state(), state):
                generator.set_state(state)
