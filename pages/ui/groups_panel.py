"""ν* by lead time, region and variable, each drawn towards all where it knows little."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from pages.ui import cached, state, widgets
from pages.ui.choices import Settings
from pages.ui.work import Work, refusals
from stochattn_core.datasets import planet
from stochattn_core.datasets.base import Dataset
from stochattn_core.figures.theme import number
from stochattn_core.models import load_model
from stochattn_core.tuning import OBJECTIVES, Tuning
from stochattn_core.tuning.groups import OF_STATISTICS, Group, by_dataset, by_lead_time, by_region, calibration_ensembles

Make = Callable[[Work], list[Group]]


def draw(settings: Settings, data: Dataset, tuned: Tuning) -> None:
    kinds = _kinds(settings, data, tuned)
    if not kinds:
        return
    st.subheader("By group")
    st.markdown(
        f"One ν for all may hide that {' or '.join(f'one {kind}' for kind in kinds)} wants another. Each group is tuned by itself, and drawn towards the mean "
        "of all as far as it knows less than the groups differ."
    )
    if tuned.objective not in OF_STATISTICS:
        st.caption(f"{OBJECTIVES[tuned.objective].title} has no sums by group; the pooled dispersion stands in.")
    with st.container(horizontal=True):
        for kind, (n_search, _) in kinds.items():
            if cached.groups_known(tuned, kind) is None:
                takes = f" ({n_search} searches)" if n_search else ""
                st.button(
                    f"By {kind}{takes}", key=f"group-{kind}", on_click=state.remember, kwargs={"grouping": (cached.key_after(tuned), kind)}
                )
    for kind, (_, make) in kinds.items():
        found = cached.groups_known(tuned, kind)
        if found is None and state.remembered("grouping") == (cached.key_after(tuned), kind):
            work = Work(st.empty(), f"By {kind}", key=f"group-{kind}", on_stop=lambda: state.remember(grouping=None), whole=True)
            with refusals(stop=False):
                found = cached.groups(tuned, kind, make, work)
            work.done()
            state.remember(grouping=None)
            if found is not None:
                st.rerun()  # the files above carry it, and its button goes
        if found is not None:
            _table(kind, found, tuned)


def known(settings: Settings, data: Dataset, tuned: Tuning) -> list[Group]:
    """What was computed by group, for the file."""
    return [one for kind in _kinds(settings, data, tuned) for one in cached.groups_known(tuned, kind) or ()]


def _table(kind: str, found: list[Group], tuned: Tuning) -> None:
    rows = [
        [
            one.name,
            number(one.own),
            f"{number(one.low)} to {number(one.high)}",
            f"{one.weight:.0%}",
            number(one.optimum),
            f"{one.concentration:,}",
        ]
        for one in found
    ]
    widgets.table([kind, "own ν*", "90% interval", "weight of its own", "drawn in", "ν to use"], rows)
    spread = max(one.optimum for one in found) / min(one.optimum for one in found)
    if max(one.weight for one in found) < 0.1:
        said = f"The groups differ no more than chance lets them: one ν, here {tuned.concentration:,}, serves every {kind}."
    else:
        said = f"The groups differ beyond chance: what to use spans a factor of {spread:.2f}; the values are in tuned.json under groups."
    widgets.reading(said)


def _kinds(settings: Settings, data: Dataset, tuned: Tuning) -> dict[str, tuple[int, Make]]:
    """By kind of group: how many searches it takes, and what computes it."""
    objective = tuned.objective if tuned.objective in OF_STATISTICS else "pooled"
    setting, model = tuned.setting.setting, tuned.setting.model.name

    def of_passes(by: Callable, work: Work) -> list[Group]:
        return by(calibration_ensembles(load_model(model), data, tuned, setting, progress=work), objective, seed=setting.seed)

    def of_datasets(kind: str, names: dict[str, str], work: Work) -> list[Group]:
        others = {title: cached.result_cache().part_of(cached.dataset(name), settings.forecasts) for title, name in names.items()}
        return by_dataset(kind, load_model(model), others, setting, objective, progress=work)

    if data.task == "series" and len(data.lead_time) > 1:
        return {"lead time": (0, partial(of_passes, by_lead_time))}
    if data.task != "grid":
        return {}
    kinds: dict[str, tuple[int, Make]] = {"region": (0, partial(of_passes, by_region))}
    if settings.variable:
        leads = {f"{lead} h": planet.name_of(settings.variable, lead) for lead in planet.LEAD_TIMES}
        variables = {planet.variable_title(name): planet.name_of(name, settings.lead) for name in planet.VARIABLES}
        kinds["lead time"] = (len(leads), partial(of_datasets, "lead time", leads))
        kinds["variable"] = (len(variables), partial(of_datasets, "variable", variables))
    return kinds
