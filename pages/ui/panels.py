"""From an evaluation to what a page shows: each panel is a figure and the sentence that reads it; tiles are the score strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.ui.widgets import Tile
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation
from stochattn_core.figures import reading
from stochattn_core.figures.coverage import coverage
from stochattn_core.figures.fan import central, fan
from stochattn_core.figures.fitted import fitted
from stochattn_core.figures.lead_time import by_lead_time
from stochattn_core.figures.pit import pit
from stochattn_core.figures.spread_skill import spread_skill
from stochattn_core.figures.theme import number, units_text
from stochattn_core.figures.verdict import judge_coverage, judge_crps, judge_ratio, judge_rmse, judge_w1
from stochattn_core.metrics import (
    Statistics,
    binned_spread_error,
    bootstrap,
    by_event,
    coverage_curve,
    pit_histogram,
    scores,
    w1_floor,
)

Panel = tuple[go.Figure, str]


@dataclass(frozen=True, eq=False)
class Summary:
    """The scores of what is shown (all lead times, or one) and what chance does to them."""

    scores: dict[str, float | int]
    ranges: dict[str, tuple[float, float]]  # of every score, 90%, by resampling blocks
    w1_floor: float
    n_effective: float


def part_shown(evaluation: Evaluation, lead: int) -> Statistics:
    """The sums of all lead times, or of one; of a grid those of all cells by their area."""
    if evaluation.ensemble.latitude:
        return evaluation.ensemble.pooled
    if not lead:
        return evaluation.statistics
    return evaluation.statistics.select(evaluation.ensemble.lead_time.index(lead))


def part_ratio(evaluation: Evaluation, lead: int) -> float:
    return (
        evaluation.scores["spread_skill_ratio"]
        if not lead or evaluation.ensemble.latitude
        else scores(part_shown(evaluation, lead))["spread_skill_ratio"]
    )


def summary(evaluation: Evaluation, lead: int) -> Summary:
    statistics = part_shown(evaluation, lead)
    floor = w1_floor(statistics)
    return Summary(
        scores=scores(statistics),
        ranges=bootstrap(statistics, scores),
        w1_floor=floor.upper,
        n_effective=floor.n_effective,
    )


def tiles(found: Summary, units: str, reference: tuple[str, float] | None) -> list[Tile]:
    """The score strip: every number beside the plain model's, or beside what it would be by chance."""
    score, n = found.scores, max(int(found.n_effective) if np.isfinite(found.n_effective) else 1, 1)
    low, high = found.ranges["spread_skill_ratio"]
    beside = f"{reference[0]} {number(reference[1])}" if reference else ""
    level = min(0.9, (score["n_member"] - 1) / (score["n_member"] + 1))  # 9 members hold 80% between them, and no more
    return [
        Tile(
            "Spread-skill ratio",
            number(score["spread_skill_ratio"]),
            judge_ratio(score["spread_skill_ratio"], found.ranges["spread_skill_ratio"]),
            f"90% range {number(low)} to {number(high)}" if np.isfinite(low) and high > 0 else "plain model 0",
        ),
        Tile("PIT distance W1", number(score["w1"]), judge_w1(score["w1"], found.w1_floor), f"perfect below {number(found.w1_floor)}"),
        Tile(
            "Fair CRPS",
            number(score["crps_fair"]),
            judge_crps(score["crps_fair"], score["mae_plain"]),
            f"plain model {number(score['mae_plain'])}",
            units,
        ),
        Tile(
            f"{level:.0%} coverage",
            f"{score['coverage_90']:.0%}",
            judge_coverage(score["coverage_90"], level, n),
            f"mean width {number(score['width_90'])} {units}".strip(),
        ),
        Tile(
            "RMSE of the mean",
            number(score["rmse"]),
            judge_rmse(score["rmse"], score["rmse_plain"]),
            f"plain {number(score['rmse_plain'])}" + (f" · {beside}" if beside else ""),
            units,
        ),
    ]


def pit_panel(evaluation: Evaluation, lead: int, known: Summary) -> Panel:
    statistics = part_shown(evaluation, lead)
    found = pit_histogram(statistics)
    low, high = (np.nan_to_num(band, nan=1.0) for band in (found.low, found.high))
    figure = pit(found.density, low, high, n_member=found.n_member, n_case=found.n, more=_worth(found.n, found.n_effective))
    shape = {name: (known.scores[f"pit_{name}"], known.ranges[f"pit_{name}"]) for name in ("dispersion", "mean")}
    return figure, reading.read_pit(found.density, low, high, **shape, has_spread=not evaluation.setting.is_plain)


def spread_skill_panel(evaluation: Evaluation, lead: int, known: Summary) -> Panel:
    found, score = binned_spread_error(part_shown(evaluation, lead)), known.scores
    ratio = score["spread_skill_ratio"]
    count = np.round(found.n).astype(int)
    figure = spread_skill(
        found.spread,
        found.error,
        count,
        low=found.low,
        high=found.high,
        ratio=ratio,
        n_member=score["n_member"],
        n_case=score["n"],
        units=units_text(evaluation.ensemble.units),
    )
    return figure, reading.read_spread_skill(found.spread, found.error, count, ratio, known.ranges["spread_skill_ratio"])


def coverage_panel(evaluation: Evaluation, lead: int) -> Panel:
    statistics = part_shown(evaluation, lead)
    found, score = coverage_curve(statistics), scores(statistics)
    known = found.attainable >= found.nominal - 1e-9  # 19 members hold 90% between them: they have no 95% interval
    nominal, observed, low, high = (values[known] for values in (found.nominal, found.observed, found.low, found.high))
    figure = coverage(nominal, observed, low=low, high=high, n_member=score["n_member"], n_case=score["n"])
    return figure, reading.read_coverage(nominal, observed)


def lead_time_panel(evaluation: Evaluation) -> Panel:
    ensemble, found = evaluation.ensemble, by_event(evaluation.statistics)
    lead_time, n_member = np.array(ensemble.lead_time), len(ensemble.members)
    figure = by_lead_time(
        lead_time,
        found["rmse"],
        found["spread"] * np.sqrt((n_member + 1) / n_member),
        found["rmse_plain"],
        ratio=found["spread_skill_ratio"],
        n_member=n_member,
        n_case=int(found["n"].max()),
        lead_unit=f"{ensemble.lead_unit}s" if ensemble.lead_unit else "",
        units=units_text(ensemble.units),
    )
    return figure, reading.read_lead_time(lead_time, found["spread_skill_ratio"], f"{ensemble.lead_unit}s" if ensemble.lead_unit else "")


def fan_panel(data: Dataset, case: int, members: np.ndarray, plain: np.ndarray) -> Panel:
    """One forecast of a series over the recent past. members: (member, lead_time); plain: (lead_time,)."""
    index, truth = data.test.index, data.test.target[case].numpy()
    context = data.test.inputs[case].numpy()
    context = context[-min(len(context), 3 * len(data.lead_time)) :]
    past, ahead = _times(index, case, len(context), len(data.lead_time))
    figure = fan(
        past,
        context,
        ahead,
        members,
        truth,
        plain,
        title=f"Forecast from {time_text(index[case])}",
        y=_quantity(data.target_name, data.units),
        subtitle=f"M = {len(members)} members · one of N = {len(index):,} forecasts",
    )
    return figure, reading.read_fan(members, truth, *central(members, 0.9))


def fan_at_lead_panel(evaluation: Evaluation, lead: int) -> Panel:
    """All forecasts at one lead time, by the time they are valid for."""
    ensemble, place = evaluation.ensemble, evaluation.ensemble.lead_time.index(lead)
    last = max(0, len(ensemble.index) - 160)
    members, truth = np.asarray(ensemble.members[:, last:, place]), ensemble.target[last:, place]
    valid = np.array([_times(ensemble.index, case, 1, lead)[1][-1] for case in range(last, len(ensemble.index))])
    figure = fan(
        valid[:0],
        truth[:0],
        valid,
        members,
        truth,
        ensemble.plain[last:, place],
        title=f"Every forecast made {lead} {ensemble.lead_unit}{'s' if lead > 1 and ensemble.lead_unit else ''} before",
        y=_quantity(ensemble.name, ensemble.units),
        subtitle=f"M = {len(members)} members · N = {len(truth):,} forecasts" + (", the latest" if last else ""),
    )
    outside = _outside(members, truth)
    return figure, reading.read_fitted(outside, int(np.isfinite(truth).sum()))


def fitted_panel(evaluation: Evaluation, case: int | None) -> Panel:
    ensemble = evaluation.ensemble
    members = np.asarray(ensemble.members)
    figure = fitted(
        members,
        ensemble.target,
        ensemble.plain,
        quantity=_quantity(ensemble.name, ensemble.units),
        case=np.asarray(ensemble.index),
        chosen=case,
    )
    return figure, reading.read_fitted(_outside(members, ensemble.target), int(np.isfinite(ensemble.target).sum()))


def case_rows(evaluation: Evaluation, lead: int) -> pd.DataFrame:
    """One row a case (and lead time): what came true, what was forecast, and how sure."""
    ensemble = evaluation.ensemble
    members, target, plain = np.asarray(ensemble.members), ensemble.target, ensemble.plain
    leads = [lead] if lead else list(ensemble.lead_time)
    if ensemble.lead_time:
        places = [ensemble.lead_time.index(one) for one in leads]
        members, target, plain = members[:, :, places].reshape(len(members), -1), target[:, places].ravel(), plain[:, places].ravel()
    low, high = central(members, 0.9)
    rows = {ensemble.dims[0]: np.repeat(np.asarray(ensemble.index), len(leads) if ensemble.lead_time else 1)}
    if ensemble.lead_time:
        rows["lead_time"] = np.tile(leads, len(ensemble.index))
    rows |= {
        "truth": target,
        "plain": plain,
        "mean": members.mean(axis=0),
        "spread": members.std(axis=0, ddof=1),
        "low_90": low,
        "high_90": high,
        "inside": (target >= low) & (target <= high),
    }
    return pd.DataFrame(rows)


def score_rows(evaluation: Evaluation) -> pd.DataFrame:
    """Every score, one row each, with what made it: the CSV that leaves the page."""
    about = {
        "model": evaluation.model,
        "dataset": evaluation.dataset,
        "part": evaluation.part,
        "concentration": evaluation.setting.concentration,
    }
    return pd.DataFrame([{**about, "score": name, "value": value} for name, value in evaluation.scores.items()])


def time_text(value: object) -> str:
    """A time as short as it can be told."""
    if not isinstance(value, pd.Timestamp):
        return str(value)
    if value == value.normalize():
        return value.strftime("%Y-%m") if value.day == 1 else value.strftime("%Y-%m-%d")
    return value.strftime("%Y-%m-%d %H:%M")


def _outside(members: np.ndarray, truth: np.ndarray) -> int:
    low, high = central(members, 0.9)
    return int(((truth < low) | (truth > high)).sum())


def _quantity(name: str, units: str) -> str:
    return f"{name} ({units_text(units)})" if units else name


def _worth(n: int, n_effective: float) -> str:
    """Say when many values are worth few: neighbours in time depend on one another."""
    return f"worth {n_effective:,.0f} independent" if np.isfinite(n_effective) and n_effective < 0.8 * n else ""


def _times(index: pd.Index, case: int, n_past: int, n_ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of the last n_past values up to the init time, and of the n_ahead after it, at the spacing of the index."""
    if isinstance(index, pd.DatetimeIndex):
        frequency = pd.infer_freq(index[:50]) if len(index) > 3 else None
        step = pd.tseries.frequencies.to_offset(frequency) if frequency else (index[1:] - index[:-1]).min()
        past = [index[case] - step * k for k in range(n_past - 1, -1, -1)]
        return np.array(past, dtype="datetime64[ns]"), np.array(
            [index[case] + step * k for k in range(1, n_ahead + 1)], dtype="datetime64[ns]"
        )
    step = np.min(np.diff(np.asarray(index))) if len(index) > 1 else 1
    return index[case] + step * np.arange(1 - n_past, 1), index[case] + step * np.arange(1, n_ahead + 1)
