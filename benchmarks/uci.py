"""Tables of the uncertainty literature: the chain from training to a recommended correction, beside split conformal and two dressings.

python -m benchmarks.uci --data FOLDER reads FOLDER/NAME/data.txt (white space between numbers, target last), prints Markdown, and writes
benchmarks/results/uci.json. 80/10/10 splits by seeds 0 to 2; the network standardises columns and target by its train part. A network takes
a minute to train and is kept in STOCHATTN_CACHE. Everything is tuned, fitted and recommended on calibration data; all numbers are of the test part.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import record, table
from stochattn_core import evaluate, load_model, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.tuning.verdict import CALIBRATED, COVERAGE, judge

SETS = ("energy", "concrete", "wine-quality-red", "yacht")
SEEDS = (0, 1, 2)
PART = 0.1  # of the rows, each of calibration and test
SHOWN = ("spread_skill_ratio", "w1", "coverage_90", "width_90", "crps_fair", "rmse")
REFERENCES = ("split-conformal", "gaussian-dressing", "residual-dressing")
METHODS = ("nu alone", "inflation", "noise", "shared", *REFERENCES[1:])
WORSE = 1.02  # times the CRPS of split conformal


def split_of(path: Path, name: str, seed: int) -> Dataset:
    rows = np.loadtxt(path)
    held = round(PART * len(rows))
    return table_dataset(
        rows[:, :-1],
        rows[:, -1],
        sizes=(len(rows) - 2 * held, held, held),
        seed=seed,
        name=f"{name}, seed {seed}",
        title=name,
        target_name="target",
        units="",
        source="UCI",
        licence="of its source; not part of this project",
    )


def measured(dataset: Dataset, progress=None) -> dict:
    """Scores of every method on the test part, and what would have been recommended from the calibration part."""
    model = load_model("ft_transformer")
    tuning = tune(model, dataset, progress=progress)
    comparison = compare(model, dataset, tuning, progress=progress)
    methods = {
        row.name: {
            "text": row.setting.correction if row.setting else "",
            "problem": row.problem,
            "gain_calibration": list(row.gain_calibration),
        }
        | {name: float(row.scores[name]) for name in SHOWN if row.scores and name in row.scores}
        for row in comparison.rows
    }
    if comparison.recommended:
        name, setting = comparison.recommended.name, comparison.recommended.setting
        judged = judge(evaluate(model, dataset, setting).ensemble, at_low=False, at_high=False)
    else:
        name, judged = comparison.rows[0].name, tuning.judged
    return {
        "n_calibration": len(dataset.calibration),
        "n_test": len(dataset.test),
        "rmse_plain": float(tuning.after.scores["rmse_plain"]),
        "mae_plain": float(tuning.after.scores["mae_plain"]),
        "concentration": tuning.concentration,
        "interval": list(tuning.interval),
        "verdict_alone": tuning.verdict,
        "recommended": name,
        "verdict": judged.word,
        "methods": methods,
    }


def against(found: list[dict], name: str = "") -> dict:
    """Fair CRPS of one method, or of what was recommended, over that of split conformal, on every split; and how often it covers."""
    chosen = [one["methods"][name or one["recommended"]] for one in found]
    ratios = [a["crps_fair"] / one["methods"]["split-conformal"]["crps_fair"] for a, one in zip(chosen, found, strict=True)]
    return {
        "each": ratios,
        "mean": float(np.mean(ratios)),
        "worst": max(ratios),
        "worse_by_more_than_2_percent": sum(x > WORSE for x in ratios),
        "covered_85_to_95": sum(COVERAGE[0] <= a["coverage_90"] <= COVERAGE[1] for a in chosen),
    }


def summary(found: list[dict]) -> dict:
    best = [one["methods"][one["recommended"]] for one in found]
    said = [a for a, one in zip(best, found, strict=True) if one["verdict"] == CALIBRATED]
    return {
        "splits": len(found),
        "said_calibrated": len(said),
        "said_calibrated_and_covered": sum(COVERAGE[0] <= a["coverage_90"] <= COVERAGE[1] for a in said),
        "crps_over_split_conformal": {name or "recommended": against(found, name) for name in ("", *METHODS)},
    }


def rows(found: list[dict]) -> list[tuple[str, ...]]:
    """One line a split: the tuned concentration, the recommended setting and the references, fair CRPS and 90% coverage of each."""
    lines = []
    for one in found:
        alone, best = one["methods"]["nu alone"], one["methods"][one["recommended"]]
        references = [one["methods"][name] for name in REFERENCES]
        lines.append(
            (
                one["set"],
                str(one["seed"]),
                f"{one['concentration']}: {one['verdict_alone']}",
                best["text"] or one["recommended"],
                one["verdict"],
                f"{best['spread_skill_ratio']:.2f}",
                f"{best['w1']:.3f}",
                f"{best['coverage_90']:.2f}",
                f"{best['width_90']:.3g}",
                f"{alone['crps_fair']:.3g}",
                f"{best['crps_fair']:.3g}",
                *(f"{other['crps_fair']:.3g}" for other in references),
            )
        )
    return lines


HEAD = (
    "set", "seed", "ν* and its verdict", "recommended", "verdict", "ratio", "W1", "90% coverage", "width",
    "CRPS, ν alone", "CRPS, recommended", "split conformal", "Gaussian dressing", "residual dressing",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uci", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/uci"), help="folder of NAME/data.txt")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=list(SEEDS), help="of the splits; others than 0 1 2 go into a file of their own"
    )
    options = parser.parse_args(arguments)
    folder, seeds = options.data, options.seeds
    missing = [name for name in SETS if not (folder / name / "data.txt").exists()]
    if missing:
        print(f"expected {folder}/{missing[0]}/data.txt, found none; name the folder with --data", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    found = []
    for name in SETS:
        for seed in seeds:

            def progress(done: int, total: int, what: str, name: str = name, seed: int = seed) -> None:
                print(f"{name} {seed} {done / total:4.0%} {what:40}", end="\r", file=sys.stderr)

            one = {"set": name, "seed": seed, **measured(split_of(folder / name / "data.txt", name, seed), progress)}
            found.append(one)
            print("| " + " | ".join(rows([one])[0]) + " |", file=sys.stderr)
    name = "uci" if seeds == list(SEEDS) else f"uci-seeds-{'-'.join(map(str, seeds))}"
    record(name, seeds=seeds, sets=list(SETS), splits=found, summary=summary(found))
    print(table(HEAD, rows(found)), summary(found), sep="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
