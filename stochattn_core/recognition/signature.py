"""The signature of a model's call: what decides which operations the call runs, apart from the numbers in its tensors."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stochattn_core.torch_private import modules_of

BATCH = "batch"  # stands for the size of the batch dim of a tensor
MAX_DEPTH = 12  # containers and objects inside one another; what lies deeper is described by its type
SCALARS = frozenset((type(None), bool, int, str, bytes, complex, torch.dtype, torch.device))


def signature_of(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], n_case: int | None = None, batch_dim: int = 0
) -> Hashable:
    """Return the signature of the call model(*args, **kwargs). What was learned from one call holds for calls of equal signature.

    The signature holds the structure of the arguments, shapes up to the batch size, dtypes, devices, the values of everything that is no
    tensor, the modules and their training flags, and the attention implementations in Hugging Face configs.
    n_case: cases in a batch; None takes the size of the first tensor. A size along batch_dim that is a multiple of n_case counts as the
    batch, because members may be folded into it.
    Objects of other classes, a cache of keys and values for example, are described by their class and by the attributes they hold.
    Whether gradients are recorded, inference mode and autocast are not part of the signature.

    >>> model, x = nn.Linear(4, 2), torch.zeros(3, 4)
    >>> signature_of(model, (x,), {}) == signature_of(model, (torch.ones(12, 4),), {})
    True
    >>> signature_of(model, (x,), {}) == signature_of(model, (x.double(),), {})
    False
    """
    description = Description(n_case, batch_dim)
    arguments = tuple(map(description.of, args))
    named = tuple([(name, description.of(kwargs[name])) for name in sorted(kwargs)]) if kwargs else ()
    return arguments, named, _state_of_modules(model)


class Description:
    """Describes the arguments of one call. The first tensor sets the batch size where n_case is None."""

    def __init__(self, n_case: int | None, batch_dim: int):
        self.n_case, self.batch_dim = n_case, batch_dim
        self.above: list[int] = []  # ids of the containers and objects around the value that is described

    def of(self, value: Any) -> Hashable:
        """Return a hashable description of one argument; descriptions of like arguments are equal."""
        kind = type(value)
        if isinstance(value, Tensor):
            return self._tensor(value)
        if kind in SCALARS:
            return kind, value
        if kind is float:
            return kind, value if value == value else "nan"
        if isinstance(value, np.ndarray):
            return kind, value.dtype.str, self._shape(value.shape)
        if isinstance(value, np.generic):
            return kind, repr(value)
        if isinstance(value, enum.Enum | slice | range):
            return kind, repr(value)
        if isinstance(value, nn.Module) or (callable(value) and hasattr(value, "__qualname__")):
            return kind, hash(value)  # a module, a class or a function: itself
        if id(value) in self.above or len(self.above) >= MAX_DEPTH:
            return (kind,)
        self.above.append(id(value))
        try:
            return kind, self._parts(value)
        finally:
            self.above.pop()

    def _parts(self, value: Any) -> Hashable:
        """Return the descriptions of what a container or an object holds."""
        if isinstance(value, list | tuple):
            return tuple(map(self.of, value))
        if isinstance(value, set | frozenset):
            return tuple(sorted(repr(self.of(item)) for item in value))
        if isinstance(value, Mapping):
            return tuple([(repr(key), self.of(value[key])) for key in sorted(value, key=repr)])
        if dataclasses.is_dataclass(value):
            return tuple([(field.name, self.of(getattr(value, field.name, None))) for field in dataclasses.fields(value)])
        attributes = getattr(value, "__dict__", {})
        return tuple([(name, self.of(attributes[name])) for name in sorted(attributes)])

    def _tensor(self, x: Tensor) -> Hashable:
        if x.is_nested:
            return type(x), x.dtype, x.device, x.layout
        return type(x), x.dtype, x.device, x.layout, self._shape(x.shape)

    def _shape(self, shape: tuple[int, ...]) -> Hashable:
        dim = self.batch_dim + len(shape) if self.batch_dim < 0 else self.batch_dim
        if not 0 <= dim < len(shape):
            return tuple(shape)
        if self.n_case is None:
            self.n_case = shape[dim]
        size = shape[dim]
        is_batch = size == self.n_case or (self.n_case and size and size % self.n_case == 0)
        if size < 2:
            return (*shape[:dim], (BATCH, size), *shape[dim + 1 :])  # nothing is seen in no case, and a single key is no choice
        return (*shape[:dim], BATCH, *shape[dim + 1 :]) if is_batch else tuple(shape)


def _state_of_modules(model: nn.Module) -> Hashable:
    """Return a hash of the modules and their training flags, and the attention implementations, in the order of the modules.

    The modules are walked at every call, because a module may have been replaced since the last one.
    """
    modules = modules_of(model)
    flags = [(type(module), id(module), module.training) for module in modules]
    configs = {id(config): config for module in modules if (config := module.__dict__.get("config")) is not None}
    return hash(tuple(flags)), tuple([repr(getattr(config, "_attn_implementation", None)) for config in configs.values()])
