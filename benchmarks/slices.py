"""Does the search find a slice that fails, and does it find none where there is none?

python -m benchmarks.slices writes benchmarks/results/slices.json. Each ensemble has 5,000 values and 49 members. In 5% of its values the
errors are too large by 1 / 0.6; of some kinds the slice that the search knows holds more values than those. Errors are independent from
case to case, or autocorrelated.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.record import record, table
from benchmarks.simulated import repeated
from benchmarks.sliced_ensembles import Planted, Values, series, zonal
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.slices import Slice, search_slices

N_REPETITION = 100
N_MEMBER = 49
RHO = (0.0, 0.5, 0.9)
SEVEN = (1, 2, 3, 4, 5, 6, 7)
TWENTY = tuple(np.linspace(-65, 30, 20))  # latitudes; the last one alone is in the northern mid-latitudes


class Kind(NamedTuple):
    """make(seed, n_member, rho): the ensemble.   is_right: whether a listed slice is the planted one; None where nothing is planted."""

    title: str
    make: Callable[..., Ensemble]
    is_right: Callable[[Slice], bool] | None = None


def winter(values: Values) -> np.ndarray:
    return np.isin(values.month, (12, 1, 2))


def column(place: int) -> Planted:
    """Return a function that plants one lead time or latitude."""
    return lambda values: np.broadcast_to(np.arange(values.sd.shape[1]) == place, values.sd.shape)


def winter_of_column(place: int) -> Planted:
    return lambda values: winter(values) & column(place)(values)


def small_spread(share: float) -> Planted:
    """Return a function that plants the values with the smallest true spread; the search knows only its estimates."""
    return lambda values: values.sd < np.quantile(values.sd, share)


def small_spread_in_winter(values: Values) -> np.ndarray:
    return small_spread(0.2)(values) & winter(values)


def high_forecast_of_column(place: int) -> Planted:
    """Return a function that plants the highest third of the forecasts at one lead time or latitude."""
    return lambda values: (values.centre > np.quantile(values.centre, 2 / 3)) & column(place)(values)


def of_kinds(*parts: tuple[str, int]) -> Callable[[Slice], bool]:
    """Return a predicate: is this the slice with these labels, by kind, and no others?"""
    return lambda slice_: set(zip(slice_.kinds, slice_.labels, strict=True)) == set(parts)


KINDS = {
    "perfect, lead times": Kind("nothing, five lead times", series),
    "perfect, latitudes": Kind("nothing, five latitudes", zonal),
    "lead-season": Kind(
        "one lead time in one season", partial(series, planted=winter_of_column(3)), of_kinds(("lead time", 3), ("season", 0))
    ),
    "region-season": Kind("one region in one season", partial(zonal, planted=winter_of_column(3)), of_kinds(("region", 1), ("season", 0))),
    "region": Kind("one of 20 latitudes", partial(zonal, latitudes=TWENTY, n_case=250, planted=column(19)), of_kinds(("region", 1))),
    "tenth of the spread": Kind(
        "one half of the smallest tenth of the spread", partial(series, planted=small_spread(0.05)), of_kinds(("spread", 0))
    ),
    "spread-season": Kind(
        "the smallest fifth of the spread in one season",
        partial(series, planted=small_spread_in_winter),
        of_kinds(("season", 0), ("spread in fifths", 0)),
    ),
    "forecast-lead": Kind(
        "the highest third of the forecast at one of seven lead times",
        partial(series, leads=SEVEN, n_case=714, planted=high_forecast_of_column(3)),
        of_kinds(("lead time", 3), ("forecast", 2)),
    ),
    "lead-season, 5,000 cases": Kind(
        "one lead time in one season, 5,000 cases",
        partial(series, n_case=5000, planted=winter_of_column(3)),
        of_kinds(("lead time", 3), ("season", 0)),
    ),
}


def repetition(name: str, seed: int) -> dict[str, object]:
    """Return the slices that are listed, by the name of a kind and its autocorrelation: "region 0.5"."""
    kind, rho = name.rsplit(" ", 1)
    result = search_slices(KINDS[kind].make(seed, n_member=N_MEMBER, rho=float(rho)))
    is_right = KINDS[kind].is_right
    right = [bool(is_right and is_right(each.slice) and each.estimates["ratio"].here < 1) for each in result.failures]
    return {
        "listed": [each.slice.name for each in result.failures],
        "right": any(right),
        "first": right[:1] == [True],
        "n_slice": result.n_slice,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slices", description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=N_REPETITION)
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    names = [f"{kind} {rho}" for kind in options.kinds for rho in RHO]
    results = {name: counted(each) for name, each in repeated(repetition, names, options.repetitions, options.workers).items()}
    if not options.no_record:
        record("slices", packages=("scipy",), repetitions=options.repetitions, n_member=N_MEMBER, kinds=results)
    print(report({"kinds": results}))
    return 0


def counted(repetitions: Sequence[dict]) -> dict[str, object]:
    """Return how many repetitions found the planted slice, listed it first, and listed anything; and how many other slices a repetition listed."""
    listed = [each["listed"] for each in repetitions]
    return {
        "n": len(repetitions),
        "found": sum(each["right"] for each in repetitions),
        "first": sum(each["first"] for each in repetitions),
        "any": sum(bool(names) for names in listed),
        "others": float(np.mean([len(names) - each["right"] for names, each in zip(listed, repetitions, strict=True)])),
        "n_slice": int(np.median([each["n_slice"] for each in repetitions])),
    }


def report(results: dict) -> str:
    """Markdown of slices.json: found, or false alarms, at each autocorrelation."""
    rows = []
    for name, kind in KINDS.items():
        each = [results["kinds"].get(f"{name} {rho}") for rho in RHO]
        if not all(each):
            continue
        cells = [f"{counts['found'] if kind.is_right else counts['any']} of {counts['n']}" for counts in each]
        others = [f"{counts['others']:.2f}" for counts in each] if kind.is_right else ["", "", ""]
        rows.append((kind.title, "found" if kind.is_right else "false alarm", *cells, " / ".join(others).strip(" /")))
    head = ("planted", "", *(f"ρ = {rho:g}" for rho in RHO), "other slices listed, per ensemble")
    return table(head, rows)


if __name__ == "__main__":
    raise SystemExit(main())
