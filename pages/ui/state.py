"""Settings, the sidebar that chooses them, and the URL that holds them: the only place that touches session state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.ui import cached, look
from stochattn_core.datasets import DATASETS
from stochattn_core.datasets.base import Dataset
from stochattn_core.models import MODELS
from stochattn_core.settings import Setting

TASKS = {"series": "Time series", "table": "Table"}
MEMBERS = (9, 19, 49, 99)  # M + 1 is a multiple of 10, so that ranks fall evenly into the bins of a histogram
GRID: tuple[float, ...] = (*sorted({round(2 ** (i / 2)) for i in range(25)}), math.inf)
OWN = "own-"  # names of datasets that this session brought
N_OWN = 4  # of them are kept


@dataclass(frozen=True)
class Settings:
    """Everything a page needs to know. lead is 0 for all lead times, else one of the dataset's; case is a position in the test part."""

    task: str = "series"
    model: str = ""
    dataset: str = ""
    lead: int = 0
    members: int = 49
    nu: float = 64
    seed: int = 0
    layers: str = ""
    case: int = 0

    @property
    def concentration(self) -> int | float:
        return math.inf if math.isinf(self.nu) else int(self.nu)

    @property
    def setting(self) -> Setting:
        return Setting(self.concentration, self.members, self.seed, self.layers)


def nu_text(nu: float) -> str:
    return "inf" if math.isinf(nu) else str(int(nu))


def models(task: str) -> dict[str, Any]:
    return {name: model for name, model in MODELS.items() if model.task == task}


def datasets(task: str) -> dict[str, str]:
    """Title by name: the table's, then what this session brought."""
    known = {name: _titled(entry.title, entry.availability) for name, entry in DATASETS.items() if entry.task == task}
    return known | {name: f"{data.title} (yours)" for name, data in own().items() if data.task == task}


def dataset(name: str) -> Dataset:
    return own()[name] if name in own() else cached.dataset(name)


def bring(data: Dataset) -> None:
    """Keep the user's dataset for this session and choose it."""
    st.session_state["own"] = dict(list((own() | {data.name: data}).items())[-N_OWN:])
    choose(task=data.task, dataset=data.name, model=next(iter(models(data.task))), lead=0, case=0)


def choose(**changes: Any) -> None:
    """Change settings from code (a button's callback); widgets and URL follow in the next run."""
    st.session_state["settings"] = _settle(replace(current(), **changes))
    st.session_state["chosen"] = True


def current() -> Settings:
    return st.session_state.get("settings") or _settle(Settings())


def keep(**values: Any) -> None:
    """Remember something of this session that is no setting: a loaded file, a message, what was last shown."""
    st.session_state.update({f"kept-{name}": value for name, value in values.items()})


def kept(name: str, default: Any = None) -> Any:
    return st.session_state.get(f"kept-{name}", default)


def begin(page: str) -> Settings:
    """The first line of every page: look, settings from widgets or URL, the sidebar, one sentence on what was wrong in the URL."""
    _route()
    look.style()
    settings = _resolve(page)
    st.session_state["settings"] = settings
    for field in fields(Settings):
        st.session_state[field.name] = getattr(settings, field.name)
    with st.sidebar:
        _draw(settings)
    _write_url(settings)
    if kept("problem"):
        st.warning(kept("problem"), icon=":material/link_off:")
    return settings


def _route() -> None:
    """A fresh server whose first request is for a page lists the files of pages/ itself and never runs app.py: send it there."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def slider_options(*extra: float) -> list[float]:
    """The grid of the slider, with values beside the grid that must be reachable (the chosen one, nu*)."""
    return sorted({*GRID, current().nu, *extra})


def slider_position(nu: float, options: list[float]) -> float:
    """Where a concentration lies along the slider, in options from the left end; between two options by its logarithm."""
    finite = [option for option in options if math.isfinite(option)]
    if not math.isfinite(nu) or nu >= finite[-1]:
        return float(len(finite) if not math.isfinite(nu) else len(finite) - 1)
    above = next(i for i, option in enumerate(finite) if option > nu)
    left, right = math.log(finite[above - 1]), math.log(finite[above])
    return above - 1 + (math.log(max(nu, finite[above - 1])) - left) / (right - left)


def concentration_slider(options: list[float]) -> None:
    st.select_slider(
        "Concentration ν: draws per attention row",
        options=options,
        format_func=lambda nu: "∞ plain model" if math.isinf(nu) else f"{nu:,.0f}",
        key="nu",
        label_visibility="collapsed",
        help="Few draws make the members differ more: the ensemble widens. Infinity is the plain model.",
    )


def case_picker(label: str, options: int, describe: Callable[[int], str]) -> None:
    st.selectbox(label, range(options), format_func=describe, key="case")


def stop() -> None:
    """The Stop button: back to what was last shown, or nothing until the user asks again."""
    last: Settings | None = kept("shown")
    if last is not None:
        choose(**{field.name: getattr(last, field.name) for field in fields(Settings)})
        keep(problem="Stopped. This is what was shown before; nothing of it is lost.")
    else:
        keep(stopped=current())


def guard_stopped(settings: Settings) -> None:
    """After a stop with nothing to show, wait for the user."""
    if kept("stopped") == settings:
        st.info("Stopped before there was anything to show.")
        st.button("Compute", type="primary", on_click=keep, kwargs={"stopped": None})
        st.stop()


def own() -> dict[str, Dataset]:
    """What this session brought, by name."""
    return st.session_state.get("own", {})


def _titled(title: str, need: str) -> str:
    return title if need == "embedded" else f"{title} · {need}"


def _draw(settings: Settings) -> None:
    st.segmented_control("Task", list(TASKS), format_func=TASKS.get, key="task", required=True, width="stretch")
    names = models(settings.task)
    st.selectbox("Model", list(names), format_func=lambda name: _titled(names[name].title, names[name].need), key="model")
    titles = datasets(settings.task)
    st.selectbox("Dataset", list(titles), format_func=titles.get, key="dataset")
    data = dataset(settings.dataset)
    if data.lead_time:
        st.selectbox("Lead time", [0, *data.lead_time], format_func=lambda lead: lead_text(lead, data), key="lead")
    st.segmented_control("Members", MEMBERS, key="members", required=True, width="stretch", help="How many forecasts make the ensemble.")
    with st.expander("Layers and seed"):
        st.text_input(
            "Layers",
            key="layers",
            placeholder=MODELS[settings.model].layers,
            help="Which attention layers are sampled: a pattern over module names, * for all.",
        )
        st.number_input("Seed", 0, 2**31 - 1, key="seed", help="The same seed gives the same members.")


def lead_text(lead: int, data: Dataset) -> str:
    unit = f" {data.lead_unit}" if data.lead_unit else ""
    plural = "s" if data.lead_unit else ""
    if not lead:
        return f"lead times {data.lead_time[0]} to {data.lead_time[-1]}{unit}{plural}"
    return f"lead time {lead}{unit}{plural if lead > 1 else ''}"


def permalink() -> str:
    """The address of this view: what the browser shows, without what a browser adds."""
    address = (st.context.url or "").split("?")[0].split("#")[0]
    query = urlencode(st.session_state.get("url", {}))
    return f"{address}?{query}" if query else address or "/"


def _resolve(page: str) -> Settings:
    """A widget the user moved wins over the URL, a URL that is not what was written last wins over the session."""
    state = st.session_state
    stored: Settings | None = state.get("settings")
    url = {name: st.query_params[name] for name in st.query_params if name in _PARSERS}
    same_page = state.get("page") == page
    state["page"] = page
    if stored is None:
        return _from_url(url, Settings())
    if state.pop("chosen", False):
        return stored
    moved = {f.name: state[f.name] for f in fields(Settings) if f.name in state and state[f.name] != getattr(stored, f.name)}
    moved = {name: value for name, value in moved.items() if value is not None}
    if moved:
        keep(problem=None)
        if moved.keys() & {"task", "model", "dataset"}:
            moved.setdefault("lead", 0)
            moved.setdefault("case", 0)
        return _settle(replace(stored, **moved))
    if url != state.get("url", {}) and (url or same_page):
        return _from_url(url, Settings())
    return stored


def _from_url(url: Mapping[str, str], settings: Settings) -> Settings:
    """Settings of a link; a value that cannot be used is named in one sentence, and its default is taken."""
    problems = []
    for name in ("model", "dataset"):  # a link may leave out the task
        table = {"model": MODELS, "dataset": DATASETS}[name]
        if "task" not in url and url.get(name) in table:
            settings = replace(settings, task=table[url[name]].task)
    if settings.task not in TASKS:
        settings = replace(settings, task="series")
    for name in ("task", *(key for key in _PARSERS if key != "task")):
        if name not in url:
            settings = _settle(settings)
            continue
        try:
            settings = _settle(replace(settings, **{name: _PARSERS[name](url[name], settings)}))
        except ValueError as problem:
            settings = _settle(settings)
            problems.append(f"{name}={url[name][:40]} ({problem}), showing {_shown(name, settings)}")
    keep(problem=f"The link asks for what cannot be shown: {'; '.join(problems)}." if problems else None)
    return settings


def _shown(name: str, settings: Settings) -> str:
    value = getattr(settings, name)
    return nu_text(value) if name == "nu" else str(value)


def _settle(settings: Settings) -> Settings:
    """The nearest settings that exist: a model and a dataset of the task, a lead time and a case of the dataset."""
    names, titles = models(settings.task), datasets(settings.task)
    model = settings.model if settings.model in names else next(iter(names))
    name = settings.dataset if settings.dataset in titles else next(iter(titles))
    settings = replace(settings, model=model, dataset=name, layers=settings.layers.strip() if settings.model == model else "")
    if settings.lead == 0 and settings.case == 0:
        return settings
    data = dataset(name)
    return replace(settings, lead=settings.lead if settings.lead in data.lead_time else 0, case=min(settings.case, len(data.test) - 1))


def _write_url(settings: Settings) -> None:
    default = _settle(Settings(task=settings.task))
    url = {f.name: getattr(settings, f.name) for f in fields(Settings) if getattr(settings, f.name) != getattr(default, f.name)}
    url = {name: nu_text(value) if name == "nu" else str(value) for name, value in url.items()}
    if settings.task != Settings().task:
        url = {"task": settings.task} | url
    st.session_state["url"] = url
    if {name: st.query_params[name] for name in st.query_params} != url:
        st.query_params.from_dict(url)


def _one_of(options: Callable[[Settings], Any], what: str) -> Callable[[str, Settings], str]:
    def parse(text: str, settings: Settings) -> str:
        known = options(settings)
        if text in known:
            return text
        if text.startswith(OWN):
            raise ValueError("a file brought in another session; bring it again")
        raise ValueError(f"expected {what}: {', '.join(known)}")

    return parse


def _whole(low: int, high: int) -> Callable[[str, Settings], int]:
    def parse(text: str, settings: Settings) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 12 or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def _nu(text: str, settings: Settings) -> float:
    if text == "inf":
        return math.inf
    try:
        return float(_whole(1, 4096)(text, settings))
    except ValueError:
        raise ValueError("expected a whole number from 1 to 4096, or inf") from None


def _lead(text: str, settings: Settings) -> int:
    lead_time = dataset(settings.dataset).lead_time
    if text.isdigit() and len(text) < 9 and (int(text) in lead_time or int(text) == 0):
        return int(text)
    raise ValueError(
        f"expected a lead time of this dataset, {lead_time[0]} to {lead_time[-1]}" if lead_time else "a table has no lead time"
    )


def _members(text: str, settings: Settings) -> int:
    return int(_one_of(lambda _: [str(m) for m in MEMBERS], "one of")(text, settings))


def _case(text: str, settings: Settings) -> int:
    return _whole(0, len(dataset(settings.dataset).test) - 1)(text, settings)


def _layers(text: str, settings: Settings) -> str:
    if len(text) > 200:
        raise ValueError("expected a pattern over module names, such as *")
    return text.strip()


_PARSERS: dict[str, Callable[[str, Settings], Any]] = {
    "task": _one_of(lambda _: TASKS, "one of"),
    "model": _one_of(lambda settings: models(settings.task), "a model of this task"),
    "dataset": _one_of(lambda settings: datasets(settings.task), "a dataset of this task"),
    "lead": _lead,
    "members": _members,
    "nu": _nu,
    "seed": _whole(0, 2**31 - 1),
    "layers": _layers,
    "case": _case,
}
