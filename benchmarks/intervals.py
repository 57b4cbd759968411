"""Does the 90% interval of nu* hold the true optimum 90% of the time?

python -m benchmarks.intervals prints a table and writes benchmarks/results/intervals.json. Errors of the plain model have the standard
deviation sigma. A pass at nu differs from the plain forecast by x1^2 / nu in the mean square, and the mean square of x1 is 1. With infinitely
many cases the pooled objective is least at nu = 1 / sigma^2 exactly. Each repetition draws this number again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.record import record, table
from benchmarks.simulated import Draw, OneAttention, dataset, even, part, repeated, uneven
from stochattn_core.settings import Setting
from stochattn_core.tuning import search_concentration

N_REPETITION = 200
INTERVALS = ("exported", "bootstrap", "posterior")
TRUE = (4.0, 400.0)  # the optimum, log-uniform


class Kind(NamedTuple):
    title: str
    n_case: int
    block: Callable[[], np.ndarray] | None = None
    shared: float = 0.0  # correlation of errors within a block
    spread: Draw = even
    tailed: bool = False  # errors follow Student's t with 5 degrees of freedom instead of a normal distribution


KINDS = {
    "n40": Kind("40 cases", 40),
    "n100": Kind("100 cases", 100),
    "n400": Kind("400 cases", 400),
    "tails": Kind("400 cases, errors t with 5 degrees of freedom", 400, tailed=True),
    "uneven": Kind("400 cases, spread and error log-normal from case to case", 400, spread=uneven(0.5)),
    "blocks40": Kind("400 cases in 40 blocks, errors correlated 0.5 within", 400, lambda: np.arange(400) // 10, 0.5),
    "blocks12": Kind("240 cases in 12 blocks, errors correlated 0.5 within", 240, lambda: np.arange(240) // 20, 0.5),
}


def repetition(name: str, seed: int) -> dict[str, tuple[float, float] | float]:
    """Return the true optimum, the estimated one, and every interval by name; "exported" is the one in tuned.json."""
    kind, rng = KINDS[name], np.random.default_rng([seed, *KINDS[name].title.encode()])
    truth = float(np.exp(rng.uniform(*np.log(TRUE))))

    def noise(rng: np.random.Generator, x1: np.ndarray, block: np.ndarray) -> np.ndarray:
        own = rng.standard_t(5, len(x1)) / np.sqrt(5 / 3) if kind.tailed else rng.standard_normal(len(x1))
        common = rng.standard_normal(int(block.max()) + 1)[block]
        return x1 * (np.sqrt(1 - kind.shared) * own + np.sqrt(kind.shared) * common) / np.sqrt(truth)

    split = part(rng, kind.n_case, kind.spread, noise, kind.block() if kind.block else None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STOCHATTN_CACHE"] = folder  # no repetition can use what another one stored
        torch.set_num_threads(1)
        search = search_concentration(OneAttention().eval(), dataset(split, split), Setting(seed=seed))
    return {"truth": truth, "optimum": search.optimum, "exported": search.interval[1:], **search.intervals}


def coverage(repetitions: list[dict], name: str) -> dict[str, float]:
    """Return how often an interval holds the truth or lies wholly above or below it, and the median of its upper over its lower end."""
    truth = np.array([each["truth"] for each in repetitions])
    low, high = np.array([each[name] for each in repetitions]).T
    return {
        "covered": int(((low <= truth) & (truth <= high)).sum()),
        "above": int((low > truth).sum()),
        "below": int((high < truth).sum()),
        "factor": float(np.median(high / low)),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=N_REPETITION)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    by_kind = repeated(repetition, options.kinds, options.repetitions)
    results = {}
    for name, repetitions in by_kind.items():
        bias = float(np.exp(np.mean([np.log(each["optimum"] / each["truth"]) for each in repetitions])))
        results[name] = {"title": KINDS[name].title, "n_case": KINDS[name].n_case, "optimum_over_truth": bias}
        results[name] |= {interval: coverage(repetitions, interval) for interval in INTERVALS}
    if not options.no_record:
        record("intervals", level=0.9, repetitions=options.repetitions, seeds=[0, options.repetitions - 1], truth=list(TRUE), kinds=results)
    print(report({"repetitions": options.repetitions, "kinds": results}))
    return 0


def report(results: dict) -> str:
    """Markdown of intervals.json."""
    rows = [
        (
            kind["title"],
            *(f"{kind[interval]['covered'] / results['repetitions']:.1%}" for interval in INTERVALS),
            f"{kind['exported']['factor']:.2f}",
            f"{kind['optimum_over_truth']:.3f}",
        )
        for kind in results["kinds"].values()
    ]
    return table(("calibration set", *INTERVALS, "high / low", "optimum / truth"), rows)


if __name__ == "__main__":
    raise SystemExit(main())
