"""The simulated planet at 24 and 72 h: the concentration alone, corrections and dressings on the same starts.

python -m benchmarks.planet [--starts N] prints a table per lead time and writes benchmarks/results/planet.json. Everything is fitted on the
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
from stochattn_core import load_dataset, load_model, tune
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare.comparison import compare
from stochattn_core.compare.methods import with_errors
from stochattn_core.datasets.base import thinned
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.evaluate import evaluate
from stochattn_core.forecasts import Ensemble
from stochattn_core.metrics import by_event, scores
from stochattn_core.metrics.map_association import map_association
from stochattn_core.metrics.spectra import spectra
from stochattn_core.settings import Setting

LEADS = {24: "planet", 72: "planet-72h"}
DRESSINGS = {kind.name: kind for kind in (GaussianDressing, ResidualDressing)}
METHODS = ("inflation", "shared", "fractional", "conformal")
WAVES = {"1-4": (1, 4), "5-10": (5, 10), "11-20": (11, 20)}  # zonal wavenumbers
HEAD = (
    "method", "ratio", "fair CRPS, m", "gain (90%)", "RMSE of mean", "90% coverage", "W1", "association, zonal mean removed", "power 5-10",
    "11-20",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=0, help="forecast so many starts of each part; 0 is all")
    parser.add_argument("--members", type=int, default=19)
    options = parser.parse_args()
    leads = {}
    for lead, name in LEADS.items():
        dataset = thinned(load_dataset(name), options.starts) if options.starts else load_dataset(name)
        leads[lead] = at_lead(dataset, options.members)
        print_table(lead, leads[lead])
    record("planet", n_member=options.members, leads=leads)


def at_lead(dataset, n_member: int) -> dict:
    model = load_model("climax")
    show = lambda done, total, what: print(f"{done / total:4.0%} {what}    ", end="\r", file=sys.stderr)  # noqa: E731
    tuned = tune(model, dataset, n_member=n_member, progress=show)
    by_ratio = tune(model, dataset, objective="ratio", n_member=n_member, progress=show)
    found = compare(model, dataset, tuned, corrections=METHODS, progress=show)
    rows = []
    for row in found.rows:
        ensemble = (
            evaluate(model, dataset, row.setting).ensemble if row.setting else dressed(row.name, model, dataset, tuned.setting.setting)
        )
        rows.append(of_row(row.title, row, ensemble))
    rows.insert(1, of_row(f"Concentration alone, for ratio 1 (ν = {by_ratio.concentration})", None, by_ratio.after.ensemble))
    tunings = {
        one.objective: {
            "concentration": one.concentration,
            "optimum": one.optimum,
            "interval": one.interval,
            "verdict": one.verdict,
            "sentence": one.sentence,
            "passes": one.passes,
        }
        for one in (tuned, by_ratio)
    }
    return {
        "starts": len(dataset.test),
        "rmse_plain": tuned.after.scores["rmse_plain"] / STANDARD_GRAVITY,
        "references": {name: value / STANDARD_GRAVITY for name, value in tuned.after.references.items()},
        "tunings": tunings,
        "recommended": found.recommended.title if found.recommended else None,
        "sentence": found.sentence,
        "rows": rows,
    }


def dressed(name: str, model, dataset, setting: Setting) -> Ensemble | None:
    """The test ensemble of a reference that has members, as the comparison makes it."""
    if name not in DRESSINGS:
        return None
    plain = replace(setting, concentration=math.inf, n_member=2, correction="")
    calibration, test = (evaluate(model, dataset, plain, part=part).ensemble for part in ("calibration", "test"))
    return with_errors(DRESSINGS[name], calibration, test, setting)


def of_row(title: str, row, ensemble: Ensemble | None) -> dict:
    """Heights in metres. spectrum: power of a member over that of the truth, by bands of zonal wavenumber."""
    score = row.scores if row else scores(ensemble.pooled)
    kept = {name: score.get(name) for name in ("spread_skill_ratio", "w1", "coverage_90")}
    kept |= {name: score[name] / STANDARD_GRAVITY for name in ("crps_fair", "rmse", "width_90") if name in score}
    found = {"title": title, **kept}
    if row and row.gain.estimate == row.gain.estimate:
        found["gain"] = [value / STANDARD_GRAVITY for value in row.gain]
    if ensemble is None:
        return found
    cells, m = by_event(ensemble.statistics), len(ensemble.members)
    rmse, spread = (torch.from_numpy(np.ascontiguousarray(cells[name])) for name in ("rmse", "spread"))
    away = map_association(rmse, spread * ((m + 1) / m) ** 0.5, torch.from_numpy(ensemble.climatology.std(0)), ensemble.latitude)
    found["association"] = {"as it is": away.spread, "zonal mean removed": away.zonal_removed, "climatology": away.climatology}
    power = spectra(
        torch.from_numpy(np.array(ensemble.members)),
        torch.from_numpy(ensemble.target),
        ensemble.latitude,
        block=torch.from_numpy(ensemble.block),
    )
    wave = power.wavenumber.numpy()
    found["spectrum"] = {
        name: float(power.member[(wave >= low) & (wave <= high)].sum() / power.truth[(wave >= low) & (wave <= high)].sum())
        for name, (low, high) in WAVES.items()
    }
    ensemble.forget_elements()
    return found


def print_table(lead: int, found: dict) -> None:
    print(f"\n{lead} h, {found['starts']} starts, RMSE of the plain model {found['rmse_plain']:.2f} m; {found['sentence']}")
    for name, tuned in found["tunings"].items():
        print(
            f"tuned for {name}: ν* = {tuned['concentration']} ({tuned['interval'][1]:.2f} to {tuned['interval'][2]:.2f}), {tuned['sentence']}"
        )
    lines = []
    for row in found["rows"]:
        number = lambda name, row=row, digits=2: "-" if row.get(name) is None else f"{row[name]:.{digits}f}"  # noqa: E731
        gain = "-" if "gain" not in row else f"{row['gain'][0]:.2f} ({row['gain'][1]:.2f} to {row['gain'][2]:.2f})"
        more = [f"{row['association']['zonal mean removed']:.2f}"] if "association" in row else ["-"]
        more += [f"{row['spectrum'][name]:.2f}" for name in ("5-10", "11-20")] if "spectrum" in row else ["-", "-"]
        scores_of = (number("rmse"), number("coverage_90"), number("w1", digits=3))
        lines.append((row["title"], number("spread_skill_ratio"), number("crps_fair"), gain, *scores_of, *more))
    print(table(HEAD, lines), flush=True)


if __name__ == "__main__":
    main()
