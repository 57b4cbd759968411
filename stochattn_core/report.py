"""The calibration report: tuning, verdict and corrections of every embedded dataset, and of files in a folder, as one page.

stochattn report --out calibration-report.html [--data FOLDER] [--only NAME ...]; the numbers are written to a JSON file beside the page.
The page contains everything it shows and opens without a network. If FOLDER contains files that match FILES, they are included. A dataset
that cannot be reported has a sentence in the page, and the others follow.
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

from stochattn_core.compare import Comparison, Row, compare
from stochattn_core.datasets import DATASETS, load_dataset
from stochattn_core.datasets.base import Dataset, Progress, thinned
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.figures.theme import LIGHT, number, units_text
from stochattn_core.json_text import json_text
from stochattn_core.metrics.scores import SCORES, headlines
from stochattn_core.models import MODELS, load_model
from stochattn_core.panels import PANELS, View
from stochattn_core.panels.text import head_text, lead_text, value_text
from stochattn_core.readers import grid_from_file, series_from_csv
from stochattn_core.references.result import NO_REFERENCE
from stochattn_core.tuning import OBJECTIVES, Preview, Tuning, preview, tune

N_CASE = {"table": 2000, "series": 300, "grid": 40}  # at most, of each part; enough for a report


def _table_file(path: Path) -> Dataset:
    """Return a table of numbers that are separated by white space, with the target in the last column."""
    rows, name = np.loadtxt(path), path.parent.name
    return table_dataset(
        rows[:, :-1],
        rows[:, -1],
        name=name,
        title=name,
        target_name="target",
        units="",
        source=path.name,
        licence="of its source",
    )


FILES: dict[str, Callable[[Path], Dataset]] = {
    "uci/*/data.txt": _table_file,
    "series/daily-min-temperatures.csv": partial(series_from_csv, time="Date", target="Temp"),
    "series/daily-max-temperatures.csv": partial(series_from_csv, time="Date", target="Temperature"),
    "ett/ETTh1.csv": partial(series_from_csv, time="date", target="OT"),
    "weather/air_temperature.nc": partial(grid_from_file, variable="air"),
}


def cases(folder: Path | None) -> dict[str, Callable[[], Dataset]]:
    """Return a loader for each dataset of the report, by name: the embedded ones, and the files of the folder."""
    loaders: dict[str, Callable[[], Dataset]] = {
        name: partial(load_dataset, name) for name, entry in DATASETS.items() if entry.availability == "embedded"
    }
    for pattern, load in FILES.items() if folder else ():
        for path in sorted(folder.glob(pattern)) if folder else ():
            loaders[path.parent.name if path.stem == "data" else path.stem] = partial(load, path)
    return loaders


def chain(dataset: Dataset, progress: Progress | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return preview, tuning, interval, verdict and corrections of one dataset, as numbers and as its section of the page."""
    model = load_model(next(name for name, kind in MODELS.items() if kind.task == dataset.task and kind.need == "embedded"))
    dataset = thinned(dataset, N_CASE[dataset.task])
    estimate = preview(model, dataset, progress=progress)
    tuning = tune(model, dataset, progress=progress)
    comparison = compare(model, dataset, tuning, progress=progress)
    numbers = {
        "model": model.name,
        "task": dataset.task,
        "n_calibration": len(dataset.calibration),
        "n_test": len(dataset.test),
        "preview": {"expected": estimate.expected, "sentence": estimate.sentence},
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
            | {
                "attention_share": row.attention_share,
                "association": row.association and row.association._asdict(),
                "price": row.price and {name: change._asdict() for name, change in row.price._asdict().items()},
            }
            for row in comparison.rows
        ],
        "recommended": comparison.recommended.name if comparison.recommended else "",
        "recommendation": comparison.sentence,
    }
    return numbers, _section(dataset, estimate, tuning, comparison)


def _section(dataset: Dataset, estimate: Preview, tuning: Tuning, comparison: Comparison) -> dict[str, Any]:
    units = f" ({units_text(dataset.units)})" if dataset.units else ""
    level, low, high = tuning.interval
    view = View(dataset=dataset, evaluation=tuning.after, tuning=tuning, comparison=comparison)
    times = (
        f" The {lead_text(0, dataset)}" + (" are forecast." if len(dataset.lead_time) > 1 else " is forecast.") if dataset.lead_time else ""
    )
    return {
        "source": f"{dataset.source}. {len(dataset.calibration):,} calibration and {len(dataset.test):,} test cases{units}.{times}",
        "preview": estimate.sentence,
        "optimum": number(tuning.optimum),
        "interval": f"{level:.0%} interval {number(low)} to {number(high)}",
        "concentration": f"{tuning.concentration:,}, {tuning.used_because}",
        "passes": tuning.passes,
        "verdict": tuning.verdict.capitalize(),
        "sentence": tuning.sentence,
        "reference": view.reference.sentence if view.reference else NO_REFERENCE,
        "scores": _score_rows(view),
        "panels": _panels(view),
        "objectives": [
            (
                OBJECTIVES[name].title,
                number(optimum.value),
                f"{number(optimum.low)} to {number(optimum.high)}",
                "yes" if optimum.at_bound else "",
            )
            for name, optimum in tuning.optima.items()
        ],
        "recommendation": comparison.sentence,
        "comparison_head": ("method", "setting", *(head_text(score, dataset.units) for score in headlines())),
        "comparison": [_comparison_row(row) for row in comparison.rows],
    }


def _score_rows(view: View) -> list[tuple[str, str, str]]:
    """Return title, value and judgement of every headline score, followed by its reference if that is a score in the same unit."""
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
    drawings = [panel.draw(view, LIGHT) for panel in PANELS.values() if panel.in_report and panel.shows(view)]
    return [{"figure": _html(drawing.figure), "reading": drawing.reading} for drawing in drawings if drawing.figure is not None]


def _html(figure: go.Figure) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}))


def _comparison_row(row: Row) -> Sequence[str]:
    if row.problem:
        return (row.title, row.problem)
    values = [value_text(score, (row.scores or {}).get(score.key, math.nan)) for score in headlines()]
    return (row.title, row.setting.correction if row.setting else "", *values)


def page(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the HTML page of these sections; it contains the script of plotly once."""
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    template = Environment(autoescape=True).from_string(files("stochattn_core").joinpath("report.html").read_text("utf-8"))
    return template.render(sections=sections, plotly_script=get_plotlyjs())


def main(arguments: list[str] | None = None) -> int:
    """Write the report and its numbers; return the exit status, 2 for arguments that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="stochattn report", description="Tuning, verdict and corrections of every available dataset, as one page."
    )
    parser.add_argument("--out", type=Path, default=Path("calibration-report.html"))
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="also include the known files of this folder")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="only these datasets")
    options = parser.parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        print(f"expected a folder at --data, got {options.data}; check the path", file=sys.stderr)
        return 2
    loaders = cases(options.data)
    if unknown := [name for name in options.only or () if name not in loaders]:
        print(f"expected names out of {', '.join(loaders)}, got {unknown[0]!r}", file=sys.stderr)
        return 2
    numbers: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name in options.only or loaders:

        def progress(done: int, total: int, what: str, name: str = name) -> None:
            print(f"{name}: {done / max(total, 1):4.0%} {what:60.60}", end="\r", file=sys.stderr)

        try:
            numbers[name], sections[name] = chain(loaders[name](), progress)
        except ValueError as error:
            numbers[name], sections[name] = {"problem": str(error)}, {"problem": str(error)}
    try:
        options.out.write_text(page(sections), encoding="utf-8")
        options.out.with_suffix(".json").write_text(json_text(numbers, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"expected to write {options.out}, got: {error.strerror}; name a folder that can be written with --out", file=sys.stderr)
        return 2
    print(f"{options.out}: {len(sections)} datasets")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
