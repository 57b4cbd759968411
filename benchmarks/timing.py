"""What a call costs beside a plain one: both run one after the other, round by round, in one thread of one process.

Times are those that the thread spent computing, so that another program's load counts as little as it can.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Beside(NamedTuple):
    """ratio: call over plain, the median over rounds; fastest: the least time of each, one over the other; seconds: those of a call."""

    ratio: float
    fastest: float
    plain_seconds: float
    seconds: float


def seconds(call: Callable[[], object]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def beside(plain: Callable[[], object], call: Callable[[], object], spend: float) -> Beside:
    """As many rounds as take `spend` seconds, after one that warms up."""
    plain(), call()
    rounds: list[tuple[float, float]] = []
    while sum(map(sum, rounds)) < spend:
        rounds.append((seconds(plain), seconds(call)))
    least = [min(times) for times in zip(*rounds, strict=True)]
    return Beside(statistics.median(b / a for a, b in rounds), least[1] / least[0], *least)


def processor() -> str:
    try:
        return next(line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
