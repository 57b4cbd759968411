"""The first table of docs/measured.md: every embedded dataset, tuned on its calibration part and scored on its test part.

python -m benchmarks.results prints it as Markdown. No dataset is left out.
"""

from __future__ import annotations

import sys

from benchmarks.record import table
from stochattn_core import DATASETS, MODELS, load_dataset, load_model, tune
from stochattn_core.datasets.base import thinned

N_MAP = 40  # initial states of a map: enough for a first answer in a minute or two on two cores

HEAD = (
    "dataset",
    "RMSE, best reference",
    "RMSE, plain",
    "ν* (90% interval), used",
    "RMSE, mean",
    "ratio",
    "W1",
    "90% coverage",
    "width",
    "fair CRPS (MAE of plain)",
    "independent cases",
    "verdict",
    "halves: verdict of one, coverage of the other",
)


def main() -> None:
    rows = []
    for name, entry in DATASETS.items():
        if entry.availability != "embedded":
            continue
        model = next(model for model, kind in MODELS.items() if kind.task == entry.task and kind.need == "embedded")
        dataset = load_dataset(name)
        if entry.task == "grid":
            dataset = thinned(dataset, N_MAP)
        tuning = tune(
            load_model(model),
            dataset,
            progress=lambda done, total, what: print(f"{done / total:4.0%} {what}    ", end="\r", file=sys.stderr),
        )
        after, (_, low, high) = tuning.after.scores, tuning.interval
        best = min(tuning.after.references.items(), key=lambda item: item[1])
        row = (
            f"{name} ({dataset.units or '1'})",
            f"{best[1]:.3g} {best[0]}",
            f"{after['rmse_plain']:.3g}",
            f"{tuning.optimum:.3g} ({low:.3g} to {high:.3g}), {tuning.concentration}",
            f"{after['rmse']:.3g}",
            f"{after['spread_skill_ratio']:.2f}",
            f"{after['w1']:.3f}",
            f"{after['coverage_90']:.2f}",
            f"{after['width_90']:.3g}",
            f"{after['crps_fair']:.3g} ({after['mae_plain']:.3g})",
            f"{tuning.judged.n_effective:.0f}",
            tuning.verdict + (f": {tuning.judged.worst}" if tuning.judged.worst else ""),
            "; ".join(f"{half.word}, {half.coverage.estimate:.0%}" for half in tuning.held_out) or "–",
        )
        rows.append(row)
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
