"""ν* by lead time, region and variable; an uncertain group is moved towards the mean of all groups."""

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
    st.subheader("ν* by group")
    st.markdown(
        f"One ν may not suit every {' and every '.join(kinds)}. Each group is tuned by itself. Its ν* is then moved towards the mean of all groups, "
        "and more so where its own ν* is uncertain (shrinkage)."
    )
    if tuned.objective not in OF_STATISTICS:
        st.caption(f"{OBJECTIVES[tuned.objective].title} cannot be computed by group, so the pooled dispersion is used here.")
    with st.container(horizontal=True):
        for kind, (n_search, _) in kinds.items():
            if cached.groups_known(tuned, kind) is None:
                takes = f" ({n_search} searches)" if n_search else ""
                st.button(
                    f"By {kind}{takes}", key=f"group-{kind}", on_click=state.remember, kwargs={"grouping": (cached.key_after(tuned), kind)}
                )
    for kind, (_, make) in kinds.items():
        groups = cached.groups_known(tuned, kind)
        if groups is None and state.remembered("grouping") == (cached.key_after(tuned), kind):
            work = Work(st.empty(), f"By {kind}", key=f"group-{kind}", on_stop=lambda: state.remember(grouping=None), whole=True)
            with refusals(stop=False):
                groups = cached.groups(tuned, kind, make, work)
            work.done()
            state.remember(grouping=None)
            if groups is not None:
                st.rerun()  # so that the exported file holds them and the button disappears
        if groups is not None:
            _table(kind, groups, tuned)


def known(settings: Settings, data: Dataset, tuned: Tuning) -> list[Group]:
    """Return all groups that were computed, for the exported file."""
    return [group for kind in _kinds(settings, data, tuned) for group in cached.groups_known(tuned, kind) or ()]


def _table(kind: str, groups: list[Group], tuned: Tuning) -> None:
    rows = [
        [
            group.name,
            number(group.own),
            f"{number(group.low)} to {number(group.high)}",
            f"{group.weight:.0%}",
            number(group.optimum),
            f"{group.concentration:,}",
        ]
        for group in groups
    ]
    widgets.table([kind, "ν* of the group", "90% interval", "weight of the group", "ν* after shrinkage", "ν to use"], rows)
    factor = max(group.optimum for group in groups) / min(group.optimum for group in groups)
    if max(group.weight for group in groups) < 0.1:
        sentence = f"There is no evidence that the groups differ: one ν, here {tuned.concentration:,}, can be used for every {kind}."
    else:
        sentence = f"The groups seem to differ: the ν to use spans a factor of {factor:.2f}. tuned.json holds the values under groups."
    widgets.reading(sentence)


def _kinds(settings: Settings, data: Dataset, tuned: Tuning) -> dict[str, tuple[int, Make]]:
    """Return, by kind of group, how many searches it takes and the function that computes its groups."""
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
