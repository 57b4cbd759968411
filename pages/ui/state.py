"""The settings of a session, other values that it remembers, and the URL: the only module that touches session state or URL."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from pages.ui import cached
from pages.ui.choices import TASKS, Settings, as_text, default, from_text, models, titled, unfolded
from stochattn_core.datasets import DATASETS, planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.metrics.events import DEFAULT_EVENT
from stochattn_core.models import MODELS

NAMES = tuple(field.name for field in fields(Settings))
RENAMED = {"mend": "correction", "ahead": "prefetch"}  # parameters of older links
N_OWN = 4  # datasets of the user in a session


def resolved(page: str) -> Settings:
    """Return the settings of this run of a page, from its widgets or the URL, and store them in the session."""
    settings = _resolve(page)
    st.session_state["settings"] = settings
    for name in NAMES:
        st.session_state[name] = getattr(settings, name)
    return settings


def write_url(settings: Settings) -> None:
    """Write the settings that differ from the defaults of the task into the URL."""
    usual = _settle(default(settings.task))
    url = {} if settings.task == Settings().task else {"task": settings.task}
    url |= {name: as_text(name, getattr(settings, name)) for name in NAMES if getattr(settings, name) != getattr(usual, name)}
    if settings.task == "grid" and not settings.variable:  # only the planet has a choice of variable and lead time
        url = {name: value for name, value in url.items() if name not in ("variable", "lead")}
    st.session_state["url"] = url
    if {name: st.query_params[name] for name in st.query_params} != url:
        st.query_params.from_dict(url)


def dataset(name: str) -> Dataset:
    """Return a dataset of this session, or an embedded one."""
    return own()[name] if name in own() else cached.dataset(name)


def data_of(settings: Settings) -> Dataset:
    """Return the dataset that the settings choose, with the number of forecasts that they choose."""
    data = dataset(settings.dataset_name)
    return cached.result_cache().part_of(data, settings.forecasts) if settings.task == "grid" else data


def datasets(task: str) -> dict[str, str]:
    """Return titles by name: embedded datasets, then those of this session. The planet is one entry; its variable and lead time are settings."""
    known = {
        name: "Simulated planet" if name == "planet" else titled(entry.title, entry.availability)
        for name, entry in DATASETS.items()
        if entry.task == task and unfolded(name)["dataset"] == name
    }
    return known | {name: f"{data.title} (yours)" for name, data in own().items() if data.task == task}


def own() -> dict[str, Dataset]:
    """Return the datasets of this session, by name."""
    return st.session_state.get("own", {})


def bring(data: Dataset) -> None:
    """Add a dataset of the user to this session and choose it."""
    st.session_state["own"] = dict(list((own() | {data.name: data}).items())[-N_OWN:])
    changes = {} if data.task == current().task else {"members": default(data.task).members}
    choose(
        task=data.task,
        dataset=data.name,
        model=next(iter(models(data.task))),
        lead=0,
        case=0,
        variable="",
        correction="",
        event=DEFAULT_EVENT.text,
        **changes,
    )


def choose(**changes: Any) -> None:
    """Change settings from code, such as the callback of a button; widgets and URL follow in the next run."""
    st.session_state["settings"] = _settle(replace(current(), **changes))
    st.session_state["chosen"] = True
    remember(problem=None)


def current() -> Settings:
    """Return the settings of the session."""
    return st.session_state.get("settings") or _settle(Settings())


def remember(**values: Any) -> None:
    """Remember values of this session that are not settings: a loaded file, a message, the view that was shown last."""
    st.session_state.update({f"remembered-{name}": value for name, value in values.items()})


def remembered(name: str, default: Any = None) -> Any:
    """Return a value that `remember` stored, or the default."""
    return st.session_state.get(f"remembered-{name}", default)


def answer(widget: str) -> Any:
    """Return the value of a widget that is not a setting, by its key; None before it is drawn."""
    return st.session_state.get(widget)


def preset(widget: str, value: Any) -> None:
    """Set the value with which such a widget is drawn next."""
    st.session_state[widget] = value


def stop() -> None:
    """The Stop button: go back to the view that was shown last; if there is none, compute nothing until the user asks."""
    last: Settings | None = remembered("shown")
    if last is not None and last != current():
        choose(**{name: getattr(last, name) for name in NAMES})
        remember(problem="Stopped. This is the view from before.")
    else:
        remember(stopped=current())


def guard_stopped(settings: Settings) -> None:
    """End the page after a stop with nothing to show, until the user asks."""
    if remembered("stopped") == settings:
        st.info("Stopped. Nothing is computed for these settings yet.")
        st.button("Compute", type="primary", on_click=remember, kwargs={"stopped": None})
        st.stop()


def permalink() -> str:
    """Return the address of this view without what a browser adds."""
    address = (st.context.url or "").split("?")[0].split("#")[0]
    query = urlencode(st.session_state.get("url", {}))
    return f"{address}?{query}" if query else address or "/"


def _resolve(page: str) -> Settings:
    """Return the settings: a widget that the user moved wins over the URL, and a URL that the app did not write wins over the session."""
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
            moved = {"lead": 0, "case": 0, "variable": "", "event": DEFAULT_EVENT.text} | moved
        if moved.keys() & {"task", "dataset", "model"} or ("nu" in moved and stored.correction.startswith("fractional")):
            moved["correction"] = ""  # its number was fitted to the model and data before, or is a concentration itself
        if "grid" in (stored.task, moved.get("task", stored.task)) and "task" in moved:
            moved["members"] = default(str(moved["task"])).members
        return _settle(replace(stored, **moved))
    if url != state.get("url", {}) and (url or same_page):
        return _from_url(url)
    return stored


def _from_url(url: dict[str, str]) -> Settings:
    """Return the settings of a link; a value that cannot be used is named in one sentence and replaced by its default."""
    problems, task = [], url.get("task")
    if planet.choice_of(url.get("dataset", "")):  # also names of the command line, such as planet-72h
        url = {name: str(value) for name, value in unfolded(url["dataset"]).items()} | {k: v for k, v in url.items() if k != "dataset"}
    if task is None:  # the model or the dataset implies it
        known = [table[url[name]].task for name, table in (("model", MODELS), ("dataset", DATASETS)) if url.get(name) in table]
        task = next((task for task in known if task in TASKS), None)
    settings = _settle(default(task if task in TASKS else Settings().task))
    for name in sorted(NAMES, key=lambda name: name == "case"):  # last, because the number of cases depends on all others
        if name not in url:
            continue
        try:
            value = from_text(name, url[name], settings.task, datasets(settings.task), lambda: data_of(settings))  # noqa: B023
            settings = _settle(replace(settings, **{name: value}))
        except ValueError as problem:
            problems.append(f"{name}={url[name][:40]} ({problem}), so {as_text(name, getattr(settings, name)) or 'the default'} is shown")
    remember(problem=f"Part of this link cannot be used: {'; '.join(problems)}." if problems else None)
    return settings


def _settle(settings: Settings) -> Settings:
    """Return the nearest valid settings: a model and a dataset of the task, a lead time and a case of the dataset."""
    names, titles = models(settings.task), datasets(settings.task)
    model = settings.model if settings.model in names else next(iter(names))
    name = settings.dataset if settings.dataset in titles else next(iter(titles))
    settings = replace(settings, model=model, dataset=name, layers=settings.layers.strip() if settings.model == model else "")
    settings = replace(settings, member=min(settings.member, settings.members))
    if settings.correction:  # a fractional concentration determines the whole one
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
