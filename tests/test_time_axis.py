"""Every place that shows a time of a series shows the right one, also where the init times are thinned.

The value at each time is the number of that time, so that a truth tells its date without any arithmetic of the library.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from pages.ui import panel as page_panel
from pages.ui.result_cache import ResultCache
from stochattn_core import Setting, evaluate, load_model
from stochattn_core.datasets import series_parts
from stochattn_core.datasets.base import PARTS, Dataset
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.ensemble_file import read_ensemble, write_ensemble
from stochattn_core.figures.theme import LIGHT
from stochattn_core.panels import PANELS, View, shown
from stochattn_core.panels.cases import rows_of
from stochattn_core.panels.text import dataset_text, file_part, lead_text, time_text, times_text, with_times_as_text
from stochattn_core.tuning import groups
from tests.test_evaluate import GridNetwork, a_grid, own

N, HORIZON = 480, 6
LABELS = pd.Index([f"{2000 + i // 360}-{i % 360 // 30 + 1:02d}-{i % 30 + 1:02d} 00:00" for i in range(N)])  # a year of 360 days
AXES = {
    # unit of the lead times: the times, lead times in words, units of CF
    "h": (pd.date_range("2020-01-01", periods=N, freq="h"), "lead times 1 to 6 h", "hours"),
    "16 h": (pd.date_range("2020-01-01 05:00", periods=N, freq="16h"), "lead times 16 to 96 h", "hours"),
    "10 min": (pd.date_range("2020-01-01", periods=N, freq="10min"), "lead times 10 to 60 min", "minutes"),
    "day": (pd.date_range("2020-01-01", periods=N), "lead times 1 to 6 days", "days"),
    "week": (pd.date_range("2000-01-02", periods=N, freq="W"), "lead times 1 to 6 weeks", "days"),
    "month": (pd.date_range("1980-01-31", periods=N, freq="ME"), "lead times 1 to 6 months", None),
    "quarter": (pd.date_range("1890-01-01", periods=N, freq="QS"), "lead times 1 to 6 quarters", None),
    "year": (pd.date_range("1600-01-01", periods=N, freq="YS", unit="s"), "lead times 1 to 6 years", None),
    "2 day": (pd.date_range("2990-01-01", periods=N, freq="2D", unit="s"), "lead times 2 to 12 days", "days"),
    "step": (pd.bdate_range("2000-01-03", periods=N), "lead times 1 to 6 steps", None),
    "0.5 step": (pd.Index(np.arange(N) * 0.5), "lead times 0.5 to 3 steps", None),
    "label": (LABELS, "lead times 1 to 6 label", None),
}


def dataset(unit: str, times: pd.Index, **more) -> Dataset:
    about = {"name": "own-my-file", "title": "My file.csv: v", "target_name": "v", "units": "", "source": "s", "licence": "l"}
    return series_dataset(np.arange(N, dtype=float), times, context=64, horizon=HORIZON, **about, lead_unit=unit, **more)


@pytest.fixture(scope="module", params=AXES)
def case(request):
    """The times of an axis, and a view of its thinned dataset."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_parts, "MAX_CASE", {"train": 40, "calibration": 20, "test": 20})
        data = dataset(request.param, AXES[request.param][0])
    assert len(data.test) <= 20 and data.test.target[1, 0] - data.test.target[0, 0] > 1, "the init times are thinned"
    view = View(dataset=data, evaluation=evaluate(load_model("timesfm"), data, Setting(4, 5)), case=3)
    return request.param, AXES[request.param][0], view


def same(times, wanted) -> bool:
    """Are these times the wanted ones? Dates may differ in resolution."""
    times, wanted = np.asarray(times), np.asarray(wanted)
    return bool((times == wanted).all()) and times.shape == wanted.shape


def traces(drawn) -> dict:
    return {trace.name: (np.asarray(trace.x), np.asarray(trace.y)) for trace in drawn.figure.data}


def at(times: pd.Index, values) -> np.ndarray:
    """The times of these values."""
    return times.to_numpy()[np.asarray(values).astype(int)]


def test_the_fan_stands_at_its_valid_times_and_the_history_before_them(case):
    _, times, view = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pandas warned where it had to infer a frequency
        drawn = traces(PANELS["fan"].draw(view, LIGHT))
    for name in ("past", "truth"):
        x, y = drawn[name]
        assert same(x, at(times, y)), name
    assert len(drawn["past"][0]) == 3 * HORIZON and same(drawn["past"][0][-1], view.dataset.test.index[view.case])
    for name in ("plain model", "ensemble mean"):
        assert same(drawn[name][0], np.concatenate([drawn["past"][0][-1:], drawn["truth"][0]])), name


def test_forecasts_at_one_lead_time_stand_at_their_valid_times(case):
    _, times, view = case
    x, y = traces(PANELS["fan-at-lead"].draw(replace(view, lead=4), LIGHT))["truth"]
    assert same(x, at(times, y)) and len(x) == len(view.dataset.test)


def written(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(page_panel._csv(table)))


def as_page_text(times: pd.Index, values) -> list[str]:
    """Times as files show them, from pandas alone."""
    if not isinstance(times, pd.DatetimeIndex):
        return [str(time) for time in at(times, values)]
    form = "%Y-%m-%d %H:%M" if len(set(times.time)) > 1 else "%Y-%m-%d"
    return [pd.Timestamp(time).strftime(form) for time in at(times, values)]


def test_numbers_tables_and_csv_files_hold_the_same_times(case):
    _, times, view = case
    for table in (PANELS["fan"].rows(view), PANELS["cases"].rows(view), PANELS["fan-at-lead"].rows(replace(view, lead=4))):
        back = written(with_times_as_text(table, view.dataset))
        assert [str(time) for time in back["valid_time"]] == as_page_text(times, table["truth"])
    cases = written(with_times_as_text(rows_of(view.ensemble), view.dataset))
    steps = np.tile(np.arange(1, HORIZON + 1), len(view.dataset.test))
    assert [str(time) for time in cases["init_time"]] == as_page_text(times, cases["truth"] - steps)
    (head,) = [name for name in cases if name.startswith("lead_time")]
    assert same(cases[head], steps * view.dataset.step.count)
    assert head == f"lead_time ({view.dataset.step.unit_text()})"


def test_a_netcdf_file_holds_the_same_times_and_lead_times_in_units_of_cf(case, tmp_path):
    unit, times, view = case
    write_ensemble(view.evaluation, tmp_path / "e.nc")
    with xr.open_dataset(tmp_path / "e.nc", engine="h5netcdf", decode_times=xr.coders.CFDatetimeCoder(time_unit="s")) as data:
        assert data.valid_time.dims == ("init_time", "lead_time")
        assert same(data.valid_time, at(times, data.target))
        assert same(data.init_time, at(times, data.target[:, 0] - 1))
        assert data.lead_time.attrs.get("units") == AXES[unit][2]
        per_step = view.dataset.step.count * (7 if unit == "week" else 1)
        assert same(data.lead_time, per_step * np.arange(1, HORIZON + 1))
        if AXES[unit][2] is None:
            assert f"in {view.dataset.step.unit_text()}" in data.lead_time.attrs["long_name"]
        else:
            ahead = pd.to_timedelta(data.lead_time.to_numpy(), unit={"hours": "h", "minutes": "min", "days": "D"}[AXES[unit][2]])
            assert same(data.init_time.to_numpy()[:, None] + ahead.to_numpy(), data.valid_time)
    if unit in ("h", "16 h", "10 min", "day", "week", "month", "quarter", "year"):
        back = read_ensemble(tmp_path / "e.nc")
        assert same(back.valid_times, at(times, back.target)), "what is read tells its valid times again"


def test_lead_times_read_as_physical_times(case):
    unit, _, view = case
    data, words = view.dataset, AXES[unit][1]
    assert lead_text(0, data) == words
    assert words in PANELS["fan"].draw(view, LIGHT).figure.layout.title.text
    longest = words.split(" to ")[1]
    assert lead_text(HORIZON, data) == f"lead time {longest}"
    assert PANELS["fan-at-lead"].numbers(replace(view, lead=HORIZON)).title == f"Forecasts {longest} ahead"
    by_lead = PANELS["lead-time"].draw(view, LIGHT).figure
    assert float(by_lead.data[-1].x[-1]) == HORIZON * data.step.count
    assert by_lead.data[-1].text[-1] == longest, "the words on hover"
    assert unit not in ("day", "month") or by_lead.data[-1].text[0] == f"1 {unit}"
    assert f"lead time ({data.step.unit_text()})" in {axis.title.text for axis in by_lead.select_xaxes()}
    assert groups.by_lead_time({1: view.ensemble, 2: view.ensemble, 4: view.ensemble})[-1].name == longest
    assert set(PANELS["scores"].rows(replace(view, lead=HORIZON))["lead_time"]) == {longest}
    assert page_panel._file_name(PANELS["cases"], replace(view, lead=HORIZON)).endswith(f"-{longest.replace(' ', '-')}.csv")


def test_every_panel_of_such_a_series_is_drawn_and_no_table_shows_the_name_of_the_session(case):
    _, _, view = case
    for panel in shown(view, "forecast", "diagnostics", "tab"):
        panel.draw(view, LIGHT)
        text = with_times_as_text(panel.rows(view), view.dataset).to_csv()
        assert "own-my-file" not in text and "nan" not in panel.draw(view, LIGHT).reading.split()
    assert dataset_text(view.dataset) == "My file.csv: v" and file_part(view.dataset) == "My-file.csv-v"


def test_times_of_day_are_shown_where_the_step_is_below_a_day_also_at_midnight():
    data = dataset("h", pd.date_range("2020-01-01", periods=N, freq="h"))
    at_midnight = data.test.of_cases(np.flatnonzero(data.test.index.hour == 0))
    data = replace(data, test=at_midnight)
    assert len(at_midnight) > 1 and all(text.endswith(" 00:00") for text in times_text(at_midnight.index, data))
    table = with_times_as_text(pd.DataFrame({"init_time": at_midnight.index}), data)
    assert table["init_time"].str.endswith(" 00:00").all()


@pytest.mark.parametrize(
    ("unit", "first", "freq", "words"),
    [
        ("year", "1700-01-01", "YS", "1700"),
        ("month", "1700-01-01", "MS", "1700-01"),
        ("month", "1700-01-31", "ME", "1700-01-31"),
        ("day", "1700-01-01", "D", "1700-01-01"),
        ("15 min", "1700-01-01", "15min", "1700-01-01 00:00"),
        ("s", "1700-01-01", "s", "1700-01-01 00:00:00"),
    ],
)
def test_titles_show_times_to_the_precision_of_the_step(unit, first, freq, words):
    data = dataset(unit, pd.date_range(first, periods=N, freq=freq))
    times = pd.date_range(first, periods=1, freq=freq)
    assert times_text(times, data) == [words]
    assert time_text(data, 0)[:4].isdigit() and len(time_text(data, 0)) == len(words)


def test_a_grid_in_a_calendar_of_its_own_shows_its_labels_as_they_are(tmp_path):
    """Init times such as 30 February, which no date of pandas can hold, reach titles, tables and files unchanged."""
    labels = pd.Index([f"2000-02-{day:02d} 00:00" for day in range(7, 31)], name="init_time")
    grid = a_grid(len(labels))
    grid = replace(grid, **{part: replace(grid.part(part), index=labels) for part in PARTS})
    view = View(dataset=grid, evaluation=evaluate(own(kind=GridNetwork), grid, Setting(4, 9)), case=23)
    for panel in shown(view, "forecast", "diagnostics", "tab"):
        panel.draw(view, LIGHT)
        with_times_as_text(panel.rows(view), grid)
    assert "from 2000-02-30 00:00, 24 h ahead" in PANELS["map"].draw(view, LIGHT).figure.layout.title.text
    assert set(PANELS["parts"].rows(view)["to"]) == {"2000-02-30 00:00"}
    write_ensemble(view.evaluation, tmp_path / "e.nc")
    assert list(read_ensemble(tmp_path / "e.nc").index) == list(labels)


# ---- datasets that no reader made


def by_hand(unit: str, index: pd.Index) -> Dataset:
    """A dataset whose parts hold no times but the init times."""
    data = dataset(unit, pd.RangeIndex(N))
    parts = {
        name: replace(data.part(name), input_time=None, valid_time=None, index=index[: len(data.part(name))]) for name in ("train", "test")
    }
    calibration = replace(data.calibration, input_time=None, valid_time=None)
    return replace(data, calibration=calibration, **parts)


def test_without_times_of_their_own_they_follow_from_init_time_and_step():
    index = pd.date_range("2000-01-31", periods=N, freq="3ME")
    data = by_hand("month", index)
    assert same(data.valid_times(data.test)[5], pd.date_range(index[5], periods=HORIZON + 1, freq="ME")[1:])
    assert same(data.past_times(data.test)[5], pd.date_range(end=index[5], periods=64, freq="ME"))


@pytest.mark.parametrize(("unit", "index"), [("", pd.date_range("2000-01-01", periods=N, freq="3D")), ("step", LABELS)])
def test_where_valid_times_are_not_known_the_fan_is_drawn_over_lead_times(unit, index):
    data = by_hand(unit, index)
    view = View(dataset=data, evaluation=evaluate(load_model("timesfm"), data, Setting(4, 5)), case=2)
    drawn = PANELS["fan"].draw(view, LIGHT)
    assert traces(drawn)["truth"][0].tolist() == [1, 2, 3, 4, 5, 6] and traces(drawn)["past"][0].tolist() == list(range(-17, 1))
    assert "lead time" in drawn.figure.layout.xaxis.title.text
    at_lead = PANELS["fan-at-lead"].draw(replace(view, lead=2), LIGHT)
    assert at_lead.figure.layout.xaxis.title.text == "init time" and same(traces(at_lead)["truth"][0], data.test.index[-160:])
    for panel in shown(view, "forecast", "diagnostics", "tab"):
        with_times_as_text(panel.rows(view), data)


def test_results_are_kept_apart_for_series_that_differ_in_their_times_alone():
    """Equal numbers and init times, but other steps: what is shown differs, so that the key of the results does."""
    hourly, daily = by_hand("h", LABELS), by_hand("day", LABELS)
    moved = replace(hourly, test=replace(hourly.test, valid_time=np.zeros(hourly.test.target.shape, dtype="datetime64[s]")))
    cache = ResultCache()
    assert len({cache.identity(data) for data in (hourly, daily, moved)}) == 3
    assert len({data.sha256 for data in (hourly, daily, moved)}) == 1


def test_a_note_says_how_far_apart_thinned_init_times_are(case):
    unit, times, view = case
    (note,) = view.dataset.notes
    first, second = view.dataset.test.target[:2, 0].numpy().astype(int)
    assert f", {view.dataset.step.lead_text(second - first)} apart, " in note and f"{len(view.dataset.test)} of " in note
    if unit == "16 h":
        assert f", {(times[second] - times[first]) // pd.Timedelta('1h')} h apart, " in note


def test_cases_that_are_chosen_keep_their_times():
    data = dataset("day", pd.date_range("2020-01-01", periods=N))
    few = data.test.of_cases(np.array([4, 1]))
    assert same(few.valid_time, data.test.valid_time[[4, 1]]) and same(few.input_time[:, -1], few.index)
    with pytest.raises(ValueError, match=r"expected valid_time with one time for each value, \(2, 6\), got \(2, 5\)"):
        replace(few, valid_time=few.valid_time[:, 1:])
    assert torch.equal(few.target, data.test.target[[4, 1]])


def test_a_table_that_is_split_in_time_shows_its_periods_and_any_other_that_it_was_drawn():
    times = pd.date_range("2020-01-01", periods=200, freq="3h")
    about = {"name": "t", "title": "T", "target_name": "y", "units": "", "source": "s", "licence": "l"}
    values = np.random.default_rng(0).normal(size=(200, 3))
    in_time = table_dataset(values, values[:, 0], time=times, **about)
    rows = PANELS["parts"].rows(View(dataset=in_time))
    starts = np.cumsum([0, *rows["cases"]])
    assert rows["from"].tolist() == [f"{times[start]:%Y-%m-%d %H:%M}" for start in starts[:-1]]
    assert rows["to"].tolist() == [f"{times[end - 1]:%Y-%m-%d %H:%M}" for end in starts[1:]]
    ensemble = evaluate(load_model("ft_transformer"), in_time, Setting(8, 5)).ensemble
    assert same(ensemble.valid_times, times[starts[2] :]) and same(rows_of(ensemble)["time"], times[starts[2] :])
    drawn = table_dataset(values, values[:, 0], **about)
    assert set(PANELS["parts"].rows(View(dataset=drawn))["from"]) == {"random split"}
