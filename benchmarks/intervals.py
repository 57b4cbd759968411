"""Does the 90% interval of nu* hold the true optimum 90% of the time?

python -m benchmarks.intervals prints a table and writes benchmarks/results/intervals.json. Errors of the plain model have the standard
deviation sigma, a pass at nu strays from it by x1^2 / nu in the mean square, and the mean square of x1 is 1: with endlessly many cases
the pooled objective is least at nu = 1 / sigma^2 exactly. That number is drawn anew in every repetition.
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
TRUE = (4.0, 400.0)  # the optimum, log-uniform


class Kind(NamedTuple):
    title: str
    n_case: int
    block: Callable[[], np.ndarray] | None = None
    shared: float = 0.0  # correlation of errors within a block
    spread: Draw = even
    tailed: bool = False  # errors of Student's t with 5 degrees of freedom in place of normal ones


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
    """The truth, the optimum found, and every interval by name; "exported" is what a user takes away."""
    kind, rng = KINDS[name], np.random.default_rng([seed, *KINDS[name].title.encode()])
    truth = float(np.exp(rng.uniform(*np.log(TRUE))))

    def noise(rng: np.random.Generator, x1: np.ndarray, block: np.ndarray) -> np.ndarray:
        own = rng.standard_t(5, len(x1)) / np.sqrt(5 / 3) if kind.tailed else rng.standard_normal(len(x1))
        common = rng.standard_normal(int(block.max()) + 1)[block]
        return x1 * (np.sqrt(1 - kind.shared) * own + np.sqrt(kind.shared) * common) / np.sqrt(truth)

    split = part(rng, kind.n_case, kind.spread, noise, kind.block() if kind.block else None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STOCHATTN_CACHE"] = folder  # what is kept of one repetition is of no use to another
        torch.set_num_threads(1)
        found = search_concentration(OneAttention().eval(), dataset(split, split), Setting(seed=seed))
    return {"truth": truth, "optimum": found.optimum, "exported": found.interval[1:], **found.intervals}


def coverage(found: list[dict], name: str) -> dict[str, float]:
    """How often an interval holds the truth, lies wholly above or below it, and the median of its upper over its lower end."""
    truth = np.array([one["truth"] for one in found])
    low, high = np.array([one[name] for one in found]).T
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
    results, lines, whole = {}, [], repeated(repetition, options.kinds, options.repetitions)
    for name, found in whole.items():
        kind = KINDS[name]
        bias = float(np.exp(np.mean([np.log(one["optimum"] / one["truth"]) for one in found])))
        results[name] = {"title": kind.title, "n_case": kind.n_case, "optimum_over_truth": bias}
        results[name] |= {each: coverage(found, each) for each in ("exported", "bootstrap", "posterior")}
        shares = (f"{results[name][each]['covered'] / options.repetitions:.1%}" for each in ("exported", "bootstrap", "posterior"))
        lines.append((kind.title, *shares, f"{results[name]['exported']['factor']:.2f}", f"{bias:.3f}"))
    if not options.no_record:
        record("intervals", level=0.9, repetitions=options.repetitions, seeds=[0, options.repetitions - 1], truth=list(TRUE), kinds=results)
    print(table(("calibration set", "exported", "bootstrap", "posterior", "high / low", "optimum / truth"), lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
