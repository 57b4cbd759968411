"""A comparison of corrections: every method on the same calibration and test cases, beside references that need no stochastic pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from torch import nn

from stochattn_core.baselines import BASELINES
from stochattn_core.baselines.dressing import GaussianDressing, ResidualDressing
from stochattn_core.compare import references
from stochattn_core.compare.rows import Comparison, Method, judged
from stochattn_core.compare.workbench import ConcentrationSearch, Outcome, Workbench, search_as_tune
from stochattn_core.corrections import CORRECTIONS, Correction, SearchedConcentration
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.evaluate import experiment_of
from stochattn_core.models.model import Model
from stochattn_core.settings import Setting
from stochattn_core.tuning import Tuning
from stochattn_core.tuning.concentration_search import share_of


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
    return judged(rows, dataset.units)


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
    Method("split-conformal", BASELINES["conformal"].title, "reference", references.split, has_members=False),
)
