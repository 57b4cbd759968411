"""The calibration report: the whole chain on every embedded dataset, and on files of a folder, as one page that needs no network.

stochattn report --out calibration-report.html [--data FOLDER] [--only NAME ...]; the numbers go into a JSON file beside it.
The files of FOLDER that FILES names are read where they exist. A dataset that fails has a sentence in the page and stops nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from stochattn_core.compare import Comparison, compare
from stochattn_core.datasets import DATASETS, load_dataset
from stochattn_core.datasets.base import Dataset, Progress, thinned
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.figures.theme import LIGHT, number, units_text
from stochattn_core.metrics.scores import SCORES, headlines
from stochattn_core.models import MODELS, load_model
from stochattn_core.panels import PANELS, View
from stochattn_core.panels.text import head_text, value_text
from stochattn_core.readers import grid_from_file, series_from_csv
from stochattn_core.tuning import OBJECTIVES, Preview, Tuning, preview, tune

N_CASE = {"table": 2000, "series": 300, "grid": 40}  # of each part, at most: enough to see


def _table_file(path: Path) -> Dataset:
    """A table of numbers with white space between them, the target last."""
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
    loaders: dict[str, Callable[[], Dataset]] = {
        name: partial(load_dataset, name) for name, entry in DATASETS.items() if entry.availability == "embedded"
    }
    for pattern, load in FILES.items() if folder else ():
        for path in sorted(folder.glob(pattern)) if folder else ():
            loaders[path.parent.name if path.stem == "data" else path.stem] = partial(load, path)
    return loaders


def chain(dataset: Dataset, progress: Progress | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Preview, tuning, interval, verdict and corrections of one dataset: the numbers, and its section of the page."""
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
        "objectives": {name: vars(optimum) for name, optimum in tuning.optima.items()},
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
    return numbers, _section(dataset, looked, tuning, compared)


def _section(dataset: Dataset, looked: Preview, tuning: Tuning, compared: Comparison) -> dict[str, Any]:
    units = f" ({units_text(dataset.units)})" if dataset.units else ""
    level, low, high = tuning.interval
    each = ", ".join(f"{name} {number(a)} to {number(b)}" for name, (a, b) in tuning.intervals.items())
    view = View(dataset=dataset, evaluation=tuning.after, tuning=tuning, comparison=compared)
    return {
        "source": f"{dataset.source}. {len(dataset.calibration):,} calibration and {len(dataset.test):,} test cases{units}.",
        "preview": looked.sentence,
        "concentration": f"{tuning.concentration:,}",
        "interval": f"{level:.0%} interval {number(low)} to {number(high)} ({each})",
        "passes": tuning.passes,
        "verdict": tuning.verdict.capitalize(),
        "sentence": tuning.sentence,
        "scores": _score_rows(view),
        "panels": _panels(view),
        "objectives": [
            (OBJECTIVES[name].title, number(one.value), f"{number(one.low)} to {number(one.high)}", "yes" if one.at_bound else "")
            for name, one in tuning.optima.items()
        ],
        "recommendation": compared.sentence,
        "comparison_head": ("method", "setting", *(head_text(score, dataset.units) for score in headlines())),
        "comparison": [_comparison_row(row) for row in compared.rows],
    }


def _score_rows(view: View) -> list[tuple[str, str, str]]:
    """Every headline score with what it is worth, and the plain model's beside it."""
    summary, rows = view.summary, []
    for score in headlines():
        judgement = summary.judgements.get(score.key)
        word = f"{judgement.mark} {judgement.word}" if judgement else ""
        rows.append((score.title, value_text(score, summary.scores[score.key]), word))
        if score.reference in SCORES and SCORES[score.reference].unit == score.unit:
            other = SCORES[score.reference]
            rows.append((other.title, value_text(other, summary.scores[other.key]), ""))
    return rows


def _panels(view: View) -> list[dict[str, str]]:
    drawn = [panel.draw(view, LIGHT) for panel in PANELS.values() if panel.in_report and panel.shows(view)]
    return [{"figure": _html(one.figure), "reading": one.reading} for one in drawn if one.figure is not None]


def _html(figure: go.Figure) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}))


def _comparison_row(row: Any) -> Sequence[str]:
    if row.problem:
        return (row.title, row.problem)
    values = [value_text(score, (row.scores or {}).get(score.key, math.nan)) for score in headlines()]
    return (row.title, row.setting.correction if row.setting else "", *values)


def page(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """One HTML page; plotly's script stands in it once."""
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    template = Environment(autoescape=True).from_string(files("stochattn_core").joinpath("report.html").read_text("utf-8"))
    return template.render(sections=sections, plotly_script=get_plotlyjs())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stochattn report", description="The whole chain on every dataset at hand, as one page.")
    parser.add_argument("--out", type=Path, default=Path("calibration-report.html"))
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="also report on the files of this folder that are known")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="some of the datasets")
    options = parser.parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        print(f"expected a folder at --data, got {options.data}; check the path", file=sys.stderr)
        return 2
    known = cases(options.data)
    if unknown := [name for name in options.only or () if name not in known]:
        print(f"expected names out of {', '.join(known)}, got {unknown[0]!r}", file=sys.stderr)
        return 2
    numbers: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name in options.only or known:

        def progress(done: int, total: int, what: str, name: str = name) -> None:
            print(f"{name}: {done / max(total, 1):4.0%} {what:60.60}", end="\r", file=sys.stderr)

        try:
            numbers[name], sections[name] = chain(known[name](), progress)
        except ValueError as error:
            numbers[name], sections[name] = {"problem": str(error)}, {"problem": str(error)}
    try:
        options.out.write_text(page(sections), encoding="utf-8")
        options.out.with_suffix(".json").write_text(json.dumps(_plain(numbers), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"expected to write {options.out}, got: {error.strerror}; name a folder that can be written with --out", file=sys.stderr)
        return 2
    print(f"{options.out}: {len(sections)} datasets")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
