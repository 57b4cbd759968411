"""What was computed, kept in memory for all sessions of the server."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.evaluate import Evaluation

N_KEPT = 64  # evaluations in memory; their members are memory-mapped files, so one costs little
N_BY_CELL = 4  # of them with the sums of every cell of a map, which cost 20 to 100 MB


class ResultCache:
    """Results by key, the oldest forgotten first; what is known of a dataset, as long as there is one."""

    def __init__(self) -> None:
        self.results: OrderedDict[tuple, Any] = OrderedDict()
        self.seconds: dict[tuple, float] = {}  # that long work took, by its key
        self.lock = threading.Lock()
        self.digests: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
        self.parts: WeakKeyDictionary[Dataset, dict[int, Dataset]] = WeakKeyDictionary()

    def get(self, key: tuple) -> Any:
        with self.lock:
            if key in self.results:
                self.results.move_to_end(key)
            return self.results.get(key)

    def put(self, key: tuple, result: Any) -> Any:
        with self.lock:
            self.results[key] = result
            while len(self.results) > N_KEPT:
                self.results.popitem(last=False)
            by_cell = [
                one
                for one in self.results.values()
                if isinstance(one, Evaluation) and one.ensemble.latitude and "statistics" in vars(one.ensemble)
            ]
        for one in by_cell[:-N_BY_CELL]:
            one.ensemble.forget_elements()
        return result

    def stored_keys(self) -> list[tuple]:
        """Return the keys of all results, the one used last at the end."""
        with self.lock:
            return list(self.results)

    def digest(self, data: Dataset) -> str:
        found = self.digests.get(data)
        if found is None:
            found = self.digests[data] = data.sha256
        return found

    def part_of(self, data: Dataset, n_case: int) -> Dataset:
        """The dataset with so many cases to tune and to test on, the same object each time; whole for 0."""
        if not n_case:
            return data
        parts = self.parts.setdefault(data, {})
        return parts.get(n_case) or parts.setdefault(n_case, thinned(data, n_case))
