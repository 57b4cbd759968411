"""The simulated planet at 24 and 72 h: the concentration alone, corrections and dressings on the same initial states.

python -m benchmarks.planet [--starts N] prints a table for each lead time and writes benchmarks/results/planet.json. Everything is fitted on the
calibration part; the figures are of the test part. Geopotential at 500 hPa is reported as a height in metres.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace

import numpy as np
import torch

from benchmarks.record import record, table
from stochattn_core import evaluate, load_dataset, load_model, tune
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare import Row, compare
from stochattn_core.compare.references import dressed_ensemble
from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import by_event, scores
from stochattn_core.metrics.map_association import map_association
from stochattn_core.metrics.spectra import spectra
from stochattn_core.models import Model
from stochattn_core.settings import Setting

LEADS = {24: "planet", 72: "planet-72h"}
DRESSINGS = {kind.name: kind for kind in (GaussianDressing, ResidualDressing)}
METHODS = ("inflation", "shared", "fractional", "conformal")
WAVES = {"1-4": (1, 4), "5-10": (5, 10), "11-20": (11, 20)}  # zonal wavenumbers
FOR_RATIO = "Concentration alone, for ratio 1"  # title of the row that is tuned for another objective
HEAD = (
    "method", "ratio", "fair CRPS, m", "gain (90%)", "RMSE of mean", "90% coverage", "W1", "association, zonal mean removed", "power 5-10",
    "11-20",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=0, help="how many initial states of each part to forecast; 0 for all")
    parser.add_argument("--members", type=int, default=19)
    options = parser.parse_args()
    leads = {}
    for lead, name in LEADS.items():
        dataset = thinned(load_dataset(name), options.starts) if options.starts else load_dataset(name)
        leads[lead] = at_lead(dataset, options.members)
        print_table(lead, leads[lead])
    record("planet", n_member=options.members, leads=leads)


def at_lead(dataset: Dataset, n_member: int) -> dict:
    model = load_model("climax")
    show = lambda done, total, what: print(f"{done / total:4.0%} {what}    ", end="\r", file=sys.stderr)  # noqa: E731
    tuning = tune(model, dataset, n_member=n_member, progress=show)
    for_ratio = tune(model, dataset, objective="ratio", n_member=n_member, progress=show)
    comparison = compare(model, dataset, tuning, corrections=METHODS, progress=show)
    rows, alone = [], tuning.setting.setting
    for row in comparison.rows:
        ensemble = evaluate(model, dataset, row.setting).ensemble if row.setting else dressed(row.name, model, dataset, alone)
        rows.append(numbers_of(row.title, row, ensemble))
    rows.insert(1, numbers_of(f"{FOR_RATIO} (ν = {for_ratio.concentration})", None, for_ratio.after.ensemble))
    tunings = {
        each.objective: {
            "concentration": each.concentration,
            "optimum": each.optimum,
            "interval": each.interval,
            "verdict": each.verdict,
            "sentence": each.sentence,
            "passes": each.passes,
        }
        for each in (tuning, for_ratio)
    }
    return {
        "starts": len(dataset.test),
        "rmse_plain": tuning.after.scores["rmse_plain"] / STANDARD_GRAVITY,
        "references": {name: value / STANDARD_GRAVITY for name, value in tuning.after.references.items()},
        "tunings": tunings,
        "recommended": comparison.recommended.title if comparison.recommended else None,
        "sentence": comparison.sentence,
        "rows": rows,
    }


def dressed(name: str, model: Model, dataset: Dataset, setting: Setting) -> Ensemble | None:
    """Return the test ensemble of a dressing, made as the comparison makes it; None for a reference without members."""
    if name not in DRESSINGS:
        return None
    plain = replace(setting, concentration=math.inf, n_member=2, correction="")
    calibration, test = (evaluate(model, dataset, plain, part=part).ensemble for part in ("calibration", "test"))
    return dressed_ensemble(DRESSINGS[name], calibration, test, setting)


def numbers_of(title: str, row: Row | None, ensemble: Ensemble | None) -> dict:
    """Return what planet.json holds of one method, heights in metres.

    spectrum: power of a member over that of the truth, by bands of zonal wavenumber.   Without an ensemble there are scores and gain only.
    """
    values = row.scores if row else scores(ensemble.pooled)
    numbers = {"title": title, **{name: values.get(name) for name in ("spread_skill_ratio", "w1", "coverage_90")}}
    numbers |= {name: values[name] / STANDARD_GRAVITY for name in ("crps_fair", "rmse", "width_90") if name in values}
    if row and not math.isnan(row.gain.estimate):
        numbers["gain"] = [value / STANDARD_GRAVITY for value in row.gain[:3]]
    if ensemble is None:
        return numbers
    cells, m = by_event(ensemble.statistics), len(ensemble.members)
    rmse, spread = (torch.from_numpy(np.ascontiguousarray(cells[name])) for name in ("rmse", "spread"))
    association = map_association(rmse, spread * ((m + 1) / m) ** 0.5, torch.from_numpy(ensemble.climatology.std(0)), ensemble.latitude)
    numbers["association"] = {
        "as it is": association.spread,
        "zonal mean removed": association.zonal_removed,
        "climatology": association.climatology,
    }
    power = spectra(
        torch.from_numpy(np.array(ensemble.members)),
        torch.from_numpy(ensemble.target),
        ensemble.latitude,
        block=torch.from_numpy(ensemble.block),
    )
    wave = power.wavenumber.numpy()
    numbers["spectrum"] = {
        name: float(power.member[(wave >= low) & (wave <= high)].sum() / power.truth[(wave >= low) & (wave <= high)].sum())
        for name, (low, high) in WAVES.items()
    }
    ensemble.forget_elements()
    return numbers


def cells_of(row: dict) -> tuple[str, ...]:
    """Return the cells of a row, from the ratio on; "-" for a number that the method does not have."""

    def number(name: str, digits: int = 2) -> str:
        return "-" if row.get(name) is None else f"{row[name]:.{digits}f}"

    gain = "-" if "gain" not in row else f"{row['gain'][0]:.2f} ({row['gain'][1]:.2f} to {row['gain'][2]:.2f})"
    association = f"{row['association']['zonal mean removed']:.2f}" if "association" in row else "-"
    power = [f"{row['spectrum'][waves]:.2f}" for waves in ("5-10", "11-20")] if "spectrum" in row else ["-", "-"]
    errors = (number("rmse"), number("coverage_90"), number("w1", digits=3))
    return (number("spread_skill_ratio"), number("crps_fair"), gain, *errors, association, *power)


def report(results: dict) -> str:
    """Markdown of planet.json, both lead times in one table."""
    head = ("method", "ratio", "fair CRPS", "gain", "RMSE of mean", "90% coverage", "W1", "association", "power")
    rows = []
    for lead, at_this_lead in results["leads"].items():
        for row in at_this_lead["rows"]:
            if not row["title"].startswith(FOR_RATIO):
                *cells, middle, small = cells_of(row)
                rows.append((f"{lead} h: {row['title'].lower()}", *cells, "-" if middle == "-" else f"{middle}, {small}"))
    return table(head, rows)


def print_table(lead: int, results: dict) -> None:
    print(f"\n{lead} h, {results['starts']} initial states, RMSE of the plain model {results['rmse_plain']:.2f} m; {results['sentence']}")
    for name, tuning in results["tunings"].items():
        _, low, high = tuning["interval"]
        print(f"tuned for {name}: ν* = {tuning['concentration']} ({low:.2f} to {high:.2f}), {tuning['sentence']}")
    print(table(HEAD, [(row["title"], *cells_of(row)) for row in results["rows"]]), flush=True)


if __name__ == "__main__":
    main()
