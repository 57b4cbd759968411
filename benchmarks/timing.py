"""The cost of a call beside that of a plain one: both run one after the other, round by round, in one thread of one process.

Times are the computing times of the thread, so that the load of other programs counts as little as possible.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Beside(NamedTuple):
    """Timings of a call beside a plain one.

    ratio: call over plain, median over rounds.   fastest: least time of the call over least time of the plain one.   plain_seconds, seconds: these
    two least times.
    """

    ratio: float
    fastest: float
    plain_seconds: float
    seconds: float


def seconds(call: Callable[[], object]) -> float:
    """Return the computing time of one call in this thread."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def beside(plain: Callable[[], object], call: Callable[[], object], spend: float) -> Beside:
    """Run both for `spend` seconds of computing, after one round that warms up, and return their timings."""
    plain(), call()
    rounds: list[tuple[float, float]] = []
    while sum(map(sum, rounds)) < spend:
        rounds.append((seconds(plain), seconds(call)))
    least = [min(times) for times in zip(*rounds, strict=True)]
    return Beside(statistics.median(b / a for a, b in rounds), least[1] / least[0], *least)


def processor() -> str:
    """Return the name of this machine's processor, as the system gives it."""
    try:
        return next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
