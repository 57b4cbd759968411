"""Maps of the user: what the file holds, the choice of variable, level and lead time, and the dataset made from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from pages.ui import state, widgets
from pages.ui.own_csv import own_name
from pages.ui.work import Work, on_thread
from stochattn_core.readers import grid_from_file
from stochattn_core.readers.door.calendars import LeadUnit, day_text
from stochattn_core.readers.grid.cases import DEFAULT, lead_text
from stochattn_core.readers.grid.contents import GridVariable
from stochattn_core.readers.grid.http_store import HttpStore
from stochattn_core.readers.grid.look import is_of, look_grid
from stochattn_core.readers.grid.variables import Choice, value_text
from stochattn_core.readers.look import Look

SHOWN = 30  # variables in the table of contents
NEXT = (
    "Explore first trains a small ClimaX on the training part, which takes minutes on most grids; a bar shows progress and time left, and Stop ends it. "
    "Its inputs are the variable at the init time, the place and the share of land."
)


@dataclass(frozen=True)
class OpenedGrid:
    """A gridded file or store that can be read. key: unique in this session.   source: the argument of grid_from_file."""

    key: str
    source: Path | BinaryIO | HttpStore
    name: str
    variables: tuple[GridVariable, ...]
    upload: bool = False


def grid_form(opened: OpenedGrid) -> None:
    """Show what the file holds and ask for variable, level and lead time; then read the maps and switch to Explore."""
    if opened.name.lower().endswith((".csv", ".txt")):
        st.info(f"{opened.name!r} has the name of a table but is NetCDF by its content, so it is read as maps.", icon=":material/info:")
    _contents(opened)
    usable = {variable.name: variable for variable in opened.variables if not variable.problem}
    if not usable:
        raise ValueError(opened.variables[0].problem)
    left, middle, right = st.columns(3)
    with left:
        variable = usable[st.selectbox("Variable: what is forecast", list(usable), key=f"grid-variable-{opened.key}")]
    chosen: list[float | str | None] = []
    key, others = f"{opened.key}-{variable.name}", iter((middle, right, *st.columns(3)) if len(variable.choices) > 1 else (middle, right))
    for choice in variable.choices:
        with next(others):
            chosen.append(_choice_box(choice, f"grid-{choice.axis}-{key}"))
    with next(others):
        usual = next((i for i, lead in enumerate(variable.leads) if lead >= DEFAULT[variable.lead_unit]), len(variable.leads) - 1)
        lead = st.selectbox(
            "Lead time", variable.leads, index=usual, format_func=lambda lead: lead_text(lead, variable.lead_unit), key=f"grid-lead-{key}"
        )
    named = variable.at(*takewhile(lambda value: value is not None, chosen))
    if None not in chosen:
        _look(opened, named, lead)
    is_sent = st.button("Use it on Explore", type="primary", key="use-grid")
    st.caption(NEXT)
    if is_sent:
        _use(opened, named, lead, variable.lead_unit)


def _choice_box(choice: Choice, key: str) -> float | str | None:
    """Ask for one value of a further axis, such as a level; None as long as there is no choice."""
    return st.selectbox(
        choice.axis.capitalize(),
        choice.values,
        index=None,
        format_func=lambda value: f"{value_text(value)} {choice.units}".rstrip(),
        placeholder=f"Choose a {choice.axis}",
        key=key,
    )


def _contents(opened: OpenedGrid) -> None:
    """Show the variables, and why some of them cannot be forecast."""
    st.markdown(f"**{opened.name}** holds")
    rows = [
        [
            variable.name,
            variable.title or "–",
            variable.units or "–",
            " × ".join(f"{axis} {n:,}" for axis, n in variable.axes),
            _period(variable),
        ]
        for variable in opened.variables[:SHOWN]
    ]
    widgets.table(["variable", "description", "units", "axes", "period"], rows)
    more = len(opened.variables) - SHOWN
    if more > 0:
        st.caption(f"and {more:,} more variables; the list below has those that can be forecast.")
    if any(variable.problem for variable in opened.variables):
        with st.expander("Why some variables cannot be forecast"):
            for variable in opened.variables:
                if variable.problem:
                    st.text(f"{variable.name}: {variable.problem}")


def _look(opened: OpenedGrid, named: str, lead: int) -> None:
    """Show what would be read and forecast, before anything runs."""
    key = (opened.key, named, lead)
    if state.remembered("grid-look-key") != key:
        is_near = not isinstance(opened.source, HttpStore)  # a store on a server may take minutes to send a field
        state.remember(**{"grid-look-key": key, "grid-look": look_grid(opened.source, named, lead_time=lead, with_values=is_near)})
    look: Look = state.remembered("grid-look")
    column = next(column for column in look.columns if is_of(column.name, named))
    if look.problem or column.problem:
        st.caption(widgets.capital(look.problem or column.problem))
        return
    rows = [[label, fact] for label, fact in look.facts]
    if column.first:
        values = [["First values", ", ".join(column.first)], ["Last values", ", ".join(column.last)]]
        rows = [*rows, *values, ["Missing", f"{column.missing:.1%} of these fields"]]
    split = next(place for place, row in enumerate(rows) if row[0] == "train")
    for column_of_page, head, part in zip(
        st.columns(2, gap="large"), ("As recognised", "Split and values"), (rows[:split], rows[split:]), strict=True
    ):
        with column_of_page:
            widgets.table([head, ""], [[widgets.capital(label), text] for label, text in part])
    for note in look.notes:
        st.caption(widgets.capital(note) + ".")


def _period(variable: GridVariable) -> str:
    if variable.problem:
        return "cannot be forecast"
    return f"{day_text(variable.first)} to {day_text(variable.last)}, every {variable.every}"


def _use(opened: OpenedGrid, named: str, lead: int, unit: LeadUnit) -> None:
    stem, ahead = opened.name.rsplit(".", 1)[0], lead_text(lead, unit)
    work = Work(st.empty(), "Reading the maps", key="own", on_stop=lambda: None)
    data = on_thread(
        work,
        lambda progress: grid_from_file(
            opened.source,
            named,
            lead_time=lead,
            name=own_name(stem, named, ahead.replace(" ", "")),
            title=f"{stem}: {named}, {ahead} ahead",
            progress=progress,
        ),
    )
    work.done()
    state.bring(data)
    st.switch_page("pages/explore.py")
