"""Maps show every value where it belongs: in four projections, over the date line, at the poles, for the pointer and in print."""

import cartopy.crs as ccrs
import cartopy.img_transform as img_transform
import numpy as np
import pytest

from stochattn_core.figures.colour_scale import of_field
from stochattn_core.figures.map_box import add_region, selectable
from stochattn_core.figures.map_export import map_export
from stochattn_core.figures.projection import (
    PROJECTIONS,
    RADIUS,
    SPHERE,
    Projection,
    coastline,
    project_lines,
    projected_coastline,
    wrapped,
)
from stochattn_core.figures.theme import DARK, LIGHT
from stochattn_core.figures.warp import PIXELS, Grid, pixels, view, warp
from stochattn_core.figures.wind import add_wind
from stochattn_core.metrics.regions import Region
from tests.globe import EVERYWHERE, FIELD, GRID, LATITUDE, LONGITUDE, analytic, angle, draw, hill


@pytest.mark.parametrize("projection", EVERYWHERE, ids=str)
def test_every_pixel_shows_the_value_of_the_place_it_lies_at(projection):
    place, values = pixels(projection, GRID), warp(FIELD, GRID, projection)
    shown = np.isfinite(values)
    exact = analytic(place.latitude[shown], place.longitude[shown])
    # Bilinear between cells h apart errs by h^2 / 8 times the curvature, here at most about 5: 0.006. Next to a pole, a row of means.
    assert np.abs(values[shown] - exact).max() < 0.03
    assert np.sqrt(np.mean((values[shown] - exact) ** 2)) < 0.005
    x, y = np.meshgrid(place.x, place.y)
    inside = np.hypot(x, y) < 0.98 * projection.extent[1] if projection.kind.is_round else np.isfinite(projection.inverse(x, y)[0])
    assert shown[inside].all(), "the map has a gap"
    assert shown.mean() == pytest.approx({"plate-carree": 1, "robinson": 0.873}.get(projection.name, np.pi / 4), abs=0.005)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("projection", EVERYWHERE, ids=str)
@pytest.mark.parametrize("place", [(64.0, 101.0), (2.0, -179.0), (-42.0, 18.0), (89.5, 0.0)], ids=str)
def test_the_pointer_finds_the_maximum_where_it_was_put(projection, smooth, place):
    x, _ = projection.forward(np.array(place[1]), np.array(place[0]))
    if not np.isfinite(x):
        pytest.skip("this side of the globe does not show the place")
    field = hill(*place)
    heat = draw(field, projection=projection, smooth=smooth, scale=of_field(field)).data[0]
    row, column = np.unravel_index(np.nanargmax(heat.z), heat.z.shape)
    latitude, longitude = np.asarray(heat.customdata)[row, column]
    # Within a cell; at the rim of a disc the cell may be cut.
    assert angle(latitude, longitude, *place) < 6.5
    assert heat.z[row, column] == pytest.approx(field.max(), abs=0.02) or angle(*place, projection.latitude, projection.longitude) > 60
    assert "%{z" in heat.hovertemplate
    assert "latitude %{customdata[0]" in heat.hovertemplate


# Robinson's own table at 40 and 50 degrees: length of the parallel over the equator's, distance from the equator.
ROBINSON = {40.0: (0.9216, 0.4958), 50.0: (0.8679, 0.6176)}


def on_paper(projection, latitude, longitude):
    """x, y by the closed form of each projection, (copy,): a place on the seam lies at both sides."""
    east = (longitude - projection.longitude + 180) % 360 - 180
    turn, up, middle = np.deg2rad(east), np.deg2rad(latitude), np.deg2rad(projection.latitude)
    if projection.kind.is_round:
        if projection.name == "north-polar":
            out = 2 * RADIUS * np.tan((np.pi / 2 - up) / 2)
            return [(out * np.sin(turn), -out * np.cos(turn))]
        y = np.cos(middle) * np.sin(up) - np.sin(middle) * np.cos(up) * np.cos(turn)
        return [(RADIUS * np.cos(up) * np.sin(turn), RADIUS * y)]
    sides = [east, -east] if abs(east) == 180 else [east]
    if projection.name == "plate-carree":
        return [(side, latitude) for side in sides]
    long, far = ROBINSON[latitude]
    return [(0.8487 * RADIUS * long * np.deg2rad(side), 1.3523 * RADIUS * far) for side in sides]


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize(
    ("place", "middle"),
    [((40.0, 20.0), (0.0, 30.0)), ((40.0, 180.0), (0.0, 30.0)), ((50.0, 180.0), (170.0, 50.0)), ((40.0, 20.0), (-40.0, 40.0))],
)
def test_a_maximum_is_drawn_where_each_projection_has_its_place(name, place, middle):
    projection = Projection(name, *middle)
    if name == "orthographic" and angle(*place, *middle[::-1]) > 90:
        pytest.skip("on the far side of the globe")
    field = hill(*place)
    heat = draw(field, projection=projection, scale=of_field(field)).data[0]
    values, x, y = np.asarray(heat.z), np.asarray(heat.x), np.asarray(heat.y)
    width = projection.extent[1] - projection.extent[0]
    cell = width * 5.625 / (360 if not projection.kind.is_round else 115)
    for at_x, at_y in on_paper(projection, *place):
        near = np.where(np.hypot(x[None] - at_x, y[:, None] - at_y) < 3 * cell, values, np.nan)
        row, column = np.unravel_index(np.nanargmax(near), near.shape)
        assert np.hypot(x[column] - at_x, y[row] - at_y) < cell
        assert near[row, column] == pytest.approx(np.nanmax(values), abs=0.01), "each side of the seam shows the whole maximum"
        latitude, longitude = np.asarray(heat.customdata)[row, column]
        assert angle(latitude, longitude, *place) < 5.7
        assert near[row, column] == pytest.approx(field.max(), abs=0.03)
    if not projection.kind.is_round:  # the two ends of a parallel are one place
        for row in values:
            shown = np.flatnonzero(np.isfinite(row))
            assert row[shown[0]] == pytest.approx(row[shown[-1]], abs=0.06)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_print_shows_the_maximum_at_the_same_place(name):
    projection = Projection(name, 170.0, 50.0)
    field = hill(50.0, 180.0)
    more = {"title": "t", "subtitle": "s", "quantity": "q", "scale": of_field(field), "projection": projection}
    image = map_export(field, LATITUDE, LONGITUDE, **more).axes[0].images[0]
    values = np.ma.filled(image.get_array(), np.nan)
    west, east, south, north = image.get_extent()
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    x, y = west + (column + 0.5) / values.shape[1] * (east - west), south + (row + 0.5) / values.shape[0] * (north - south)
    at_x, at_y = on_paper(projection, 50.0, 180.0)[0]
    assert image.origin == "lower"
    assert np.hypot(x - at_x, y - at_y) < (east - west) * 5.625 / (360 if not projection.kind.is_round else 115)


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("middle", [0.0, 180.0, -95.0])
def test_east_is_right_and_north_is_up(name, middle):
    projection = Projection(name, middle, 20.0)
    start = np.array([20.0, middle]) if name != "north-polar" else np.array([60.0, middle])
    x, y = projection.forward(start[1] + np.array([-1.0, 0.0, 1.0]), np.full(3, start[0]))
    assert (np.diff(x) > 0).all()
    _, y = projection.forward(np.full(3, start[1]), start[0] + np.array([-1.0, 0.0, 1.0]))
    assert (np.diff(y) > 0).all()


@pytest.mark.parametrize("projection", EVERYWHERE, ids=str)
def test_there_and_back_again(projection):
    rng = np.random.default_rng(0)
    longitude, latitude = rng.uniform(-180, 180, 500), rng.uniform(-89, 89, 500)
    x, y = projection.forward(longitude, latitude)
    shown = np.isfinite(x)
    back = projection.inverse(x[shown], y[shown])
    assert shown.sum() > 100
    np.testing.assert_allclose(wrapped(back[0] - longitude[shown]), 0, atol=1e-4)
    np.testing.assert_allclose(back[1], latitude[shown], atol=1e-4)
    assert np.isnan(projection.inverse(np.array(projection.extent[1] * 1.01), np.array(0.0))[0])


def test_the_cells_as_they_are_agree_with_cartopy_itself():
    source = ccrs.PlateCarree(globe=SPHERE)
    centred = np.roll(FIELD, 32, axis=1)  # -180 to 174.375
    half = 5.625 / 2
    for projection in (Projection("robinson"), Projection("orthographic", 30, 45)):
        place = pixels(projection, GRID, smooth=False)
        ours = warp(FIELD, GRID, projection, smooth=False)
        theirs, _ = img_transform.warp_array(
            centred,
            projection.crs,
            source,
            target_res=(len(place.x), len(place.y)),
            source_extent=(-180 - half, 180 - half, -90, 90),
            target_extent=projection.extent,
        )
        both = np.isfinite(ours) & ~np.ma.getmaskarray(theirs)
        assert both.sum() > 0.99 * np.isfinite(ours).sum()
        # cartopy measures nearest by the chord, so the edges of cells differ near the poles
        assert np.mean(np.isclose(ours[both], np.asarray(theirs)[both], atol=1e-6)) > 0.97


def test_the_order_of_latitudes_and_the_convention_of_longitudes_do_not_matter():
    projection = Projection("robinson", 30)
    plain = warp(FIELD, GRID, projection)
    falling = warp(FIELD[::-1], Grid.of(LATITUDE[::-1], LONGITUDE), projection)
    centred = warp(np.roll(FIELD, 32, axis=1), Grid.of(LATITUDE, LONGITUDE - 180), projection)
    np.testing.assert_allclose(falling, plain, atol=1e-6)
    np.testing.assert_allclose(centred, plain, atol=1e-6)


def test_other_grids_poles_included_gaussian_and_regional():
    for latitude, n in ((np.linspace(90, -90, 121), 240), (np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(64)[0])), 128)):
        longitude = np.arange(n) * 360 / n
        grid = Grid.of(latitude, longitude)
        assert grid.is_global
        projection = Projection("orthographic", 60, 70)
        place, values = pixels(projection, grid), warp(analytic(latitude[:, None], longitude[None]), grid, projection)
        shown = np.isfinite(values)
        assert np.abs(values[shown] - analytic(place.latitude[shown], place.longitude[shown])).max() < 0.01
    latitude, longitude = np.arange(15, 76, 2.5), np.arange(160, 231, 2.5)  # across the date line
    grid = Grid.of(latitude, longitude)
    assert not grid.is_cyclic
    assert grid.middle == pytest.approx((-165.0, 45.0))
    for projection in (Projection("plate-carree", -165), Projection("north-polar", -165), Projection("orthographic", -165, 45)):
        place, values = pixels(projection, grid), warp(analytic(latitude[:, None], longitude[None]), grid, projection)
        shown = np.isfinite(values)
        assert (place.latitude[shown].min(), place.latitude[shown].max()) == pytest.approx(
            (20 if projection.name == "north-polar" else 13.75, 76.25), abs=1.5
        )
        assert (np.min(place.longitude[shown] % 360), np.max(place.longitude[shown] % 360)) == pytest.approx((158.75, 231.25), abs=1.5)
        west, east, south, north = view(projection, grid)
        assert (east - west) * (north - south) < 0.6 * np.prod(np.diff(np.reshape(projection.extent, (2, 2))))
    assert len(draw(np.ones((25, 29)), latitude, longitude).data) > 3
    with pytest.raises(ValueError, match="shows nothing of this grid"):
        view(Projection("orthographic", 15, -45), grid)


def test_missing_cells_stay_blank_and_do_not_spread():
    field = FIELD.copy()
    field[20, 10:13] = np.nan
    place, values = pixels(Projection(), GRID), warp(field, GRID, Projection())
    blank = np.isnan(values) & np.isfinite(place.latitude)
    assert 20 < blank.sum() < 120
    assert np.abs(place.latitude[blank] - LATITUDE[20]).max() <= 5.625 / 2 + 0.1
    np.testing.assert_allclose(values[~blank], warp(FIELD, GRID, Projection())[~blank], atol=0.2)


@pytest.mark.parametrize("projection", EVERYWHERE, ids=str)
def test_no_line_runs_across_the_map(projection):
    width = projection.extent[1] - projection.extent[0]
    x, y = projected_coastline(projection)
    assert np.isfinite(x).sum() > 1500
    assert np.nanmax(np.hypot(np.diff(x), np.diff(y))) < 0.02 * width
    if not projection.kind.is_round:  # the same coasts, wherever the map is cut
        length = np.nansum(np.hypot(np.diff(x), np.diff(y)))
        whole = projected_coastline(Projection(projection.name))
        assert length == pytest.approx(np.nansum(np.hypot(np.diff(whole[0]), np.diff(whole[1]))), rel=0.03)


def test_a_line_over_the_seam_ends_at_one_side_and_goes_on_at_the_other():
    x, y = project_lines(Projection("plate-carree"), np.array([170.0, -170.0]), np.array([0.0, 10.0]))
    gap = np.flatnonzero(np.isnan(x))
    assert len(gap) == 1
    np.testing.assert_allclose([x[0], x[gap[0] - 1], x[gap[0] + 1], x[-1]], [170, 180, -180, -170], atol=1e-5)
    np.testing.assert_allclose([y[gap[0] - 1], y[gap[0] + 1]], 5, atol=1e-6)
    points = np.stack(coastline())
    cape = np.nanmin(np.hypot(points[0] - 18.4, points[1] + 34.1))  # the Cape of Good Hope is where it is
    assert cape < 0.6


@pytest.mark.parametrize("name", PROJECTIONS)
@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_every_projection_draws_without_a_network(name, palette):
    projection = Projection(name, 10, 50)
    figure = add_wind(
        draw(projection=projection, palette=palette), FIELD, FIELD, LATITUDE, LONGITUDE, projection=projection, palette=palette
    )
    figure = selectable(add_region(figure, Region("b", 10, 50, 170, -150), LATITUDE, LONGITUDE, projection=projection), LATITUDE, LONGITUDE)
    assert {trace.type for trace in figure.data} == {"heatmap", "scatter"}
    assert "http" not in figure.to_json().split('"layout"')[0]
    assert figure.layout.yaxis.scaleanchor == "x"
    assert len(figure.to_json()) < 1_300_000
    assert draw(projection=projection).layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_a_map_has_as_many_pixels_in_every_projection_and_its_indices_are_kept():
    for projection in EVERYWHERE:
        place = pixels(projection, GRID)
        assert len(place.x) * len(place.y) == pytest.approx(PIXELS**2 / 2, rel=0.02)
    assert pixels(Projection("robinson"), GRID) is pixels(Projection("robinson"), Grid.of(list(LATITUDE), tuple(LONGITUDE)))
    with pytest.raises(ValueError, match="read-only"):
        pixels(Projection("robinson"), GRID).weight[0] = 0


def test_what_is_no_grid_and_no_projection_is_refused_by_name():
    with pytest.raises(ValueError, match="of 32 x 64 cells, got"):
        warp(FIELD.T, GRID, Projection())
    with pytest.raises(ValueError, match="sort the rows"):
        Grid.of([0, 10, 5], LONGITUDE)
    with pytest.raises(ValueError, match="once around at most"):
        Grid.of(LATITUDE, [0, 20, 10])
    with pytest.raises(ValueError, match="at least 2 latitudes"):
        Grid.of([0.0], LONGITUDE)
    with pytest.raises(ValueError, match="choose one of robinson"):
        Projection("mercator")
    with pytest.raises(ValueError, match="in degrees, got 120"):
        Projection("orthographic", 0, 120)
