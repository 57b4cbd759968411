"""Which correction is worth it? Every method on the same calibration and test cases, beside references that cost nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from stochattn_core.audit import audit
from stochattn_core.baselines import BASELINES
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare import methods
from stochattn_core.compare.concentration import Search, Searched, search_of
from stochattn_core.compare.gain import Gain, paired_gain
from stochattn_core.compare.layer_groups import layer_groups
from stochattn_core.compare.methods import Outcome, Workbench
from stochattn_core.corrections import CORRECTIONS
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import layers_of, network_of
from stochattn_core.forecasts import device_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.search import share_of

LEVEL = 0.9
LEAST_BLOCKS = 10  # independent blocks of calibration cases, below which no correction is recommended
UNKNOWN = Gain(math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Row:
    """One method. kind: "method" (the paper's, nu alone), "correction" or "reference".   setting: None for references.   passes: stochastic passes
    over the calibration part that fitting takes.   scores: of the test part.   gain: of fair CRPS over nu alone, on the test part, at 90%,
    for display.   gain_calibration: the same on the calibration part, cross-fitted, at the level of the comparison: what decides.
    problem: why there is nothing else, in one sentence, or "".
    """

    name: str
    title: str
    kind: Literal["method", "correction", "reference"]
    setting: Setting | None = None
    passes: int = 0
    scores: dict[str, float | int] | None = None
    gain: Gain = UNKNOWN
    gain_calibration: Gain = UNKNOWN
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """rows: nu alone first, then the corrections, then the references.   level: of gain_calibration, 1 - 0.1 / corrections tried.
    recommended: the row of a correction, or None.   sentence: the recommendation and why.
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
    search: Search | None = None,
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Comparison:
    """Compare nu alone with corrections (names of CORRECTIONS; None: all) and references. Everything is fitted, and recommended, on the calibration part.

    setting: whose members, seed and layers every method takes, or a tuning, whose concentration is then that of its method, nu alone or
    shared draws; without one it is searched for. search: how; that of `tune` when not given. A method that cannot be fitted has a sentence in its row.
    progress(done, total, what) may raise to stop; what was computed until then is kept and found again.
    """
    wanted = selected(corrections)
    if not isinstance(setting, Setting | Tuning):
        raise ValueError(f"expected a Setting, or what tune() gives, to compare with, got {type(setting).__name__}")
    for part in ("calibration", "test"):
        dataset.filled(part)
    network = network_of(model, dataset, device=device, progress=progress)
    given = setting if isinstance(setting, Setting) else setting.setting.setting
    objective = "pooled" if isinstance(setting, Setting) else setting.objective
    default_layers = layers_of(model, Setting())
    bench = Workbench(
        network,
        dataset,
        replace(given, correction=""),
        default_layers,
        search or search_of(network, dataset, default_layers, attention_classes, objective),
        attention_classes,
    )
    if not isinstance(setting, Setting):
        bench.known[given] = Searched(setting.concentration, setting.optima["ratio"].value, setting.passes)
    jobs = [("nu alone", "Concentration alone", "method", lambda bench: bench.alone), *_corrections(bench, wanted), *_REFERENCES]
    made: list[tuple[Row, Outcome | None]] = []
    for place, (name, title, kind, job) in enumerate(jobs):
        bench.progress = share_of(progress, place, place + 1, len(jobs), title)
        try:
            outcome, problem = job(bench), ""
        except ValueError as error:
            outcome, problem = None, " ".join(str(error).split())
        if outcome or problem:
            made.append((Row(name, title, kind, problem=problem), outcome))
    return _judged(made, dataset.units)


def selected(corrections: Sequence[str] | None) -> list[str]:
    """The names of CORRECTIONS that are asked for, in its order; None: all. ValueError for a name that it does not have."""
    unknown = [name for name in corrections or () if name not in CORRECTIONS]
    if unknown:
        raise ValueError(f"expected corrections among {', '.join(CORRECTIONS)}, got {unknown[0]!r}")
    return [name for name in CORRECTIONS if corrections is None or name in corrections]


def _judged(made: list[tuple[Row, Outcome | None]], units: str) -> Comparison:
    """The rows with their gains, and the recommendation, which sees the calibration part alone."""
    alone = made[0][1]
    is_tried = [row.kind == "correction" and row.name != "conformal" and outcome is not None for row, outcome in made]
    level = 1 - (1 - LEVEL) / max(sum(is_tried), 1)
    rows = []
    for row, outcome in made:
        if outcome:
            row = replace(row, setting=outcome.setting, passes=outcome.passes, scores=outcome.scores)
            if alone and outcome is not alone:
                row = replace(
                    row,
                    gain=paired_gain(alone.test, outcome.test, LEVEL),
                    gain_calibration=paired_gain(alone.calibration, outcome.calibration, level),
                )
        rows.append(row)
    sure = [row for row, tried in zip(rows, is_tried, strict=True) if tried and row.gain_calibration.low > 0]
    best = max(sure, key=lambda row: row.gain_calibration.estimate, default=None)
    n_block = int((alone.calibration.statistics.n_case > 0).sum()) if alone else 0
    if not alone:
        best, sentence = None, f"The concentration alone could not be scored, so that there is nothing to compare with: {rows[0].problem}."
    elif n_block < LEAST_BLOCKS:
        best = None
        sentence = f"There are {n_block} independent blocks of calibration cases, at least {LEAST_BLOCKS} are needed to recommend a correction: add data."
    elif best:
        gain, unit = best.gain_calibration, f" {units}" if units else ""
        sentence = (
            f"{best.title} lowers the fair CRPS on calibration data by {gain.estimate:.3g}{unit} "
            f"({level:.1%} interval {gain.low:.3g} to {gain.high:.3g}, for {sum(is_tried)} corrections tried): it forecasts better; "
            "whether it is calibrated, its ratio and coverage say."
        )
    elif not any(is_tried):
        sentence = (
            "No correction that changes the members was fitted, so that there is none to recommend; conformal intervals leave the members, and so "
            "the fair CRPS, as they are."
        )
    else:
        sentence = f"No correction lowers the fair CRPS on calibration data by more than chance may ({sum(is_tried)} tried): stay with the concentration alone."
    return Comparison(tuple(rows), level, best, sentence, units)


def _corrections(bench: Workbench, wanted: Sequence[str]) -> list[tuple[str, str, str, Callable]]:
    jobs = {
        "inflation": methods.inflated,
        "noise": methods.inflated_with_noise,
        "conformal": methods.on_top,
        "shared": lambda bench: methods.sampled(bench, replace(bench.setting, correction="shared")),
        "fractional": methods.fractional,
    }
    found = []
    for name in wanted:
        if name != "layers":
            found.append((name, CORRECTIONS[name].title, "correction", jobs[name]))
            continue
        few = bench.dataset.calibration.inputs[:2].to(device_of(bench.network))
        seen = audit(bench.network, few, attention_classes=bench.attention_classes)
        for title, pattern in layer_groups(seen.entropy, bench.setting.layers or bench.default_layers).items():
            found.append((f"layers {pattern}", f"{CORRECTIONS[name].title}: {title}", "correction", partial(_of_layers, pattern=pattern)))
    return found


def _of_layers(bench: Workbench, pattern: str) -> Outcome:
    return methods.sampled(bench, replace(bench.setting, layers=pattern))


_REFERENCES = [
    *(
        (kind.name, BASELINES[kind.name].title, "reference", partial(methods.dressed, kind=kind))
        for kind in (GaussianDressing, ResidualDressing)
    ),
    ("split-conformal", BASELINES["conformal"].title, "reference", methods.split),
]
