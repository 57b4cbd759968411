"""The settings of a session, what it keeps besides, and the URL that holds them: the only place that touches either."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from pages.ui import cached
from pages.ui.choices import TASKS, Settings, as_text, default, from_text, models, titled, unfolded
from stochattn_core.datasets import DATASETS, planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.models import MODELS

NAMES = tuple(field.name for field in fields(Settings))
RENAMED = {"mend": "correction", "ahead": "prefetch"}  # parameters of older links
N_OWN = 4  # datasets of the user's own that a session keeps


def resolved(page: str) -> Settings:
    """The settings of this run of a page, from its widgets or the URL; from now on the session holds them."""
    settings = _resolve(page)
    st.session_state["settings"] = settings
    for name in NAMES:
        st.session_state[name] = getattr(settings, name)
    return settings


def write_url(settings: Settings) -> None:
    """What differs from the defaults of the task, so that a plain view has a plain address."""
    usual = _settle(default(settings.task))
    url = {} if settings.task == Settings().task else {"task": settings.task}
    url |= {name: as_text(name, getattr(settings, name)) for name in NAMES if getattr(settings, name) != getattr(usual, name)}
    if settings.task == "grid" and not settings.variable:  # only the planet leaves a choice of them
        url = {name: value for name, value in url.items() if name not in ("variable", "lead")}
    st.session_state["url"] = url
    if {name: st.query_params[name] for name in st.query_params} != url:
        st.query_params.from_dict(url)


def dataset(name: str) -> Dataset:
    return own()[name] if name in own() else cached.dataset(name)


def data_of(settings: Settings) -> Dataset:
    """The dataset that the settings choose, with as many forecasts as they ask for."""
    data = dataset(settings.dataset_name)
    return cached.result_cache().part_of(data, settings.forecasts) if settings.task == "grid" else data


def datasets(task: str) -> dict[str, str]:
    """Title by name: the table's, then what this session brought. The planet is one line: variable and lead time are chosen apart."""
    known = {
        name: "Simulated planet" if name == "planet" else titled(entry.title, entry.availability)
        for name, entry in DATASETS.items()
        if entry.task == task and unfolded(name)["dataset"] == name
    }
    return known | {name: f"{data.title} (yours)" for name, data in own().items() if data.task == task}


def own() -> dict[str, Dataset]:
    """What this session brought, by name."""
    return st.session_state.get("own", {})


def bring(data: Dataset) -> None:
    """Keep the user's dataset for this session and choose it."""
    st.session_state["own"] = dict(list((own() | {data.name: data}).items())[-N_OWN:])
    changes = {} if data.task == current().task else {"members": default(data.task).members}
    choose(task=data.task, dataset=data.name, model=next(iter(models(data.task))), lead=0, case=0, variable="", correction="", **changes)


def choose(**changes: Any) -> None:
    """Change settings from code (a button's callback); widgets and URL follow in the next run."""
    st.session_state["settings"] = _settle(replace(current(), **changes))
    st.session_state["chosen"] = True
    remember(problem=None)


def current() -> Settings:
    return st.session_state.get("settings") or _settle(Settings())


def remember(**values: Any) -> None:
    """Remember something of this session that is no setting: a loaded file, a message, what was last shown."""
    st.session_state.update({f"remembered-{name}": value for name, value in values.items()})


def remembered(name: str, default: Any = None) -> Any:
    return st.session_state.get(f"remembered-{name}", default)


def answer(widget: str) -> Any:
    """What a widget that is no setting holds, by its key; None before it was drawn."""
    return st.session_state.get(widget)


def preset(widget: str, value: Any) -> None:
    """What such a widget is to hold when it is drawn next."""
    st.session_state[widget] = value


def stop() -> None:
    """The Stop button: back to what was last shown, or nothing until the user asks again."""
    last: Settings | None = remembered("shown")
    if last is not None and last != current():
        choose(**{name: getattr(last, name) for name in NAMES})
        remember(problem="Stopped. This is what was shown before.")
    else:
        remember(stopped=current())


def guard_stopped(settings: Settings) -> None:
    """After a stop with nothing to show, wait for the user."""
    if remembered("stopped") == settings:
        st.info("Stopped before there was anything to show.")
        st.button("Compute", type="primary", on_click=remember, kwargs={"stopped": None})
        st.stop()


def permalink() -> str:
    """The address of this view: what the browser shows, without what a browser adds."""
    address = (st.context.url or "").split("?")[0].split("#")[0]
    query = urlencode(st.session_state.get("url", {}))
    return f"{address}?{query}" if query else address or "/"


def _resolve(page: str) -> Settings:
    """A widget the user moved wins over the URL; a URL that is not what was written last wins over the session."""
    state = st.session_state
    stored: Settings | None = state.get("settings")
    url = {RENAMED.get(name, name): st.query_params[name] for name in st.query_params if RENAMED.get(name, name) in NAMES}
    same_page = state.get("page") == page
    state["page"] = page
    if stored is None:
        return _from_url(url)
    if state.pop("chosen", False):
        return stored
    moved = {name: state[name] for name in NAMES if state.get(name) is not None and state[name] != getattr(stored, name)}
    if moved:
        remember(problem=None)
        if moved.keys() & {"task", "dataset"}:
            moved = {"lead": 0, "case": 0, "variable": ""} | moved
        if moved.keys() & {"task", "dataset", "model"} or ("nu" in moved and stored.correction.startswith("fractional")):
            moved["correction"] = ""  # its number was fitted to what is left now, or is a concentration itself
        if "grid" in (stored.task, moved.get("task", stored.task)) and "task" in moved:
            moved["members"] = default(str(moved["task"])).members
        return _settle(replace(stored, **moved))
    if url != state.get("url", {}) and (url or same_page):
        return _from_url(url)
    return stored


def _from_url(url: dict[str, str]) -> Settings:
    """Settings of a link; a value that cannot be used is named in one sentence, and its default is taken."""
    problems, task = [], url.get("task")
    if planet.choice_of(url.get("dataset", "")):  # also the names that the command line takes, planet-72h
        url = {name: str(value) for name, value in unfolded(url["dataset"]).items()} | {k: v for k, v in url.items() if k != "dataset"}
    if task is None:  # a model or a dataset tells it
        known = [table[url[name]].task for name, table in (("model", MODELS), ("dataset", DATASETS)) if url.get(name) in table]
        task = next((task for task in known if task in TASKS), None)
    settings = _settle(default(task if task in TASKS else Settings().task))
    for name in sorted(NAMES, key=lambda name: name == "case"):  # how many cases there are depends on all others
        if name not in url:
            continue
        try:
            value = from_text(name, url[name], settings.task, datasets(settings.task), lambda: data_of(settings))  # noqa: B023
            settings = _settle(replace(settings, **{name: value}))
        except ValueError as problem:
            problems.append(f"{name}={url[name][:40]} ({problem}), so {as_text(name, getattr(settings, name)) or 'the default'} is shown")
    remember(problem=f"This link cannot be shown as it is: {'; '.join(problems)}." if problems else None)
    return settings


def _settle(settings: Settings) -> Settings:
    """The nearest settings that exist: a model and a dataset of the task, a lead time and a case of the dataset."""
    names, titles = models(settings.task), datasets(settings.task)
    model = settings.model if settings.model in names else next(iter(names))
    name = settings.dataset if settings.dataset in titles else next(iter(titles))
    settings = replace(settings, model=model, dataset=name, layers=settings.layers.strip() if settings.model == model else "")
    settings = replace(settings, member=min(settings.member, settings.members))
    if settings.correction:  # a fractional concentration says what the whole one is
        settings = replace(settings, nu=float(settings.setting.concentration))
    if name == "planet":
        settings = replace(
            settings,
            variable=settings.variable if settings.variable in planet.VARIABLES else "geopotential_500",
            lead=settings.lead if settings.lead in planet.LEAD_TIMES else 24,
        )
    else:
        settings = replace(settings, variable="")
    if (settings.lead == 0 or settings.variable) and settings.case == 0:
        return settings
    try:
        data = data_of(settings)
    except ValueError:
        return replace(settings, lead=0, case=0)
    leads = data.lead_time if len(data.lead_time) > 1 or settings.variable else ()
    return replace(settings, lead=settings.lead if settings.lead in leads else 0, case=min(settings.case, len(data.test) - 1))
