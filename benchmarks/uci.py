"""Tables of the uncertainty literature: the chain from training to a recommended correction, beside split conformal and two dressings.

python -m benchmarks.uci --data FOLDER reads FOLDER/NAME/data.txt (white space between numbers, target last), prints Markdown, and writes
benchmarks/results/uci.json. The splits are 80/10/10 by seeds 0 to 2; the network standardises columns and target by its train part. A network
takes a minute to train and is stored in STOCHATTN_CACHE. Everything is tuned, fitted and recommended on calibration data; all numbers are of the
test part.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import record, table
from stochattn_core import evaluate, load_model, tune
from stochattn_core.compare import compare
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.metrics.scores import headlines
from stochattn_core.verdict import judge
from stochattn_core.verdict.words import CALIBRATED

SETS = ("energy", "concrete", "wine-quality-red", "yacht")
SEEDS = (0, 1, 2)
PART = 0.1  # of the rows, each of calibration and test
SHOWN = tuple(score.key for score in headlines())
ALONE, SPLIT_CONFORMAL = "nu alone", "split-conformal"
METHODS = (ALONE, "inflation", "noise", "shared", "gaussian-dressing", "residual-dressing")
LONG = 40  # characters of a correction, beyond which its name stands for it
WORSE = 1.02  # times the CRPS of split conformal
NOT_JUDGED = "a reference forecast, not judged"
COVERED = (0.85, 0.95)  # share of the truth in 90% intervals that counts as right


def split_of(path: Path, name: str, seed: int) -> Dataset:
    rows = np.loadtxt(path)
    n_held_out = round(PART * len(rows))
    return table_dataset(
        rows[:, :-1],
        rows[:, -1],
        sizes=(len(rows) - 2 * n_held_out, n_held_out, n_held_out),
        seed=seed,
        name=f"{name}, seed {seed}",
        title=name,
        target_name="target",
        units="",
        source="UCI",
        licence="of its source; not part of this project",
    )


def measured(dataset: Dataset, progress: Progress | None = None) -> dict:
    """Return scores of every method on the test part, and the method that the calibration part recommends."""
    model = load_model("ft_transformer")
    tuning = tune(model, dataset, progress=progress)
    comparison = compare(model, dataset, tuning, progress=progress)
    methods = {
        row.name: {
            "text": row.setting.correction if row.setting else "",
            "problem": row.problem,
            "gain_calibration": list(row.gain_calibration[:3]),
        }
        | {name: float(row.scores[name]) for name in SHOWN if row.scores and name in row.scores}
        for row in comparison.rows
    }
    chosen = comparison.recommended or comparison.rows[0]
    if chosen.setting is None:
        verdict = NOT_JUDGED
    elif chosen is comparison.rows[0]:
        verdict = tuning.verdict
    else:
        verdict = judge(evaluate(model, dataset, chosen.setting).ensemble, at_low=False, at_high=False).word
    return {
        "n_calibration": len(dataset.calibration),
        "n_test": len(dataset.test),
        "rmse_plain": float(tuning.after.scores["rmse_plain"]),
        "mae_plain": float(tuning.after.scores["mae_plain"]),
        "concentration": tuning.concentration,
        "interval": list(tuning.interval),
        "verdict_alone": tuning.verdict,
        "recommended": chosen.name,
        "verdict": verdict,
        "methods": methods,
    }


def against(splits: list[dict], name: str = "") -> dict:
    """Return the fair CRPS of a method over that of split conformal on every split, and on how many its coverage is right.

    name: of the method; "" for the one that is recommended on each split.
    """
    methods = [split["methods"][name or split["recommended"]] for split in splits]
    ratios = [method["crps_fair"] / split["methods"][SPLIT_CONFORMAL]["crps_fair"] for method, split in zip(methods, splits, strict=True)]
    return {
        "each": ratios,
        "mean": float(np.mean(ratios)),
        "worst": max(ratios),
        "worse_by_more_than_2_percent": sum(ratio > WORSE for ratio in ratios),
        "covered_85_to_95": sum(COVERED[0] <= method["coverage_90"] <= COVERED[1] for method in methods),
    }


def summary(splits: list[dict]) -> dict:
    calibrated = [split["methods"][split["recommended"]] for split in splits if split["verdict"] == CALIBRATED]
    return {
        "splits": len(splits),
        "said_calibrated": len(calibrated),
        "said_calibrated_and_covered": sum(COVERED[0] <= method["coverage_90"] <= COVERED[1] for method in calibrated),
        "crps_over_split_conformal": {name or "recommended": against(splits, name) for name in ("", *METHODS)},
    }


HEAD = (
    "set, split (test cases)", "ν* and its verdict", "recommended and its verdict", "ratio", "W1", "90% coverage", "width",
    "CRPS, split conformal", "ν alone", "recommended", "inflation", "noise", "Gaussian dressing", "residual dressing",
)  # fmt: skip


def row_of(split: dict) -> tuple[str, ...]:
    """Return the cells of one split. Those after the CRPS of split conformal are fair CRPS over it."""
    methods, recommended = split["methods"], split["methods"][split["recommended"]]
    of_no_text = {ALONE: "ν alone"}.get(split["recommended"], split["recommended"].split()[0])  # such as a group of layers
    conformal = methods[SPLIT_CONFORMAL]["crps_fair"]
    shown = (methods[ALONE], recommended, *(methods[name] for name in METHODS if name not in (ALONE, "shared")))
    return (
        f"{split['set']} {split['seed']} ({split['n_test']})",
        f"{split['concentration']}: {split['verdict_alone']}",
        f"{recommended['text'] if 0 < len(recommended['text']) < LONG else of_no_text}: {split['verdict']}",
        # Split conformal has intervals and no members, and so neither of these.
        f"{recommended['spread_skill_ratio']:.2f}" if "spread_skill_ratio" in recommended else "–",
        f"{recommended['w1']:.3f}" if "w1" in recommended else "–",
        f"{recommended['coverage_90']:.2f}",
        f"{recommended['width_90']:.3g}",
        f"{conformal:.3g}",
        *(f"{method['crps_fair'] / conformal:.2f}" for method in shown),
    )


def report(results: dict) -> str:
    """Markdown of uci.json."""
    return table(HEAD, [row_of(split) for split in results["splits"]])


def report_against(results: dict) -> str:
    """Markdown of the means over all splits of a file such as uci-seeds-3-4-5.json."""
    head = ("method", "fair CRPS, mean over splits", f"splits on which it is more than {WORSE - 1:.0%} worse")
    rows = []
    for name, title in (("noise", "noise"), ("recommended", "recommended"), (ALONE, "ν alone")):
        of_method = results["summary"]["crps_over_split_conformal"][name]
        change = 100 * (of_method["mean"] - 1)
        worse = f"{of_method['worse_by_more_than_2_percent']} of {results['summary']['splits']}"
        rows.append((title, f"{abs(change):.1f}% {'worse' if change > 0 else 'better'}", worse))
    return table(head, rows)


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
        print(f"expected {folder}/{missing[0]}/data.txt, got no such file; name the folder with --data", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    splits = []
    for name in SETS:
        for seed in seeds:

            def progress(done: int, total: int, what: str, name: str = name, seed: int = seed) -> None:
                print(f"{name} {seed} {done / total:4.0%} {what:40}", end="\r", file=sys.stderr)

            split = {"set": name, "seed": seed, **measured(split_of(folder / name / "data.txt", name, seed), progress)}
            splits.append(split)
            print("| " + " | ".join(row_of(split)) + " |", file=sys.stderr)
    name = "uci" if seeds == list(SEEDS) else f"uci-seeds-{'-'.join(map(str, seeds))}"
    record(name, seeds=seeds, sets=list(SETS), splits=splits, summary=summary(splits))
    print(report({"splits": splits}), summary(splits), sep="\n\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
