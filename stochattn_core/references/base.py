"""What a reference forecast is: a name, a sentence, and a fit that reads the training part of a dataset and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from stochattn_core.datasets.base import Dataset, Split, Task

Forecast = Callable[[Split], torch.Tensor]  # of the cases of a split: (case, *event) float32, in the units of the target
LARGEST = 50_000  # rows of the training part on which a reference is fitted, evenly spaced where there are more


@dataclass(frozen=True)
class Reference:
    """One line of REFERENCES.

    name: as it is printed.   about: one sentence.   tasks: the tasks that it serves.   is_fitted: False if it needs no training part.
    fit(dataset): returns the forecast, or None where the dataset does not hold what the reference needs. It reads dataset.train alone; a
    missing target (NaN) of the training part is left out of the fit.
    """

    name: str
    about: str
    tasks: tuple[Task, ...]
    fit: Callable[[Dataset], Forecast | None]
    is_fitted: bool = True


def features(split: Split, task: Task) -> np.ndarray | None:
    """Return the numbers from which a regression forecasts, (case, feature) float64; None where the inputs hold none.

    Of a series the past values, of a table all inputs. Of inputs by name only those of a floating type with one row a case are read: codes
    of categories and tokens are no quantities.
    """
    if task == "series":
        past = split.past_values
        return None if past is None else past.flatten(1).double().numpy()
    if not split.tensors.keys() - {"inputs"}:
        return split.tensors["inputs"].reshape(len(split), -1).double().numpy()
    quantities = [values for values in split.tensors.values() if values.is_floating_point() and values.ndim == 2]
    return torch.cat(quantities, 1).double().numpy() if quantities else None


def fitted_rows(n_row: int, largest: int) -> np.ndarray:
    """Return the positions of at most `largest` rows, evenly spaced: all rows where there are no more."""
    return np.arange(n_row) if n_row <= largest else np.linspace(0, n_row - 1, largest).round().astype(int)
