"""Do 90% intervals hold the true value 90% of the time, also where cases depend on one another?

python -m benchmarks.intervals prints a table and writes benchmarks/results/intervals.json. Errors are an AR(1) sequence. For nu*, a pass at nu
differs from the plain forecast by x1^2 / nu in the mean square, the mean square of x1 is 1, and errors have the standard deviation sigma: with
infinitely many cases the pooled objective is least at nu = 1 / sigma^2 exactly. For the ratio, the coverage and the bias, members have the law of
the errors; the gain in CRPS is that of these members over members that are 1.3 times as wide. Each repetition draws everything again.
An interval that rests on fewer than 20 effective cases is called too few by the tool, and is not counted.
"""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.record import record, table
from benchmarks.simulated import Draw, OneAttention, dataset, even, part, repeated, uneven
from benchmarks.simulated_ensembles import N_MEMBER, autoregression
from stochattn_core.metrics import Statistics
from stochattn_core.metrics.intervals import quantiles
from stochattn_core.metrics.scores import values_by_block
from stochattn_core.metrics.scores.rule import LEAST_EFFECTIVE
from stochattn_core.metrics.significance import Estimate, infer
from stochattn_core.settings import Setting
from stochattn_core.tuning import search_concentration

N_REPETITION = 200
QUANTITIES = ("nu*", "ratio", "coverage", "bias", "CRPS gain")
TRUE = (4.0, 400.0)  # the optimum, log-uniform
WIDER = 1.3  # the members with which the gain is paired


class Kind(NamedTuple):
    """rho: of the AR(1) errors.   tailed: their law is Student's t with 5 degrees of freedom instead of a normal one."""

    n_case: int
    rho: float = 0.0
    spread: Draw = even
    tailed: bool = False

    @property
    def title(self) -> str:
        more = (
            ", tails of t with 5 degrees of freedom" if self.tailed else ", spread and error log-normal" if self.spread is not even else ""
        )
        return f"{self.n_case:,} cases, rho {self.rho:g}{more}"


KINDS = {
    **{
        f"rho {rho:g}, {n}": Kind(n, rho)
        for rho, sizes in ((0.0, (20, 40, 100, 400)), (0.5, (60, 200, 800)), (0.9, (400, 1500)), (0.97, (1400, 5000)))
        for n in sizes
    },
    "tails": Kind(400, tailed=True),
    "uneven": Kind(400, spread=uneven(0.5)),
}


def errors(rng: np.random.Generator, kind: Kind) -> np.ndarray:
    """Return errors of variance 1, (case,), in the order of time."""
    return rng.standard_t(5, kind.n_case) / np.sqrt(5 / 3) if kind.tailed else autoregression(rng, kind.rho, kind.n_case)


def repetition(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Return truth and interval of every quantity."""
    kind, rng = KINDS[name], np.random.default_rng([seed, *KINDS[name].title.encode()])
    torch.set_num_threads(1)
    found = _optimum(kind, rng, seed) | _scores(kind, rng)
    return {quantity: {"truth": truth, **estimate._asdict()} for quantity, (truth, estimate) in found.items()}


def _optimum(kind: Kind, rng: np.random.Generator, seed: int) -> dict[str, tuple[float, Estimate]]:
    truth = float(np.exp(rng.uniform(*np.log(TRUE))))
    noise = errors(rng, kind)
    split = part(rng, kind.n_case, kind.spread, lambda rng, x1, block: x1 * noise / np.sqrt(truth), np.arange(kind.n_case))
    search = search_concentration(OneAttention().eval(), dataset(split, split), Setting(seed=seed))
    return {"nu*": (truth, Estimate(search.optimum, *search.interval[1:], search.n_effective))}


def _scores(kind: Kind, rng: np.random.Generator) -> dict[str, tuple[float, Estimate]]:
    x1 = kind.spread(rng, kind.n_case)
    error = x1 * errors(rng, kind)
    noise = x1 * (
        rng.standard_t(5, (N_MEMBER, kind.n_case)) / np.sqrt(5 / 3) if kind.tailed else rng.standard_normal((N_MEMBER, kind.n_case))
    )
    none, block = np.zeros(kind.n_case), np.arange(kind.n_case)
    sums, wide = (
        Statistics.of(torch.from_numpy(members), torch.from_numpy(error), none, block, kind.n_case) for members in (noise, WIDER * noise)
    )
    whole, rest = values_by_block(sums.total()), values_by_block(sums.without_each())
    found = {}
    for quantity, key, scale, truth in (
        ("ratio", "spread_skill_ratio", "log", 1.0),
        ("coverage", "coverage_90", "share", _coverage(kind)),
        ("bias", "bias", "linear", 0.0),
    ):
        found[quantity] = truth, infer(whole[key].numpy(), rest[key].numpy()[:, None], scale=scale).at(0)
    gained = (wide.crps_fair - sums.crps_fair).numpy()
    found["CRPS gain"] = _gain(kind), infer(np.array([gained.mean()]), ((gained.sum() - gained) / (kind.n_case - 1))[:, None]).at(0)
    return found


def _coverage(kind: Kind) -> float:
    """Return the coverage of the central 90% of so many perfect members: not 90%, because two members are interpolated. By simulation."""
    rng = np.random.default_rng(0)
    draw = (lambda *shape: rng.standard_t(5, shape)) if kind.tailed else (lambda *shape: rng.standard_normal(shape))
    low, high = quantiles(torch.from_numpy(draw(N_MEMBER, 200_000)), [0.05, 0.95]).numpy()
    target = draw(200_000)
    return float(((low <= target) & (target <= high)).mean())


def _gain(kind: Kind) -> float:
    """Return the true gain: for normal errors E|X - y| - E|X - X'| / 2 in closed form, else by simulation."""
    if kind.tailed or kind.spread is not even:
        rng = np.random.default_rng(1)
        x1 = kind.spread(rng, 2_000_000)
        draws = rng.standard_t(5, (3, len(x1))) / np.sqrt(5 / 3) if kind.tailed else rng.standard_normal((3, len(x1)))
        crps = [float((x1 * (np.abs(s * draws[0] - draws[2]) - s * np.abs(draws[0] - draws[1]) / 2)).mean()) for s in (1.0, WIDER)]
    else:
        crps = [math.sqrt(2 / math.pi) * (math.sqrt(1 + s**2) - s / math.sqrt(2)) for s in (1.0, WIDER)]
    return crps[1] - crps[0]


def coverage(repetitions: list[dict], quantity: str) -> dict[str, float]:
    """Return how often an interval on at least 20 effective cases holds the truth or lies wholly above or below it, and how often it is too few."""
    rows = [each[quantity] for each in repetitions]
    truth, low, high, effective = (np.array([row[name] for row in rows]) for name in ("truth", "low", "high", "n_effective"))
    counted = effective >= LEAST_EFFECTIVE
    return {
        "counted": int(counted.sum()),
        "covered": int(((low <= truth) & (truth <= high))[counted].sum()),
        "above": int((low > truth)[counted].sum()),
        "below": int((high < truth)[counted].sum()),
        "n_effective": float(np.median(effective)),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=N_REPETITION)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    results = {}
    for name, repetitions in repeated(repetition, options.kinds, options.repetitions).items():
        bias = float(np.exp(np.mean([np.log(each["nu*"]["estimate"] / each["nu*"]["truth"]) for each in repetitions])))
        results[name] = {"title": KINDS[name].title, "n_case": KINDS[name].n_case, "optimum_over_truth": bias}
        results[name] |= {quantity: coverage(repetitions, quantity) for quantity in QUANTITIES}
    if not options.no_record:
        record("intervals", level=0.9, repetitions=options.repetitions, seeds=[0, options.repetitions - 1], truth=list(TRUE), kinds=results)
    print(report({"repetitions": options.repetitions, "kinds": results}))
    return 0


def report(results: dict) -> str:
    """Markdown of intervals.json: the share of the intervals that hold the truth, and the share that was called too few."""
    rows = [
        (kind["title"], *(_cell(kind[quantity], results["repetitions"]) for quantity in QUANTITIES), f"{kind['optimum_over_truth']:.3f}")
        for kind in results["kinds"].values()
    ]
    return table(("cases", *QUANTITIES, "nu* / truth"), rows)


def _cell(counts: dict, n: int) -> str:
    few = n - counts["counted"]
    share = f"{counts['covered'] / counts['counted']:.1%}" if counts["counted"] >= n / 4 else "–"
    return f"{share} ({counts['n_effective']:.0f})" + (f", too few {few / n:.0%}" if few else "")


if __name__ == "__main__":
    raise SystemExit(main())
