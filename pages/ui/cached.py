"""What is known is not computed again: the only st.cache_*, and what pages ask of the result_cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.ui.choices import Search
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
from stochattn_core.settings import Setting

if TYPE_CHECKING:
    from stochattn_core.compare import Comparison, Row
    from stochattn_core.tuned_setting import TunedSetting
    from stochattn_core.tuning import Preview, Tuning
    from stochattn_core.tuning.groups import Group


@st.cache_resource(show_spinner=False)
def result_cache() -> ResultCache:
    return ResultCache()


@st.cache_resource(show_spinner=False)
def _inference() -> Inference:
    return Inference()


@st.cache_resource(show_spinner=False)
def prefetcher() -> Prefetcher:
    """The worker that evaluates what users may choose next."""
    worker = Prefetcher(wanted=_inference().wanted, alive=has_browser)
    worker.start()
    return worker


@st.cache_resource(show_spinner="Reading the data")
def dataset(name: str) -> Dataset:
    return load_dataset(name)


@st.cache_data(show_spinner=False, max_entries=400)
def remembered(key: tuple, _make: Callable[[], Any]) -> Any:
    """What a page derives from an evaluation (figures, bands by bootstrap): key names the evaluation and the derivation."""
    return _make()


def derived(found: Evaluation, data: Dataset, what: str, which: Any, make: Callable[[], Any]) -> Any:
    """The derivation `what` of an evaluation, for the choice `which`."""
    return remembered((what, which, *evaluation_key(found.model, data, found.setting, found.part)), make)


def drawn(panel: Panel, view: View) -> Drawn:
    """A panel of a view; its figure is kept under the panel's key."""
    if view.evaluation is None or not panel.is_cached:
        return panel.draw(view)
    return derived(view.evaluation, view.dataset, panel.key, panel.which(view), lambda: panel.draw(view))


def evaluation_key(model: str, data: Dataset, setting: Setting, part: str = "test") -> tuple:
    return ("evaluation", model, result_cache().digest(data), setting, part)


def evaluation(model: str, data: Dataset, setting: Setting, work: Work, *, part: str = "test") -> Evaluation:
    """One evaluation, from the result_cache or computed now with `work` telling how far it is."""
    key = evaluation_key(model, data, setting, part)
    return result_cache().get(key) or _computed(key, work, lambda: evaluate(load_model(model), data, setting, part=part, progress=work))


def prefetched_evaluation(
    model: str,
    data: Dataset,
    setting: Setting,
    prepare: Callable[[Evaluation], None],
    progress: Callable[[int, int, str], None],
    check: Callable[[], None],
) -> None:
    """One evaluation for the result_cache before anybody asks for it, the same bits. prepare: derives what a page needs of it at once."""
    with _inference().ahead_of_pages(check):
        found = evaluate(load_model(model), data, setting, progress=progress)
    check()
    prepare(found)
    if found.ensemble.latitude:
        found.ensemble.forget_elements()
    key = evaluation_key(model, data, setting)
    _ = result_cache().get(key) or result_cache().put(key, found)


def evaluation_known(model: str, data: Dataset, setting: Setting) -> Evaluation | None:
    return result_cache().get(evaluation_key(model, data, setting))


def one_forecast(model: str, data: Dataset, setting: Setting, case: int, work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Members (member, *event) and the plain answer (*event) of one test case: of its evaluation, without waiting for the others."""
    entry = load_model(model)
    with _inference().for_page(work):
        found = ensemble_of_case(experiment_of(entry, data, setting, progress=work), case)
    return found.members[:, 0], found.plain[0]


def evaluations_known(model: str, data: Dataset, setting: Setting) -> dict[float, Evaluation]:
    """By concentration, what the result_cache holds for the same members, seed, layers and correction."""
    same = ("evaluation", model, result_cache().digest(data))
    known = {
        key[3].concentration: result_cache().get(key)
        for key in result_cache().held()
        if key[:3] == same and key[4] == "test" and replace(setting, concentration=key[3].concentration) == key[3]
    }
    return {nu: found for nu, found in sorted(known.items()) if found is not None}


def tuning_key(model: str, data: Dataset, setting: Setting) -> tuple:
    """What is tuned: the concentration is sought, and so is what a correction made of it; only shared draws are searched themselves."""
    searched = replace(setting, concentration=1, correction="shared" if setting.correction == "shared" else "")
    return ("tuning", model, result_cache().digest(data), searched)


def tuning_known(model: str, data: Dataset, setting: Setting) -> Tuning | None:
    """The tuning that was looked at last."""
    return result_cache().get((*tuning_key(model, data, setting), search_known(model, data, setting)))


def search_known(model: str, data: Dataset, setting: Setting) -> Search | None:
    """How the tuning that was looked at last was searched."""
    key = tuning_key(model, data, setting)
    return next((one[-1] for one in reversed(result_cache().held()) if one[: len(key)] == key), None)


def tuning(model: str, data: Dataset, setting: Setting, how: Search, work: Work) -> Tuning:
    from stochattn_core.tuning import Budget, tune

    *_, searched = tuning_key(model, data, setting)
    key = (*tuning_key(model, data, setting), how)

    def make() -> Tuning:
        return tune(
            load_model(model),
            data,
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


def tuning_seconds(model: str, data: Dataset, setting: Setting) -> float | None:
    """How long the longest tuning of this kind took, where one was computed by this server."""
    key = tuning_key(model, data, setting)
    return max((seconds for one, seconds in result_cache().seconds.items() if one[: len(key)] == key), default=None)


def _preview_key(model: str, data: Dataset, setting: Setting) -> tuple:
    return ("preview", model, result_cache().digest(data), setting.seed, setting.layers)


def preview_known(model: str, data: Dataset, setting: Setting) -> Preview | None:
    return result_cache().get(_preview_key(model, data, setting))


def preview(model: str, data: Dataset, setting: Setting, work: Work) -> Preview:
    from stochattn_core.tuning import preview as look

    key = _preview_key(model, data, setting)
    make = lambda: look(load_model(model), data, seed=setting.seed, layers=setting.layers, progress=work)  # noqa: E731
    return result_cache().get(key) or _computed(key, work, make)


def of_tuning(tuned: Tuning, *what: str) -> tuple:
    """A key for what follows from a tuning."""
    found = tuned.setting
    return (*what, found.model.name, found.dataset.sha256, found.setting, tuned.objective, tuned.optimum)


def comparison_known(tuned: Tuning) -> Comparison | None:
    return result_cache().get(of_tuning(tuned, "comparison"))


def comparison(data: Dataset, tuned: Tuning, work: Work) -> Comparison:
    """Every correction and every reference beside the tuning."""
    from stochattn_core.compare import compare

    key = of_tuning(tuned, "comparison")
    return result_cache().get(key) or _computed(
        key, work, lambda: compare(load_model(tuned.setting.model.name), data, tuned, progress=work)
    )


def taken(data: Dataset, tuned: Tuning, row: Row, work: Work) -> TunedSetting:
    """The file of a row of the comparison."""
    from stochattn_core.compare.row_export import tuned_setting_of_row as make

    key = of_tuning(tuned, "taken", row.name)
    return result_cache().get(key) or _computed(
        key, work, lambda: make(load_model(tuned.setting.model.name), data, tuned, row, progress=work)
    )


def groups_known(tuned: Tuning, kind: str) -> list[Group] | None:
    return result_cache().get(of_tuning(tuned, "groups", kind))


def groups(tuned: Tuning, kind: str, make: Callable[[Work], list[Group]], work: Work) -> list[Group]:
    """nu* of every group of one kind. make: computes them, where they are not known."""
    key = of_tuning(tuned, "groups", kind)
    return result_cache().get(key) or _computed(key, work, lambda: make(work))


def _computed(key: tuple, work: Work, make: Callable[[], Any]) -> Any:
    with _inference().for_page(work):
        if (known := result_cache().get(key)) is not None:  # another session may have computed it while this one waited
            return known
        started = time.monotonic()
        result = result_cache().put(key, make())
        result_cache().seconds[key] = time.monotonic() - started
        return result
