"""The cost of the scores of an ensemble: Statistics.of, which computes all sums of this project, beside single scores of two libraries.

python -m benchmarks.scores prints it as Markdown and writes benchmarks/results/scores.json. One process, one thread, float32 members.
Ratios are of computing time, medians over rounds that run every method once, one after the other. Two other times are printed beside it: that
of the system, which takes from a fraction of a second to many seconds to give a library the gigabytes it asks for; and that of the clock, which
includes both and everything else on the machine.
The libraries get the members on the last axis, as they expect them; Statistics.of gets them on the first, as this project stores them.
`scores` has neither coverage nor spread of an ensemble, and scoringrules also has no ranks: Statistics.of computes more than they do.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scores.probability
import scoringrules
import torch
import xarray as xr

from benchmarks.record import record, table
from benchmarks.timing import processor, seconds
from stochattn_core.metrics import Statistics, compiled_sums

N_TARGET, N_MEMBER, N_BLOCK, N_ROUND = 2_600_000, 32, 20, 5
EVENTS = {"one number": (), "a series of 24": (24,), "a map of 32 x 64": (32, 64)}
SIZES = (260_000, 1_300_000, 2_600_000)  # numbers of targets for which the peak memory is measured
BAR = 2  # Statistics.of should be this many times as fast as the fair CRPS of `scores`, a small part of what it computes


def forecast(n_target: int, event: tuple[int, ...] = ()) -> tuple[np.ndarray, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return members (member, case, *event), target, plain and block of an ensemble that is about calibrated."""
    generator = np.random.default_rng(0)
    shape = (n_target // int(np.prod(event)), *event)
    members = generator.standard_normal((N_MEMBER, *shape), dtype=np.float32)
    target, plain = (torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)) for _ in range(2))
    return members, target, plain, torch.arange(shape[0]) * N_BLOCK // shape[0]


def ours(data: tuple) -> Statistics:
    return Statistics.of(*data, N_BLOCK)


def in_torch(data: tuple) -> Statistics:
    takes, compiled_sums.takes = compiled_sums.takes, lambda members: False
    try:
        return ours(data)
    finally:
        compiled_sums.takes = takes


def labelled(members: np.ndarray, target: torch.Tensor) -> tuple[xr.DataArray, xr.DataArray]:
    """Return both as labelled arrays. members: (case, member).   target: (case,)."""
    return xr.DataArray(members, dims=("case", "member")), xr.DataArray(target.numpy(), dims="case")


def scores_crps(members: np.ndarray, target: torch.Tensor) -> float:
    return float(scores.probability.crps_for_ensemble(*labelled(members, target), "member", method="fair"))


def scores_crps_and_ranks(members: np.ndarray, target: torch.Tensor) -> None:
    scores_crps(members, target)
    scores.probability.rank_histogram(*labelled(members, target), "member").compute()


def ratios(n_round: int) -> list[dict]:
    """Return the times of every method and their ratio to Statistics.of, for 2.6 million cases with one number each."""
    data = forecast(N_TARGET)
    target, last = data[1], np.ascontiguousarray(data[0].T)
    methods: dict[str, Callable[[], object]] = {
        "Statistics.of": lambda: ours(data),
        "scores: fair CRPS": lambda: scores_crps(last, target),
        "scores: fair CRPS, ranks": lambda: scores_crps_and_ranks(last, target),
        "scoringrules: fair CRPS": lambda: scoringrules.crps_ensemble(target.numpy(), last, estimator="fair", backend="numba").mean(),
        "scoringrules: CRPS by weighted moments": lambda: scoringrules.crps_ensemble(
            target.numpy(), last, estimator="pwm", backend="numba"
        ).mean(),
    }
    crps, reference = float(ours(data).crps_fair.sum() / N_TARGET), scores_crps(last, target)
    if abs(crps - reference) > 1e-5 * reference:
        raise SystemExit(f"expected the fair CRPS of `scores`, {reference:.8g}, got {crps:.8g}; nothing was measured")
    times = {name: [] for name in methods}
    for i in range(-1, n_round):
        for name, method in methods.items():
            start, before = os.times(), time.perf_counter()
            method()
            after, end = time.perf_counter(), os.times()
            if i >= 0:  # the first round warms up
                times[name].append((end.user - start.user, end.system - start.system, after - before))
    base = [user for user, *_ in times["Statistics.of"]]
    return [
        {
            "method": name,
            "ratio": statistics.median(user / ours for (user, *_), ours in zip(of_method, base, strict=True)),
            "computing": [user for user, _, _ in of_method],
            "system": [system for _, system, _ in of_method],
            "clock": [clock for _, _, clock in of_method],
        }
        for name, of_method in times.items()
    ]


def events(n_round: int) -> list[dict]:
    """Return the times of Statistics.of over those of its torch reference, for 260,000 targets in events of several sizes."""
    lines = []
    for name, event in EVENTS.items():
        data = forecast(SIZES[0], event)
        ours(data), in_torch(data)
        pairs = [(seconds(lambda data=data: ours(data)), seconds(lambda data=data: in_torch(data))) for _ in range(n_round)]
        lines.append(
            {"event": name, "seconds": min(a for a, _ in pairs), "torch_over_compiled": statistics.median(b / a for a, b in pairs)}
        )
    return lines


def memory(which: str, folder: str) -> int:
    """Return the bytes by which one run over members on disk raises the allocated memory of this process.

    It is the highest of samples taken every millisecond. Pages of the file do not count, because the system can take them back at any time.
    Linux only; 0 elsewhere.
    """
    members = np.load(Path(folder) / "members.npy", mmap_mode="r")
    target, plain, block = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in ("target", "plain", "block"))
    run = {"ours": lambda x, *rest: ours((x, *rest)), "scores": lambda x, y, *_: scores_crps(x.T, y)}[which]
    run(*forecast(100))
    status, samples, ended = Path("/proc/self/status"), [], threading.Event()
    if not status.exists():
        return 0

    def sample() -> None:
        while not ended.wait(0.001):
            samples.append(allocated())

    def allocated() -> int:
        return int(status.read_text().split("RssAnon:")[1].split()[0])

    before, sampler = allocated(), threading.Thread(target=sample)
    sampler.start()
    run(members, target, plain, block)
    ended.set()
    sampler.join()
    return (max(samples, default=before) - before) * 1024


def peaks() -> list[dict]:
    lines = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            for name, values in zip(("members", "target", "plain", "block"), forecast(size), strict=True):
                np.save(Path(folder) / f"{name}.npy", values)
            line = {"targets": size, "members_mib": size * N_MEMBER * 4 / 2**20}
            for which in ("ours", "scores"):
                command = [sys.executable, "-m", "benchmarks.scores", which, folder]
                line[f"{which}_mib"] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]) / 2**20
            lines.append(line)
    return lines


def main() -> None:
    torch.set_num_threads(1)
    if not compiled_sums.wait():
        raise SystemExit("expected compiled sums to measure, got none: install numba, or look at what Numba says with NUMBA_DEBUG_CACHE=1")
    if len(sys.argv) > 1:
        print(memory(*sys.argv[1:]))
        return
    results = {
        "cpu": processor(),
        "shape": {"target": N_TARGET, "member": N_MEMBER, "block": N_BLOCK},
        "bar": BAR,
        "methods": ratios(N_ROUND),
        "events": events(N_ROUND),
        "memory": peaks(),
    }
    print(f"{N_TARGET} targets x {N_MEMBER} members:\n")
    rows = []
    for line in results["methods"]:
        system, clock = (f"{min(line[kind]):.2g} to {max(line[kind]):.2g}" for kind in ("system", "clock"))
        rows.append((line["method"], f"{line['ratio']:.3g}", f"{statistics.median(line['computing']):.3g}", system, clock))
    head = ("method", "computing, times Statistics.of", "computing, s", "system, s (least to most)", "clock, s (least to most)")
    print(table(head, rows))
    print(f"\nBar: the fair CRPS of scores takes at least {BAR} times the computing of Statistics.of.\n")
    rows = [(line["event"], f"{line['seconds']:.3g}", f"{line['torch_over_compiled']:.3g}") for line in results["events"]]
    print(table((f"{SIZES[0]} targets", "seconds", "torch over compiled"), rows), end="\n\n")
    rows = [
        (str(line["targets"]), *(f"{line[name]:.0f}" for name in ("members_mib", "ours_mib", "scores_mib"))) for line in results["memory"]
    ]
    print(table(("targets", "members, MiB", "peak of Statistics.of, MiB", "peak of the fair CRPS of scores, MiB"), rows))
    record("scores", packages=("scores", "scoringrules", "xarray"), **results)


if __name__ == "__main__":
    main()
