"""The arguments that a model is called with: what is a case, how members are folded, and what is converted at the door.

Tensors are found in any nesting of lists, tuples, mappings (dict, UserDict, transformers' BatchEncoding) and dataclasses, and in objects that
hold tensors, such as a cache of keys and values. Every pass is given copies, so that a model may change its arguments in place.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ChangeTensor = Callable[[Tensor], Tensor]
SIMPLE = (
    Tensor,
    np.ndarray,
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    torch.dtype,
    torch.device,
    torch.Generator,
    nn.Module,
    type,
)
# What torch says where an input has another dtype, or is on another device, than the operation needs.
MISMATCH = re.compile(r"dtype|scalar type|Input type|same device|data type", re.IGNORECASE)


@dataclass(frozen=True)
class Arguments:
    """Positional and named arguments of a call that holds n_case cases along batch_dim of its tensors of cases.

    A tensor counts as cases if it has n_case entries along batch_dim; everything else is passed on as it is.
    """

    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    n_case: int
    batch_dim: int = 0

    @classmethod
    def of(cls, model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any], batch_dim: int = 0) -> Arguments:
        """Check and convert arguments that come from outside. The first tensor that has a batch_dim says how many cases there are.

        NumPy arrays become tensors, and float64 values get the dtype of the model's weights unless some of the weights are float64 too.
        Raises ValueError for arrays that are no numbers, for arguments without a tensor, and for no cases.
        """
        convert = _Conversion(model).of
        positional = tuple(convert(value, f"argument {place}") for place, value in enumerate(positional))
        named = {name: convert(value, name) for name, value in named.items()}
        values = (*positional, *named.values())
        first = next((x for value in values for x in leaves_of(value) if -x.ndim <= batch_dim < x.ndim), None)
        if first is None:
            kinds = ", ".join(type(value).__name__ for value in values) or "no argument at all"
            raise ValueError(
                f"expected at least one input tensor with cases along dim {batch_dim}, got none ({kinds}); pass the model's inputs after the model"
            )
        n_case = first.shape[batch_dim]
        if not n_case:
            raise ValueError(
                f"expected at least one case along dim {batch_dim} of the first input tensor, got shape {tuple(first.shape)}; "
                "pass one case or more, and batch_dim= where the cases lie along another dim"
            )
        return cls(positional, named, n_case, batch_dim)

    @property
    def first_tensor(self) -> Tensor:
        """The tensor that says how many cases there are."""
        return next(x for value in (*self.positional, *self.named.values()) for x in leaves_of(value) if self.is_cases(x))

    def is_cases(self, x: Tensor) -> bool:
        """Does a tensor hold one entry for each case?"""
        return -x.ndim <= self.batch_dim < x.ndim and x.shape[self.batch_dim] == self.n_case

    def first_cases(self, n: int) -> Arguments:
        """Return the arguments for the first n cases alone."""
        return replace(self._each_case(lambda x: x.narrow(self.batch_dim, 0, n)), n_case=n)

    def copied(self) -> Arguments:
        """Return copies, which a model may change in place."""
        return self.for_members(1)

    def for_members(self, n_fold: int) -> Arguments:
        """Return copies in which the cases are repeated for each of n_fold members, one member after another along batch_dim."""
        return self._each_case(lambda x: torch.cat([x] * n_fold, self.batch_dim) if n_fold > 1 else x.clone())

    def _each_case(self, change: ChangeTensor) -> Arguments:
        memo: dict[int, Any] = {}

        def each(value: Any) -> Any:
            return changed(value, lambda x: change(x) if self.is_cases(x) else x, Tensor, memo)

        named = {name: each(value) for name, value in self.named.items()}
        return Arguments(tuple(map(each, self.positional)), named, self.n_case, self.batch_dim)


def merged(kwargs: Mapping[str, Any], model_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the named arguments of the model. Raises ValueError for a name that is given twice."""
    further = dict(model_kwargs or {})
    if twice := sorted(kwargs.keys() & further.keys()):
        raise ValueError(f"expected each argument of the model once, got {', '.join(twice)} in model_kwargs and by name too")
    return {**kwargs, **further}


def changed(value: Any, change: Callable[[Any], Any], kind: type = Tensor, memo: dict[int, Any] | None = None) -> Any:
    """Return a copy of a nesting in which every tensor (or every array, as `kind` says) is changed; the original stays as it is.

    Objects that hold tensors are copied as a whole. What occurs twice in the nesting occurs twice in the copy: for torch, attention of a
    tensor to itself is a case of its own.
    """
    memo = {} if memo is None else memo
    if id(value) not in memo:
        memo[id(value)] = _changed(value, change, kind, memo)
    return memo[id(value)]


def _changed(value: Any, change: Callable[[Any], Any], kind: type, memo: dict[int, Any]) -> Any:
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, SIMPLE):
        return value
    if isinstance(value, list | tuple):
        parts = [changed(item, change, kind, memo) for item in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, Mapping):
        items = {key: changed(item, change, kind, memo) for key, item in value.items()}
        if type(value) is dict or not isinstance(value, MutableMapping):
            return items
        mapping = copy.copy(value)
        for key, item in items.items():
            mapping[key] = item
        return mapping
    if dataclasses.is_dataclass(value):
        record = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(record, field.name, changed(getattr(value, field.name), change, kind, memo))
        return record
    if kind is not Tensor or callable(value) or not hasattr(value, "__dict__"):
        return value
    # Where deepcopy meets one of these tensors, it takes what the memo holds for it. An object without tensors may be a cache that is empty yet.
    copies = {id(x): new.clone() if (new := change(x)) is x else new for x in leaves_of(value)}
    try:
        return copy.deepcopy(value, copies)
    except Exception:  # an object that cannot be copied (a handle, a lock) is no cache of tensors
        if copies:
            raise
        return value


def leaves_of(value: Any, kind: type = Tensor, seen: set[int] | None = None) -> list[Any]:
    """Return the tensors (or arrays, as `kind` says) in a nesting, in order: in lists, mappings, dataclasses and attributes of objects."""
    if isinstance(value, kind):
        return [value]
    seen = set() if seen is None else seen
    if isinstance(value, SIMPLE) or id(value) in seen:
        return []
    seen.add(id(value))
    parts: Iterable[Any] = ()
    if isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif isinstance(value, Mapping):
        parts = value.values()
    elif dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif kind is Tensor:
        parts = getattr(value, "__dict__", {}).values()
    return [x for part in parts for x in leaves_of(part, kind, seen)]


@contextlib.contextmanager
def explaining_mismatch(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Iterator[None]:
    """Turn torch's error for inputs of a dtype, or on a device, that the model does not take into a ValueError that says what came."""
    try:
        yield
    except RuntimeError as error:
        if not MISMATCH.search(str(error)):
            raise
        weights = sorted({f"{_short(x.dtype)} on {x.device}" for x in model.parameters()})
        inputs = [f"{_short(x.dtype)} {tuple(x.shape)} on {x.device}" for x in leaves_of((positional, named))]
        raise ValueError(
            f"expected inputs of a dtype and on a device that {type(model).__name__} takes (its weights are {', '.join(weights) or 'none'}), "
            f"got {', '.join(inputs)}; convert them with .to() first (torch: {str(error).splitlines()[0]})"
        ) from error


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class _Conversion:
    """Converts arrays, and tensors of float64, to what the model's weights are."""

    def __init__(self, model: nn.Module):
        self.model = model

    @cached_property
    def weights(self) -> list[Tensor]:
        return [x for x in self.model.parameters() if x.is_floating_point()]

    @property
    def dtype(self) -> torch.dtype:
        """What float64 values become: float64 where the model has no weights, or some of that dtype."""
        return torch.float64 if any(x.dtype == torch.float64 for x in self.weights) or not self.weights else self.weights[0].dtype

    def of(self, value: Any, name: str) -> Any:
        """Return one argument converted; it is the same object where there is nothing to convert."""
        if isinstance(value, Tensor) and value.dtype != torch.float64:
            return value
        if leaves_of(value, np.ndarray):
            value = changed(value, lambda array: self._tensor(array, name), np.ndarray)
        if all(x.dtype != torch.float64 for x in leaves_of(value)):
            return value
        return changed(value, lambda x: x.to(self.dtype) if x.dtype == torch.float64 else x)

    def _tensor(self, array: np.ndarray, name: str) -> Tensor:
        if array.dtype.kind not in "biuf" or isinstance(array, np.ma.MaskedArray):
            kind = "masked values" if isinstance(array, np.ma.MaskedArray) else f"dtype {array.dtype}"
            raise ValueError(f"expected numbers in {name}, got an array of {kind} and shape {array.shape}; convert it to float32 first")
        x = torch.tensor(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False))
        if self.weights:
            x = x.to(self.weights[0].device)
        return x.to(self.weights[0].dtype) if x.is_floating_point() and x.dtype != torch.float64 and self.weights else x


def is_simple(value: Any) -> bool:
    """Does a nesting hold tensors in lists, tuples and mappings alone, and not in objects, which a pass may change?"""
    if isinstance(value, Tensor):
        return True
    if isinstance(value, list | tuple):
        return all(map(is_simple, value))
    if isinstance(value, Mapping):
        return all(map(is_simple, value.values()))
    return not leaves_of(value)
