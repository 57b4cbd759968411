"""The page Bring your own: files and addresses open by their content, bad ones are one sentence, and what was there stays."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import own_data
from pages.ui.work import Work, on_thread
from stochattn_core.readers.grid import address as grid_address
from tests.app import html, opened, upload
from tests.test_bad_grids import two_time_axes, units, with_levels, without
from tests.test_grids import fields, saved

CSV = b"when,sales\n" + b"".join(b"20%02d-%02d-01,%d\n" % (i // 12, i % 12 + 1, i) for i in range(60))


def content(dataset, tmp_path: Path) -> bytes:
    return saved(dataset, tmp_path).read_bytes()


def bring() -> AppTest:
    return opened("bring")


def addressed(test: AppTest, address: str) -> AppTest:
    test.text_input(key="own-address").set_value(address)
    return next(button for button in test.button if button.label == "Open it").click().run()


def used(test: AppTest) -> AppTest:
    return test.button(key="use-grid").click().run()


def labels(test: AppTest) -> dict:
    return {box.label: box for box in test.main.selectbox}


def said(test: AppTest) -> str:
    assert not test.exception
    (error,) = test.error
    assert "\n" not in error.value and "Traceback" not in error.value
    return error.value


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    """The page that follows is another test's: here it is enough that the dataset was brought."""
    monkeypatch.setattr("pages.ui.own_grid.st.switch_page", lambda page: None)


def test_a_netcdf_upload_shows_its_variables_and_becomes_a_dataset(tmp_path):
    test = bring()
    upload(test, "own-file", "my grid.nc", content(with_levels().assign(u=fields().t), tmp_path))
    assert not test.exception and not test.error
    assert "time 240" in html(test) and "2020-01-01 to 2020-02-29, every 6 h" in html(test) and "level 2" in html(test)
    labels(test)["Variable: what is forecast"].set_value("t").run()
    labels(test)["Level"].set_value(850.0).run()
    labels(test)["Lead time"].set_value(12).run()
    used(test)
    assert not test.exception and not test.error
    (data,) = test.session_state["own"].values()
    assert (data.name, data.task, data.target_name, data.lead_time) == ("own-my-grid-t-850-12h", "grid", "t_850", (12,))
    assert test.session_state["settings"].dataset == data.name and test.session_state["settings"].model == "climax"
    test.run()
    assert any(data.title in caption.value for caption in test.caption)


def test_content_counts_and_not_the_name(tmp_path):
    test = bring()
    upload(test, "own-file", "sales.nc", CSV)
    assert not test.exception and not test.error
    assert labels(test)["Times"].value == "when" and "text by its content" in test.info[0].value
    upload(test, "own-file", "grid.csv", content(fields(), tmp_path))
    assert not test.exception and not test.error
    assert labels(test)["Variable: what is forecast"].value == "t" and "NetCDF by its content" in test.info[0].value


AT_ONCE = {
    "no latitude": (without("latitude"), "Expected an axis of latitude for 't'"),
    "two time axes": (two_time_axes, "Expected one time axis for 't'"),
    "one time": (lambda: fields(1), "Expected at least 60 times"),
    "monthly means": (lambda: fields(50, step="MS"), "Expected at least 60 times"),
}
WHEN_READ = {
    "no level chosen": (with_levels, "choose one level"),
    "all NaN": (lambda: fields() * float("nan"), "every value is missing"),
    "Kelvin as Celsius": (units("degC"), "which look like kelvin"),
}


@pytest.mark.parametrize("kind", AT_ONCE)
def test_a_grid_without_anything_to_forecast_is_one_sentence_at_once(kind, tmp_path):
    make, sentence = AT_ONCE[kind]
    test = bring()
    upload(test, "own-file", "grid.nc", content(make(), tmp_path))
    assert sentence in said(test) and "cannot be forecast" in html(test)


@pytest.mark.parametrize("kind", WHEN_READ)
def test_a_bad_grid_is_one_sentence_when_it_is_read_and_what_was_brought_stays(kind, tmp_path):
    make, sentence = WHEN_READ[kind]
    test = bring()
    upload(test, "own-file", "good.nc", content(fields(), tmp_path))
    used(test)
    before = dict(test.session_state["own"])
    upload(test, "own-file", "bad.nc", content(make(), tmp_path))
    assert not test.error
    used(test)
    assert sentence in said(test)
    assert dict(test.session_state["own"]) == before and len(before) == 1


NO_GRIDS = {
    "truncated": (lambda whole: whole[: len(whole) // 2], "damaged or incomplete"),
    "GRIB": (lambda whole: b"GRIB" + bytes(60), "the file is damaged or incomplete"),
    "nothing": (lambda whole: b"", "0 bytes"),
    "pickle": (lambda whole: b"\x80\x04\x95" + bytes(60), "never opened"),
    "prose": (lambda whole: b"Dear sir, this is no grid.\nYours,\nme\n", "Expected"),
}


@pytest.mark.parametrize("kind", NO_GRIDS)
def test_a_file_that_cannot_be_opened_leaves_the_one_before(kind, tmp_path):
    make, sentence = NO_GRIDS[kind]
    test = bring()
    whole = content(fields(), tmp_path)
    upload(test, "own-file", "good.nc", whole)
    upload(test, "own-file", "grid.nc", make(whole))
    if kind == "prose":
        assert "text by its content" in test.info[0].value
        assert sentence in said(test) and next(button for button in test.button if button.label == "Use it on Explore").disabled
        return
    assert sentence in said(test)
    assert "good.nc" in " ".join(mark.value for mark in test.markdown) and labels(test)["Lead time"].value == 24
    test.run()
    assert sentence in said(test)


def test_a_path_opens_and_a_wrong_one_is_one_sentence(tmp_path):
    test = addressed(bring(), str(saved(fields(), tmp_path)))
    assert not test.exception and not test.error and "time 240" in html(test)
    addressed(test, str(tmp_path / "none.nc"))
    assert "found nothing there; check the path" in said(test) and "time 240" in html(test)
    addressed(test, str(tmp_path))
    assert "Expected a Zarr store, the folder" in said(test)
    fields(200).to_zarr(tmp_path / "a.zarr", zarr_format=2)
    addressed(test, str(tmp_path / "a.zarr"))
    assert not test.error and "time 200" in html(test)
    (tmp_path / "sales.csv").write_bytes(CSV)
    addressed(test, str(tmp_path / "sales.csv"))
    assert not test.error and labels(test)["Times"].value == "when"
    addressed(test, "x" * 5000)
    assert "check the path" in said(test)


def test_an_address_that_gives_no_answer_ends_in_a_sentence(monkeypatch):
    monkeypatch.setattr(grid_address, "TIMEOUT", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        test = addressed(bring(), f"http://127.0.0.1:{silent.getsockname()[1]}/a.zarr")
    assert "got no answer (TimeoutError)" in said(test)


def test_waiting_ends_with_the_run_and_so_does_the_work():
    """A run that is ended while it waits lets the work go, which stops at its next progress."""
    ended, drawn = threading.Event(), []

    def make(progress):
        try:
            while True:
                progress(1, 2, "reading")
                time.sleep(0.01)
        finally:
            ended.set()

    class Ends(Work):
        def _draw(self, share, text):
            drawn.append(text)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_thread(Ends(None, "Opening it", key="", on_stop=print), make)
    assert ended.wait(5) and "reading" in drawn[0]
    with pytest.raises(ValueError, match="as it was"):
        on_thread(Work(None, "", key="", on_stop=print), lambda progress: (_ for _ in ()).throw(ValueError("as it was")))


def test_the_page_says_where_things_stay():
    test = bring()
    assert any(own_data.STAYS in caption.value for caption in test.caption)


def test_era5_without_a_network_is_one_sentence_and_the_page_stays_usable(monkeypatch, tmp_path):
    monkeypatch.setattr(grid_address, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    test = opened("explore", task="grid", dataset="era5")
    assert "Expected to fetch ERA5" in said(test) and "connect to the internet" in said(test)
    assert test.selectbox(key="dataset").value == "era5"
    test.selectbox(key="dataset").set_value("planet").run()
    assert not test.exception and not test.error and "Spread-skill ratio" in html(test)
