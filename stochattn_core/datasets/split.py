"""One part of a dataset: cases with inputs, targets and times. It checks itself when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch

# A tensor, or tensors by the names of the model's arguments. Any, because each model and reference forecast knows which one it reads.
Inputs: TypeAlias = Any
_LEFT_OUT: Any = None  # the default of a field that is filled when the container is made, and is never None afterwards

CallArguments = tuple[tuple[torch.Tensor, ...], dict[str, Any]]  # what a model is called with: positional and named


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset.

    inputs: (case, *input) float32, finite, in the data's own units; this is what the model is given. For a grid it is
        (case, variable, latitude, longitude). Or a mapping of several such tensors, which the model is given by name; those of
        categories, tokens and masks may be of an integer type or bool.
    target: (case, *event) float32, in the units of the target; the event is () for a table, (lead_time,) for a series and
        (latitude, longitude) for a grid. NaN where the value is missing, never infinite.
    index: (case,) row number of a table, init_time of a series or a grid (the time of the last value that the model sees); 0, 1, ...
        without it.
    block: (case,) integers from 0 without a gap, in the order of time; cases of one block depend on one another and count as one. Without
        it each case is a block of its own. How far neighbouring blocks depend on one another is estimated, so that overlapping windows need
        no blocks; cases in no order have `blocks_at_random`.
    input_time, valid_time: (case, input) and (case, lead_time), the times of the inputs and targets of a series; None where they are not
        given, and then follow from the init time and the time step of the dataset. A grid has valid_time (case, 1). A table that is split
        in time has valid_time (case,).

    Raises ValueError where one of these does not hold.
    """

    inputs: Inputs
    target: torch.Tensor
    index: pd.Index = _LEFT_OUT
    block: np.ndarray = _LEFT_OUT
    input_time: np.ndarray | None = None
    valid_time: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check_float32("target", self.target)
        self._check_inputs()
        n_case = len(self.target) if self.target.ndim else 0
        if self.index is None:
            object.__setattr__(self, "index", pd.RangeIndex(n_case))
        if self.block is None:
            object.__setattr__(self, "block", np.arange(n_case))
        lengths = [len(values) if values.ndim else 0 for values in (*self.tensors.values(), self.target)]
        lengths += [len(self.index), len(self.block)]
        if len(set(lengths)) != 1:
            raise ValueError(
                f"{', '.join(self.tensors)}, target, index and block must have the same number of cases, got {', '.join(map(str, lengths))}; "
                "give every case one entry in each"
            )
        if not bool(self.target.nansum().isfinite()):
            n_bad = int(self.target.isinf().sum())
            if n_bad:
                raise ValueError(
                    f"expected targets without infinity, got {n_bad} of {self.target.numel()} values that are infinite; write NaN where a value is "
                    "missing"
                )
        for name, times, values in (("input_time", self.input_time, self.past_values), ("valid_time", self.valid_time, self.target)):
            if values is None:
                continue  # the past of the series is not among the inputs by name
            one_for_each_map = values.ndim == 3 and times is not None and times.shape == (len(values), 1)
            if times is not None and times.shape != tuple(values.shape) and not one_for_each_map:
                raise ValueError(
                    f"expected {name} with one time for each value, {tuple(values.shape)}, got {times.shape}; give every value its time, or none"
                )
        self._check_block()

    def _check_inputs(self) -> None:
        if isinstance(self.inputs, Mapping) and not (self.inputs and all(isinstance(name, str) for name in self.inputs)):
            raise ValueError(f"expected inputs by the names of the model's arguments, got the names {list(self.inputs)}; name each tensor")
        for name, values in self.tensors.items():
            is_float = isinstance(values, torch.Tensor) and (values.is_floating_point() or values.is_complex())
            if is_float or not isinstance(values, torch.Tensor) or not isinstance(self.inputs, Mapping):
                _check_float32(name, values)
            # A finite sum proves that every value is finite and costs far less than testing each; one that is not finite may have overflowed.
            if is_float and not bool(values.sum().isfinite()):
                n_bad = int((~values.isfinite()).sum())
                if n_bad:
                    raise ValueError(
                        f"expected finite {name}, got {n_bad} of {values.numel()} values that are NaN or infinite; fill them, or leave "
                        "their cases out"
                    )

    def _check_block(self) -> None:
        block = self.block
        if not isinstance(block, np.ndarray) or block.ndim != 1 or not np.issubdtype(block.dtype, np.integer):
            came = f"an array of {block.dtype} with shape {block.shape}" if isinstance(block, np.ndarray) else type(block).__name__
            raise ValueError(
                f"expected block as a NumPy array of integers, one for each case, got {came}; use blocks_in_time or blocks_at_random"
            )
        if len(block) and (block.min() != 0 or not np.bincount(block).all()):
            raise ValueError(
                f"expected blocks numbered 0, 1, 2, ... without a gap, got {len(np.unique(block))} blocks with numbers from {block.min()} to "
                f"{block.max()}; number them with numpy.unique(block, return_inverse=True)[1]"
            )

    def __len__(self) -> int:
        return len(self.target)

    @property
    def tensors(self) -> Mapping[str, torch.Tensor]:
        """The tensors of the inputs by name, under "inputs" where there is one without a name."""
        return self.inputs if isinstance(self.inputs, Mapping) else {"inputs": self.inputs}

    @property
    def largest(self) -> torch.Tensor:
        """The tensor of the inputs with the most numbers, (case, *input): how many cases fit into one pass depends on it."""
        return max(self.tensors.values(), key=torch.Tensor.numel)

    @property
    def past_values(self) -> torch.Tensor | None:
        """The past of a series, (case, input): the inputs, or the one called past_values, without its axis of one channel; None elsewhere."""
        if not isinstance(self.inputs, Mapping):
            return self.inputs
        values = self.inputs.get("past_values")
        values = values[..., 0] if values is not None and values.ndim == 3 and values.shape[2] == 1 else values
        return values if values is not None and values.ndim == 2 else None

    def arguments(self, cases: slice, device: torch.device) -> CallArguments:
        """Return what the model is called with for these cases, as positional and keyword arguments, on a device."""
        # A copy starts at an address that torch aligns; a slice of an array may not, and is then summed in another order.
        chosen = {name: values[cases].clone().to(device) for name, values in self.tensors.items()}
        return ((), chosen) if isinstance(self.inputs, Mapping) else ((chosen["inputs"],), {})

    @property
    def n_block(self) -> int:
        return int(self.block.max()) + 1 if len(self.block) else 0

    def of_cases(self, position: np.ndarray) -> Split:
        """Return the cases at these positions, their blocks numbered anew."""
        return Split(
            inputs={name: x[position] for name, x in self.inputs.items()} if isinstance(self.inputs, Mapping) else self.inputs[position],
            target=self.target[position],
            index=self.index[position],
            block=np.unique(self.block[position], return_inverse=True)[1],
            input_time=None if self.input_time is None else self.input_time[position],
            valid_time=None if self.valid_time is None else self.valid_time[position],
        )


def _check_float32(name: str, values: object) -> None:
    if not isinstance(values, torch.Tensor) or values.dtype != torch.float32:
        came = f"a tensor of {values.dtype}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise ValueError(
            f"expected {name} as a float32 torch tensor, got {came}; convert it with torch.as_tensor(..., dtype=torch.float32)"
        )
