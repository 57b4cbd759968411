"""Sources: the places where a model makes weights that sum to one, and what happens to these weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

# Largest distance of a sum of weights from one, by the size of the dtype's elements in bytes.
TOLERANCE = {2: 2e-2, 4: 1e-4, 8: 1e-9}


class Place(NamedTuple):
    """A call of a torch function in one pass of a model: the module that runs, the function, and the number of the call there."""

    module: str
    function: Callable[..., Any]
    number: int


class Opaque(NamedTuple):
    """Attention that has no weights to sample: what it is, and the module in which it ran."""

    what: str
    module: str


class Foreign(NamedTuple):
    """A copy of a tensor that no operation of the pass made, and the module that used it first."""

    tensor: Tensor
    module: str


class Meeting(NamedTuple):
    """Weights that meet values along their own axis.

    is_unchanged: are the weights those of the source? is_linear: does the result stay linear in them? how: what was done to them, in words.
    has_entries: are the values entries of one activation, made by the same weights? None where it
    cannot be told. is_window: are they copies in overlapping windows?
    module: where they meet.
    """

    is_unchanged: bool
    is_linear: bool
    has_entries: bool | None
    is_window: bool
    how: str
    module: str
    is_sum: bool = False  # a sum of weights times numbers of the same shape, which may be a normaliser


@dataclass(eq=False)
class Source:
    """One matrix of weights that sum to one along an axis.

    place: the call of a torch function that made it, None where no torch function was seen. module: the innermost running module.
    dim: the axis of the n_key keys in the function's result of this shape. is_softmax: made by softmax?
    is_keyed: do the scores along the axis belong to entries of an activation? No where each comes from weights of its own (a gate), None where
    it cannot be told. is_fixed: are the weights the same for all inputs?
    lost: the operation after which the weights could no longer be followed, and then met values. has_left_torch: were they handed to NumPy or
    Python? next_source: other weights that were made from these.
    """

    number: int
    module: str
    cls: str
    dim: int
    shape: tuple[int, ...]
    n_key: int
    is_softmax: bool
    is_keyed: bool | None
    is_fixed: bool
    place: Place | None = None
    meetings: list[Meeting] = field(default_factory=list)
    is_met_by_fixed: bool = False
    is_across: bool = False
    is_squared: bool = False
    next_source: Source | None = None
    lost: str = ""
    has_left_torch: bool = False


def stochastic_dim(x: Tensor) -> int | None:
    """Return the dim along which the entries of x are weights that sum to one; None where there is none, or where every row is one-hot.

    Rows without any weight (fully masked ones) may be among them. The last dim is preferred.
    """
    if not x.is_floating_point() or x.ndim < 1 or not x.numel():
        return None
    x = x.detach()
    low, high = x.aminmax()
    tolerance = TOLERANCE.get(x.itemsize, 2e-2)
    if not (float(low) >= 0 and 0 < float(high) <= 1 + tolerance):
        return None
    x = x.float() if x.itemsize < 4 else x
    for dim in range(x.ndim - 1, -1, -1):
        if x.shape[dim] < 2:
            continue
        sums = x.sum(dim)
        is_one = (sums - 1).abs() < tolerance
        if bool((is_one | (sums == 0)).all()) and bool(is_one.any()) and bool((x.amax(dim) < 0.999)[is_one].any()):
            return dim
    return None
