"""Training of ClimaX, on fields like the planet's and on a grid of the user."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core import sample_ensemble
from stochattn_core.datasets.base import Split, thinned
from stochattn_core.models import climax_grid, climax_own_grid, load_model, weights_sha256
from stochattn_core.models.climax import ClimaX
from stochattn_core.models.climax_grid import GridNetwork
from stochattn_core.models.climax_training import QuickClimaX, Recipe
from tests.small_climax import LATITUDE, TINY, fields, grid_dataset, tiny
from tools.climax_training import train_climax


def test_the_quick_aggregation_is_the_same_function():
    x, lead = fields(2, 5, 8, 16), torch.tensor([24.0, 72.0])
    with torch.no_grad():
        torch.testing.assert_close(tiny(kind=QuickClimaX)(x, lead), tiny()(x, lead), rtol=1e-4, atol=1e-5)


def drifting(n_time=200, n_column=16):
    """A wave that moves one cell east per step and slowly changes its amplitude, and a second variable a quarter wave behind it."""
    t, column = torch.arange(float(n_time))[:, None, None], torch.arange(float(n_column))
    amplitude = 5 + fields(n_time, 1, 1).cumsum(0) * 0.2
    wave = lambda phase: amplitude * torch.cos(2 * math.pi * 2 * (column - t) / n_column + phase)  # noqa: E731
    rows = torch.tensor(LATITUDE).deg2rad().cos()[:, None]
    return torch.stack([100 + wave(0.0) * rows, 20 + wave(math.pi / 2) * rows], 1)


def test_training_learns_a_drift_and_goes_on_where_it_was_stopped(tmp_path):
    trajectory, resume_file = drifting(), tmp_path / "state.pt"
    make = lambda n_step, resume=None: train_climax(  # noqa: E731
        [trajectory], ("a", "b"), LATITUDE, {}, leads=(6, 12), recipe=Recipe(n_step=n_step, batch=8, rate=3e-3), resume=resume, **TINY
    )
    before = torch.random.get_rng_state()
    network = make(150)
    assert torch.equal(before, torch.random.get_rng_state())
    now, later = trajectory[20:80], trajectory[22:82]
    with torch.no_grad():
        error = (network.for_target("a", 12)(now) - later[:, 0]).square().mean().sqrt()
    assert float(error) < 0.6 * float((now[:, 0] - later[:, 0]).square().mean().sqrt())
    make(20, resume_file)
    assert torch.load(resume_file, weights_only=True)["step"] == 20
    again, whole = make(30, resume_file), make(30)
    assert torch.load(resume_file, weights_only=True)["step"] == 30
    assert again.state_dict().keys() == whole.state_dict().keys()
    climax_grid.save(tmp_path / "a.safetensors", network, {})
    with torch.no_grad():
        served = climax_grid.load(tmp_path / "a.safetensors").for_target("a", 12)
        torch.testing.assert_close(served(now), network(now), rtol=1e-5, atol=1e-3)
    assert type(served.network) is ClimaX  # QuickClimaX would hide its aggregation from the patch


def test_between_known_lead_times_damping_and_step_are_interpolated():
    network = GridNetwork(tiny(("a",)), ("a",), ("a",), (), (6.0, 12.0, 24.0))
    network.step.copy_(torch.tensor([[1.0], [2.0], [4.0]]))
    assert network.at(network.step, torch.tensor([6.0, 9.0, 12.0, 18.0, 24.0]))[:, 0].tolist() == [1.0, 1.5, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="expected a lead time from 6 to 24 h, got 48 h"):
        network.for_target("a", 48)
    with pytest.raises(ValueError, match="expected a target out of a, got 'b'"):
        network.for_target("b", 12)


def own_dataset(n_column=15):
    """Fields that drift, 12 h apart from their targets, on a grid that is no whole number of patches; a few targets are missing."""
    trajectory = drifting(n_time=320, n_column=n_column)
    parts = {}
    for part, start, stop in (("train", 0, 200), ("calibration", 204, 256), ("test", 260, 318)):
        target = trajectory[start + 2 : stop + 2, 0].clone()
        target[3, 1, 2] = float("nan")
        index = pd.date_range("2010-01-01", periods=stop, freq="6h", name="init_time")[start:]
        parts[part] = Split(inputs=trajectory[start:stop], target=target, index=index, block=np.arange(stop - start) // 20)
    return dataclasses.replace(grid_dataset(variables=("a", "b"), target="a", lead_time=12, n_column=n_column), **parts)


def test_on_a_grid_of_the_users_own_a_network_is_trained_once_and_stored(empty_cache, monkeypatch):
    dataset = own_dataset()
    real, runs = climax_own_grid.train_own, []
    monkeypatch.setattr(
        climax_own_grid, "train_own", lambda dataset, progress: runs.append(1) or real(dataset, n_step=200, progress=progress)
    )
    steps = []
    network = load_model("climax").on(dataset, device="cpu", progress=lambda done, total, what: steps.append((done, total)))
    split = dataset.test
    with torch.no_grad():
        forecast, damped = network(split.inputs), network.base(split.inputs, network.leads.expand(len(split)))[:, 0]
    assert forecast.shape == split.target.shape and bool(forecast.isfinite().all())
    error = lambda values: float((values - split.target).square().nanmean().sqrt())  # noqa: E731
    assert error(forecast) < 0.7 * error(damped) < 0.8 * error(split.inputs[:, 0])
    again = load_model("climax").on(dataset, device="cpu")
    assert len(runs) == 1 and steps[-1] == (200, 200) and weights_sha256(again) == weights_sha256(network)
    with torch.no_grad():
        assert torch.equal(again(split.inputs), forecast)
    members = sample_ensemble(again, split.inputs[:3], concentration=4, n_member=5, layers=load_model("climax").layers)
    assert members.shape == (5, 3, 8, 15) and float(members.std(0).mean()) > 0


def test_an_evaluation_on_fewer_cases_trains_nothing_again(empty_cache, monkeypatch):
    """The weights depend on the train part alone: another number of test cases uses them again, another train part does not."""
    dataset, runs, real = own_dataset(), [], climax_own_grid.train_own
    monkeypatch.setattr(climax_own_grid, "train_own", lambda dataset, progress: runs.append(1) or real(dataset, n_step=2))
    networks = [climax_own_grid.stored_or_trained(data) for data in (dataset, thinned(dataset, 8))]
    assert len(runs) == 1 and weights_sha256(networks[0]) == weights_sha256(networks[1])
    for other in (
        {"target_name": "b"},
        {"lead_time": (18,)},
        {"train": dataset.test},
        {"latitude": tuple(x + 1 for x in dataset.latitude)},
    ):
        assert climax_own_grid.train_sha256(dataclasses.replace(dataset, **other)) != climax_own_grid.train_sha256(dataset)


def test_few_maps_get_few_steps():
    assert [climax_own_grid.n_step_for(n) for n in (8, 160, 10_000)] == [300, 600, 1500]


def test_patches_are_as_small_as_their_number_allows():
    assert [climax_own_grid.patch_size(*grid) for grid in ((8, 16), (32, 64), (25, 53), (121, 240))] == [2, 4, 4, 16]
