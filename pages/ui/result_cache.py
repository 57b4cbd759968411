"""The result cache: computed results in memory, for all sessions of the server."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from stochattn_core.datasets.base import Dataset, thinned
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

    def part_of(self, data: Dataset, n_case: int) -> Dataset:
        """Return the dataset with n_case cases to tune and to test on, the same object each time; the whole dataset for 0."""
        if not n_case:
            return data
        parts = self.parts.setdefault(data, {})
        return parts.get(n_case) or parts.setdefault(n_case, thinned(data, n_case))
