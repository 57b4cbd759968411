"""What the metrics accept as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from torch import Tensor

Array = Tensor | np.ndarray


class Members(Protocol):
    """Members that are read one at a time, each (case, *event): an array, a numpy memmap, or anything with a length that yields arrays."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...  # Any: numpy and torch do not type what their arrays yield
