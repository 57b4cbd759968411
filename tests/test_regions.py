"""Regions hold exact areas, cross the date line, and their scores are the scores of their cells."""

import math

import numpy as np
import pytest
import torch

from stochattn_core.figures.lead_curves import apart, lead_curves
from stochattn_core.figures.regions import by_region
from stochattn_core.metrics import Statistics, cell_area_weights, scores
from stochattn_core.metrics.regions import REGIONS, Region, latitude_weights, longitude_weights, region_mask, region_weights
from stochattn_core.panels.lead_time import read_lead_curves
from stochattn_core.panels.regions import read_regions
from stochattn_core.panels.score_lines import ScoresAt, lines_of

LATITUDE = np.linspace(-87.1875, 87.1875, 32)
LONGITUDE = np.arange(64) * 5.625


def area(region, latitude=LATITUDE, longitude=LONGITUDE):
    """Share of the globe."""
    along = longitude_weights(longitude, region.west, region.east).sum() / len(longitude)
    return float(latitude_weights(latitude, region.south, region.north).sum() / 2 * along)


def test_areas_are_those_of_the_sphere_to_rounding():
    assert area(REGIONS["globe"]) == pytest.approx(1, abs=1e-12)
    assert area(REGIONS["tropics"]) == pytest.approx(math.sin(math.radians(20)), abs=1e-12)
    middle = (math.sin(math.radians(60)) - math.sin(math.radians(30))) / 2
    assert area(REGIONS["mid-latitudes-north"]) == pytest.approx(middle, abs=1e-12)
    assert area(REGIONS["mid-latitudes-south"]) == pytest.approx(middle, abs=1e-12)
    box = Region("box", 12.3, 47.9, 171.0, -122.2)  # no edge of it is an edge of a cell
    expected = (math.sin(math.radians(47.9)) - math.sin(math.radians(12.3))) / 2 * 66.8 / 360
    assert area(box) == pytest.approx(expected, abs=1e-12)
    assert area(box, LATITUDE[::-1], LONGITUDE - 180) == pytest.approx(expected, abs=1e-12)


def test_the_globe_weighs_as_the_cells_do():
    weights = region_weights(REGIONS["globe"], LATITUDE, LONGITUDE)
    torch.testing.assert_close(weights, cell_area_weights(LATITUDE)[:, None].expand(32, 64))


def test_masks_hold_the_cells_that_touch_and_no_other():
    tropics = region_mask(REGIONS["tropics"], LATITUDE, LONGITUDE)
    assert tropics.all(1).tolist() == (np.abs(LATITUDE) - 5.625 / 2 < 20).tolist()
    assert torch.equal(tropics.any(1), tropics.all(1))
    across = region_mask(Region("box", -10, 10, 170, -170), LATITUDE, LONGITUDE).any(0)
    assert LONGITUDE[across].tolist() == [168.75, 174.375, 180.0, 185.625, 191.25]
    greenwich = region_mask(Region("box", -10, 10, -10, 10), LATITUDE, LONGITUDE).any(0)
    assert LONGITUDE[greenwich].tolist() == [0.0, 5.625, 11.25, 348.75, 354.375]
    assert torch.equal(region_mask(Region("box", -10, 10, 350, 370 - 360), LATITUDE, LONGITUDE).any(0), greenwich)


def test_a_box_over_the_date_line_is_a_box_anywhere_else_turned():
    here = region_weights(Region("box", 10, 40, -11.25, 22.5), LATITUDE, LONGITUDE)
    there = region_weights(Region("box", 10, 40, 168.75, -157.5), LATITUDE, LONGITUDE)
    torch.testing.assert_close(here.roll(32, 1), there)


def test_parts_make_the_whole_and_nearly_all_the_way_round_is_not_all():
    west, east = (longitude_weights(LONGITUDE, *ends) for ends in ((-180, 13), (13, 180)))
    torch.testing.assert_close(west + east, torch.ones(64, dtype=torch.float64))
    nearly = longitude_weights(LONGITUDE, 2.0, 1.0)  # the gap lies within one cell
    assert float(nearly.sum()) == pytest.approx(64 - 1 / 5.625)
    assert float(nearly.min()) == pytest.approx(1 - 1 / 5.625)


def test_scores_of_a_region_are_the_weighted_scores_of_its_cells():
    generator = torch.Generator().manual_seed(0)
    members, target = torch.randn(9, 20, 32, 64, generator=generator), torch.randn(20, 32, 64, generator=generator)
    weights = region_weights(Region("box", 12, 48, 165, -140), LATITUDE, LONGITUDE)
    statistics = Statistics.of(members, target, target, torch.arange(20), 20)
    score = scores(statistics, weights)
    share = weights / weights.sum()
    error = ((members.mean(0) - target).double() ** 2).mean(0)
    assert score["rmse"] == pytest.approx(float((share * error).sum().sqrt()), rel=1e-5)
    assert score["n"] == 20 * int((weights > 0).sum())


def test_what_is_no_region_is_refused():
    with pytest.raises(ValueError, match="the southern first, got 40 and 10"):
        Region("box", 40, 10)
    with pytest.raises(ValueError, match="within -360 to 360"):
        Region("box", 0, 10, 0, 999)
    with pytest.raises(ValueError, match=r"Tropics \(20°S to 20°N\) holds no cell of this grid"):
        region_weights(REGIONS["tropics"], [50.0, 55.0, 60.0], LONGITUDE)
    with pytest.raises(ValueError, match="sort the columns"):
        longitude_weights([0.0, 20.0, 10.0])
    assert Region("box", -10, 30, 170, 190).place == "10°S to 30°N, 170°E to 170°W"


def scores_at(score, n_member=20):
    """Scores at several points, with ranges a tenth to either side."""
    low, high = ({name: factor * values for name, values in score.items()} for factor in (0.9, 1.1))
    return ScoresAt(score, low, high, n_member, 100)


def test_the_figures_of_regions_and_leads_draw_what_they_are_given():
    label = [region.label for region in REGIONS.values()]
    rmse, spread = np.array([40.0, 12, 55, 60]), np.array([38.0, 15, 50, 49])
    ratio = spread / rmse
    score = {"rmse": rmse, "spread": spread, "spread_skill_ratio": ratio, "crps_fair": rmse / 2}
    figure = by_region(label, lines_of(scores_at(score), "m", by_region=True), subtitle="M = 20")
    assert list(figure.layout.yaxis.ticktext) == label
    assert [trace.name for trace in figure.data if trace.mode == "markers"] == ["RMSE of the mean", "Spread", "Spread-skill ratio"]
    assert "fits Tropics worst, where the ensemble is too wide: ratio 1.25" in read_regions(label, ratio, ratio - 0.05, ratio + 0.05)
    assert "no evidence that this region needs another ν" in read_regions(label, ratio, ratio - 0.4, ratio + 0.4)
    assert "no spread" in read_regions(label, 0 * ratio, ratio, ratio)
    lead = np.arange(6.0, 126, 6)
    curve = 1 - 0.004 * lead
    score = {"rmse": lead, "spread": lead * curve, "spread_skill_ratio": curve, "crps_fair": lead / 2, "coverage_90": 0.9 * curve}
    figure = lead_curves(lead, lines_of(scores_at(score), "m"), subtitle="M = 20")
    drawn = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert len(drawn) == 5
    np.testing.assert_allclose(drawn[1].y, score["spread"] * math.sqrt(21 / 20))
    assert "90%" in [note.text for note in figure.layout.annotations]
    # A ratio of at most 1.1 times 1 - 0.004 lead is below 1 from 24 h on.
    assert "too narrow at 17 lead times from 24 to 120 h; at the other lead times" in read_lead_curves(
        lead, curve, 0.9 * curve, 1.1 * curve
    )
    assert "no evidence that spread and error differ" in read_lead_curves(lead, curve, 0 * curve, 2 + curve)
    assert "no spread" in read_lead_curves(lead, 0 * curve, curve, curve)


def test_names_of_levels_do_not_meet_and_levels_beyond_the_members_are_not_drawn():
    np.testing.assert_allclose(apart([0.2, 0.5, 0.9], 0.1), [0.2, 0.5, 0.9])
    np.testing.assert_allclose(apart([0.5, 0.6, 0.6], 0.1), [0.4667, 0.5667, 0.6667], atol=1e-4)
    np.testing.assert_allclose(apart([0.2, 0.6, 0.6], 0.1), [0.2, 0.55, 0.65])
    assert len(apart([])) == 0
    lead = np.array([24.0, 48.0])
    score = {"rmse": lead, **{f"coverage_{level}": np.full(2, level / 100) for level in (50, 80, 90, 95)}}
    for n_member, levels in ((9, 2), (19, 3), (49, 4)):
        figure = lead_curves(lead, lines_of(scores_at(score, n_member), ""), subtitle="s")
        assert [note.text for note in figure.layout.annotations if note.text.endswith("%")] == ["50%", "80%", "90%", "95%"][:levels]
