"""How it was computed: reference forecasts, the three parts of the data, the sampled layers, all scores, and the provenance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from stochattn_core.metrics.scores import SCORES, headlines
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.text import dataset_text, head_text, lead_text, period_text, value_text
from stochattn_core.references.result import NO_REFERENCE, ReferenceResult

TAB = "How it was computed"


def reference_rows(view: View) -> tuple[ReferenceResult | None, pd.DataFrame]:
    """Return the best reference forecast beside the ensemble, over all lead times, and the RMSE of every forecast as rows."""
    evaluation, score = view.known, view.known.scores
    rmse = {"ensemble mean": score["rmse"], "plain model": score["rmse_plain"]} | dict(evaluation.references)
    head = head_text(SCORES["rmse"], view.dataset.units)
    return evaluation.best_reference, pd.DataFrame({"forecast": list(rmse), head: list(rmse.values())})


def read_references(best: ReferenceResult | None) -> str:
    """Return whether the ensemble beats the best reference forecast, in RMSE and in CRPS; a skill score always names its reference."""
    return f"{best.sentence} {best.crps_sentence}".strip() if best else NO_REFERENCE


def part_rows(view: View) -> pd.DataFrame:
    """Return the number of cases and the period of each part."""
    data, rows = view.dataset, []
    for name in ("train", "calibration", "test"):
        split = data.part(name)
        rows.append([name, len(split), *(period_text(split, data) or ("random split", ""))])
    return pd.DataFrame(rows, columns=["part", "cases", "from", "to"])


def layer_rows(view: View) -> pd.DataFrame:
    """Return calls and row entropy of each sampled attention layer."""
    evaluation = view.known
    names = list(evaluation.calls)
    return pd.DataFrame(
        {
            "attention layer": names,
            "calls": [evaluation.calls[name] for name in names],
            "row entropy (nats)": [evaluation.entropy.get(name, float("nan")) for name in names],
        }
    )


def score_rows(view: View) -> pd.DataFrame:
    """Return every score as one row, with its range, its judgement, and model, dataset, part and concentration."""
    evaluation, summary = view.known, view.summary
    about = {
        "model": evaluation.model,
        "dataset": dataset_text(view.dataset),
        "part": evaluation.part,
        "concentration": evaluation.setting.concentration,
        "lead_time": _lead_cell(view),
    }
    rows = []
    for key, value in summary.scores.items():
        low, high = summary.ranges.get(key, (float("nan"), float("nan")))
        judgement = summary.judgements.get(key)
        row = {"score": key, "value": value, "low_90": low, "high_90": high, "judgement": judgement.word if judgement else ""}
        rows.append(about | row | {"title": SCORES[key].title, "description": SCORES[key].description})
    return pd.DataFrame(rows)


def _lead_cell(view: View) -> str:
    """Return the lead time of the scores: "48 h", or "all"."""
    leads = view.dataset.lead_time
    return view.dataset.step.lead_text(view.lead or leads[0]) if view.lead or len(leads) == 1 else "all"


def group_rows(view: View) -> pd.DataFrame:
    """Return the headline scores with each named group of layers sampled."""
    units, rows = view.dataset.units, []
    scores = headlines()
    for title, (pattern, summary) in view.by_layers.items():
        cells = [value_text(score, summary.scores[score.key]) for score in scores]
        rows.append([title, pattern, *cells])
    return pd.DataFrame(rows, columns=["layers sampled", "pattern", *(head_text(score, units) for score in scores)])


def how_text(view: View) -> str:
    """Return layers, seed, device, time, weights, data and notes of an evaluation in words."""
    evaluation, data = view.known, view.dataset
    times = f" Time step {data.step.text}, {lead_text(0, data)}." if data.task == "series" and data.step.text else ""
    text = (
        f"Sampled layers: {evaluation.layers}. Seed {evaluation.setting.seed}, device {evaluation.device}, {evaluation.seconds:.1f} s, "
        f"weights {evaluation.weights_sha256[:12]}. Data: {data.source} ({data.licence}).{times} ν is tuned on the calibration part; the "
        "scores here are from the test part."
    )
    return " ".join([text, *(f"Note: {note}." for note in data.notes)])


def _table_panel(
    key: str,
    title: str,
    numbers: Callable[[View], Any],
    reading: Callable[[Any], str] = lambda rows: "",
    table: Callable[[Any], pd.DataFrame] = lambda rows: rows,
    **more: Any,
) -> Panel:
    return Panel(key, title, "tab", numbers, reading, table, tab=TAB, **more)


references = _table_panel(
    "references", "Reference forecasts", reference_rows, lambda numbers: read_references(numbers[0]), lambda numbers: numbers[1]
)
parts = _table_panel("parts", "Training, calibration and test part", part_rows)
layers = _table_panel("layers", "Attention layers", layer_rows)
scores = _table_panel("scores", "All scores", score_rows, choices=("lead",), is_wide=True)
groups = _table_panel(
    "layer-groups",
    "Scores by sampled layers",
    group_rows,
    tasks=("grid",),
    is_cached=False,
    is_wide=True,
    serves=lambda view: bool(view.by_layers),
)
