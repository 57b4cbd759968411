"""Data of the user's own: a file or an address, opened by its content, then the form of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui import own_csv, own_grid, state, widgets
from pages.ui.own_csv import OpenedCsv, first_rows
from pages.ui.own_grid import OpenedGrid
from pages.ui.streamlit_private import UploadedFile
from pages.ui.work import Work, patiently, refusals
from stochattn_core.datasets.base import Progress
from stochattn_core.readers.file_kinds import is_grid
from stochattn_core.readers.grid_address import file_name_of as name_of
from stochattn_core.readers.grid_address import is_address
from stochattn_core.readers.grid_address import open_address as located
from stochattn_core.readers.grid_contents import contents_of

LIMIT = "CSV or NetCDF, told apart by what is in it. Up to 200 MB; for more, give its path. No Excel, and a pickle is never opened."
ADDRESS = (
    "A path is one on the machine that runs this app, so on yours only where you started it yourself: a NetCDF file, a Zarr folder, a CSV file. "
    "An address is that of a NetCDF file (up to 200 MB) or a Zarr store that anybody may read: https://, gs:// or s3://."
)
STAYS = "What you bring stays in this session and ends with it. Scores and networks trained on it stay in the cache folder of the machine that runs this app."
STEPS = (
    (
        "A table, a series or maps",
        "A table has one row a case: every other column helps to forecast the target. A series has a column of times and one of values. Maps are fields "
        "over time, latitude and longitude.",
    ),
    (
        "Three parts",
        "Never overlapping: the model is trained on the first, ν tuned on the second, every number shown is from the third. Series and maps are cut in time.",
    ),
    (
        "A dataset like the others",
        "It opens on Explore, with its scores beside those of forecasts that need no network; then tune it and take the file home.",
    ),
)


def data_form() -> None:
    """A file or an address, what it holds, what is to be forecast: then it is a dataset like the others."""
    left, right = st.columns(2, gap="large")
    with left:
        file = st.file_uploader(
            "CSV or NetCDF file", type=None, key="own-file", help=LIMIT, on_change=state.remember, kwargs={"changed": True}
        )
    with right, st.form("own-place", border=False):
        address = st.text_input("Or an address", key="own-address", placeholder="/data/era5.nc or https://host/store.zarr", help=ADDRESS)
        sent = st.form_submit_button("Open it")
    st.caption(f"{LIMIT} {STAYS}")
    if state.own():
        st.caption("Brought in this session: " + ", ".join(data.title for data in state.own().values()) + ". Choose it in the sidebar.")
    _open_latest(file, address.strip() if sent else "")
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
    """The file or the address that is new. One that cannot be opened is one sentence, and what was open before stays."""
    if state.remembered("changed"):  # not where the page is only opened again, with an uploader that has forgotten its file
        opened = state.remembered("opened")
        state.remember(changed=False, refused=None, opened=None if file is None and getattr(opened, "upload", False) else opened)
        if file is not None:
            _keep(lambda: opened_file(file))
    if address:
        state.remember(refused=None)
        work = Work(st.empty(), "Opening it", key="own", on_stop=lambda: None)
        _keep(lambda: patiently(work, lambda progress: opened_address(address, progress)))
        work.done()
    if state.remembered("refused"):
        with refusals(stop=False):
            raise ValueError(state.remembered("refused"))


def _keep(make: Callable[[], OpenedCsv | OpenedGrid]) -> None:
    try:
        state.remember(opened=make(), refused=None)
    except ValueError as refusal:
        state.remember(refused=str(refusal))


def opened_file(file: UploadedFile) -> OpenedCsv | OpenedGrid:
    """An upload, by its content: a grid or a text table."""
    file.seek(0)
    if is_grid(file.read(8)):
        return OpenedGrid(file.file_id, file, file.name, contents_of(file), upload=True)
    return OpenedCsv(file.file_id, file, file.name, first_rows(file), upload=True)


def opened_address(address: str, progress: Progress) -> OpenedCsv | OpenedGrid:
    """What lies at a path of this machine or at an address. A text table is read at a path only."""
    if is_address(address):
        source = located(address, progress)
        return OpenedGrid(address, source, name_of(address), contents_of(source))
    try:
        path = Path(address).expanduser()
        if path.is_file():
            with path.open("rb") as file:
                if not is_grid(file.read(8)):
                    return OpenedCsv(address, path, path.name, first_rows(path))
        return OpenedGrid(address, path, path.name, contents_of(path))
    except OSError as error:
        raise ValueError(f"expected a file or a folder that can be read at {address!r}, got: {error.strerror}; check the path") from error
