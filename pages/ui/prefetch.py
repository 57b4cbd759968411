"""Prefetch: one worker of the server computes what users may choose next, and gives way to every page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

QUIET = 0.8  # seconds of rest after a page was drawn, for the browser, which may run on this machine
GLANCE = 0.05  # seconds between two checks of the wishes


class GiveWay(Exception):
    """A page wants the machine, or no session wants this value any more. Raised through the core, which leaves nothing half-written."""


@dataclass(frozen=True, eq=False)
class Wish:
    """Values that a session may choose next, the likeliest first.

    same: everything else on which the values depend; while it stays the same, the value that is being computed is still wanted.
    ready(value): is this value in the result cache?   compute(value, progress, check): computes one value and stores it; it calls
    progress(done, total, what) and check(), and does not catch what they raise.
    """

    same: Hashable
    values: tuple[float, ...]
    ready: Callable[[float], bool]
    compute: Callable[[float, Callable[[int, int, str], None], Callable[[], None]], None]


@dataclass(frozen=True)
class Making:
    """The value that is being computed. share: of the work, done so far."""

    same: Hashable
    value: float
    share: float = 0.0


class Prefetcher:
    """Serves the wishes of all sessions in turn, in one daemon thread.

    wanted(): does a page wait for inference?   alive(session): does a browser still show this session?   quiet, glance: seconds, see above.
    """

    def __init__(self, *, wanted: Callable[[], bool], alive: Callable[[str], bool], quiet: float = QUIET, glance: float = GLANCE) -> None:
        self.wanted, self.alive, self.quiet, self.glance = wanted, alive, quiet, glance
        self.changed = threading.Condition()
        self.wishes: dict[str, Wish] = {}  # by session; the first is served next
        self.settled: set[tuple[Hashable, float]] = set()  # computed, or given up after an error; not tried again
        self.making: Making | None = None
        self.renewed: set[str] = set()  # sessions whose page has asked while it is being drawn
        self.n_drawing, self.drawn, self.looked = 0, -quiet, 0.0
        self.thread: threading.Thread | None = None

    def ask(self, session: str, wish: Wish) -> None:
        """Serve this wish from now on, instead of the session's wish before."""
        with self.changed:
            self.wishes[session] = wish
            self.renewed.add(session)
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
        """Pause while a page is drawn; forget the wish of its session if the page does not renew it."""
        with self.changed:
            self.n_drawing += 1
            self.renewed.discard(session)
        try:
            yield
        finally:
            with self.changed:
                self.n_drawing -= 1
                self.drawn = time.monotonic()
                if session not in self.renewed:
                    self.wishes.pop(session, None)
                self._forget_settled()
                self.changed.notify_all()

    def coming(self, wish: Wish) -> list[float]:
        """Return the values that are still to be computed, in the order of the wish."""
        return [value for value in wish.values if (wish.same, value) not in self.settled and not wish.ready(value)]

    def step(self) -> bool:
        """Compute the next value; return False if there is none or if pages need the machine."""
        with self.changed:
            if self._resting() or self.wanted() or (chosen := self._next()) is None:
                return False
            session, wish, value = chosen
            self.wishes[session] = self.wishes.pop(session)  # to the end: other sessions are served first next time
            self.making = making = Making(wish.same, value)
        try:
            wish.compute(value, self._progress, self._check)
        except GiveWay:
            return True
        except Exception:  # the page shows the error when the user chooses this value
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
        """Raise GiveWay if this value must wait. It is called before every operation, so it takes the lock only every `glance` seconds."""
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
        self.settled = {(same, value) for same, value in self.settled if same in wished}
