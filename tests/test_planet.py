"""The simulated planet as a Dataset: how it is simulated, stored and decoded, its land, its climate, and what is refused."""

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core.data_files import DATA_FOLDER
from stochattn_core.datasets import DATASETS, natural_earth, planet
from stochattn_core.datasets.base import PARTS
from stochattn_core.datasets.constants import STANDARD_GRAVITY
from stochattn_core.datasets.geography import coastline, land_sea_mask, orography
from stochattn_core.datasets.quasi_geostrophic import ship, simulate, training
from stochattn_core.datasets.quasi_geostrophic.archive import PLACES, Packing, from_rows, to_rows
from stochattn_core.datasets.quasi_geostrophic.climate import build
from stochattn_core.datasets.quasi_geostrophic.fields import LATITUDE, LONGITUDE, VARIABLES, decode
from stochattn_core.datasets.quasi_geostrophic.model import Physics
from stochattn_core.metrics import cell_area_weights


def test_packing_keeps_numbers_to_half_a_thousandth():
    rows = (
        np.random.default_rng(0).normal(size=(200, 3, len(PLACES))).astype(np.float32)
        * np.exp(-PLACES[:, 2] / 3.0).astype(np.float32)
        * 1e8
    )
    packing = Packing.of(rows)
    again = packing.unpack(packing.pack(rows))
    assert np.abs(again - rows).max() < 0.003 * np.abs(rows).max(axis=(0, 1), keepdims=True).max()
    assert np.sqrt(np.mean((again - rows) ** 2)) < 4e-4 * rows.std()
    assert torch.equal(to_rows(from_rows(torch.tensor(rows[0]))), torch.tensor(rows[0]))


def test_a_stopped_simulation_goes_on_with_the_same_numbers(tmp_path, monkeypatch):
    """Two chunks in one run and in two runs hold the same numbers."""
    monkeypatch.setattr(simulate, "build", lambda: build(31, Physics(diffusion=0.5, dt=3600.0)))
    monkeypatch.setattr(simulate, "SPIN_UP", 2)
    monkeypatch.setattr(simulate, "CHUNK", 1)
    years = 14 / 365
    simulate.simulate(tmp_path / "one_run", 2 * years)
    simulate.simulate(tmp_path / "two_runs", years)
    assert not (tmp_path / "two_runs" / "train_001.npz").exists()
    simulate.simulate(tmp_path / "two_runs", 2 * years)
    with pytest.raises(ValueError, match=r"expected to go on with seed 0 of .* got 1; give that seed, or another folder"):
        simulate.simulate(tmp_path / "two_runs", 3 * years, seed=1)
    one_run, two_runs = (training.trajectories(tmp_path / name) for name in ("one_run", "two_runs"))
    assert one_run.shape == (14, 8, 3, 1024) and np.array_equal(one_run, two_runs)
    assert next(iter(training.fields(tmp_path / "one_run", ("geopotential_500",), "test"))).shape == (8, 1, 32, 64)
    monkeypatch.setattr(ship, "N_TIME", 7)
    monkeypatch.setattr(ship, "LEADS", (6, 12))
    assert [path.name for path in ship.ship(tmp_path / "one_run", tmp_path)] == [f"planet_{part}.npz" for part in PARTS]


def test_the_error_without_simulated_years_says_how_to_make_them(tmp_path):
    with pytest.raises(ValueError, match=r"found none; make them with python -m stochattn_core.datasets.quasi_geostrophic.simulate --out"):
        training.trajectories(tmp_path)


def test_land_is_where_it_is_on_earth():
    mask = land_sea_mask(LATITUDE, LONGITUDE)
    assert mask.shape == (32, 64) and mask.min() >= 0 and mask.max() == 1

    def at(latitude, longitude):
        return mask[np.abs(LATITUDE - latitude).argmin(), np.abs((LONGITUDE - longitude + 180) % 360 - 180).argmin()]

    for place in [(48, 20), (60, 100), (25, 10), (-25, 135), (-10, 305), (40, 260), (75, 318), (-85, 90), (-80, 0)]:
        assert at(*place) > 0.9, place
    for place in [(0, 200), (40, 325), (-50, 180), (85, 0), (-20, 80), (35, 170), (-60, 270)]:
        assert at(*place) == 0, place
    share = float((torch.tensor(mask).mean(dim=1) * cell_area_weights(LATITUDE)).mean())
    assert abs(share - 0.29) < 0.01  # of the Earth is land
    region = land_sea_mask(LATITUDE[18:30], LONGITUDE[30:50])
    assert np.allclose(region, mask[18:30, 30:50], atol=1e-6)
    hills = orography(LATITUDE, LONGITUDE)
    row, column = np.unravel_index(hills[6:].argmax(), hills[6:].shape)
    assert (LATITUDE[row + 6], LONGITUDE[column]) == (30.9375, 90.0)  # Tibet
    assert hills[mask == 0].max() == 0


def test_coastlines_can_be_drawn_without_a_line_across_the_map():
    longitude, latitude = coastline()
    assert len(longitude) == len(latitude) > 5000 and np.nanmin(longitude) >= -180 and np.nanmax(longitude) <= 180
    step = np.abs(np.diff(longitude))
    assert np.nanmax(step) < 180


@pytest.mark.parametrize("name", [name for name in DATASETS if planet.choice_of(name)])
def test_the_shipped_planet_fits_its_description(name):
    dataset = DATASETS[name].load()
    assert dataset.name == name and dataset.feature_names == VARIABLES and dataset.lead_unit == "h"
    assert dataset.latitude[0] == -87.1875 and dataset.latitude[-1] == 87.1875 and dataset.longitude[-1] == 354.375
    assert {field.shape for field in dataset.constants.values()} == {(32, 64)}
    for part in PARTS:
        split = dataset.part(part)
        assert split.inputs.shape[1:] == (11, 32, 64) and split.target.shape[1:] == (32, 64)
        assert split.index.is_monotonic_increasing and split.index.is_unique
    for part in ("calibration", "test"):
        assert len(dataset.part(part)) == 170 and dataset.part(part).block.tolist() == list(range(170))  # in the order of time
    assert dataset.train.index.max() < dataset.calibration.index.min() - pd.Timedelta(days=60)
    assert dataset.calibration.index.max() < dataset.test.index.min() - pd.Timedelta(days=60)


def test_a_target_is_the_field_one_lead_time_later():
    day, three_days = (planet.load("geopotential_500", lead) for lead in (24, 72))
    assert torch.equal(day.test.target[:-1], day.test.inputs[1:, VARIABLES.index("geopotential_500")])
    assert torch.equal(three_days.test.target[:-3], day.test.inputs[3:, VARIABLES.index("geopotential_500")])
    assert day.test.index.equals(three_days.test.index)
    assert planet.load("temperature_650", 6).units == "K"


def test_the_planet_has_the_jets_and_storm_tracks_of_a_winter():
    """Figures of the Earth in winter as a rough guide: jets of 30-60 m/s near 40 degrees, storm tracks near 50, a quiet equator."""
    dataset = planet.load()
    weights = cell_area_weights(LATITUDE)[:, None]
    inputs = dict(zip(VARIABLES, dataset.test.inputs.double().unbind(1), strict=True))
    jet = inputs["u_component_of_wind_200"].mean(dim=(0, 2))
    for half, sign in ((LATITUDE > 15, 1), (LATITUDE < -15, -1)):
        assert 30 < jet[half].max() < 60 and 32 < sign * LATITUDE[half][jet[half].argmax()] < 48
    spread = inputs["geopotential_500"].std(dim=0).mean(dim=1) / STANDARD_GRAVITY
    assert 40 < LATITUDE[spread.argmax()] < 56 and 120 < spread.max() < 220 and spread[15:17].max() < 40
    errors = {
        name: float(((forecast(dataset.test) - dataset.test.target).double().square() * weights).mean().sqrt()) / STANDARD_GRAVITY
        for name, forecast in dataset.references.items()
    }
    assert 50 < errors["persistence"] < 85 and 70 < errors["climatology"] < 110


def test_a_variable_or_lead_time_that_the_planet_lacks_is_refused():
    with pytest.raises(
        ValueError, match=r"expected a variable of the simulated planet, one of geopotential_200, .*, got 'geopotential_850'"
    ):
        planet.load("geopotential_850")
    with pytest.raises(ValueError, match="expected a lead time among 6, 12, 24, 48, 72, 96, 120 h, got 7; pick one of these"):
        planet.load(lead_time=7)
    with pytest.raises(ValueError, match=r"expected variables among .*, got ozone; leave these out"):
        decode(np.zeros((1, 3, 1024), dtype=np.float32), ("ozone",))


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    planet._archive.cache_clear()
    monkeypatch.setattr(planet, "data_file", lambda name: tmp_path / name)
    for content, came in ((None, "got no file"), (b"PK", "got [0-9a-f]{12};")):
        if content:
            (tmp_path / "planet_test.npz").write_bytes(content)
        with pytest.raises(ValueError, match=rf"expected planet_test.npz of SHA-256 .* {came}"):
            planet._archive("test")


def test_the_readme_names_the_files_by_their_digest_and_they_are_small():
    readme = (DATA_FOLDER / "README.md").read_text()
    files = [*DATA_FOLDER.glob("planet_*.npz"), DATA_FOLDER / "coastline_110m.npz"]
    assert len(files) == 4 and sum(path.stat().st_size for path in files) < 12e6
    for path in files:
        assert re.search(rf"{hashlib.sha256(path.read_bytes()).hexdigest()}\s+{path.name}", readme)


def test_outlines_are_put_together_from_arcs(tmp_path):
    """A square of two arcs, the second one backwards."""
    topology = {
        "transform": {"scale": [0.5, 1.0], "translate": [-10.0, 40.0]},
        "arcs": [[[0, 0], [4, 0], [0, 2]], [[0, 0], [0, 2], [4, 0]]],
        "objects": {"land": {"geometries": [{"type": "MultiPolygon", "arcs": [[[0, -2]]]}]}},
    }
    (ring,) = natural_earth.outlines(topology)
    assert ring.tolist() == [[-10, 40], [-8, 40], [-8, 42], [-10, 42], [-10, 40]]
    natural_earth.write([ring], tmp_path / "coast.npz")
    with np.load(tmp_path / "coast.npz") as file:
        assert file["hundredth_degree"].tolist() == (100 * ring).tolist() and file["start"].tolist() == [0, 5]
