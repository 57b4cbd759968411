"""Is the verdict right where the right answer is known?

python -m benchmarks.verdicts prints how often each kind of case got each verdict, and writes benchmarks/results/verdicts.json. The first five
kinds are networks: each repetition tunes on a calibration part of its own and is judged on a test part of its own; the concentration that
fits the errors is drawn again. The others are ensembles whose law is known, without a network (simulated_ensembles).
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import simulated_ensembles
from benchmarks.record import record, table
from benchmarks.simulated import N_ROW, Draw, OneAttention, dataset, even, part, repeated, uneven
from stochattn_core.evaluate import experiment_of
from stochattn_core.forecasts import ensemble_of
from stochattn_core.settings import Setting
from stochattn_core.tuning import search_concentration
from stochattn_core.verdict import Verdict, judge
from stochattn_core.verdict.words import CALIBRATED, DRIFTED, FEW, MISPLACED, NEARLY, UNREACHED

N_REPETITION = 100
N_CASE = 1000  # of each part
FITS = (8.0, 64.0)  # the concentration, log-uniform


class Kind(NamedTuple):
    """Cases for which one verdict is right, `word`.

    error(rng, x1, nu): errors of the plain model, one a case.   bend: range of bend / sqrt(nu), which is uniform.
    """

    word: str
    error: Callable[[np.random.Generator, np.ndarray, float], np.ndarray]
    spread: Draw = even
    bend: tuple[float, float] = (0.0, 0.0)
    n_case: int = N_CASE


def as_members(rng: np.random.Generator, x1: np.ndarray, nu: float) -> np.ndarray:
    """Errors as large in each case as members at nu differ from the plain forecast."""
    return x1 * rng.standard_normal(len(x1)) / math.sqrt(nu)


def three_times(rng: np.random.Generator, x1: np.ndarray, nu: float) -> np.ndarray:
    """Errors three times as large as members at the smallest concentration differ from the plain forecast."""
    return 3 * as_members(rng, x1, 1.0)


def all_alike(rng: np.random.Generator, x1: np.ndarray, nu: float) -> np.ndarray:
    """Errors as large as members at nu differ from the plain forecast on average, equally large in every case."""
    return as_members(rng, np.ones_like(x1), nu)


KINDS = {
    "calibrated": Kind(CALIBRATED, as_members, uneven(0.3)),
    "unreachable": Kind(UNREACHED, three_times, uneven(0.3)),
    "drifted": Kind(
        DRIFTED, as_members, bend=(0.6, 0.9)
    ),  # where spread equals error, the error of the mean is 11 to 17% larger than that of the plain model
    "misplaced": Kind(MISPLACED, all_alike, uneven(0.8)),
    "too small": Kind(FEW, as_members, uneven(0.3), n_case=6),
}


def tuned(name: str, seed: int) -> Verdict:
    """Return the verdict on the test part at the concentration that the calibration part gives, as `tune` does."""
    kind, rng = KINDS[name], np.random.default_rng([seed, *name.encode()])
    nu, relative = float(np.exp(rng.uniform(*np.log(FITS)))), rng.uniform(*kind.bend)
    # d^2 at nu is (1 + relative^2 (1 + 2 / N_ROW)) / nu for nearly normal rows: the mean of a chi-square and its square.
    scale = math.sqrt(1 + relative**2 * (1 + 2 / N_ROW))
    parts = [part(rng, kind.n_case, kind.spread, lambda rng, x1, block: scale * kind.error(rng, x1, nu)) for _ in range(2)]
    network, data = OneAttention(relative * math.sqrt(nu)).eval(), dataset(*parts, name=name)
    found = search_concentration(network, data, Setting(seed=seed))
    test = experiment_of(network, data, Setting(found.concentration, seed=seed))
    return judge(ensemble_of(test), at_low=found.at_low, at_high=found.at_high)


def repetition(name: str, seed: int) -> dict[str, str]:
    torch.set_num_threads(1)
    verdict = judge(simulated_ensembles.ensemble(name, seed)) if name in simulated_ensembles.KINDS else tuned(name, seed)
    return {"word": verdict.word, "sentence": verdict.sentence}


def fault(name: str, word: str) -> str:
    """Return what is wrong with a verdict: "false alarm", "missed", or "" where it may be said."""
    if is_good(name):
        return "" if word in (CALIBRATED, NEARLY, FEW) else "false alarm"
    return "missed" if word == CALIBRATED else ""


def is_good(name: str) -> bool:
    """Whether an ensemble of this kind is calibrated."""
    return simulated_ensembles.KINDS[name].is_good if name in simulated_ensembles.KINDS else KINDS[name].word in (CALIBRATED, FEW)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=N_REPETITION)
    names = [*KINDS, *simulated_ensembles.KINDS]
    parser.add_argument("--kinds", nargs="*", choices=names, default=names)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    results = {}
    for name, repetitions in repeated(repetition, options.kinds, options.repetitions).items():
        words = Counter(each["word"] for each in repetitions)
        wrong = [{"seed": seed, **each} for seed, each in enumerate(repetitions) if fault(name, each["word"])]
        title = simulated_ensembles.KINDS[name].title if name in simulated_ensembles.KINDS else f"network: {name}"
        results[name] = {"title": title, "is_good": is_good(name), "words": dict(words), "wrong": wrong}
    if not options.no_record:
        record("verdicts", repetitions=options.repetitions, seeds=[0, options.repetitions - 1], n_case=N_CASE, kinds=results)
    print(report({"kinds": results}))
    return 0


def report(results: dict) -> str:
    """Markdown of verdicts.json: how many cases of each kind got each verdict."""
    rows = [
        (
            kind["title"],
            *(str(kind["words"].get(word, "")) for word in (CALIBRATED, NEARLY, FEW)),
            ", ".join(
                f"{word} {n}"
                for word, n in sorted(kind["words"].items(), key=lambda item: -item[1])
                if word not in (CALIBRATED, NEARLY, FEW)
            ),
        )
        for kind in sorted(results["kinds"].values(), key=lambda kind: not kind["is_good"])
    ]
    return table(("built to be", CALIBRATED, NEARLY, "too few", "other words"), rows)


if __name__ == "__main__":
    raise SystemExit(main())
