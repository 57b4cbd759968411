"""From a model and a dataset to scores, and what is kept of it."""

import math
from importlib import import_module
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import Setting, evaluate, load_dataset, load_model, sample_ensemble, store, tune
from stochattn_core.datasets.base import Dataset, Split, blocks_in_time
from stochattn_core.ensemble_file import read_ensemble, write_ensemble
from stochattn_core.metrics import scores
from stochattn_core.models import weights_sha256
from tests.zoo import ByHand


@pytest.fixture(scope="module")
def diabetes():
    return load_dataset("diabetes")


@pytest.fixture(scope="module")
def model():
    return load_model("ft_transformer")


def test_scores_are_those_of_the_ensemble_written_out(model, diabetes):
    found = evaluate(model, diabetes, Setting(8, 19))
    members, target = np.asarray(found.ensemble.members, float), diabetes.test.target.double().numpy()
    mean = members.mean(0)
    assert found.scores["rmse"] == pytest.approx(np.sqrt(np.mean((mean - target) ** 2)))
    assert found.scores["spread"] == pytest.approx(np.sqrt(members.var(0, ddof=1).mean()))
    assert found.scores["spread_skill_ratio"] == pytest.approx(math.sqrt(20 / 19) * found.scores["spread"] / found.scores["rmse"])
    assert found.plain["rmse"] == pytest.approx(np.sqrt(np.mean((found.ensemble.plain - target) ** 2)), rel=1e-6)
    assert found.scores["n_case"] == len(diabetes.test)


def test_members_do_not_depend_on_the_chunks_they_were_computed_in(model, diabetes):
    found = evaluate(model, diabetes, Setting(8, 19))
    whole = sample_ensemble(model.on(diabetes, device="cpu"), diabetes.test.inputs, concentration=8, n_member=19)
    assert np.allclose(found.ensemble.members, whole.numpy(), rtol=1e-5)


def test_the_plain_model_has_no_spread_and_its_crps_is_its_mean_absolute_error(model, diabetes):
    found = evaluate(model, diabetes, Setting(math.inf, 5))
    assert found.scores["spread"] == 0 and found.scores["coverage_90"] == 0
    assert found.scores["crps_fair"] == pytest.approx(found.plain["mae"])
    assert found.scores["rmse"] == pytest.approx(found.plain["rmse"])


def test_what_was_computed_is_read_back_and_not_computed_again(model, diabetes, empty_cache, monkeypatch):
    first = evaluate(model, diabetes, Setting(8, 19))
    monkeypatch.setattr(import_module("stochattn_core.forecasts"), "sample_ensemble", lambda *_, **__: pytest.fail("computed again"))
    again = evaluate(model, diabetes, Setting(8, 19))
    assert again.scores == first.scores


def test_work_that_is_stopped_leaves_nothing_half_done(model, diabetes, empty_cache):
    def stop(done, total, what):
        if done and what == "forecasts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, diabetes, Setting(8, 49), progress=stop)
    assert not [path for path in (empty_cache / "results").rglob("*") if path.is_file()]
    evaluate(model, diabetes, Setting(8, 49))


def test_progress_ends_at_its_total(model, diabetes, empty_cache):
    seen = []
    evaluate(model, diabetes, Setting(8, 19), progress=lambda *x: seen.append(x))
    assert seen[-1][0] == seen[-1][1] and all(a[0] <= b[0] for a, b in pairwise(seen) if a[2] == b[2])


def test_a_network_of_ones_own_is_evaluated_as_it_is(diabetes):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.attention, self.head = nn.Linear(1, 8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 1)

        def forward(self, x):
            x = self.lift(x[..., None] / 100)
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))[:, 0]

    found = evaluate(Own().eval(), diabetes, Setting(4, 9))
    assert found.model == "Own" and found.calls == {"attention": 1} and found.scores["spread"] > 0
    with pytest.raises(ValueError, match="expected a forecast of shape"):
        evaluate(nn.Sequential(Own(), nn.Unflatten(0, (1, -1))).eval(), diabetes, Setting(4, 9))


def test_a_network_that_calls_its_parts_layers_is_sampled_whole(diabetes):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.head = nn.Linear(1, 8), nn.Linear(8, 1)
            self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2))

        def forward(self, x):
            x = self.lift(x[..., None] / 100)
            for layer in self.layers:
                x = layer(x)
            return self.head(x.mean(1))[:, 0]

    network = Own().eval()
    found = evaluate(network, diabetes, Setting(4, 5))
    assert found.layers == "*" and len(found.calls) == 2 and found.scores["spread"] > 0
    assert tune(network, diabetes, n_member=5, n_pass=2).grid.size


def test_model_and_dataset_of_different_tasks_are_refused(model):
    with pytest.raises(ValueError, match="forecasts a table, dataset 'sunspots' is a series"):
        evaluate(model, load_dataset("sunspots"))
    with pytest.raises(ValueError, match=r"model must be an entry of MODELS or a torch.nn.Module, got str"):
        evaluate("ft_transformer", load_dataset("diabetes"))


def test_layers_of_the_setting_reach_the_model(model, diabetes):
    everything = evaluate(model, diabetes, Setting(2, 9))
    first = next(iter(everything.calls))
    some = evaluate(model, diabetes, Setting(2, 9, layers=first))
    assert some.layers == first and some.scores["spread"] < everything.scores["spread"]


def test_an_ensemble_file_gives_the_scores_it_was_made_of(model, diabetes, tmp_path):
    found = evaluate(model, diabetes, Setting(8, 19))
    write_ensemble(found, tmp_path / "e.nc")
    back = read_ensemble(tmp_path / "e.nc")
    assert np.array_equal(back.members, found.ensemble.members) and np.array_equal(back.block, found.ensemble.block)
    again = scores(back.statistics)
    assert all(
        again[name] == value
        for name, value in found.scores.items()
        if "climatology" not in name and "_uncert" not in name and "_resol" not in name
    )


def a_grid(n_case=24):
    """Fields of which the network sees all, on a coarse globe: the target is the first variable."""
    latitude, longitude = (-67.5, -22.5, 22.5, 67.5), tuple(range(0, 360, 60))

    def part(seed):
        x = torch.randn(n_case, 2, 4, 6, generator=torch.Generator().manual_seed(seed))
        return Split(x, x[:, 0] + 0.3 * x[:, 1], pd.date_range("2000-01-01", periods=n_case), blocks_in_time(n_case, 2))

    references = {"persistence": lambda split: split.inputs[:, 0]}
    return Dataset(
        "a-grid", "grid", "A grid", "height", "m", "made here", "none", part(0), part(1), part(2),
        lead_time=(24,), lead_unit="h", references=references, latitude=latitude, longitude=longitude,
    )  # fmt: skip


class GridNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.attention, self.head = nn.Linear(2, 8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        tokens = self.lift(x.flatten(2).mT)
        return self.head(tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0])[..., 0].unflatten(1, (4, 6))


def test_a_grid_is_scored_with_its_cells_by_their_area(tmp_path):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GridNetwork().eval()
    grid = a_grid()
    found = evaluate(network, grid, Setting(4, 9))
    area = np.cos(np.deg2rad(grid.latitude))  # cells of equal height: the exact area is proportional to it
    weights = np.broadcast_to((area / area.mean())[:, None], (4, 6))
    members, target = np.asarray(found.ensemble.members, float), grid.test.target.numpy()
    assert found.ensemble.dims == ("init_time", "latitude", "longitude")
    assert found.scores["rmse"] == pytest.approx(np.sqrt(np.mean(weights * (members.mean(0) - target) ** 2)), rel=1e-6)
    assert found.scores["spread"] == pytest.approx(np.sqrt(np.mean(weights * members.var(0, ddof=1))), rel=1e-6)
    assert found.references["persistence"] == pytest.approx(
        np.sqrt(np.mean(weights * (grid.test.inputs[:, 0].numpy() - target) ** 2)), rel=1e-6
    )
    write_ensemble(found, tmp_path / "e.nc")
    back = read_ensemble(tmp_path / "e.nc")
    assert back.latitude == grid.latitude and scores(back.pooled)["rmse"] == pytest.approx(found.scores["rmse"])
    assert tune(network, grid, n_member=9, n_pass=3).grid.size


def test_an_ensemble_file_of_a_series_has_cf_coordinates(tmp_path):
    import xarray as xr

    series = load_dataset("sunspots")
    write_ensemble(evaluate(load_model("timesfm"), series, Setting(16, 5)), tmp_path / "e.nc")
    with xr.open_dataset(tmp_path / "e.nc", engine="h5netcdf") as data:
        assert data.forecast.dims == ("member", "init_time", "lead_time") and data.target.dims == ("init_time", "lead_time")
        assert data.member.attrs["standard_name"] == "realization" and data.forecast.attrs["units"]
        assert data.attrs["Conventions"].startswith("CF-")


def other_file(tmp_path, **changes):
    import xarray as xr

    forecast = np.random.default_rng(0).normal(size=(6, 5)).astype("f4")
    variables = {"forecast": (("case", "number"), forecast), "target": (("case",), forecast.mean(1)), **changes}
    xr.Dataset({name: value for name, value in variables.items() if value is not None}).to_netcdf(tmp_path / "o.nc", engine="h5netcdf")
    return tmp_path / "o.nc"


def test_an_ensemble_file_of_somebody_else_is_read_with_its_names_and_axis_order(tmp_path):
    back = read_ensemble(other_file(tmp_path))
    assert back.members.shape == (5, 6) and back.dims == ("case",)


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        ({"target": None}, "expected variables forecast and target in o.nc, got forecast"),
        ({"forecast": (("case", "what"), np.zeros((6, 5)))}, "expected forecast with a member dimension"),
        ({"forecast": (("case", "member"), np.zeros((6, 1)))}, "at least 2 members in o.nc, got 1"),
        ({"forecast": (("case", "member"), np.full((6, 5), np.nan))}, "expected finite forecasts in o.nc, got 30"),
        ({"target": (("time",), np.zeros(3))}, "align the two"),
    ),
)
def test_an_ensemble_file_that_does_not_fit_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_ensemble(other_file(tmp_path, **changes))


def test_a_file_that_is_no_netcdf_is_refused(tmp_path):
    (tmp_path / "e.nc").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(ValueError, match=r"expected a NetCDF file, e\.nc cannot be read as one"):
        read_ensemble(tmp_path / "e.nc")
    with pytest.raises(ValueError, match="there is none; check the path"):
        read_ensemble(tmp_path / "none.nc")


def test_the_store_forgets_the_oldest_when_it_is_full(empty_cache):
    import os

    for i in range(4):
        folder = store._folder(store.key_of("test", i=i))
        store.save_arrays(store.key_of("test", i=i), {"x": np.zeros(1000)})
        os.utime(folder, (i, i))
    store.save(store.key_of("test", i=9), lambda folder: np.save(folder / "x.npy", np.zeros(1000)), limit_bytes=3 * 8200)
    kept = [i for i in (*range(4), 9) if store.load(store.key_of("test", i=i)) is not None]
    assert kept == [2, 3, 9]


def test_the_store_is_looked_through_now_and_then_and_whenever_it_may_be_full(empty_cache, monkeypatch):
    looked = []
    forget = store._forget_oldest
    monkeypatch.setattr(store, "_forget_oldest", lambda *given, **named: looked.append(1) or forget(*given, **named))

    def keep(i, limit_bytes):
        store.save(store.key_of("test", i=i), lambda folder: np.save(folder / "x.npy", np.zeros(1000)), limit_bytes=limit_bytes)

    for i in range(70):
        keep(i, 1 << 30)
    assert len(looked) == 2
    for i in range(70, 100):
        keep(i, 80 * 8200)
        size = sum(path.stat().st_size for path in (empty_cache / "results").rglob("*.npy"))
        assert size <= 1.02 * 80 * 8200
    assert 5 < len(looked) < 20


def test_a_broken_entry_of_the_store_is_computed_again(model, diabetes, empty_cache):
    first = evaluate(model, diabetes, Setting(8, 5))
    for path in (empty_cache / "results").rglob("members.npy"):
        path.unlink()  # the first result still has the old file open
        path.write_bytes(b"")
    assert evaluate(model, diabetes, Setting(8, 5)).scores == first.scores


def test_infinite_targets_never_reach_a_score_in_silence(model, diabetes):
    found = evaluate(model, diabetes, Setting(8, 5)).ensemble
    with pytest.raises(ValueError, match=r"finite|infinit|NaN"):
        from stochattn_core.metrics import Statistics

        members = torch.tensor(np.array(found.members))
        members[0, 0] = torch.inf
        Statistics.of(members, torch.tensor(found.target), torch.tensor(found.plain), found.block, int(found.block.max()) + 1)


def test_networks_that_differ_in_more_than_their_weights_do_not_share_results(diabetes):
    class Own(nn.Module):
        def __init__(self, n_head, scale):
            super().__init__()
            self.lift, self.attention, self.head = nn.Linear(1, 8), nn.MultiheadAttention(8, n_head, batch_first=True), nn.Linear(8, 1)
            self.register_buffer("scale", torch.tensor(scale), persistent=False)

        def forward(self, x):
            x = self.lift(x[..., None] / 100)
            return self.scale * self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))[:, 0]

    first, heads, scaled = Own(2, 1.0).eval(), Own(4, 1.0).eval(), Own(2, 100.0).eval()
    for other in (heads, scaled):
        other.load_state_dict(first.state_dict())
    plain = [evaluate(network, diabetes, Setting(4, 5)).ensemble.plain for network in (first, heads, scaled)]
    assert not np.allclose(plain[0], plain[1]) and np.allclose(100 * plain[0], plain[2], rtol=1e-5)
    assert weights_sha256(first) != weights_sha256(scaled)


def test_a_network_with_attention_by_hand_is_evaluated_when_its_class_is_named():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.attention, self.head = nn.Linear(1, 16), ByHand(), nn.Linear(16, 1)

        def forward(self, x):
            return self.head(self.attention(self.lift(x[..., None] / 100)).mean(1))[:, 0]

    found = evaluate(Own().eval(), load_dataset("diabetes"), Setting(4, 5), attention_classes=(ByHand,))
    assert found.calls == {"attention": 1} and found.scores["spread"] > 0


def test_doubles_in_a_file_stay_doubles(tmp_path):
    forecast = 273.15e5 + 1e-3 * np.random.default_rng(0).normal(size=(40, 5))
    back = read_ensemble(other_file(tmp_path, forecast=(("case", "number"), forecast), target=(("case",), forecast[:, 0])))
    assert scores(back.statistics)["spread"] == pytest.approx(1e-3, rel=0.3)


def test_a_classic_netcdf_file_is_read(tmp_path):
    import xarray as xr

    values = np.random.default_rng(0).normal(size=(6, 5)).astype("f4")
    data = xr.Dataset({"forecast": (("case", "member"), values), "target": (("case",), values.mean(1))})
    data.to_netcdf(tmp_path / "classic.nc", engine="scipy", format="NETCDF3_64BIT")
    assert read_ensemble(tmp_path / "classic.nc").members.shape == (5, 6)
