"""The calibration report: the whole chain on every embedded dataset, and on files of a folder, as one page that needs no network.

python -m stochattn_core.report --out calibration-report.html [--data FOLDER] [--only NAME ...]; the numbers go into a JSON file beside it.
Of FOLDER those of FILES are read that are there. A dataset that cannot be done has a sentence in the page and stops nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from stochattn_core import DATASETS, MODELS, load_dataset, load_model
from stochattn_core.compare import Comparison, compare
from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.datasets.grids import grid_from_file
from stochattn_core.datasets.own_csv import series_from_csv
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.figures import coverage, curve, pit, spread_skill
from stochattn_core.figures.objectives import objective_curves
from stochattn_core.figures.theme import LIGHT, units_text
from stochattn_core.metrics.diagrams import binned_spread_error, coverage_curve, pit_histogram
from stochattn_core.tuning import OBJECTIVES, Tuning, preview, tune

N_CASE = {"table": 2000, "series": 300, "grid": 40}  # of each part, at most: enough to see
SHOWN = {
    "rmse": "RMSE of the mean", "rmse_plain": "RMSE, plain", "spread_skill_ratio": "spread-skill ratio", "w1": "W1", "coverage_90": "90% coverage",
    "width_90": "width of the 90% interval", "crps_fair": "fair CRPS", "mae_plain": "MAE, plain",
}  # fmt: skip
CORRECTED = ("crps_fair", "spread_skill_ratio", "w1", "coverage_90", "width_90", "rmse")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;color:#16191f;background:#fdfdfb}
h2{margin-top:3rem;border-top:1px solid #d9e7f4;padding-top:1.2rem}table{border-collapse:collapse;margin:1rem 0;font-size:14px}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;font-variant-numeric:tabular-nums}th{font-weight:600;color:#4a505b}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:1rem}.figures>div{min-width:0}
.table{overflow-x:auto}.note{color:#4a505b}"""


def _table_file(path: Path) -> Dataset:
    """Numbers with white space between them, target last."""
    rows, name = np.loadtxt(path), path.parent.name
    about = {"title": name, "target_name": "target", "units": "", "source": str(path.name), "licence": "of its source"}
    return table_dataset(rows[:, :-1], rows[:, -1], name=name, **about)


FILES: dict[str, Callable[[Path], Dataset]] = {
    "uci/*/data.txt": _table_file,
    "series/daily-min-temperatures.csv": partial(series_from_csv, time="Date", target="Temp"),
    "series/daily-max-temperatures.csv": partial(series_from_csv, time="Date", target="Temperature"),
    "ett/ETTh1.csv": partial(series_from_csv, time="date", target="OT"),
    "weather/air_temperature.nc": partial(grid_from_file, variable="air"),
}


def cases(folder: Path | None) -> dict[str, Callable[[], Dataset]]:
    """What there is to report on, by name."""
    found = {name: partial(load_dataset, name) for name, entry in DATASETS.items() if entry.availability == "embedded"}
    for pattern, load in FILES.items() if folder else ():
        for path in sorted(folder.glob(pattern)):
            found[path.parent.name if path.stem == "data" else path.stem] = partial(load, path)
    return found


def chain(dataset: Dataset, progress=None) -> tuple[dict[str, Any], str]:
    """Preview, tuning, interval, verdict and corrections of one dataset: the numbers, and its part of the page."""
    model = load_model(next(name for name, kind in MODELS.items() if kind.task == dataset.task and kind.need == "embedded"))
    dataset = thinned(dataset, N_CASE[dataset.task])
    looked = preview(model, dataset, progress=progress)
    tuning = tune(model, dataset, progress=progress)
    compared = compare(model, dataset, tuning, progress=progress)
    numbers = {
        "model": model.name,
        "task": dataset.task,
        "n_calibration": len(dataset.calibration),
        "n_test": len(dataset.test),
        "preview": {"expected": looked.expected, "sentence": looked.sentence},
        "setting": json.loads(tuning.setting.dumps()),
        "objectives": {name: vars(one) for name, one in tuning.optima.items()},
        "corrections": [
            {
                "name": row.name,
                "correction": row.setting.correction if row.setting else "",
                "problem": row.problem,
                "scores": row.scores or {},
            }
            | {"gain_calibration": row.gain_calibration._asdict(), "gain_test": row.gain._asdict()}
            for row in compared.rows
        ],
        "recommended": compared.recommended.name if compared.recommended else "",
        "recommendation": compared.sentence,
    }
    return numbers, "\n".join(_section(dataset, looked.sentence, tuning, compared))


def _section(dataset: Dataset, looked: str, tuning: Tuning, compared: Comparison) -> Iterator[str]:
    units = f" ({units_text(dataset.units)})" if dataset.units else ""
    yield f"<p class='note'>{escape(dataset.source)}. {len(dataset.calibration):,} calibration and {len(dataset.test):,} test cases{units}.</p>"
    yield f"<p><b>Before tuning:</b> {escape(looked)}.</p>"
    _, low, high = tuning.interval
    each = ", ".join(f"{name} {a:.3g} to {b:.3g}" for name, (a, b) in tuning.intervals.items())
    yield f"<p><b>ν* = {tuning.concentration:,}</b>, 90% interval {low:.3g} to {high:.3g} ({each}); {tuning.passes} passes.</p>"
    yield f"<p><b>{escape(tuning.verdict.capitalize())}:</b> {escape(tuning.sentence)}</p>"
    yield _table(("score on the test part", ""), [(name, _digits(tuning.after.scores[key])) for key, name in SHOWN.items()])
    yield f"<div class='figures'>{''.join(_drawn(figure) for figure in _figures(tuning))}</div>"
    head = ("objective", "ν*", "90% interval", "at an end")
    lines = ((OBJECTIVES[name].title, one) for name, one in tuning.optima.items())
    yield _table(head, [(t, _digits(o.value), f"{o.low:.3g} to {o.high:.3g}", "yes" if o.at_bound else "") for t, o in lines])
    yield f"<p><b>Corrections:</b> {escape(compared.sentence)}</p>"
    head = ("method", "setting", "fair CRPS", "ratio", "W1", "90% coverage", "width", "RMSE of the mean")
    rows = []
    for row in compared.rows:
        values = [_digits((row.scores or {}).get(name, math.nan)) for name in CORRECTED]
        rows.append((row.title, row.setting.correction if row.setting else "", *values) if not row.problem else (row.title, row.problem))
    yield _table(head, rows)


def _figures(tuning: Tuning) -> Iterator[go.Figure]:
    look, sums, score = {"palette": LIGHT, "height": 300}, tuning.after.ensemble.pooled, tuning.after.scores
    mark = {"concentration": tuning.concentration, "interval": tuning.interval[1:]}
    titles = {name: one.title for name, one in OBJECTIVES.items()}
    costs = {titles[name]: cost for name, cost in tuning.curves.items()}
    optimum = {titles[name]: one.value for name, one in tuning.optima.items()}
    yield objective_curves(tuning.grid, costs, optimum, chosen=titles[tuning.objective], subtitle="on the calibration part", palette=LIGHT)
    yield curve.ratio_curve(tuning.grid, tuning.ratio, subtitle="on the calibration part", **mark, **look)
    size = {"n_member": score["n_member"], "n_case": score["n"]}
    bars = pit_histogram(sums)
    yield pit.pit(bars.density, bars.low, bars.high, **size, **look)
    held = coverage_curve(sums)
    yield coverage.coverage(held.nominal, held.observed, low=held.low, high=held.high, **size, **look)
    bins, ratio = binned_spread_error(sums), score["spread_skill_ratio"]
    count, units = np.round(bins.n).astype(int), units_text(tuning.after.ensemble.units)
    yield spread_skill.spread_skill(bins.spread, bins.error, count, low=bins.low, high=bins.high, ratio=ratio, units=units, **size, **look)


def page(sections: dict[str, str]) -> str:
    """One HTML page; plotly's script stands in it once."""
    from plotly.offline import get_plotlyjs

    contents = " · ".join(f"<a href='#{escape(name)}'>{escape(name)}</a>" for name in sections)
    body = "\n".join(f"<h2 id='{escape(name)}'>{escape(name)}</h2>\n{section}" for name, section in sections.items())
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Calibration report</title>"
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>Calibration report</h1>"
        "<p>Stochastic attention on every dataset at hand: tuned, fitted and recommended on calibration parts, scored on test parts, whatever "
        f"came out.</p><p>{contents}</p>{body}</body></html>\n"
    )


def _drawn(figure: go.Figure) -> str:
    return f"<div>{figure.to_html(full_html=False, include_plotlyjs=False, config={'displayModeBar': False, 'responsive': True})}</div>"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<div class='table'><table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table></div>"


def _digits(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m stochattn_core.report", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("calibration-report.html"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), metavar="FOLDER", help="files to report on, where it is there")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="some of the datasets")
    options = parser.parse_args(arguments)
    known = cases(options.data if options.data.is_dir() else None)
    if unknown := [name for name in options.only or () if name not in known]:
        print(f"expected names out of {', '.join(known)}, got {unknown[0]!r}", file=sys.stderr)
        return 2
    numbers, sections = {}, {}
    for name in options.only or known:

        def progress(done: int, total: int, what: str, name: str = name) -> None:
            print(f"{name}: {done / max(total, 1):4.0%} {what:60.60}", end="\r", file=sys.stderr)

        try:
            numbers[name], sections[name] = chain(known[name](), progress)
        except ValueError as error:
            numbers[name], sections[name] = {"problem": str(error)}, f"<p>{escape(str(error))}</p>"
    try:
        options.out.write_text(page(sections))
        options.out.with_suffix(".json").write_text(json.dumps(_plain(numbers), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        print(f"expected to write {options.out}, got: {error.strerror}; name a folder that can be written with --out", file=sys.stderr)
        return 2
    print(f"{options.out}: {len(sections)} datasets")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
