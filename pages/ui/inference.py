"""The lock around inference: one at a time, and pages before prefetched evaluations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pages.ui.prefetch import GiveWay
from pages.ui.work import Work
from stochattn_core.commands.threads import use_half_the_cores
from stochattn_core.torch_private import TorchDispatchMode


class Inference:
    """One inference at a time. A page waits for its turn; a prefetched evaluation gives way to pages."""

    def __init__(self) -> None:
        self.lock, self.counter = threading.Lock(), threading.Lock()
        self.n_page = 0  # pages that compute or wait

    @contextmanager
    def for_page(self, work: Work) -> Iterator[None]:
        """Hold the lock. While it waits it shows that it waits, where Streamlit can end the run if the user moves on."""
        self._count(1)
        try:
            while not self.lock.acquire(timeout=0.3):
                work.wait("another session is computing")
            try:
                use_half_the_cores()  # the rest serves pages
                yield
            finally:
                self.lock.release()
        finally:
            self._count(-1)

    @contextmanager
    def for_prefetch(self, check: Callable[[], None]) -> Iterator[None]:
        """Hold the lock for a prefetched evaluation; raise GiveWay if it is taken. check is called before every operation and may raise GiveWay."""
        if not self.lock.acquire(blocking=False):
            raise GiveWay
        try:
            use_half_the_cores()
            with _Interruptible(check):
                yield
        finally:
            self.lock.release()

    def wanted(self) -> bool:
        """Return whether a page computes or waits."""
        return self.n_page > 0

    def _count(self, change: int) -> None:
        with self.counter:
            self.n_page += change


class _Interruptible(TorchDispatchMode):
    """Call check before every operation of torch in this thread, because one pass of a large model takes seconds. It changes no number."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self.check = check

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.check()
        return func(*args, **(kwargs or {}))
