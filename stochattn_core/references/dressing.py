"""The CRPS of a forecast that is dressed with the errors it left on calibration data."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 2**22  # residuals that are sorted at the same time


def crps_of_residuals(residual: Tensor, error: Tensor) -> Tensor:
    """Return the CRPS of the distribution f + r, r each residual of the element with the same probability, where y = f + error comes true.

    residual: (calibration case, *event), NaN where missing.   error: (case, *event), target minus forecast, the same units.
    Returns (case, *event) float64; NaN where the error is missing or an element has no residual. It is E|r - error| - E|r - r'| / 2.

    >>> crps_of_residuals(torch.tensor([-1.0, 1.0]), torch.tensor([0.0, 3.0]))
    tensor([0.5000, 2.5000], dtype=torch.float64)
    """
    flat_residual, flat_error = residual.reshape(len(residual), -1), error.reshape(len(error), -1)
    step = max(1, CHUNK // max(len(residual) + len(error), 1))
    chunks = [
        _crps(flat_residual[:, start : start + step].T.double().contiguous(), flat_error[:, start : start + step].T.double().contiguous())
        for start in range(0, flat_residual.shape[1], step)
    ]
    return torch.cat(chunks).T.reshape(error.shape)


def _crps(residual: Tensor, error: Tensor) -> Tensor:
    """residual: (element, calibration case), error: (element, case) -> (element, case).

    Sorted residuals r_1 <= ... <= r_n give E|r - r'| as the mean over i of 2 (2 i - n - 1) r_i / n, and E|r - error| from the sums below
    and above the error.
    """
    ordered = residual.sort(dim=1).values  # missing ones come last
    n = residual.isfinite().sum(1, keepdim=True)
    known = ordered.nan_to_num(nan=0.0)
    sums = torch.cat([torch.zeros_like(known[:, :1]), known.cumsum(1)], 1)  # of the smallest 0, 1, 2, ...
    rank = torch.arange(1, residual.shape[1] + 1, dtype=torch.float64)
    between = (2 * (2 * rank - n - 1) * known).sum(1, keepdim=True) / n**2
    below = torch.minimum(torch.searchsorted(ordered.nan_to_num(nan=torch.inf), error.nan_to_num(nan=0.0)), n)
    sum_below, total = sums.gather(1, below), sums[:, -1:]
    distance = (below * error - sum_below + total - sum_below - (n - below) * error) / n
    return distance - between / 2
