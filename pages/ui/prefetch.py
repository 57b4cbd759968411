"""What a user may ask for next is computed before they ask: one worker for the whole server, which gives way to every page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

QUIET = 0.8  # seconds after a page was drawn that are the browser's, which may run on this machine
GLANCE = 0.05  # seconds between two looks at who wants what


class GiveWay(Exception):
    """A page wants the machine, or nobody wants this value any more. Raised through the core, which keeps nothing half-written."""


@dataclass(frozen=True, eq=False)
class Wish:
    """Values that a session would have ready, the most wanted first.

    same: what they are values of; as long as it stays, the value in the making is still wanted.   ready: is this value there?
    compute: makes one value and keeps it; calls progress(done, total, what) and check(), and lets what they raise through.
    """

    same: Hashable
    values: tuple[float, ...]
    ready: Callable[[float], bool]
    compute: Callable[[float, Callable[[int, int, str], None], Callable[[], None]], None]


@dataclass(frozen=True)
class Making:
    same: Hashable
    value: float
    share: float = 0.0


class Prefetcher:
    """The wishes of all sessions, served in turn by one daemon thread.

    wanted: does a page wait for inference?   alive: is this session still there?
    """

    def __init__(self, *, wanted: Callable[[], bool], alive: Callable[[str], bool], quiet: float = QUIET, glance: float = GLANCE) -> None:
        self.wanted, self.alive, self.quiet, self.glance = wanted, alive, quiet, glance
        self.changed = threading.Condition()
        self.wishes: dict[str, Wish] = {}  # by session; the first is served next
        self.settled: set[tuple[Hashable, float]] = set()  # computed, or given up after an error: not tried again
        self.making: Making | None = None
        self.asked: set[str] = set()  # sessions that wished while their page was drawn
        self.n_drawing, self.drawn, self.looked = 0, -quiet, 0.0
        self.thread: threading.Thread | None = None

    def ask(self, session: str, wish: Wish) -> None:
        """Wish for this from now on, instead of what this session wished for before."""
        with self.changed:
            self.wishes[session] = wish
            self.asked.add(session)
            self._forget_settled()
            self.changed.notify_all()

    def start(self) -> None:
        """Serve wishes in a thread of its own; a second call does nothing."""
        with self.changed:
            if self.thread is None:
                self.thread = threading.Thread(target=self._serve, name="prefetch", daemon=True)
                self.thread.start()

    @contextmanager
    def drawing(self, session: str) -> Iterator[None]:
        """While a page is drawn the worker rests where it is; a wish that the page does not renew meanwhile is forgotten."""
        with self.changed:
            self.n_drawing += 1
            self.asked.discard(session)
        try:
            yield
        finally:
            with self.changed:
                self.n_drawing -= 1
                self.drawn = time.monotonic()
                if session not in self.asked:
                    self.wishes.pop(session, None)
                self._forget_settled()
                self.changed.notify_all()

    def coming(self, wish: Wish) -> list[float]:
        """The values that are not there yet and will be, in the order of the wish."""
        return [value for value in wish.values if (wish.same, value) not in self.settled and not wish.ready(value)]

    def step(self) -> bool:
        """Make the next value that somebody wishes for; False when there is none, or no time for it."""
        with self.changed:
            if self._resting() or self.wanted() or (found := self._next()) is None:
                return False
            session, wish, value = found
            self.wishes[session] = self.wishes.pop(session)  # the others first, next time
            self.making = making = Making(wish.same, value)
        try:
            wish.compute(value, self._progress, self._check)
        except GiveWay:
            return True
        except Exception:  # whatever it is, the page says it when the user asks for this value
            pass
        finally:
            with self.changed:
                self.making = None
        with self.changed:
            self.settled.add((making.same, value))
        return True

    def _serve(self) -> None:
        while True:
            if not self.step():
                with self.changed:
                    self.changed.wait(self.glance if self.wishes else None)

    def _next(self) -> tuple[str, Wish, float] | None:
        for session, wish in list(self.wishes.items()):
            if not self.alive(session):
                del self.wishes[session]
            elif coming := self.coming(wish):
                return session, wish, coming[0]
        return None

    def _progress(self, done: int, total: int, stage: str) -> None:
        with self.changed:
            if self.making is not None:
                self.making = replace(self.making, share=done / total if total else 0.0)
        self._check()

    def _check(self) -> None:
        """Called before every operation, so it looks twice only now and then."""
        if self.wanted():
            raise GiveWay
        now = time.monotonic()
        if now - self.looked < self.glance:
            return
        self.looked = now
        with self.changed:
            while True:
                if self.wanted() or not self._still_wished():
                    raise GiveWay
                if not self._resting():
                    return
                self.changed.wait(self.glance)

    def _resting(self) -> bool:
        return self.n_drawing > 0 or time.monotonic() - self.drawn < self.quiet

    def _still_wished(self) -> bool:
        making = self.making
        return making is not None and any(
            wish.same == making.same and making.value in wish.values and self.alive(session) for session, wish in self.wishes.items()
        )

    def _forget_settled(self) -> None:
        wished = {wish.same for wish in self.wishes.values()}
        self.settled = {one for one in self.settled if one[0] in wished}
