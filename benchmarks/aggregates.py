"""Are aggregates calibrated that nothing was tuned on, and are they better than those of methods that need no stochastic pass?

python -m benchmarks.aggregates prints two aggregates of every embedded dataset at its tuned concentration, beside dressing and split conformal
with the Schaake shuffle, and writes benchmarks/results/aggregates.json. Rivals are fitted on the calibration part, all are scored on the test part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.record import record, table
from stochattn_core import DATASETS, MODELS, Setting, evaluate, load_dataset, load_model, tune
from stochattn_core.baselines import BASELINES
from stochattn_core.compare.joint import ATTENTION, FITS, aggregates_of, rivals
from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.metrics.aggregates import Aggregate, AggregateScores, aggregate_scores

N_MAP = 40  # initial states of a map
N_MEMBER = 19
N_AGGREGATE = 2  # of each dataset, the first of its list
PLAIN = Setting(float("inf"), 2)
TITLES = {ATTENTION: "attention at ν*", **{key: BASELINES[key].title for key in FITS}}


def measured(dataset: Dataset) -> dict[str, Any]:
    """Return nu* of a dataset, and the scores of its aggregates by aggregate and method."""
    model = load_model(next(name for name, kind in MODELS.items() if kind.task == dataset.task and kind.need == "embedded"))
    tuning = tune(model, dataset, n_member=N_MEMBER)
    calibration = evaluate(model, dataset, PLAIN, part="calibration").ensemble
    ensemble, reference = tuning.after.ensemble, None
    aggregates = aggregates_of(ensemble)[:N_AGGREGATE]
    results: dict[str, Any] = {aggregate.key: {"title": aggregate.title, "methods": {}} for aggregate in aggregates}
    for method, members in rivals(ensemble, calibration):
        for aggregate in aggregates:
            results[aggregate.key]["methods"][method] = _row(aggregate, members, ensemble.target, reference)
        reference = members if reference is None else reference
    return {
        "model": model.name,
        "units": dataset.units,
        "concentration": tuning.concentration,
        "n_case": len(dataset.test),
        "aggregates": results,
    }


def _row(aggregate: Aggregate, members: np.ndarray, target: np.ndarray, reference: np.ndarray | None) -> dict[str, Any]:
    scores: AggregateScores = aggregate_scores(aggregate, members, target, reference=reference)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in scores._asdict().items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregates", description=__doc__.splitlines()[0])
    embedded = [name for name, entry in DATASETS.items() if entry.embedded]
    parser.add_argument("--datasets", nargs="*", choices=embedded, default=embedded)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    results = {}
    for name in options.datasets:
        print(name, file=sys.stderr)
        dataset = load_dataset(name)
        results[name] = measured(thinned(dataset, N_MAP) if dataset.task == "grid" else dataset)
    if not options.no_record:
        record("aggregates", n_member=N_MEMBER, n_map=N_MAP, datasets=results)
    print(report({"n_member": N_MEMBER, "datasets": results}))
    return 0


def report(results: dict) -> str:
    """Markdown of aggregates.json: ratio, 90% coverage and fair CRPS of every method."""
    rows = [
        (
            f"{name}, {aggregate['title'][:1].lower()}{aggregate['title'][1:]}" + (f" ({result['units']})" if result["units"] else ""),
            f"{aggregate['methods'][ATTENTION]['n']:,}",
            *(_cell(aggregate["methods"][method]) for method in TITLES),
        )
        for name, result in results["datasets"].items()
        for aggregate in result["aggregates"].values()
    ]
    return table(("ratio, 90% coverage, fair CRPS", "cases", *TITLES.values()), rows) + "\n\n" + _summary(results)


def _cell(scores: dict) -> str:
    return f"{scores['ratio'][0]:.2f}, {scores['coverage_90'][0]:.0%}, {scores['crps'][0]:.3g}"


def _summary(results: dict) -> str:
    """Return how often each rival has a smaller or larger CRPS than attention beyond chance, and how many ratios exclude 1."""
    of_aggregates = [aggregate["methods"] for result in results["datasets"].values() for aggregate in result["aggregates"].values()]

    def count(method: str, name: str, is_so: Callable[[list], bool]) -> int:
        return sum(_is_known(interval := methods[method][name]) and is_so(interval) for methods in of_aggregates)

    rows = [
        (
            title,
            str(count(method, "ratio", lambda ends: not ends[1] <= 1 <= ends[2])),
            "" if method == ATTENTION else str(count(method, "gain", lambda ends: ends[1] > 0)),
            "" if method == ATTENTION else str(count(method, "gain", lambda ends: ends[2] < 0)),
        )
        for method, title in TITLES.items()
    ]
    head = (f"of {len(of_aggregates)} aggregates", "ratio excludes 1", "CRPS smaller than attention's", "CRPS larger")
    return (
        table(head, rows)
        + f"\n\nAll ensembles have {results['n_member']} members. Intervals of 90%; those of the CRPS are of paired differences."
    )


def _is_known(interval: list) -> bool:
    return all(end is not None and end == end for end in interval)


if __name__ == "__main__":
    raise SystemExit(main())
