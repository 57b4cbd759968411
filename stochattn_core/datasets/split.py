"""One part of a dataset: cases with inputs, targets and times. It checks itself when it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset.

    inputs: (case, *input) float32, finite, in the data's own units; this is what the model is given. For a grid it is
        (case, variable, latitude, longitude).
    target: (case, *event) float32, in the units of the target; the event is () for a table, (lead_time,) for a series and
        (latitude, longitude) for a grid. NaN where the value is missing, never infinite.
    index: (case,) row number of a table, init_time of a series or a grid (the time of the last value that the model sees).
    block: (case,) integers from 0 without a gap; cases of one block depend on one another and are resampled together.
    input_time, valid_time: (case, input) and (case, lead_time), the times of the inputs and targets of a series; None where they are not
        given, and then follow from the init time and the time step of the dataset. A grid has valid_time (case, 1). A table that is split
        in time has valid_time (case,).

    Raises ValueError where one of these does not hold.
    """

    inputs: torch.Tensor
    target: torch.Tensor
    index: pd.Index
    block: np.ndarray
    input_time: np.ndarray | None = None
    valid_time: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, values in (("inputs", self.inputs), ("target", self.target)):
            if not isinstance(values, torch.Tensor) or values.dtype != torch.float32:
                came = f"a tensor of {values.dtype}" if isinstance(values, torch.Tensor) else type(values).__name__
                raise ValueError(
                    f"expected {name} as a float32 torch tensor, got {came}; convert it with torch.as_tensor(..., dtype=torch.float32)"
                )
        lengths = [len(values) if values.ndim else 0 for values in (self.inputs, self.target)] + [len(self.index), len(self.block)]
        if len(set(lengths)) != 1:
            raise ValueError(
                f"inputs, target, index and block must have the same number of cases, got {', '.join(map(str, lengths))}; give every case one "
                "entry in each"
            )
        # A finite sum proves that every value is finite and costs far less than testing each; a sum that is not finite may have overflowed.
        if not bool(self.inputs.sum().isfinite()):
            n_bad = int((~self.inputs.isfinite()).sum())
            if n_bad:
                raise ValueError(
                    f"expected finite inputs, got {n_bad} of {self.inputs.numel()} values that are NaN or infinite; fill them, or leave "
                    "their cases out"
                )
        if not bool(self.target.nansum().isfinite()):
            n_bad = int(self.target.isinf().sum())
            if n_bad:
                raise ValueError(
                    f"expected targets without infinity, got {n_bad} of {self.target.numel()} values that are infinite; write NaN where a value is "
                    "missing"
                )
        for name, times, values in (("input_time", self.input_time, self.inputs), ("valid_time", self.valid_time, self.target)):
            one_for_each_map = values.ndim == 3 and times is not None and times.shape == (len(values), 1)
            if times is not None and times.shape != tuple(values.shape) and not one_for_each_map:
                raise ValueError(
                    f"expected {name} with one time for each value, {tuple(values.shape)}, got {times.shape}; give every value its time, or none"
                )
        self._check_block()

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
        return len(self.inputs)

    @property
    def n_block(self) -> int:
        return int(self.block.max()) + 1 if len(self.block) else 0

    def of_cases(self, position: np.ndarray) -> Split:
        """Return the cases at these positions, their blocks numbered anew."""
        return Split(
            inputs=self.inputs[position],
            target=self.target[position],
            index=self.index[position],
            block=np.unique(self.block[position], return_inverse=True)[1],
            input_time=None if self.input_time is None else self.input_time[position],
            valid_time=None if self.valid_time is None else self.valid_time[position],
        )
