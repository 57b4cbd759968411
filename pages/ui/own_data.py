"""Data of the user: a file or an address, recognised by its content, then the form for its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui import own_csv, own_grid, state, widgets
from pages.ui.own_csv import OpenedCsv, checked
from pages.ui.own_grid import OpenedGrid
from pages.ui.streamlit_private import UploadedFile
from pages.ui.work import Work, on_thread, refusals
from stochattn_core.datasets.base import Progress
from stochattn_core.readers.file_kinds import is_grid
from stochattn_core.readers.grid.address import file_name_of, is_address, open_address
from stochattn_core.readers.grid.contents import contents_of

LIMIT = (
    "CSV, NetCDF or GRIB, recognised by content, up to 200 MB; for a larger file, give its path. Excel files are not read, and pickle files are "
    "never opened."
)
ADDRESS = (
    "Path: a NetCDF or GRIB file, a Zarr folder or a CSV file on the machine that runs this app. "
    "Address (https://, gs:// or s3://): a public Zarr store, or a public NetCDF or GRIB file of up to 200 MB."
)
STAYS = "Your data is kept until this session ends. Scores, and networks trained on it, stay in the cache folder of the machine that runs this app."
STEPS = (
    (
        "A table, a series or maps",
        "A table has one case per row; the other columns are used to predict the target. A series has a column of times and a column of values. "
        "Maps are fields over time, latitude and longitude.",
    ),
    (
        "Three parts",
        "Training, calibration and test part never overlap. The model is trained on the first, ν is tuned on the second, and scores are from the third. "
        "Series, maps and tables with a column of times are cut in time; other tables are split at random.",
    ),
    (
        "A dataset like the others",
        "It opens on Explore, where its scores stand beside those of reference forecasts. Then tune ν and export the setting.",
    ),
)


def data_form() -> None:
    """Ask for a file or an address, show what it holds, ask for the target; the result is a dataset like the others."""
    left, right = st.columns(2, gap="large")
    with left:
        file = st.file_uploader(
            "CSV, NetCDF or GRIB file", type=None, key="own-file", help=LIMIT, on_change=state.remember, kwargs={"changed": True}
        )
    with right, st.form("own-place", border=False):
        address = st.text_input(
            "Or a path or an address", key="own-address", placeholder="/data/era5.nc or https://host/store.zarr", help=ADDRESS
        )
        is_sent = st.form_submit_button("Open it")
    st.caption(f"{LIMIT} {STAYS}")
    if state.own():
        st.caption(
            "Your datasets in this session: " + ", ".join(data.title for data in state.own().values()) + ". Choose one in the sidebar."
        )
    _open_latest(file, address.strip() if is_sent else "")
    opened: OpenedCsv | OpenedGrid | None = state.remembered("opened")
    if opened is None:
        widgets.steps(STEPS)
        return
    with refusals(stop=False):
        if isinstance(opened, OpenedGrid):
            own_grid.grid_form(opened)
        else:
            own_csv.columns_form(opened)


def _open_latest(file: UploadedFile | None, address: str) -> None:
    """Open the new file or address. If it cannot be opened the page says why in one sentence, and what was open before stays."""
    if state.remembered("changed"):  # False if the page is merely opened again, with an uploader that has forgotten its file
        opened = state.remembered("opened")
        state.remember(changed=False, refused=None, opened=None if file is None and getattr(opened, "upload", False) else opened)
        if file is not None:
            _remember_opened(lambda: opened_file(file))
    if address:
        state.remember(refused=None)
        work = Work(st.empty(), "Opening", key="own", on_stop=lambda: None)
        _remember_opened(lambda: on_thread(work, lambda progress: opened_address(address, progress)))
        work.done()
    if state.remembered("refused"):
        with refusals(stop=False):
            raise ValueError(state.remembered("refused"))


def _remember_opened(make: Callable[[], OpenedCsv | OpenedGrid]) -> None:
    try:
        state.remember(opened=make(), refused=None)
    except ValueError as refusal:
        state.remember(refused=str(refusal))


def opened_file(file: UploadedFile) -> OpenedCsv | OpenedGrid:
    """Open an upload as a grid or a text table, by its content."""
    file.seek(0)
    if is_grid(file.read(8)):
        return OpenedGrid(file.file_id, file, file.name, contents_of(file), upload=True)
    return checked(OpenedCsv(file.file_id, file, file.name, upload=True))


def opened_address(address: str, progress: Progress) -> OpenedCsv | OpenedGrid:
    """Open a path of this machine or an address. Text tables are read from paths only."""
    if is_address(address):
        source = open_address(address, progress)
        return OpenedGrid(address, source, file_name_of(address), contents_of(source))
    try:
        path = Path(os.path.expanduser(address))
        if path.is_file():
            with path.open("rb") as file:
                if not is_grid(file.read(8)):
                    return checked(OpenedCsv(address, path, path.name))
        return OpenedGrid(address, path, path.name, contents_of(path))
    except (OSError, RuntimeError) as error:  # RuntimeError: no user has the name behind ~
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"expected a file or a folder that can be read at {address!r}, got: {reason}; check the path") from error
