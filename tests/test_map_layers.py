"""What lies over a map and beside it: colour scales, contours, wind, a drawn box, the sentence; and the map in print."""

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_rgb

from stochattn_core.figures.colour_scale import ORANGE_VIOLET, RED_BLUE, of_error, of_field, of_magnitude, of_ratio
from stochattn_core.figures.map import map_subtitle
from stochattn_core.figures.map_box import drawn_region
from stochattn_core.figures.map_export import file_bytes, map_export, spaghetti_export
from stochattn_core.figures.projection import PROJECTIONS, Projection
from stochattn_core.figures.spaghetti import Contours, contour_lines, label_place, projected_contours, spaghetti
from stochattn_core.figures.wind import round_below, wind_arrows
from stochattn_core.panels.field_map import read_error_map
from stochattn_core.panels.map_text import read_field_map
from stochattn_core.panels.period_maps import read_ratio_map
from stochattn_core.panels.spaghetti import read_spaghetti
from tests.globe import FIELD, GRID, LATITUDE, LONGITUDE, angle, draw, hill

PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE}


def test_one_scale_for_maps_that_are_compared_and_a_ratio_centred_at_one():
    error, spread = np.abs(FIELD), 2 * np.abs(FIELD)
    scale = of_magnitude(error, spread)
    maps = [draw(field, scale=scale).data[0] for field in (error, spread)]
    assert (maps[0].zmin, maps[0].zmax, maps[0].colorscale) == (maps[1].zmin, maps[1].zmax, maps[1].colorscale)
    assert (scale.low, scale.high) == (0, pytest.approx(spread.max()))
    for ratios in (np.array([0.5, 1.2]), np.array([0.9, 3.0]), np.array([1e-9, 50.0]), np.array([0.0, np.nan]), np.array([1.0])):
        ratio = of_ratio(ratios)
        low, high = ratio.ends
        assert low == pytest.approx(-high)
        assert ratio.place(np.array([1.0]))[0] == 0
        assert 1.5 <= ratio.high <= 4
        assert ratio.low == pytest.approx(1 / ratio.high)
        values, texts = ratio.ticks
        assert texts[values.index(0.0)] == "1"
    heat = draw(np.full((32, 64), 2.0), scale=of_ratio(np.array([0.25, 2.0]))).data[0]
    assert np.nanmax(np.asarray(heat.text)) == pytest.approx(2)  # the pointer says the ratio, not its logarithm
    assert np.nanmax(heat.z) == pytest.approx(1)
    signed = of_error(np.array([-1.0, 3.0]))
    assert (signed.low, signed.high) == (-3.0, 3.0)
    assert of_field(np.full(3, 5.0)).high > 5
    assert of_magnitude(np.zeros(3), np.full(2, np.nan)).high > 0


def lightness(colours):
    """CIE L* of 65 steps along a scale."""

    def channel(colour):
        return to_rgb(colour) if colour.startswith("#") else [float(part) / 255 for part in colour[4:-1].split(",")]

    stops = np.array([channel(colour) for colour in colours])
    share = np.linspace(0, 1, 65)
    rgb = np.stack([np.interp(share, np.linspace(0, 1, len(stops)), stops[:, i]) for i in range(3)], -1)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_colours_are_even_to_the_eye_and_need_no_hue_to_be_read():
    for scale in (of_field(FIELD), of_magnitude(FIELD)):
        step = np.diff(lightness(scale.colours))
        assert (np.sign(step) == np.sign(step[0])).all(), "more is not always lighter, or always darker"
        assert np.abs(step).max() < 2.2 * np.abs(step).mean()
    for colours in (RED_BLUE, ORANGE_VIOLET):
        light = lightness(colours)
        assert light.argmax() == 32
        np.testing.assert_allclose(light, light[::-1], atol=13)
        assert (np.diff(light[:33]) > 0).all()
        assert (np.diff(light[32:]) < 0).all()


def test_contours_lie_where_the_field_has_their_value_also_over_the_date_line():
    zonal = np.repeat(LATITUDE[:, None], 64, axis=1)
    longitude, latitude = contour_lines(zonal, GRID, 47.0)
    np.testing.assert_allclose(latitude[np.isfinite(latitude)], 47.0, atol=1e-4)
    assert np.nanmax(longitude) - np.nanmin(longitude) == pytest.approx(360)
    longitude, latitude = contour_lines(hill(10, 180), GRID, 0.8)
    known = np.isfinite(latitude)
    away = [angle(n, e, 10, 180) for n, e in zip(latitude[known], longitude[known], strict=True)]
    assert np.degrees(np.arccos(1 + np.log(0.8) / 8)) == pytest.approx(np.mean(away), abs=0.5)
    assert len(contour_lines(FIELD, GRID, 1e6)[0]) == 0
    members = FIELD + 0.1 * np.random.default_rng(0).normal(size=(6, 1, 1))
    more = {"levels": [-0.5, 0.5], "level_text": ["low", "high"], "title": "t", "subtitle": map_subtitle(n_member=6), **PLACE}
    for name in PROJECTIONS:
        figure = spaghetti(Contours(members=members, truth=FIELD, plain=FIELD, projection=Projection(name, 5, 45), **more))
        assert [trace.name for trace in figure.data if trace.showlegend] == ["members", "truth", "plain model"]
        assert [note.text for note in figure.layout.annotations] == ["low", "high"]


def test_wind_blows_on_across_the_pole_and_east_is_right():
    east = np.ones((32, 64))
    for projection in (Projection("robinson", 40), Projection("plate-carree", 180)):
        arrows = wind_arrows(10 * east, 0 * east, GRID, projection)
        low = np.abs(arrows.latitude) < 80
        np.testing.assert_allclose(arrows.v[low], 0, atol=0.2)
        np.testing.assert_allclose(arrows.u[low], 10, rtol=0.02)
    # A wind that crosses the pole is one straight wind on the polar map, whatever its components are in each column.
    turn = np.deg2rad(LONGITUDE)[None]
    lift = np.sin(np.deg2rad(LATITUDE))[:, None]
    arrows = wind_arrows(-np.sin(turn) * east, -lift * np.cos(turn), GRID, Projection("north-polar"))
    polar = arrows.latitude > 50
    c, s, lifted = np.cos(np.deg2rad(arrows.longitude)), np.sin(np.deg2rad(arrows.longitude)), np.sin(np.deg2rad(arrows.latitude))
    assert polar.sum() > 60
    np.testing.assert_allclose(arrows.u[polar], (-s * c + lifted * c * s)[polar], atol=0.01)
    np.testing.assert_allclose(arrows.v[polar], (-s * s - lifted * c * c)[polar], atol=0.01)
    assert [round_below(speed) for speed in (73.0, 49.9, 12.0, 0.0)] == [50, 20, 10, 1]


def test_a_box_drawn_on_the_map_is_a_region_also_over_the_date_line_and_the_pole():
    flat = drawn_region((-20.0, 30.0), (60.0, 10.0), Projection("plate-carree"))
    assert (flat.south, flat.north, flat.west, flat.east) == (10, 60, -20, 30)
    across = drawn_region((-10.0, 20.0), (-5.0, 5.0), Projection("plate-carree", 180))
    assert (across.west, across.east, across.width) == (170, -160, pytest.approx(30))
    x, y = Projection("robinson", 150).forward(np.array([160.0, -150.0]), np.array([10.0, 20.0]))
    bent = drawn_region(tuple(x), tuple(y), Projection("robinson", 150))
    assert (bent.west, bent.east) == (pytest.approx(160, abs=3), pytest.approx(-150, abs=3))
    polar = drawn_region((-1e6, 1e6), (-1e6, 1e6), Projection("north-polar"))
    assert (polar.north, polar.width) == (90, 360)
    with pytest.raises(ValueError, match="draw it again"):
        drawn_region((-6.3e6, -6.0e6), (6.0e6, 6.3e6), Projection("orthographic"))


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_map_for_print_is_a_png_an_svg_or_a_pdf(name):
    figure = map_export(
        FIELD,
        LATITUDE,
        LONGITUDE,
        title="Ensemble mean",
        subtitle=map_subtitle(n_member=20, n_forecast=16),
        quantity="mean",
        units="m²/s²",
        scale=of_field(FIELD),
        projection=Projection(name, 20, 50),
        wind=(FIELD, FIELD) if name == "robinson" else None,
    )
    start = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
    for form in start if name == "robinson" else ("png",):
        content = file_bytes(figure, form, dpi=60)
        assert content.startswith(start[form])
        assert len(content) > 10_000
        if form == "svg":
            assert "mean (m²/s²)" in content.decode()
            assert content == file_bytes(figure, form, dpi=60)
    with pytest.raises(ValueError, match="png, svg, pdf, got 'tiff'"):
        file_bytes(figure, "tiff")


def test_spaghetti_for_print_holds_the_contour_of_every_member_of_the_truth_and_of_the_plain_model():
    zonal = np.repeat(LATITUDE[:, None], 64, axis=1)
    shift = np.array([-6.0, -2.0, 1.0, 5.0])
    contours = Contours(
        members=zonal - shift[:, None, None],
        **PLACE,
        levels=[40.0],
        level_text=["40 m"],
        title="Contours",
        subtitle="M = 4 members",
        truth=zonal - 2.5,
        plain=zonal + 1.5,
        projection=Projection("plate-carree"),
    )
    figure = spaghetti_export(contours)
    lines = {line.get_zorder(): line.get_ydata() for line in figure.axes[0].lines}  # members 3, truth 4, plain model 5
    for order, latitude in ((3, 40 + shift), (4, [42.5]), (5, [38.5])):
        known = lines[order][np.isfinite(lines[order])]
        assert sorted(set(known.round(3).tolist())) == sorted(latitude)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["members", "truth", "plain model"]
    assert "40 m" in [text.get_text() for text in figure.axes[0].texts]
    assert file_bytes(figure, "svg").startswith(b"<?xml")


@pytest.mark.parametrize("name", PROJECTIONS)
def test_contours_are_named_on_their_line_within_the_map_and_apart(name):
    projection = Projection(name, -40, 40)
    zonal = np.repeat(LATITUDE[:, None], 64, axis=1)
    named = []
    for level in (48.0, 52.0):
        x, y = projected_contours([zonal], GRID, projection, level)
        place = label_place(x, y, projection, named)
        assert np.nanmin(np.hypot(x - place[0], y - place[1])) == 0
        assert np.hypot(place[0] / projection.extent[1], 0 if not projection.kind.is_round else place[1] / projection.extent[3]) < 0.85
        assert all(np.hypot(place[0] - a, place[1] - b) > 0.3 * projection.extent[1] for a, b in named)
        named.append(place)
    assert label_place(np.full(3, np.nan), np.full(3, np.nan), projection) is None


def test_one_sentence_reads_each_map():
    assert "greatest near 42°S 18°E" in read_field_map(hill(-42, 18), LATITUDE, LONGITUDE, "spread").replace("42°S 17°E", "42°S 18°E")
    assert read_field_map(np.full((32, 64), np.nan), LATITUDE, LONGITUDE, "truth") == "The truth is missing in every cell."
    error = hill(50, -30)
    sentence = read_error_map(error, np.full_like(error, 0.25), LATITUDE, LONGITUDE, "m")
    assert "too high near 48°N 28°W" in sentence or "too high near 53°N 28°W" in sentence
    assert "no spread" in read_error_map(error, 0 * error, LATITUDE, LONGITUDE)
    assert read_ratio_map(np.ones((32, 64)), LATITUDE) == "The ratio of spread to error is 0.8 to 1.25 over 100% of the area."
    half = np.where(LATITUDE[:, None] > 0, 2.0, 0.5) * np.ones((1, 64))
    assert "too narrow over 50% (orange) and too wide over 50%" in read_ratio_map(half, LATITUDE)
    assert "no spread" in read_ratio_map(0 * half, LATITUDE)
    members = np.stack([FIELD, FIELD + hill(50, 0), FIELD - hill(50, 0)])
    assert "near 48°N 0°E" in read_spaghetti(members, LATITUDE, LONGITUDE, ["5,400 m"]).replace("53°N", "48°N")
    assert "one contour" in read_spaghetti(FIELD[None], LATITUDE, LONGITUDE, ["5,400 m"])
    assert map_subtitle(n_member=40, n_forecast=1200) == "M = 40 members · N = 1,200 forecasts"
    assert isinstance(draw(), go.Figure)
