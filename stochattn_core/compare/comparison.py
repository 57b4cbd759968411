"""A comparison of corrections: every method on the same calibration and test cases, beside references that need no stochastic pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from stochattn_core.baselines import BASELINES
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare import references
from stochattn_core.compare.gain import Gain, paired_gain
from stochattn_core.compare.workbench import ConcentrationSearch, Outcome, Workbench, search_as_tune
from stochattn_core.corrections import CORRECTIONS, Correction, Intervals, SearchedConcentration
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import experiment_of
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.concentration_search import share_of

LEVEL = 0.9
LEAST_BLOCKS = 10  # independent blocks of calibration cases, below which no correction is recommended
UNKNOWN = Gain(math.nan, math.nan, math.nan)
Kind = Literal["method", "correction", "reference"]


@dataclass(frozen=True, eq=False)
class Method:
    """One method to compare. kind: "method" for the concentration alone.   run: None where there is nothing to compare.

    changes_members: False where the members, and so their CRPS, are those of the concentration alone.
    """

    name: str
    title: str
    kind: Kind
    run: Callable[[Workbench], Outcome | None]
    changes_members: bool = True


@dataclass(frozen=True, eq=False)
class Row:
    """One method in the result. kind: "method" (the paper's, nu alone), "correction" or "reference".

    setting: None for references.   passes: stochastic passes over the calibration part that the fit took.   scores: of the test part.
    gain: in fair CRPS over nu alone, on the test part, at 90%, for display.   gain_calibration: the same on the calibration part, cross-fitted,
    at the level of the comparison: it decides the recommendation.   intervals: on top of the members, where the method gives them.
    problem: one sentence that says why there is nothing else, or "".
    """

    name: str
    title: str
    kind: Kind
    setting: Setting | None = None
    passes: int = 0
    scores: Mapping[str, float | int] | None = None
    gain: Gain = UNKNOWN
    gain_calibration: Gain = UNKNOWN
    intervals: Intervals | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """rows: nu alone first, then the corrections, then the references.   level: of gain_calibration, 1 - 0.1 / corrections tried.
    recommended: the row of a correction, or None.   sentence: the recommendation and its reason.
    """

    rows: tuple[Row, ...]
    level: float
    recommended: Row | None
    sentence: str
    units: str = ""


def compare(
    model: Model | nn.Module,
    dataset: Dataset,
    setting: Setting | Tuning,
    *,
    corrections: Sequence[str] | None = None,
    search: ConcentrationSearch | None = None,
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> Comparison:
    """Compare nu alone with corrections (keys of CORRECTIONS; None: all) and references. Everything is fitted, and recommended, on the calibration part.

    setting: every method takes its members, seed and layers. With a tuning in its place, the concentration of the method that was tuned (nu
    alone, or with the correction that was searched with) is known; otherwise it is searched for.
    search: how; as `tune` does when not given.   A method that cannot be fitted has a sentence in its row.
    progress(done, total, what) may raise to stop; results that were computed until then are stored and found again.
    """
    keys = selected(corrections)
    if not isinstance(setting, Setting | Tuning):
        raise ValueError(f"expected a Setting, or what tune() gives, to compare with, got {type(setting).__name__}")
    for part in ("calibration", "test"):
        dataset.filled(part)
    given, objective = (setting, "pooled") if isinstance(setting, Setting) else (setting.setting.setting, setting.objective)
    experiment = experiment_of(
        model,
        dataset,
        replace(given, correction=""),
        part="calibration",
        ignore=ignore,
        device=device,
        progress=progress,
    )
    bench = Workbench(experiment, search or search_as_tune(experiment, objective))
    if isinstance(setting, Tuning):
        bench.searches[given] = SearchedConcentration(setting.concentration, setting.optima["ratio"].value, setting.passes)
    alone = Method("nu alone", "Concentration alone", "method", Workbench.alone)
    methods = [alone, *correction_methods(bench, keys), *REFERENCES]
    rows: list[tuple[Method, Outcome | None, str]] = []
    for place, method in enumerate(methods):
        bench.progress = share_of(progress, place, place + 1, len(methods), method.title)
        try:
            outcome, problem = method.run(bench), ""
        except ValueError as error:
            outcome, problem = None, " ".join(str(error).split())
        if outcome or problem:
            rows.append((method, outcome, problem))
    return _judged(rows, dataset.units)


def selected(corrections: Sequence[str] | None) -> list[str]:
    """The keys of CORRECTIONS that are asked for, in the order of the table; None: all. ValueError for a key that is not in it."""
    unknown = [name for name in corrections or () if name not in CORRECTIONS]
    if unknown:
        raise ValueError(f"expected corrections among {', '.join(CORRECTIONS)}, got {unknown[0]!r}")
    return [name for name in CORRECTIONS if corrections is None or name in corrections]


def correction_methods(bench: Workbench, keys: Sequence[str]) -> Iterator[Method]:
    """One method for each variant of each correction that serves the task of the dataset."""
    for key in keys:
        correction = CORRECTIONS[key]
        if bench.experiment.dataset.task not in correction.tasks:
            continue
        for variant, title in correction.variants(bench).items():
            yield Method(
                name=f"{key} {variant}".rstrip(),
                title=f"{correction.title}: {title}" if title else correction.title,
                kind="correction",
                run=partial(_corrected, correction=correction, variant=variant),
                changes_members=correction.changes_members,
            )


def _corrected(bench: Workbench, *, correction: Correction, variant: str) -> Outcome | None:
    fitted = correction.fit(bench, variant)
    return None if fitted is None else bench.corrected(fitted)


REFERENCES = (
    *(
        Method(kind.name, BASELINES[kind.name].title, "reference", partial(references.dressed, kind=kind))
        for kind in (GaussianDressing, ResidualDressing)
    ),
    Method("split-conformal", BASELINES["conformal"].title, "reference", references.split),
)


def _judged(outcomes: Sequence[tuple[Method, Outcome | None, str]], units: str) -> Comparison:
    """The rows with their gains, and the recommendation, which uses the calibration part alone."""
    alone = outcomes[0][1]
    is_tried = [method.kind == "correction" and method.changes_members and outcome is not None for method, outcome, _ in outcomes]
    level = 1 - (1 - LEVEL) / max(sum(is_tried), 1)
    rows = [_row(method, outcome, problem, alone, level) for method, outcome, problem in outcomes]
    tried = [row for row, has_members in zip(rows, is_tried, strict=True) if has_members]
    better = [row for row in tried if row.gain_calibration.low > 0]
    best = max(better, key=lambda row: row.gain_calibration.estimate, default=None)
    n_block = int((alone.calibration.statistics.n_case > 0).sum()) if alone else 0
    if n_block < LEAST_BLOCKS:
        best = None
    return Comparison(tuple(rows), level, best, _sentence(rows[0], best, len(tried), n_block, level, units), units)


def _row(method: Method, outcome: Outcome | None, problem: str, alone: Outcome | None, level: float) -> Row:
    row = Row(method.name, method.title, method.kind, problem=problem)
    if outcome is None:
        return row
    row = replace(row, setting=outcome.setting, passes=outcome.passes, scores=outcome.scores, intervals=outcome.intervals)
    if alone is None or outcome is alone:
        return row
    return replace(
        row,
        gain=paired_gain(alone.test, outcome.test, LEVEL),
        gain_calibration=paired_gain(alone.calibration, outcome.calibration, level),
    )


def _sentence(alone: Row, best: Row | None, n_tried: int, n_block: int, level: float, units: str) -> str:
    """The recommendation and its reason."""
    if alone.problem:
        return f"The concentration alone could not be scored, so that there is nothing to compare with: {alone.problem}."
    if n_block < LEAST_BLOCKS:
        there = "is 1 independent block" if n_block == 1 else f"are {n_block} independent blocks"
        return f"There {there} of calibration cases; at least {LEAST_BLOCKS} are needed to recommend a correction: add data."
    if best:
        gain, unit = best.gain_calibration, f" {units}" if units else ""
        return (
            f"{best.title} lowers the fair CRPS on calibration data by {gain.estimate:.3g}{unit} "
            f"({level:.1%} interval {gain.low:.3g} to {gain.high:.3g}, for {n_tried} corrections tried): it forecasts better; "
            "its ratio and coverage say whether it is calibrated."
        )
    if not n_tried:
        return (
            "No correction that changes the members was fitted, so that there is none to recommend; intervals on top leave the members, and so "
            "the fair CRPS, as they are."
        )
    return f"No correction lowers the fair CRPS on calibration data by more than chance may explain ({n_tried} tried): stay with the concentration alone."
