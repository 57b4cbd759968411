"""A panel on the page: its figure, the sentence under it, and its numbers as a table and a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from pages.ui import cached, figure, widgets
from pages.ui.work import refusals
from stochattn_core.figures.theme import number
from stochattn_core.panels import Panel, Place, View, shown
from stochattn_core.panels.text import file_part, with_times_as_text

SHORT_TABLE = 16  # rows up to which a table is shown without scrolling


def draw_all(view: View, place: Place) -> None:
    """Draw every panel of a place, one below the other."""
    for panel in shown(view, place):
        draw(panel, view)


def draw(panel: Panel, view: View, *, on_box: Callable[[], None] | None = None) -> None:
    """Draw figure and sentence; a panel without a figure shows its rows. on_box: see figure.draw."""
    with refusals(stop=False):
        drawn = cached.drawn(panel, view)
        if drawn.figure is not None:
            figure.draw(drawn.figure, key=panel.key, on_box=on_box)
        else:
            st.markdown(f"**{panel.title}**")
        if drawn.reading:
            widgets.reading(drawn.reading)
        if drawn.figure is None:
            rows(panel, view)


def side_by_side(panels: Sequence[Panel], view: View, on_box: dict[str, Callable[[], None]] | None = None) -> None:
    """Draw panels two in a row, each with its numbers; a single or wide panel takes the whole width."""
    waiting: list[Panel] = []
    for panel in panels:
        if panel.is_wide:
            _row(waiting, view, on_box or {})
            waiting = []
            _row([panel], view, on_box or {})
        else:
            waiting.append(panel)
            if len(waiting) == 2:
                _row(waiting, view, on_box or {})
                waiting = []
    _row(waiting, view, on_box or {})


def _row(panels: Sequence[Panel], view: View, on_box: dict[str, Callable[[], None]]) -> None:
    if not panels:
        return
    for column, panel in zip(st.columns(len(panels), gap="large"), panels, strict=True):
        with column:
            draw(panel, view, on_box=on_box.get(panel.key))
            if panel.figure is not None:
                numbers_behind(panel, view)


def numbers_behind(panel: Panel, view: View) -> None:
    """Offer the numbers of a figure as a table and a CSV file; they are computed when the user opens them."""
    expander = st.expander("Numbers", key=f"numbers-{panel.key}", on_change="rerun", icon=":material/table_rows:")
    if expander.open:
        with expander, refusals(stop=False):
            rows(panel, view)


def rows(panel: Panel, view: View) -> None:
    """Draw the table of a panel and the button for its CSV file."""
    table = with_times_as_text(cached.rows(panel, view), view.dataset)
    if len(table) <= SHORT_TABLE:
        widgets.table([str(name) for name in table.columns], [[_cell(value) for value in row] for row in table.itertuples(index=False)])
    else:
        st.dataframe(table, hide_index=True, height=min(320, 38 + 35 * len(table)))
    st.download_button(
        "CSV",
        partial(_csv, table),
        _file_name(panel, view),
        "text/csv",
        icon=":material/download:",
        key=f"csv-{panel.key}",
        on_click="ignore",
        type="tertiary",
        help=f"{panel.title}: the numbers as a CSV file.",
    )


def _file_name(panel: Panel, view: View) -> str:
    """scores-timesfm-elnino-3-months.csv: what the numbers are of."""
    model = f"{view.evaluation.model}-" if view.evaluation else ""
    lead = f"-{view.dataset.step.lead_text(view.lead).replace(' ', '-')}" if view.lead else ""
    return f"{panel.key}-{model}{file_part(view.dataset)}{lead}.csv"


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _cell(value: object) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return number(float(value)).replace("-", "−") if isinstance(value, float) else str(value)
