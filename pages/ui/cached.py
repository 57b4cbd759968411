"""What is known is not computed again: the only st.cache_*, the lock around inference, the shelf of evaluations."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st
from streamlit import runtime
from torch.utils._python_dispatch import TorchDispatchMode

from pages.ui.ahead import Ahead, GiveWay
from pages.ui.choices import Search
from pages.ui.work import Work
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.device import use_half_the_cores
from stochattn_core.evaluate import Evaluation, evaluate, layers_of, network_of
from stochattn_core.forecasts import ensemble_of_case
from stochattn_core.models import load_model
from stochattn_core.settings import Setting

if TYPE_CHECKING:
    from stochattn_core.mends.compare import Comparison, Row
    from stochattn_core.settings import TunedSetting
    from stochattn_core.tuning import Preview, Tuning
    from stochattn_core.tuning.groups import Group

N_KEPT = 64  # evaluations in memory; their members are memory-mapped files, so one costs little
N_BY_CELL = 4  # of them with the sums of every cell of a map, which cost 20 to 100 MB


class Shelf:
    """Results by key, the oldest forgotten first; shared by all sessions of the server."""

    def __init__(self) -> None:
        self.results: OrderedDict[tuple, Any] = OrderedDict()
        self.seconds: dict[tuple, float] = {}  # that long work took, by its key
        self.lock = threading.Lock()
        self.digests: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
        self.parts: WeakKeyDictionary[Dataset, dict[int, Dataset]] = WeakKeyDictionary()

    def get(self, key: tuple) -> Any:
        with self.lock:
            if key in self.results:
                self.results.move_to_end(key)
            return self.results.get(key)

    def put(self, key: tuple, result: Any) -> Any:
        with self.lock:
            self.results[key] = result
            while len(self.results) > N_KEPT:
                self.results.popitem(last=False)
            by_cell = [
                one
                for one in self.results.values()
                if isinstance(one, Evaluation) and one.ensemble.latitude and "statistics" in vars(one.ensemble)
            ]
        for one in by_cell[:-N_BY_CELL]:
            one.ensemble.forget_elements()
        return result

    def held(self) -> list[tuple]:
        with self.lock:
            return list(self.results)


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    return Shelf()


class Inference:
    """One inference at a time, and pages before what is computed ahead of them."""

    def __init__(self) -> None:
        self.lock, self.counter = threading.Lock(), threading.Lock()
        self.n_page = 0  # pages that compute, or wait to

    @contextmanager
    def for_page(self, work: Work) -> Iterator[None]:
        """While it waits it tells so, which also lets Streamlit end the run when the user moves on."""
        self._count(1)
        try:
            while not self.lock.acquire(timeout=0.3):
                work.wait("another session is computing")
            try:
                use_half_the_cores()  # the rest serves pages
                yield
            finally:
                self.lock.release()
        finally:
            self._count(-1)

    @contextmanager
    def ahead_of_pages(self, check: Callable[[], None]) -> Iterator[None]:
        """Raises GiveWay where a page is computing; check is called before every operation and raises it when one wants to."""
        if not self.lock.acquire(blocking=False):
            raise GiveWay
        try:
            use_half_the_cores()
            with _Interruptible(check):
                yield
        finally:
            self.lock.release()

    def wanted(self) -> bool:
        return self.n_page > 0

    def _count(self, change: int) -> None:
        with self.counter:
            self.n_page += change


class _Interruptible(TorchDispatchMode):
    """Calls check before every operation of torch in this thread: one pass of a large model lasts seconds. No number changes by it."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self.check = check

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.check()
        return func(*args, **(kwargs or {}))


@st.cache_resource(show_spinner=False)
def _inference() -> Inference:
    return Inference()


@st.cache_resource(show_spinner=False)
def ahead() -> Ahead:
    """The worker that evaluates what users may choose next."""
    worker = Ahead(wanted=_inference().wanted, alive=_alive)
    worker.start()
    return worker


def _alive(session: str) -> bool:
    """Is a browser still there? The runtime that a test of a page plays has none."""
    return runtime.exists() and runtime.get_instance().is_active_session(session) is True


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


def part_of(data: Dataset, n_case: int) -> Dataset:
    """The dataset with so many cases to tune and to test on, the same object each time; whole for 0."""
    if not n_case:
        return data
    parts = shelf().parts.setdefault(data, {})
    return parts.get(n_case) or parts.setdefault(n_case, thinned(data, n_case))


def digest(data: Dataset) -> str:
    found = shelf().digests.get(data)
    if found is None:
        found = shelf().digests[data] = data.sha256
    return found


def evaluation_key(model: str, data: Dataset, setting: Setting, part: str = "test") -> tuple:
    return ("evaluation", model, digest(data), setting, part)


def evaluation(model: str, data: Dataset, setting: Setting, work: Work, *, part: str = "test") -> Evaluation:
    """One evaluation, from the shelf or computed now with `work` telling how far it is."""
    key = evaluation_key(model, data, setting, part)
    return shelf().get(key) or _computed(key, work, lambda: evaluate(load_model(model), data, setting, part=part, progress=work))


def evaluation_ahead(
    model: str,
    data: Dataset,
    setting: Setting,
    prepare: Callable[[Evaluation], None],
    progress: Callable[[int, int, str], None],
    check: Callable[[], None],
) -> None:
    """One evaluation for the shelf before anybody asks for it, the same bits. prepare: derives what a page needs of it at once."""
    with _inference().ahead_of_pages(check):
        found = evaluate(load_model(model), data, setting, progress=progress)
    check()
    prepare(found)
    if found.ensemble.latitude:
        found.ensemble.forget_elements()
    key = evaluation_key(model, data, setting)
    _ = shelf().get(key) or shelf().put(key, found)


def evaluation_known(model: str, data: Dataset, setting: Setting) -> Evaluation | None:
    return shelf().get(evaluation_key(model, data, setting))


def one_forecast(model: str, data: Dataset, setting: Setting, case: int, work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Members (member, *event) and the plain answer (*event) of one test case: what its evaluation holds, without waiting for the others."""
    entry = load_model(model)
    with _inference().for_page(work):
        network = network_of(entry, data, progress=work)
        found = ensemble_of_case(network, data, setting, case, layers=layers_of(entry, setting))
    return found.members[:, 0], found.plain[0]


def evaluations_known(model: str, data: Dataset, setting: Setting) -> dict[float, Evaluation]:
    """By concentration, what the shelf holds for the same members, seed, layers and mend."""
    same = ("evaluation", model, digest(data))
    known = {
        key[3].concentration: shelf().get(key)
        for key in shelf().held()
        if key[:3] == same and key[4] == "test" and replace(setting, concentration=key[3].concentration) == key[3]
    }
    return {nu: found for nu, found in sorted(known.items()) if found is not None}


def tuning_key(model: str, data: Dataset, setting: Setting) -> tuple:
    """What is tuned: the concentration is sought, and so is what a mend made of it; only shared draws are searched themselves."""
    searched = replace(setting, concentration=1, mend="shared" if setting.mend == "shared" else "")
    return ("tuning", model, digest(data), searched)


def tuning_known(model: str, data: Dataset, setting: Setting) -> Tuning | None:
    """The tuning that was looked at last."""
    return shelf().get((*tuning_key(model, data, setting), search_known(model, data, setting)))


def search_known(model: str, data: Dataset, setting: Setting) -> Search | None:
    """How the tuning that was looked at last was searched."""
    key = tuning_key(model, data, setting)
    return next((one[-1] for one in reversed(shelf().held()) if one[: len(key)] == key), None)


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
            mend=searched.mend,
            budget=Budget(how.passes, how.seconds),
            progress=work,
        )

    return shelf().get(key) or _computed(key, work, make)


def tuning_seconds(model: str, data: Dataset, setting: Setting) -> float | None:
    """How long the longest tuning of this kind took, where one was computed by this server."""
    key = tuning_key(model, data, setting)
    return max((seconds for one, seconds in shelf().seconds.items() if one[: len(key)] == key), default=None)


def _preview_key(model: str, data: Dataset, setting: Setting) -> tuple:
    return ("preview", model, digest(data), setting.seed, setting.layers)


def preview_known(model: str, data: Dataset, setting: Setting) -> Preview | None:
    return shelf().get(_preview_key(model, data, setting))


def preview(model: str, data: Dataset, setting: Setting, work: Work) -> Preview:
    from stochattn_core.tuning import preview as look

    key = _preview_key(model, data, setting)
    make = lambda: look(load_model(model), data, seed=setting.seed, layers=setting.layers, progress=work)  # noqa: E731
    return shelf().get(key) or _computed(key, work, make)


def of_tuning(tuned: Tuning, *what: str) -> tuple:
    """A key for what follows from a tuning."""
    found = tuned.setting
    return (*what, found.model.name, found.dataset.sha256, found.setting, tuned.objective, tuned.optimum)


def comparison_known(tuned: Tuning) -> Comparison | None:
    return shelf().get(of_tuning(tuned, "comparison"))


def comparison(data: Dataset, tuned: Tuning, work: Work) -> Comparison:
    """Every mend and every reference beside the tuning."""
    from stochattn_core.mends.compare import compare

    key = of_tuning(tuned, "comparison")
    return shelf().get(key) or _computed(key, work, lambda: compare(load_model(tuned.setting.model.name), data, tuned, progress=work))


def taken(data: Dataset, tuned: Tuning, row: Row, work: Work) -> TunedSetting:
    """The file of a row of the comparison."""
    from stochattn_core.mends.export import taken as make

    key = of_tuning(tuned, "taken", row.name)
    return shelf().get(key) or _computed(key, work, lambda: make(load_model(tuned.setting.model.name), data, tuned, row, progress=work))


def groups_known(tuned: Tuning, kind: str) -> list[Group] | None:
    return shelf().get(of_tuning(tuned, "groups", kind))


def groups(tuned: Tuning, kind: str, make: Callable[[Work], list[Group]], work: Work) -> list[Group]:
    """nu* of every group of one kind. make: computes them, where they are not known."""
    key = of_tuning(tuned, "groups", kind)
    return shelf().get(key) or _computed(key, work, lambda: make(work))


def _computed(key: tuple, work: Work, make: Callable[[], Any]) -> Any:
    with _inference().for_page(work):
        if (known := shelf().get(key)) is not None:  # another session may have computed it while this one waited
            return known
        started = time.monotonic()
        result = shelf().put(key, make())
        shelf().seconds[key] = time.monotonic() - started
        return result
