"""Every page opens, with any address; the sidebar answers; a mistake is one sentence and never a traceback."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import cached, map_panels, map_tabs, own_model
from pages.ui.choices import GRID, VIEWS, Settings, region_of, slider_position
from pages.ui.work import Work
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import thinned
from stochattn_core.figures.projection import PROJECTIONS
from stochattn_core.settings import Setting, TunedSetting

ROOT = Path(__file__).parents[1]
PAGES = ("explore", "tune", "bring", "method")
WRONG = {
    "task": ("maps", "", "☃"),
    "model": ("nothing", "ft_transformer2", "../../etc"),
    "dataset": ("nothing", "own-sales", "%00"),
    "lead": ("-1", "99", "abc", "1.5"),
    "members": ("0", "50", "-3", "many"),
    "nu": ("0", "-1", "2.5", "abc", "1e3", "5000", "nan", "99999999999999999999"),
    "seed": ("-1", "1.5", "abc", "99999999999"),
    "layers": ("x" * 300,),
    "mend": ("nonsense", "inflation", "inflation -1", "fractional 0.5", "shared 2", "inflation nan"),
    "case": ("-1", "1000000", "abc"),
    "variable": ("nothing", "geopotential"),
    "forecasts": ("-1", "21", "all"),
    "projection": ("mercator", ""),
    "view": ("map", ""),
    "member": ("0", "1.5", "100"),
    "wind": ("1", "☃"),
    "ahead": ("1", "off"),
    "box": ("30,60", "a,b,c,d", "60,30,0,10", "0,91,0,10", "nan,1,2,3"),
}
MAP = {"task": "grid", "dataset": "planet"}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("STOCHATTN_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def opened(name: str, **query: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=120)
    for key, value in ({"dataset": "diabetes", "members": "9"} | query).items():
        test.query_params[key] = value
    return test.run()


def html(test: AppTest) -> str:
    return " ".join(element.proto.body for element in test.get("html"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_by_itself(name):
    test = opened(name)
    assert not test.exception
    assert "sa-title" in html(test)
    assert {box.key for box in test.sidebar.selectbox} >= {"model", "dataset"}


def test_the_router_opens_the_first_page():
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    test.query_params["dataset"] = "diabetes"
    test.run()
    assert not test.exception
    assert "Spread-skill ratio" in html(test)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_value_in_the_address_is_one_sentence(key, value):
    test = opened("method", **{key: value})
    assert not test.exception
    assert len(test.warning) == 1
    assert f"{key}={value[:40]}" in test.warning[0].value
    assert key not in test.query_params or test.query_params[key] != value


@pytest.mark.parametrize("name", PAGES)
def test_every_page_survives_an_address_that_is_wrong_everywhere(name):
    test = opened(name, **{key: values[0] for key, values in WRONG.items() if key not in ("task", "dataset", "members")})
    assert not test.exception
    assert len(test.warning) == 1


def test_a_right_address_is_kept_and_says_nothing():
    test = opened("explore", nu="8", members="19", seed="3")
    assert not test.warning
    assert (test.query_params["nu"], test.query_params["members"], test.query_params["seed"]) == ("8", "19", "3")
    assert "M = 19" in html(test) and "ν = 8" in html(test)


def test_the_slider_changes_the_scores_and_the_address():
    test = opened("explore", nu="64")
    before = html(test)
    test.select_slider(key="nu").set_value(4.0).run()
    assert not test.exception
    assert html(test) != before
    assert test.query_params.get("nu", str(int(Settings().nu))) == "4"


def test_the_line_above_the_slider_says_what_is_ready_and_can_be_switched_off():
    test = opened("explore", nu="64", seed="11")
    assert "1 of 25 concentrations ready" in html(test)
    assert "ahead" not in test.query_params
    test.toggle(key="ahead").set_value(False).run()
    assert not test.exception
    assert "concentrations ready" not in html(test)
    assert test.query_params["ahead"] == "no" or test.query_params["ahead"] == ["no"]


def test_the_first_answer_is_the_forecast_that_the_evaluation_holds():
    data, setting, work = cached.dataset("sunspots"), Setting(4, 9), Work(None, "", key="", on_stop=print)
    work.wait = lambda reason: None
    work._draw = lambda share, text: None
    members, plain = cached.one_forecast("timesfm", data, setting, 3, work)
    found = cached.evaluation("timesfm", data, setting, work)
    np.testing.assert_allclose(members, found.ensemble.members[:, 3], rtol=1e-4)
    np.testing.assert_allclose(plain, found.ensemble.plain[3], rtol=1e-4)


def test_the_plain_model_has_no_spread_and_the_page_says_so():
    test = opened("explore", nu="inf")
    assert not test.exception
    assert "no spread" in html(test)


def test_another_task_brings_its_own_models_and_datasets():
    test = opened("method")
    task = next(group for group in test.sidebar.get("button_group") if group.key == "task")
    assert task.value == "table"
    task.set_value("series").run()
    assert not test.exception
    assert test.selectbox(key="dataset").value == Settings().dataset or test.selectbox(key="dataset").value != "diabetes"


def test_the_map_page_shows_every_view_on_every_projection():
    test = opened("explore", **MAP)
    assert not test.exception and not test.warning and not test.error
    assert "Spread-skill ratio" in html(test) and "ensemble mean is greatest near" in html(test)
    for view in VIEWS:
        test.session_state["view"] = view
        test.run()
        assert not test.exception
        assert view == "mean" or view in test.query_params["view"]
    for projection in PROJECTIONS:
        test.session_state["projection"] = projection
        test.session_state["wind"] = True
        test.run()
        assert not test.exception
    assert test.query_params["projection"] and test.query_params["wind"]


@pytest.mark.parametrize("tab", map_tabs.NAMES)
def test_every_tab_beneath_the_map_opens(tab):
    test = opened("explore", **MAP, box="30,60,-20,40")
    test.session_state["map-tabs"] = tab
    test.run()
    assert not test.exception and not test.error
    said = {
        "Over the test period": "proves nothing by itself",
        "By lead time": "Not computed yet: 6, 12, 48",
        "By region": "region",
        "Spectra": "wavenumber",
        "Coverage": "Intervals hold",
        "How it was computed": "The scores with other layers sampled",
    }[tab]
    assert said in html(test) + " ".join(caption.value for caption in test.caption)


def test_an_address_brings_back_the_map():
    query = {"projection": "orthographic", "view": "member", "member": "3", "lead": "6", "variable": "temperature_650", "case": "19"}
    test = opened("explore", **MAP, **query, box="30,60,-20,40")
    assert not test.exception and not test.warning
    assert all(value in test.query_params[name] for name, value in query.items())
    assert "temperature at 650 hPa" in html(test) and "6 h ahead" in html(test)


def test_a_dataset_name_of_the_command_line_opens_the_planet():
    test = opened("method", task="grid", dataset="planet-72h")
    assert not test.exception and not test.warning
    assert test.selectbox(key="lead").value == 72 and test.selectbox(key="variable").value == "geopotential_500"


def test_a_grid_without_a_choice_of_variables_has_a_plain_address():
    test = opened("method", task="grid", dataset="era5")
    assert not test.exception and not test.warning
    assert not {"variable", "lead"} & set(test.query_params)


def test_a_box_drawn_on_the_map_is_a_region_of_the_globe(monkeypatch):
    chosen, plane = {}, map_panels.projection_of("plate-carree")
    monkeypatch.setattr(map_tabs.state, "choose", lambda **changes: chosen.update(changes))
    monkeypatch.setattr(map_tabs.state, "current", lambda: Settings(projection="plate-carree"))
    x, y = plane.forward(np.array([-20.0, 40.0]), np.array([30.0, 60.0]))
    monkeypatch.setattr(
        map_tabs.st, "session_state", {"box-map": {"selection": {"box": [{"x": x.tolist(), "y": y.tolist()}]}}}, raising=False
    )
    map_tabs._box_drawn()
    region = region_of(chosen["box"])
    assert (region.south, region.north, region.west, region.east) == (30, 60, -20, 40)


def test_the_shelf_holds_the_cells_of_a_few_maps_and_the_scores_of_all():
    from stochattn_core.evaluate import Evaluation
    from stochattn_core.forecasts import Ensemble

    shelf, found = cached.Shelf(), []
    rng = np.random.default_rng(0)
    for i in range(cached.N_BY_CELL + 2):
        members = rng.normal(size=(9, 4, 3, 4)).astype(np.float32)
        ensemble = Ensemble(
            members,
            members[0],
            members[1],
            np.arange(4),
            np.arange(4),
            ("i", "latitude", "longitude"),
            latitude=(-60, 0, 60),
            longitude=(0, 90, 180, 270),
        )
        found.append(Evaluation("m", "d", "test", Setting(4, 9), "*", ensemble, {}, {}, {}, "", "cpu", 0.0))
        before = found[-1].scores["rmse"]
        shelf.put(("evaluation", i), found[-1])
        assert found[-1].scores["rmse"] == before
    assert ["statistics" in vars(one.ensemble) for one in found] == [False] * 2 + [True] * cached.N_BY_CELL
    assert found[0].statistics.event == (3, 4)


def test_geopotential_tells_the_height_in_metres():
    data = thinned(load_dataset("planet"), 20)
    members = np.full((9, 32, 64), 5500 * map_panels.GRAVITY, dtype=np.float32)
    figure, _ = map_panels.forecast_panel(Settings(task="grid", variable="geopotential_500", lead=24), data, members, members[0], None)
    heat = figure.data[0]
    seen = np.isfinite(np.asarray(heat.z, dtype=float))
    assert set(np.asarray(heat.customdata)[..., 2][seen].tolist()) == {5500}
    assert "customdata[2]:,d} m<br>" in heat.hovertemplate


def test_a_wind_component_has_a_scale_with_zero_in_the_middle():
    data = thinned(load_dataset("planet"), 20)
    members = np.linspace(-3.0, 12.0, 9 * 32 * 64, dtype=np.float32).reshape(9, 32, 64)
    windy = replace(data, target_name="u_component_of_wind_500", units="m s-1")
    shown = map_panels.field_shown(Settings(task="grid", variable="u_component_of_wind_500", lead=24), windy, members, members[0])
    assert shown.scale.low == -shown.scale.high < 0


def test_a_pattern_that_matches_no_layer_is_one_sentence_and_the_sidebar_stays():
    test = opened("explore", layers="no.such.layer")
    assert not test.exception
    assert len(test.error) == 1
    test.text_input(key="layers").set_value("").run()
    assert not test.exception and not test.error
    assert "Spread-skill ratio" in html(test)


def test_layers_are_chosen_by_name_or_by_a_pattern_of_ones_own():
    test = opened("method", task="grid")
    chosen = test.selectbox(key="layer-group")
    assert chosen.options == ["Blocks only (default)", "All attention", "Custom pattern"]
    assert chosen.value == "" and not [field for field in test.text_input if field.key == "layers"]
    chosen.set_value("*").run()
    assert test.query_params["layers"] == "*"
    test.selectbox(key="layer-group").set_value("own").run()
    assert test.text_input(key="layers").value == "*"
    test.text_input(key="layers").set_value("*blocks.0*").run()
    assert test.query_params["layers"] == "*blocks.0*" and test.selectbox(key="layer-group").value == "own"
    test.selectbox(key="layer-group").set_value("").run()
    assert "layers" not in test.query_params and not [field for field in test.text_input if field.key == "layers"]


def test_the_named_groups_of_layers_stand_side_by_side():
    test = opened("explore", **MAP)
    test.session_state["map-tabs"] = "How it was computed"
    test.run()
    assert "Blocks only" not in html(test)
    test.button(key="compute-all-groups").click().run()
    assert not test.exception and not test.error
    rows = html(test).split("layers sampled</th>")[1].split("</table>")[0]
    assert rows.index("Blocks only") < rows.index("All attention")
    ratio = [float(row.split("<td>")[3].split(" (")[0]) for row in rows.split("<tr>")[1:]]
    assert ratio[1] > ratio[0], "more layers at the same concentration spread wider"


def test_contours_are_round_and_within_the_field_in_any_units():
    rows = np.linspace(-85.0, 85.0, 18)
    height = (5000 + 10 * np.arange(18.0))[:, None] * np.ones((1, 8))
    for factor in (1e-6, 1.0, 1e4):
        levels, text = map_panels.contour_levels(factor * height, rows, "kg")
        assert len(levels) == 2 and len(set(text)) == 2
        assert factor * height[rows >= 20].min() < levels[0] < levels[1] < factor * height[rows <= 70].max()
    levels, text = map_panels.contour_levels(map_panels.GRAVITY * height, rows, "m2 s-2")
    np.testing.assert_allclose(np.array(levels) / map_panels.GRAVITY, [5120, 5140])
    assert text == ["5,120 m", "5,140 m"]


def test_nine_members_are_not_asked_to_hold_more_than_eighty_percent():
    test = opened("explore")
    assert "80% coverage" in html(test) and "90% coverage" not in html(test)


def test_tuning_ends_in_a_file_that_loads():
    test = opened("tune", dataset="diabetes")
    assert "Take it home" not in [heading.value for heading in test.subheader]
    test.button(key="start-tuning").click().run(timeout=300)
    assert not test.exception
    assert "Take it home" in [heading.value for heading in test.subheader]
    assert "ν* =" in html(test)
    assert len(test.code) == 1
    compile(test.code[0].value, "snippet", "exec")


def saved(**changes: object) -> bytes:
    found = {
        "schema_version": 1,
        "concentration": 4,
        "interval": {"level": 0.9, "low": 3, "high": 6},
        "objective": "pooled dispersion",
        "verdict": "calibrated",
        "n_member": 9,
        "seed": 0,
        "model": {"name": "ft_transformer", "weights_sha256": "0" * 64, "attention_calls": {}},
        "dataset": {
            "name": "diabetes",
            "sha256": "0" * 64,
            "calibration": {"n_case": 1, "first": "0", "last": "0"},
            "test": {"n_case": 1, "first": "0", "last": "0"},
        },
        "scores": {"before": {}, "after": {}},
        "at_bound": False,
    }
    return json.dumps(found | changes).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (saved()[:100], "not whole"),
        (b"\x89PNG\r\n", "not whole or not JSON"),
        (b"[1, 2]", "another JSON file"),
        (saved(schema_version=99), "schema 99"),
        (saved(concentration=0), "concentration"),
        (saved(), "other weights"),
        (saved(model={"name": "mine", "weights_sha256": "0", "attention_calls": {}}), "'mine'"),
        (saved(dataset=json.loads(saved())["dataset"] | {"name": "own-sales"}), "own-sales"),
    ],
)
def test_a_saved_setting_that_does_not_fit_is_refused_in_one_sentence(content, said):
    test = opened("bring")
    upload(test, "tuned-file", "tuned.json", content)
    assert not test.exception
    assert len(test.error) == 1
    assert said in test.error[0].value


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "0 bytes"), (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"), (b"\x80\x04\x95pickle", "pickle"), (b"\n\n\n", "blank")],
)
def test_a_file_that_is_no_csv_is_refused_in_one_sentence(content, said):
    test = opened("bring")
    upload(test, "own-file", "data.csv", content)
    assert not test.exception
    assert len(test.error) == 1
    assert said in test.error[0].value


def test_a_csv_shows_its_columns_and_guesses_what_they_are():
    rows = "when,sales,shop\n" + "\n".join(f"2001-{i % 12 + 1:02d}-01,{i},a" for i in range(30))
    test = opened("bring")
    upload(test, "own-file", "sales.csv", rows.encode())
    assert not test.exception and not test.error
    labels = {box.label: box.value for box in test.main.selectbox}
    assert labels["Times"] == "when"


def upload(test: AppTest, key: str, name: str, content: bytes) -> None:
    widget = next(one for one in test.get("file_uploader") if one.key == key)
    widget.set_value((name, content, "application/octet-stream")).run()


def test_the_script_that_the_page_shows_runs(capsys):
    exec(compile(own_model.SCRIPT, "script", "exec"), {})
    assert "49, 8, 16, 32" in capsys.readouterr().out


def test_slider_positions_are_those_of_the_options():
    options = list(GRID)
    assert [slider_position(nu, options) for nu in options] == list(range(len(options)))
    assert 0 < slider_position(1.5, options) < 1


def test_the_setting_that_is_exported_is_the_one_that_is_loaded():
    setting = TunedSetting.load(io.BytesIO(saved()))
    assert TunedSetting.loads(setting.dumps()) == setting
