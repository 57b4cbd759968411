"""The result cache: computed results in memory, for all sessions of the server."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from stochattn_core.datasets.base import PARTS, Dataset, thinned
from stochattn_core.evaluate import Evaluation

N_RESULT = 64  # results in memory; the members of an evaluation are memory-mapped files, so it takes little
N_BY_CELL = 4  # evaluations that hold the sums of every cell of a map, 20 to 100 MB each


class ResultCache:
    """Results by key, the one unused for longest dropped first; digests and parts of a dataset for as long as the dataset exists."""

    def __init__(self) -> None:
        self.results: OrderedDict[tuple, Any] = OrderedDict()
        self.seconds: dict[tuple, float] = {}  # computing time by key
        self.lock = threading.Lock()
        self.digests: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
        self.identities: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
        self.parts: WeakKeyDictionary[Dataset, dict[int, Dataset]] = WeakKeyDictionary()

    def get(self, key: tuple) -> Any:
        """Return the result, or None."""
        with self.lock:
            if key in self.results:
                self.results.move_to_end(key)
            return self.results.get(key)

    def put(self, key: tuple, result: Any) -> Any:
        """Store a result and return it."""
        with self.lock:
            self.results[key] = result
            while len(self.results) > N_RESULT:
                self.results.popitem(last=False)
            by_cell = [
                evaluation
                for evaluation in self.results.values()
                if isinstance(evaluation, Evaluation) and evaluation.ensemble.latitude and "statistics" in vars(evaluation.ensemble)
            ]
        for evaluation in by_cell[:-N_BY_CELL]:
            evaluation.ensemble.forget_elements()
        return result

    def stored_keys(self) -> list[tuple]:
        """Return the keys of all results, the one used last at the end."""
        with self.lock:
            return list(self.results)

    def digest(self, data: Dataset) -> str:
        """Return the SHA-256 of a dataset, computed once."""
        digest = self.digests.get(data)
        if digest is None:
            digest = self.digests[data] = data.sha256
        return digest

    def identity(self, data: Dataset) -> str:
        """Return a digest of numbers and labels, computed once. Two files with equal numbers but other dates, names or units have two."""
        identity = self.identities.get(data)
        if identity is None:
            identity = self.identities[data] = _identity(data, self.digest(data))
        return identity

    def part_of(self, data: Dataset, n_case: int) -> Dataset:
        """Return the dataset with n_case cases to tune and to test on, the same object each time; the whole dataset for 0."""
        if not n_case:
            return data
        parts = self.parts.setdefault(data, {})
        return parts.get(n_case) or parts.setdefault(n_case, thinned(data, n_case))


def _identity(data: Dataset, digest: str) -> str:
    labels = (data.name, data.title, data.target_name, data.units, data.lead_time, data.lead_unit, data.latitude, data.longitude)
    identity = hashlib.sha256(f"{digest}{labels}".encode())
    for part in PARTS:
        split = data.part(part)
        identity.update(pd.util.hash_pandas_object(split.index).to_numpy().tobytes())
        identity.update(split.block.tobytes())
        for times in (split.input_time, split.valid_time):
            identity.update(b"" if times is None else str(times.tolist()).encode() if times.dtype == object else times.tobytes())
    return identity.hexdigest()
