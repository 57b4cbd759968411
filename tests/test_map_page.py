"""The page of a weather map: its views and projections, the tabs beneath, a box drawn on it, units that are spoken of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pages.ui import tabs
from pages.ui.choices import Settings, region_of
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import thinned
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.figures.projection import PROJECTIONS
from stochattn_core.panels import PANELS, OneForecast, View, field_map
from stochattn_core.panels.field_map import FIELDS
from stochattn_core.panels.map_text import projection_of
from stochattn_core.panels.spaghetti import contour_levels
from tests.app import PLANET, html, opened, title_of


def test_the_map_page_shows_every_view_on_every_projection():
    test = opened("explore", **PLANET)
    assert not test.exception and not test.warning and not test.error
    assert "Spread-skill ratio" in html(test) and "ensemble mean is greatest near" in html(test)
    titles = {"mean": "Ensemble mean", "error": "Error of the mean", "member": "Member 1", "contours": "Contours"}
    for view in FIELDS:
        test.session_state["view"] = view
        test.run()
        assert not test.exception and test.query_params.get("view", "mean") == view
        assert title_of(test, "spaghetti" if view == "contours" else "map") == f"{titles.get(view, FIELDS[view])}: geopotential at 500 hPa"
    for projection in PROJECTIONS:
        test.session_state["projection"] = projection
        test.session_state["wind"] = True
        test.run()
        assert not test.exception
        assert test.query_params.get("projection", "robinson") == projection and test.query_params["wind"] == "yes"


BENEATH = {
    "Over the test period": "proves nothing by itself",
    "By lead time": "Not computed yet: 6, 12, 48",
    "By region": "Your box: 30°N to 60°N",
    "Spectra": "wavenumber",
    "Coverage": "Intervals hold",
    "How it was computed": "The scores with other layers sampled",
}


@pytest.mark.parametrize("tab", BENEATH)
def test_every_tab_beneath_the_map_opens_alone(tab):
    test = opened("explore", **PLANET, box="30,60,-20,40")
    test.session_state["tabs-grid"] = tab
    test.run()
    assert not test.exception and not test.error
    shown = html(test) + " ".join(caption.value for caption in test.caption)
    assert [name for name, said in BENEATH.items() if said in shown] == [tab]


def test_the_named_groups_of_layers_stand_side_by_side():
    test = opened("explore", **PLANET)
    test.session_state["tabs-grid"] = "How it was computed"
    test.run()
    assert "Blocks only" not in html(test)
    test.button(key="compute-all-groups").click().run()
    assert not test.exception and not test.error
    rows = html(test).split("layers sampled</th>")[1].split("</table>")[0]
    assert rows.index("Blocks only") < rows.index("All attention")
    ratio = [float(row.split("<td>")[3].split("<")[0]) for row in rows.split("<tr>")[1:]]
    assert ratio[1] > ratio[0], "more layers at the same concentration spread wider"


def test_a_box_drawn_on_the_map_is_a_region_of_the_globe(monkeypatch):
    chosen, plane = {}, projection_of("plate-carree")
    monkeypatch.setattr(tabs.state, "choose", lambda **changes: chosen.update(changes))
    monkeypatch.setattr(tabs.state, "current", lambda: Settings(projection="plate-carree"))
    x, y = plane.forward(np.array([-20.0, 40.0]), np.array([30.0, 60.0]))
    monkeypatch.setattr(tabs.state, "answer", {"region-map": {"box": {"x": x.tolist(), "y": y.tolist()}}}.get)
    tabs.box_drawn()
    region = region_of(chosen["box"])
    assert (region.south, region.north, region.west, region.east) == (30, 60, -20, 40)


def test_geopotential_tells_the_height_in_metres():
    data = thinned(load_dataset("planet"), 20)
    members = np.full((9, 32, 64), 5500 * STANDARD_GRAVITY, dtype=np.float32)
    figure, _ = PANELS["map"].draw(View(dataset=data, first=OneForecast(members, members[0])))
    heat = figure.data[0]
    seen = np.isfinite(np.asarray(heat.z, dtype=float))
    assert set(np.asarray(heat.text)[seen].tolist()) == {5500}
    assert "text:,d} m<br>" in heat.hovertemplate


def test_a_wind_component_has_a_scale_with_zero_in_the_middle():
    data = thinned(load_dataset("planet"), 20)
    members = np.linspace(-3.0, 12.0, 9 * 32 * 64, dtype=np.float32).reshape(9, 32, 64)
    windy = replace(data, target_name="u_component_of_wind_500", units="m s-1")
    shown = field_map.numbers(View(dataset=windy, first=OneForecast(members, members[0])))
    assert shown.scale.low == -shown.scale.high < 0


def test_contours_are_round_and_within_the_field_in_any_units():
    rows = np.linspace(-85.0, 85.0, 18)
    height = (5000 + 10 * np.arange(18.0))[:, None] * np.ones((1, 8))
    for factor in (1e-6, 1.0, 1e4):
        levels, text = contour_levels(factor * height, rows, "kg")
        assert len(levels) == 2 and len(set(text)) == 2
        assert factor * height[rows >= 20].min() < levels[0] < levels[1] < factor * height[rows <= 70].max()
    levels, text = contour_levels(STANDARD_GRAVITY * height, rows, "m2 s-2")
    np.testing.assert_allclose(np.array(levels) / STANDARD_GRAVITY, [5120, 5140])
    assert text == ["5,120 m", "5,140 m"]
