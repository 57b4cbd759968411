"""What is known is not computed again: the only st.cache_*, the lock around inference, the shelf of evaluations."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st
import torch

from pages.ui.work import Work
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Dataset, thinned
from stochattn_core.device import use_half_the_cores
from stochattn_core.ensemble import sample_ensemble
from stochattn_core.evaluate import Evaluation, evaluate, network_of
from stochattn_core.models import load_model
from stochattn_core.settings import Setting

if TYPE_CHECKING:
    from stochattn_core.tuning import Tuning

N_KEPT = 64  # evaluations in memory; their members are memory-mapped files, so one costs little
N_BY_CELL = 4  # of them with the sums of every cell of a map, which cost 20 to 100 MB


class Shelf:
    """Results by key, the oldest forgotten first; shared by all sessions of the server."""

    def __init__(self) -> None:
        self.results: OrderedDict[tuple, Any] = OrderedDict()
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
            grids = [one for one in self.results.values() if isinstance(one, Evaluation) and one.ensemble.latitude]
        for one in grids[:-N_BY_CELL]:
            one.ensemble.forget_elements()
        return result

    def held(self) -> list[tuple]:
        with self.lock:
            return list(self.results)


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    return Shelf()


@st.cache_resource(show_spinner=False)
def _inference() -> threading.Lock:
    return threading.Lock()


@st.cache_resource(show_spinner="Reading the data")
def dataset(name: str) -> Dataset:
    return load_dataset(name)


@st.cache_data(show_spinner=False, max_entries=400)
def remembered(key: tuple, _make: Callable[[], Any]) -> Any:
    """What a page derives from an evaluation (figures, bands by bootstrap): key names the evaluation and the derivation."""
    return _make()


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


def evaluation_known(model: str, data: Dataset, setting: Setting) -> Evaluation | None:
    return shelf().get(evaluation_key(model, data, setting))


def one_forecast(model: str, data: Dataset, setting: Setting, case: int, work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Members (member, *event) and the plain answer (*event) of one test case: what its evaluation holds, without waiting for the others."""
    entry = load_model(model)
    with _one_at_a_time(work):
        network = network_of(entry, data, progress=work)
        inputs = data.test.inputs[case : case + 1].to(next(network.parameters()).device)
        with torch.no_grad():
            plain = network(inputs)
        layers = setting.layers or entry.layers
        members = sample_ensemble(
            network,
            inputs,
            concentration=setting.concentration,
            n_member=setting.n_member,
            seed=setting.seed,
            layers=layers,
            first_case=case,
        )
    return members[:, 0].cpu().numpy(), plain[0].cpu().numpy()


def evaluations_known(model: str, data: Dataset, setting: Setting) -> dict[float, Evaluation]:
    """By concentration, what the shelf holds for the same members, seed and layers."""
    same = ("evaluation", model, digest(data))
    known = {
        key[3].concentration: shelf().get(key)
        for key in shelf().held()
        if key[:3] == same
        and key[4] == "test"
        and (key[3].n_member, key[3].seed, key[3].layers) == (setting.n_member, setting.seed, setting.layers)
    }
    return {nu: found for nu, found in sorted(known.items()) if found is not None}


def tuning_key(model: str, data: Dataset, setting: Setting) -> tuple:
    return ("tuning", model, digest(data), setting.n_member, setting.seed, setting.layers)


def tuning_known(model: str, data: Dataset, setting: Setting) -> Tuning | None:
    return shelf().get(tuning_key(model, data, setting))


def tuning(model: str, data: Dataset, setting: Setting, work: Work) -> Tuning:
    from stochattn_core.tuning import tune

    key = tuning_key(model, data, setting)
    make = lambda: tune(load_model(model), data, n_member=setting.n_member, seed=setting.seed, layers=setting.layers, progress=work)  # noqa: E731
    return shelf().get(key) or _computed(key, work, make)


def _computed(key: tuple, work: Work, make: Callable[[], Any]) -> Any:
    with _one_at_a_time(work):
        return shelf().get(key) or shelf().put(key, make())  # another session may have computed it while this one waited


@contextmanager
def _one_at_a_time(work: Work) -> Iterator[None]:
    """The lock around inference. While it waits it tells so, which also lets Streamlit end the run when the user moves on."""
    lock = _inference()
    while not lock.acquire(timeout=0.3):
        work.wait("another session is computing")
    use_half_the_cores()  # the rest serves pages
    try:
        yield
    finally:
        lock.release()
