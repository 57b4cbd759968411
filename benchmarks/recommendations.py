"""How often is a correction recommended that helps nothing, and how often one that helps? The same for a reference forecast.

python -m benchmarks.recommendations prints a table and writes benchmarks/results/recommendations.json. No network is run: each method is an
ensemble about the plain forecast whose law is known, and the errors of the plain forecast are an autoregression of order 1.

A block of cases is worth one independent case: (1 + rho^2) / (1 - rho^2) cases, because squares of such errors are correlated as rho^2 to the
power of the lag.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.record import record, table
from benchmarks.simulated import repeated
from stochattn_core.compare.gain import ScoredPart
from stochattn_core.compare.recommendation import Candidate, Recommendation, recommend
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.statistics import coarser

RHO = (0.0, 0.5, 0.9, 0.97)
N_BLOCK = (10, 20, 40, 100, 400)
N_MEMBER = 19
N_REPETITION = 100
N_TRIED = 5
NARROW = 0.6  # spread over error
DISPLACED = 0.02  # variance of the mean of each method about the plain forecast, over that of the errors
MOST_BLOCKS = 400  # neighbouring cases are joined beyond that, to save time
NOTHING = "nothing"


@dataclass(frozen=True)
class Kind:
    """One simulated case. about: in the table.   alone: spread over error of the concentration alone.   corrections: of each correction.

    varies: the standard deviation of the logarithm of the spread of errors over cases, which attention knows; a dressing has it constant.
    dressing: is Gaussian dressing among the methods?   right: the method that should be recommended.
    """

    about: str
    alone: float = 1.0
    corrections: tuple[float, ...] = (1.0,) * N_TRIED
    varies: float = 0.0
    dressing: bool = False
    right: str = NOTHING


KINDS = {
    "worthless": Kind("five corrections no better, ν alone calibrated"),
    "worthless, narrow": Kind("five corrections no better, ν alone too narrow", NARROW, (NARROW,) * N_TRIED),
    "one helps": Kind(
        "one correction of five reaches ratio 1, ν alone 0.6", NARROW, (1.0, *(NARROW,) * (N_TRIED - 1)), right="correction 1"
    ),
    "dressing equal": Kind("Gaussian dressing as good as ν alone", corrections=(), dressing=True, right="dressing"),
    "dressing worse": Kind("Gaussian dressing 6% worse than ν alone", corrections=(), varies=0.5, dressing=True),
}


def autoregression(rng: np.random.Generator, n: int, rho: float, n_series: int = 1) -> np.ndarray:
    """Return stationary series of variance 1, (series, n)."""
    from scipy.signal import lfilter

    noise = rng.standard_normal((n_series, n)) * math.sqrt(1 - rho**2)
    noise[:, 0] /= math.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise)


def cases_per_block(rho: float) -> int:
    """Return how many cases are worth one independent case, rounded up.

    >>> [cases_per_block(rho) for rho in RHO]
    [1, 2, 10, 33]
    """
    return math.ceil((1 + rho**2) / (1 - rho**2) - 1e-9)


def part(members: np.ndarray, target: np.ndarray) -> ScoredPart:
    """Return one method, scored case by case about a plain forecast of 0."""
    n = len(target)
    block = coarser(np.arange(n), MOST_BLOCKS)
    sums = Statistics.of(
        torch.from_numpy(members), torch.from_numpy(target), torch.zeros(n, dtype=torch.float64), block, int(block[-1]) + 1
    )
    return ScoredPart(sums, sums.crps_fair)


def recommendation(kind: Kind, rho: float, n_block: int, rng: np.random.Generator) -> Recommendation:
    """Return what is recommended in one simulated calibration part."""
    n = n_block * cases_per_block(rho)
    width = np.exp(kind.varies * rng.standard_normal(n) - kind.varies**2)  # of mean square 1
    target = width * autoregression(rng, n, rho)[0]
    spreads = [kind.alone, *kind.corrections]
    means = math.sqrt(DISPLACED) * autoregression(rng, n, rho, len(spreads)) * width
    names = ["alone", *(f"correction {place}" for place in range(1, len(spreads)))]
    candidates = []
    for name, ratio, mean in zip(names, spreads, means, strict=True):
        noise = ratio * math.sqrt(1 + DISPLACED) * width * rng.standard_normal((N_MEMBER, n))
        candidates.append(Candidate(name, name, "method" if name == "alone" else "correction", part(mean + noise, target)))
    if kind.dressing:
        mean = math.sqrt(DISPLACED) * autoregression(rng, n, rho)[0] * width
        noise = math.sqrt(1 + DISPLACED) * rng.standard_normal((N_MEMBER, n))
        candidates.append(Candidate("dressing", "Gaussian dressing", "reference", part(mean + noise, target), attention_share=0.0))
    return recommend(candidates)


def cell(kind: str, rho: float, n_block: int) -> str:
    return f"{kind}|{rho:g}|{n_block}"


def repetition(name: str, seed: int) -> dict:
    torch.set_num_threads(1)
    kind, rho, n_block = name.split("|")
    result = recommendation(KINDS[kind], float(rho), int(n_block), np.random.default_rng([seed, *name.encode()]))
    return {"recommended": result.name or NOTHING, "n_effective": result.n_effective}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommendations", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=N_REPETITION)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    results: dict[str, dict] = {}
    for kind in options.kinds:
        cells = [cell(kind, rho, n_block) for rho in RHO for n_block in N_BLOCK]
        for name, repetitions in repeated(repetition, cells, options.repetitions, options.workers).items():
            counts = Counter(each["recommended"] for each in repetitions)
            results[name] = {"recommended": dict(counts), "n_effective": float(np.median([each["n_effective"] for each in repetitions]))}
        if not options.no_record:  # after each kind, so that a stop leaves those that are done
            record("recommendations", repetitions=options.repetitions, seeds=[0, options.repetitions - 1], n_member=N_MEMBER, cells=results)
    print(report({"cells": results, "repetitions": options.repetitions}))
    return 0


def report(results: dict) -> str:
    """Markdown of recommendations.json: in how many of all repetitions something was recommended, and how many cases that counted as."""
    rows = []
    for name, kind in KINDS.items():
        for rho in RHO:
            names = [cell(name, rho, n_block) for n_block in N_BLOCK]
            found = [results["cells"].get(each) for each in names]
            if all(found):
                rows.append((kind.about, f"{rho:g}", *(_counts(each, kind.right) for each in found)))
    head = ("calibration part", "ρ", *(f"{n_block} independent blocks" for n_block in N_BLOCK))
    return table(head, rows) + (
        f"\n\nHow often of {results['repetitions']} a method is recommended: the one that helps, where there is one, and after a plus sign any "
        "other. In brackets: the median number of independent cases that the recommendation counted."
    )


def _counts(found: dict, right: str) -> str:
    counts = found["recommended"]
    wrong = sum(count for name, count in counts.items() if name not in (right, NOTHING))
    cases = f" ({found['n_effective']:.0f})"
    return f"{wrong}{cases}" if right == NOTHING else f"{counts.get(right, 0)} + {wrong}{cases}"


if __name__ == "__main__":
    raise SystemExit(main())
