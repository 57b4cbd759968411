"""What each command of the command line does: options in, (JSON document, text) out."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tqdm import tqdm


def list_all(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.baselines import BASELINES
    from stochattn_core.datasets import DATASETS
    from stochattn_core.models import MODELS

    models = [{"name": name, "task": m.task, "title": m.title, "availability": m.need} for name, m in MODELS.items()]
    datasets = [{"name": name, "task": e.task, "title": e.title, "availability": e.availability} for name, e in DATASETS.items()]
    baselines = [{"name": name, "title": entry.title, "availability": "embedded"} for name, entry in BASELINES.items()]
    rows = [("models", models), ("datasets", datasets), ("baselines", baselines)]
    text = "\n".join(
        f"{kind}\n" + "\n".join(f"  {r['name']:<20} {r.get('task', ''):<7} {r['availability']:<42} {r['title']}" for r in found)
        for kind, found in rows
    )
    return dict(rows), text


def sample(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import check_writable, write_ensemble

    check_writable(options.out)
    evaluation = _evaluated(options, part=options.part)
    write_ensemble(evaluation, options.out)
    shape = dict(zip(("member", *evaluation.ensemble.dims), evaluation.ensemble.members.shape, strict=True))
    return {"out": str(options.out), "shape": shape}, f"{options.out}: " + ", ".join(f"{n} {name}" for name, n in shape.items())


def score(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import read_ensemble
    from stochattn_core.metrics import scores

    ensemble = read_ensemble(options.file)
    found = scores(ensemble.pooled)
    return found, _score_text(found, ensemble.units)


def evaluate(options: argparse.Namespace) -> tuple[Any, str]:
    evaluation = _evaluated(options, part="test")
    found = {"model": evaluation.model, "dataset": evaluation.dataset, "part": "test", "concentration": evaluation.setting.concentration}
    found |= {
        "seed": evaluation.setting.seed,
        "layers": evaluation.layers,
        "correction": evaluation.setting.correction,
        "references": dict(evaluation.references),
        **evaluation.scores,
    }
    references = "\n".join(f"  rmse of {name:<24} {value:.6g}" for name, value in evaluation.references.items())
    return found, _score_text(evaluation.scores, evaluation.ensemble.units) + "\n" + references


def tune(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.ensemble_file import check_writable

    if options.out:
        check_writable(options.out)
    with _Bar() as progress:
        found = _tuned(options, progress)[2]
    if options.out:
        found.setting.save(options.out)
    level, low, high = found.interval
    ended = "; the budget ended the search: give more, and it goes on from there" if found.ended else ""
    optima = "\n".join(f"  {name:<12} {one.value:>8.4g} ({one.low:.3g} to {one.high:.3g})" for name, one in found.optima.items())
    return json.loads(found.setting.dumps()), (
        f"concentration {found.concentration} ({level:.0%} interval {low:.3g} to {high:.3g}), {found.passes} passes{ended}\n"
        f"{found.verdict}: {found.sentence}\noptimum by objective, with the interval by drawing cases again\n{optima}\n"
        f"{_score_text(found.after.scores, found.after.ensemble.units)}"
    )


def compare(options: argparse.Namespace) -> tuple[Any, str]:
    from stochattn_core.compare import compare, selected

    wanted = selected(None if options.corrections is None else [name.strip() for name in options.corrections.split(",") if name.strip()])
    with _Bar() as progress:
        model, dataset, tuned = _tuned(options, progress)
        found = compare(model, dataset, tuned, corrections=wanted, device=options.device, progress=progress)
    rows = [_row(row) for row in found.rows]
    recommended = found.recommended.name if found.recommended else None
    text = "\n".join([_ROW.format(*_COLUMNS), *(_ROW.format(*_row_text(row)) for row in rows), found.sentence])
    return {
        "rows": rows,
        "recommended": recommended,
        "sentence": found.sentence,
        "units": found.units,
        "tuned": asdict(tuned.setting.setting),
    }, text


_COLUMNS = ("method", "ratio", "fair crps", "gain (90% interval)", "rmse", "cov 90", "width 90")
_ROW = "{:<44} {:>6} {:>10} {:>30} {:>9} {:>7} {:>9}"


def _row(row: Any) -> dict[str, Any]:
    setting = None if row.setting is None else asdict(row.setting)
    gains = {name: getattr(row, name)._asdict() for name in ("gain", "gain_calibration")}
    about = {name: getattr(row, name) for name in ("name", "title", "kind", "passes", "problem")}
    return {**about, "setting": setting, **gains, "scores": row.scores}


def _row_text(row: dict[str, Any]) -> list[str]:
    if row["scores"] is None:
        return [row["title"], *[""] * 5, row["problem"]]
    shown = [row["scores"].get(name) for name in ("spread_skill_ratio", "crps_fair", "rmse", "coverage_90", "width_90")]
    ratio, crps, rmse, coverage, width = ("-" if value is None else f"{value:.4g}" for value in shown)
    estimate, low, high = row["gain"].values()
    gain = f"{estimate:.3g} ({low:.3g} to {high:.3g})" if estimate == estimate else "-"
    return [row["title"], ratio, crps, gain, rmse, coverage, width]


def _tuned(options: argparse.Namespace, progress: Callable[[int, int, str], None]) -> tuple[Any, Any, Any]:
    """Model, dataset and their tuning."""
    from stochattn_core.models import load_model
    from stochattn_core.tuning import Budget, tune

    budget = Budget(
        passes=None if options.max_passes is None else _whole(options.max_passes, "--max-passes"),
        seconds=None if options.max_seconds is None else _seconds(options.max_seconds),
    )
    model, dataset = load_model(options.model), _dataset(options)
    found = tune(
        model,
        dataset,
        objective=options.objective,
        search=options.search,
        n_member=_whole(options.members, "--members"),
        seed=options.seed,
        layers=options.layers,
        budget=budget,
        device=options.device,
        progress=progress,
    )
    return model, dataset, found


def _evaluated(options: argparse.Namespace, part: str) -> Any:
    from stochattn_core.evaluate import evaluate, network_of
    from stochattn_core.models import load_model
    from stochattn_core.models.model import weights_sha256
    from stochattn_core.settings import Setting
    from stochattn_core.tuned_setting import TunedSetting

    model, dataset = load_model(options.model), _dataset(options)
    with _Bar() as progress:
        if getattr(options, "setting", None):
            tuned = TunedSetting.load(options.setting)
            network = network_of(model, dataset, device=options.device, progress=progress)
            tuned.check(model.name, weights_sha256(network), dataset.sha256)
            setting = tuned.setting
        else:
            members = _whole(options.members, "--members")
            setting = Setting(_concentration(options.concentration), members, options.seed, options.layers, options.correction)
        return evaluate(model, dataset, setting, part=part, device=options.device, progress=progress)


def _dataset(options: argparse.Namespace) -> Any:
    from stochattn_core.datasets import load_dataset
    from stochattn_core.readers import grid_from_file, series_from_csv, table_from_csv

    if options.grid is not None:
        if options.dataset or options.csv or not options.variable:
            raise ValueError(f"expected --variable NAME beside --grid {options.grid}, and no other dataset; name the variable to forecast")
        return _noted(grid_from_file(options.grid, options.variable))
    if options.csv is None:
        if not options.dataset:
            raise ValueError("expected --dataset NAME, --csv FILE or --grid FILE, got none; see the command list")
        if options.target or options.time:
            raise ValueError("expected --target and --time beside --csv alone; a dataset of the list has its own")
        return _noted(load_dataset(options.dataset))
    if options.dataset:
        raise ValueError(f"expected --dataset or --csv, got both ({options.dataset}, {options.csv}); leave one out")
    if not options.target:
        raise ValueError(f"expected --target COLUMN beside --csv {options.csv}, got none; name the column to forecast")
    if options.time:
        return _noted(series_from_csv(options.csv, options.time, options.target))
    return _noted(table_from_csv(options.csv, options.target))


def _noted(dataset: Any) -> Any:
    """What was done to the data on the way in is said, not done in silence."""
    for note in dataset.notes:
        sys.stderr.write(f"note: {note}\n")
    return dataset


def _concentration(text: str) -> int | float:
    from stochattn_core.draw import check_concentration

    value: int | float | str = text
    for kind in (float, int):
        with contextlib.suppress(ValueError):
            value = kind(text)
    return check_concentration(value)


def _whole(text: str, option: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{option} must be a whole number, got {text!r}; try 49")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--max-seconds must be a number, got {text!r}; try 60") from None


def _score_text(found: dict, units: str) -> str:
    return "\n".join(f"{name:<28} {value:.6g}" for name, value in found.items() if value == value) + (f"\nunits: {units}" if units else "")


class _Bar:
    """A progress bar on stderr that fits the progress protocol, and clears itself."""

    def __enter__(self) -> Callable[[int, int, str], None]:
        self.bar = tqdm(
            total=1, file=sys.stderr, leave=False, disable=None, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        )
        return self.show

    def show(self, done: int, total: int, what: str) -> None:
        self.bar.total = total
        self.bar.set_description_str(what, refresh=False)
        self.bar.n = min(done, total)
        self.bar.refresh()

    def __exit__(self, *_: object) -> None:
        self.bar.close()
