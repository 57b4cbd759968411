"""Long work in a page: how far it is, how long it still takes, and a button that stops it."""

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
    """A progress callback for the core. It draws a bar with the time left and a Stop button into `slot`.

    Updating the bar is where Streamlit ends a run whose user clicked Stop, moved a slider or left: it raises through the
    core, which leaves nothing half-written. Nothing is drawn before the first call, so what is known costs no flicker.
    """

    def __init__(self, slot: DeltaGenerator, what: str, *, key: str, on_stop: Callable[[], None], whole: bool = False) -> None:
        """whole: progress is that of all the work, whatever the stage, and its numbers count nothing."""
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


def patiently(work: Work, make: Callable[[Progress], T]) -> T:
    """make(progress) on a thread of its own, so that Stop is answered however long it says nothing.

    When the run ends before make does, make is left alone and ends at its next progress.
    """
    said: list[tuple[int, int, str]] = []
    ended = threading.Event()
    result: Future[T] = Future()

    def progress(done: int, total: int, stage: str) -> None:
        if ended.is_set():
            raise CancelledError
        said[:] = [(done, total, stage)]

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
            if said:
                work(*said[0])
            else:
                work.wait("no answer yet")
    finally:
        ended.set()


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else f" · {duration(seconds)} left"


@contextmanager
def refusals(*, stop: bool = True) -> Iterator[None]:
    """A user's mistake ends in one sentence where the result would be, and what the page had before stays.

    stop: nothing after it can be shown without the result, so the page ends there.
    """
    try:
        yield
    except ValueError as refusal:
        sentence = str(refusal)
        st.error(widgets.capital(sentence), icon=":material/error:")
        if stop:
            st.stop()
