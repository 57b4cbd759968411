"""Long work in a page: progress, time left, and a button that stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import widgets
from stochattn_core.datasets.base import Progress

T = TypeVar("T")


class Work:
    """A progress callback for the core that draws a bar with the time left and a Stop button into `slot`.

    When the bar is updated, Streamlit ends a run whose user clicked Stop, moved a slider or left: it raises through the core, which leaves
    nothing half-written. Nothing is drawn before the first call, so known results appear without flicker.
    """

    def __init__(self, slot: DeltaGenerator, what: str, *, key: str, on_stop: Callable[[], None], whole: bool = False) -> None:
        """whole: progress is that of the whole work in any stage, and is shown as a percentage."""
        self.slot, self.what, self.key, self.on_stop, self.whole = slot, what, key, on_stop, whole
        self.bar: DeltaGenerator | None = None
        self.stage, self.started, self.shown = "", time.monotonic(), 0.0

    def __call__(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        if stage != self.stage and not self.whole:
            self.started = now
        self.stage = stage
        if self.bar is not None and now - self.shown < 0.12 and done < total:
            return
        self.shown = now
        share = min(1.0, done / total) if total else 0.0
        left = (now - self.started) * (1 - share) / share if share > 0.02 else None
        far = f"{share:.0%}" if self.whole else f"{done:,} of {total:,}"
        self._draw(share, f"{self.what}: {stage}, {far}{_time_left(left)}")

    def wait(self, reason: str) -> None:
        self._draw(0.0, f"{self.what}: waiting, {reason}")

    def start(self) -> None:
        self._draw(0.0, f"{self.what}: starting")

    def done(self) -> None:
        self.slot.empty()

    def _draw(self, share: float, text: str) -> None:
        if self.bar is None:
            with self.slot.container(horizontal=True, vertical_alignment="center"):
                self.bar = st.progress(share, text=text)
                st.button("Stop", icon=":material/stop_circle:", key=f"stop-{self.key}", on_click=self.on_stop)
        else:
            self.bar.progress(share, text=text)


def on_thread(work: Work, make: Callable[[Progress], T]) -> T:
    """Return make(progress), run on another thread, so that Stop works even while make reports no progress.

    If the run of the page ends first, make goes on alone and ends at its next progress.
    """
    latest: list[tuple[int, int, str]] = []
    ended = threading.Event()
    result: Future[T] = Future()

    def progress(done: int, total: int, stage: str) -> None:
        if ended.is_set():
            raise CancelledError
        latest[:] = [(done, total, stage)]

    def run() -> None:
        try:
            result.set_result(make(progress))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            done, _ = wait([result], timeout=0.2)
            if done:
                return result.result()
            if latest:
                work(*latest[0])
            else:
                work.wait("no answer yet")
    finally:
        ended.set()


def duration(seconds: float) -> str:
    """Return a duration in words: 45 s, 10 min."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f" · {duration(seconds)} left"


@contextmanager
def refusals(*, stop: bool = True) -> Iterator[None]:
    """Show a ValueError as one sentence in place of the result.

    stop: end the page there, because nothing after it can be shown without the result.
    """
    try:
        yield
    except ValueError as refusal:
        st.error(widgets.capital(str(refusal)), icon=":material/error:")
        if stop:
            st.stop()
