"""Random numbers that a model draws by itself: dropout that is left on, sampled keys, masking noise, sampled tokens.

Such numbers would differ between members, folds and the plain forecast, and the spread would no longer be that of sampled attention.
They are held fixed: each pass starts from torch's global generators with one seed, and the state of the generators is restored after it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stochattn_core.arguments import leaves_of
from stochattn_core.recognition.clearance import clearance_of
from stochattn_core.recognition.generators import HELD_SEED, held_fixed
from stochattn_core.torch_private import default_generators

TOLERANCE = 1e-4  # relative difference of two passes that only round differently

Output = TypeVar("Output")


def without_own_randomness(model: nn.Module, run: Callable[[], Output]) -> Output:
    """Return run(), one pass of a model, with the model's own random numbers held fixed if it draws any.

    A model draws random numbers if its pass moves one of torch's global generators. This is remembered, and a UserWarning says so once.
    The state of the generators is the same before and after.
    Raises ValueError for a model in training mode that draws, and where fixed generators do not make its output the same each time.
    """
    clearance = clearance_of(model)
    if not clearance.draws_random_numbers:
        generators = default_generators()
        states = [generator.get_state() for generator in generators]
        output = run()
        # A pass that starts CUDA adds generators to the list; what they drew shows on the next pass.
        if all(torch.equal(state, generator.get_state()) for state, generator in zip(states, generators, strict=True)):
            return output
        for state, generator in zip(states, generators, strict=True):
            generator.set_state(state)
        _learn(model, run)
        clearance.draws_random_numbers = True
    with held_fixed():
        return run()


def check_repeats(model: nn.Module, run: Callable[[], Any]) -> None:
    """Raise ValueError if two passes with fixed generators give different outputs: the model then draws from elsewhere, or keeps a state."""
    with held_fixed():
        first = run()
    with held_fixed():
        again = run()
    if not _are_close(first, again):
        raise ValueError(
            f"{type(model).__name__} gives another output each time for the same inputs, also with torch's global generators held fixed: it "
            "draws random numbers from another source, or changes its own state; make it repeatable first"
        )


def _learn(model: nn.Module, run: Callable[[], Any]) -> None:
    """Find out what the random numbers of a model do: warn if they change its output, refuse where they cannot be held fixed."""
    if any(module.training for module in model.modules()):
        raise ValueError(f"{type(model).__name__} is in training mode and gives another output each time; call .eval() on it first")
    check_repeats(model, run)
    with held_fixed(HELD_SEED):
        first = run()
    with held_fixed(HELD_SEED + 1):
        other = run()
    if not _are_close(first, other):
        warnings.warn(
            f"{type(model).__name__} draws random numbers of its own in each pass: they are held fixed, with torch's generators at seed "
            f"{HELD_SEED}, so that members differ by their sampled attention alone",
            stacklevel=6,
        )


def _are_close(a: Any, b: Any) -> bool:
    """Are the tensors in two outputs equal up to rounding?"""
    pairs = list(zip(leaves_of(a), leaves_of(b), strict=False))
    return len(leaves_of(a)) == len(leaves_of(b)) and all(_is_close(x, y) for x, y in pairs)


def _is_close(x: Tensor, y: Tensor) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype or not x.is_floating_point():
        return x.shape == y.shape and torch.equal(x, y)
    scale = float(x.abs().nan_to_num(0.0, 0.0, 0.0).max()) if x.numel() else 0.0
    return torch.allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True)
