"""Results that are computed once: the only st.cache_*, and everything that pages ask of the result cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.choices import Job, Search
from pages.ui.inference import Inference
from pages.ui.prefetch import Prefetcher
from pages.ui.result_cache import ResultCache
from pages.ui.streamlit_private import has_browser
from pages.ui.work import Work
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Dataset
from stochattn_core.evaluate import Evaluation, evaluate, experiment_of
from stochattn_core.forecasts import ensemble_of_case
from stochattn_core.models import load_model
from stochattn_core.panels import Drawn, Panel, View

if TYPE_CHECKING:
    from stochattn_core.compare import Comparison, Row
    from stochattn_core.tuned_setting import TunedSetting
    from stochattn_core.tuning import Preview, Tuning
    from stochattn_core.tuning.groups import Group


@st.cache_resource(show_spinner=False)
def result_cache() -> ResultCache:
    """Return the results of this server, one object for all sessions."""
    return ResultCache()


@st.cache_resource(show_spinner=False)
def _inference() -> Inference:
    return Inference()


@st.cache_resource(show_spinner=False)
def prefetcher() -> Prefetcher:
    """Return the worker of this server that evaluates settings before users choose them."""
    worker = Prefetcher(wanted=_inference().wanted, alive=has_browser)
    worker.start()
    return worker


@st.cache_resource(show_spinner="Reading the data")
def dataset(name: str) -> Dataset:
    """Return an embedded dataset, read once for all sessions."""
    return load_dataset(name)


@st.cache_data(show_spinner=False, max_entries=400)
def remembered(key: tuple, _make: Callable[[], Any]) -> Any:
    """Return _make(), computed once for each key. The key names everything that the result depends on."""
    return _make()


def derived(evaluation: Evaluation, data: Dataset, what: str, which: Any, make: Callable[[], Any]) -> Any:
    """Return what a page derives from an evaluation (a figure, ranges by bootstrap), computed once.

    what: names the derivation.   which: the choices of the user on which it depends besides the evaluation.
    """
    job = Job(evaluation.model, data, evaluation.setting)
    return remembered((what, which, *evaluation_key(job, evaluation.part)), make)


def drawn(panel: Panel, view: View) -> Drawn:
    """Return figure and sentence of a panel, computed once; the key of the panel names its entry, apart from all other derivations."""
    if view.evaluation is None or not panel.is_cached:
        return panel.draw(view)
    return derived(view.evaluation, view.dataset, f"panel {panel.key}", panel.which(view), lambda: panel.draw(view))


def rows(panel: Panel, view: View) -> pd.DataFrame:
    """Return the table of a panel, computed once as its figure is."""
    if view.evaluation is None or not panel.is_cached:
        return panel.rows(view)
    return derived(view.evaluation, view.dataset, f"rows {panel.key}", panel.which(view), lambda: panel.rows(view))


# ---- evaluations


def evaluation_key(job: Job, part: str = "test") -> tuple:
    return ("evaluation", job.model, result_cache().identity(job.data), job.setting, part)


def evaluation(job: Job, work: Work, *, part: str = "test") -> Evaluation:
    """Return the evaluation of a job, from the result cache or computed now; `work` shows how far it is."""
    key = evaluation_key(job, part)
    return result_cache().get(key) or _computed(
        key, work, lambda: evaluate(load_model(job.model), job.data, job.setting, part=part, progress=work)
    )


def prefetched_evaluation(
    job: Job, prepare: Callable[[Evaluation], None], progress: Callable[[int, int, str], None], check: Callable[[], None]
) -> None:
    """Put one evaluation into the result cache before a user asks for it, with the same bits.

    prepare: derives what a page needs of it at once.   check: called before every operation; it raises where a page wants the machine.
    """
    with _inference().for_prefetch(check):
        evaluation = evaluate(load_model(job.model), job.data, job.setting, progress=progress)
    check()
    prepare(evaluation)
    if evaluation.ensemble.latitude:
        evaluation.ensemble.forget_elements()
    key = evaluation_key(job)
    _ = result_cache().get(key) or result_cache().put(key, evaluation)


def evaluation_known(job: Job, *, part: str = "test") -> Evaluation | None:
    """Return the evaluation of a job if it was computed already."""
    return result_cache().get(evaluation_key(job, part))


def one_forecast(job: Job, case: int, work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Return members (member, *event) and plain answer (*event) of one test case, as its evaluation has them, before the other cases."""
    entry = load_model(job.model)
    with _inference().for_page(work):
        ensemble = ensemble_of_case(experiment_of(entry, job.data, job.setting, progress=work), case)
    return ensemble.members[:, 0], ensemble.plain[0]


def evaluations_known(job: Job) -> dict[float, Evaluation]:
    """Return the evaluations in the result cache with the job's members, seed, layers and correction, by concentration."""
    same = ("evaluation", job.model, result_cache().identity(job.data))
    known = {
        key[3].concentration: result_cache().get(key)
        for key in result_cache().stored_keys()
        if key[:3] == same and key[4] == "test" and replace(job.setting, concentration=key[3].concentration) == key[3]
    }
    return {nu: evaluation for nu, evaluation in sorted(known.items()) if evaluation is not None}


# ---- tunings and what follows from one


def tuning_key(job: Job) -> tuple:
    """Return the key of a tuning. Concentration and correction are results, not inputs; only shared draws change what is searched."""
    searched = replace(job.setting, concentration=1, correction="shared" if job.setting.correction == "shared" else "")
    return ("tuning", job.model, result_cache().identity(job.data), searched)


def tuning_known(job: Job) -> Tuning | None:
    """Return the tuning of a job that was looked at last."""
    return result_cache().get((*tuning_key(job), search_known(job)))


def search_known(job: Job) -> Search | None:
    """Return how the tuning that was looked at last was searched."""
    key = tuning_key(job)
    return next((cached_key[-1] for cached_key in reversed(result_cache().stored_keys()) if cached_key[: len(key)] == key), None)


def tuning(job: Job, how: Search, work: Work) -> Tuning:
    """Return the tuning of a job, from the result cache or computed now."""
    from stochattn_core.tuning import Budget, tune

    *_, searched = tuning_key(job)
    key = (*tuning_key(job), how)

    def make() -> Tuning:
        return tune(
            load_model(job.model),
            job.data,
            objective=how.objective,
            search=how.search,
            n_member=searched.n_member,
            seed=searched.seed,
            layers=searched.layers,
            correction=searched.correction,
            budget=Budget(how.passes, how.seconds),
            progress=work,
        )

    return result_cache().get(key) or _computed(key, work, make)


def tuning_seconds(job: Job) -> float | None:
    """Return how long the longest tuning of this job took on this server; None before the first."""
    key = tuning_key(job)
    return max((seconds for cached_key, seconds in result_cache().seconds.items() if cached_key[: len(key)] == key), default=None)


def _preview_key(job: Job) -> tuple:
    return ("preview", job.model, result_cache().identity(job.data), job.setting.seed, job.setting.layers)


def preview_known(job: Job) -> Preview | None:
    """Return the preview of a tuning if it was computed already."""
    return result_cache().get(_preview_key(job))


def preview(job: Job, work: Work) -> Preview:
    """Return the preview of a tuning, from the result cache or computed now."""
    from stochattn_core.tuning import preview as previewed

    key = _preview_key(job)
    make = lambda: previewed(load_model(job.model), job.data, seed=job.setting.seed, layers=job.setting.layers, progress=work)  # noqa: E731
    return result_cache().get(key) or _computed(key, work, make)


def key_after(tuned: Tuning, *what: str) -> tuple:
    """Return a key for a result that follows from a tuning; what: names the result."""
    saved = tuned.setting
    return (*what, saved.model.name, saved.dataset.sha256, saved.setting, tuned.objective, tuned.optimum)


def comparison_known(tuned: Tuning) -> Comparison | None:
    """Return the comparison after a tuning if it was computed already."""
    return result_cache().get(key_after(tuned, "comparison"))


def comparison(data: Dataset, tuned: Tuning, work: Work) -> Comparison:
    """Return every correction and every reference compared with the tuning, from the result cache or computed now."""
    from stochattn_core.compare import compare

    key = key_after(tuned, "comparison")
    return result_cache().get(key) or _computed(
        key, work, lambda: compare(load_model(tuned.setting.model.name), data, tuned, progress=work)
    )


def tuned_setting_of_row(data: Dataset, tuned: Tuning, row: Row, work: Work) -> TunedSetting:
    """Return the exported setting of one row of the comparison."""
    from stochattn_core.compare.row_export import tuned_setting_of_row as make

    key = key_after(tuned, "taken", row.name)
    return result_cache().get(key) or _computed(
        key, work, lambda: make(load_model(tuned.setting.model.name), data, tuned, row, progress=work)
    )


def groups_known(tuned: Tuning, kind: str) -> list[Group] | None:
    """Return nu* of every group of one kind if it was computed already."""
    return result_cache().get(key_after(tuned, "groups", kind))


def groups(tuned: Tuning, kind: str, make: Callable[[Work], list[Group]], work: Work) -> list[Group]:
    """Return nu* of every group of one kind, from the result cache or from make(work)."""
    key = key_after(tuned, "groups", kind)
    return result_cache().get(key) or _computed(key, work, lambda: make(work))


def _computed(key: tuple, work: Work, make: Callable[[], Any]) -> Any:
    with _inference().for_page(work):
        if (known := result_cache().get(key)) is not None:  # another session may have computed it while this one waited
            return known
        started = time.monotonic()
        result = result_cache().put(key, make())
        result_cache().seconds[key] = time.monotonic() - started
        return result
