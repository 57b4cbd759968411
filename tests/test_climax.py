"""ClimaX: the public layout key for key, checkpoints in all their spellings, the embedded network on the planet."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core import sample_ensemble, stochastic_attention
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Dataset, Split, thinned
from stochattn_core.models import climax_checkpoint, climax_grid, climax_own_grid, load_model, weights_sha256
from stochattn_core.models.climax import VARIABLES, ClimaX, box_patches
from stochattn_core.models.climax_grid import GridNetwork
from stochattn_core.models.climax_training import QuickClimaX, Recipe, area, train_climax

EMBEDDED = climax_grid.Climax.path
NAMES = ("land_sea_mask", "geopotential_500", "temperature_850", "u_component_of_wind_500", "v_component_of_wind_500")
TINY = {"patch_size": 2, "embed_dim": 16, "depth": 2, "n_head": 2}
LATITUDE = (-60.0, -36.0, -12.0, 12.0, 36.0, 60.0, 72.0, 84.0)


def tiny(variables=NAMES, grid=(8, 16), kind=ClimaX, seed=0, **changes):
    """Random weights of every tensor, biases and embeddings too, so that each of them matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        network = kind(variables, grid=grid, **{**TINY, **changes}).eval()
    with torch.no_grad():
        for values in network.parameters():
            values.copy_(torch.randn(values.shape, generator=generator) * 0.3)
    return network


def fields(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def grid_dataset(n_case=12, variables=NAMES[1:], lead_time=24, lead_unit="h", target="geopotential_500", n_column=16):
    """Fields in units of their own, tomorrow a little east of today."""
    values = fields(n_case, len(variables), len(LATITUDE), n_column) * 10 + 300
    target_map = values[:, variables.index(target) if target in variables else 0].roll(1, -1)
    parts = {}
    for i, part in enumerate(("train", "calibration", "test")):
        index = pd.date_range(f"20{10 + i}-01-01", periods=n_case, freq="D", name="init_time")
        parts[part] = Split(inputs=values, target=target_map, index=index, block=np.arange(n_case))
    return Dataset(
        name="made up", task="grid", title="", target_name=target, units="m2 s-2", source="", licence="", feature_names=tuple(variables),
        lead_time=(lead_time,), lead_unit=lead_unit, latitude=LATITUDE, longitude=tuple(np.arange(n_column) * 360 / n_column),
        constants={"land_sea_mask": np.eye(8, n_column, dtype=np.float32)}, **parts,
    )  # fmt: skip


# The class


def test_the_public_configuration_has_the_public_keys_and_shapes():
    with torch.device("meta"):
        state = ClimaX().state_dict()
    assert len(state) == 209 and len(VARIABLES) == 48
    assert sum(values.numel() for values in state.values()) == 108_088_512
    shapes = {
        "var_embed": (1, 48, 1024), "var_query": (1, 1, 1024), "pos_embed": (1, 512, 1024), "token_embeds.47.proj.weight": (1024, 1, 2, 2),
        "var_agg.in_proj_weight": (3072, 1024), "var_agg.out_proj.bias": (1024,), "lead_time_embed.weight": (1024, 1),
        "blocks.7.norm1.weight": (1024,), "blocks.7.attn.qkv.weight": (3072, 1024), "blocks.0.attn.proj.bias": (1024,),
        "blocks.0.mlp.fc1.weight": (4096, 1024), "blocks.0.mlp.fc2.weight": (1024, 4096), "norm.bias": (1024,),
        "head.0.weight": (1024, 1024), "head.2.bias": (1024,), "head.4.weight": (192, 1024),
    }  # fmt: skip
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    with torch.device("meta"):
        parallel = ClimaX(parallel_patch_embed=True).state_dict()
    assert len(parallel) == 209 - 2 * 48 + 2 and tuple(parallel["token_embeds.proj_weights"].shape) == (48, 1024, 1, 2, 2)


def slow_climax(state, x, hours, ids, out_ids, n_head, p, places):
    """The published forward pass, written over single places, heads and patches, for one case."""
    f = torch.nn.functional
    norm = lambda x, name: f.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])  # noqa: E731
    linear = lambda x, name: f.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])  # noqa: E731
    width, n_column = state["pos_embed"].shape[-1], x.shape[-1] // p

    def attend(query, key, value):
        heads = []
        for h in torch.arange(width).chunk(n_head):
            scores = query[:, h] @ key[:, h].T / math.sqrt(len(h))
            heads.append(scores.softmax(-1) @ value[:, h])
        return torch.cat(heads, -1)

    tokens = []
    for place in places:
        row, column = divmod(place, n_column)
        patch = x[:, row * p : row * p + p, column * p : column * p + p]
        embeds = [
            (state[f"token_embeds.{i}.proj.weight"][:, 0] * values).sum((1, 2)) + state[f"token_embeds.{i}.proj.bias"]
            for i, values in zip(ids, patch, strict=True)
        ]
        seen = torch.stack(embeds) + state["var_embed"][0, ids]
        q, k, v = (
            f.linear(y, w, b)
            for y, w, b in zip(
                (state["var_query"][0], seen, seen),
                state["var_agg.in_proj_weight"].chunk(3),
                state["var_agg.in_proj_bias"].chunk(3),
                strict=True,
            )
        )
        tokens.append(linear(attend(q, k, v), "var_agg.out_proj")[0] + state["pos_embed"][0, place])
    y = torch.stack(tokens) + linear(torch.tensor([hours / 100]), "lead_time_embed")
    for i in range(TINY["depth"]):
        y = y + linear(attend(*linear(norm(y, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv").chunk(3, -1)), f"blocks.{i}.attn.proj")
        y = y + linear(f.gelu(linear(norm(y, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")), f"blocks.{i}.mlp.fc2")
    y = linear(f.gelu(linear(f.gelu(linear(norm(y, "norm"), "head.0")), "head.2")), "head.4")
    n_row = len({place // n_column for place in places})
    out = torch.zeros(state["var_embed"].shape[1], n_row * p, len(places) // n_row * p)
    for n, values in enumerate(y):
        row, column = divmod(n, len(places) // n_row)
        out[:, row * p : row * p + p, column * p : column * p + p] = values.view(p, p, -1).permute(2, 0, 1)
    return out[out_ids]


@pytest.mark.parametrize("places", [list(range(32)), [9, 10, 11, 17, 18, 19], [15, 8, 23, 16]], ids=["globe", "box", "over the date line"])
def test_a_pass_equals_the_published_one_written_slowly(places):
    network, x = tiny(), fields(2, 3, 8, 16)
    wanted, given = ["temperature_850", "geopotential_500"], [NAMES[3], NAMES[0], NAMES[2]]
    patch_ids = None if len(places) == 32 else places
    with torch.no_grad():
        ours = network(x, torch.tensor([24.0, 72.0]), given, wanted, patch_ids=patch_ids)
        slow = [
            slow_climax(network.state_dict(), x[i], hours, [3, 0, 2], [2, 1], TINY["n_head"], 2, places) for i, hours in enumerate((24, 72))
        ]
    torch.testing.assert_close(ours, torch.stack(slow), rtol=1e-4, atol=1e-5)


def test_the_order_of_the_variables_does_not_matter():
    network, x, lead = tiny(), fields(2, 5, 8, 16), torch.tensor([24.0, 72.0])
    order = [3, 1, 4, 0, 2]
    with torch.no_grad():
        torch.testing.assert_close(network(x[:, order], lead, [NAMES[i] for i in order]), network(x, lead), rtol=1e-4, atol=1e-5)


def test_without_positions_a_roll_by_patches_rolls_the_forecast_and_with_them_it_does_not():
    network, x, lead = tiny(), fields(2, 5, 8, 16), torch.tensor([24.0, 72.0])
    with torch.no_grad():
        assert not torch.allclose(network(x.roll(4, -1), lead), network(x, lead).roll(4, -1), atol=1e-2)
        network.pos_embed.copy_(network.pos_embed.unflatten(1, (4, 8)).mean(2, keepdim=True).expand(-1, -1, 8, -1).flatten(1, 2))
        torch.testing.assert_close(network(x.roll(4, -1), lead), network(x, lead).roll(4, -1), rtol=1e-4, atol=1e-5)


def test_a_box_is_row_by_row_and_may_cross_the_date_line():
    assert box_patches((4, 8), (1, 3), (1, 4)).tolist() == [9, 10, 11, 17, 18, 19]
    assert box_patches((4, 8), (1, 3), (7, 9)).tolist() == [15, 8, 23, 16]
    for wrong in ([9, 10, 19, 20], [9, 10, 11, 17], [32], []):
        with pytest.raises(ValueError, match="expected patch_ids of a box"):
            tiny()(fields(1, 5, 8, 16), torch.tensor([24.0]), patch_ids=wrong)


def test_what_does_not_fit_is_refused_by_name():
    lead = torch.tensor([24.0])
    with pytest.raises(ValueError, match=r"expected inputs of shape \(case, 5, 8, 16\), got \(1, 4, 8, 16\)"):
        tiny()(fields(1, 4, 8, 16), lead)
    with pytest.raises(ValueError, match="got rain; leave these out or rename"):
        tiny()(fields(1, 1, 8, 16), lead, ["rain"])
    with pytest.raises(ValueError, match="whole patches of 2 cells a side, got 7 x 16"):
        tiny(grid=(7, 16))
    with pytest.raises(ValueError, match="heads divide, got 20"):
        tiny(embed_dim=20, n_head=3)


# Its attention


def test_every_layer_of_attention_is_answered_and_blocks_alone_can_be_chosen():
    network, x, lead = tiny(), fields(3, 5, 8, 16), torch.full((3,), 24.0)
    with torch.no_grad(), stochastic_attention(network, 8) as run:
        network(x, lead)
    assert dict(run.calls) == {"var_agg": 1, "blocks.0.attn": 1, "blocks.1.attn": 1} and not run.plain
    with torch.no_grad(), stochastic_attention(network, 8, layers="*blocks*") as run:
        network(x, lead)
    assert dict(run.calls) == {"blocks.0.attn": 1, "blocks.1.attn": 1} and dict(run.plain) == {"var_agg": 1}


@pytest.mark.parametrize("layers", ["*", "*blocks*"])
def test_a_member_is_the_same_in_every_fold(layers):
    network, x, lead = tiny(), fields(3, 5, 8, 16), torch.full((3,), 24.0)
    folded, single = (sample_ensemble(network, x, lead, concentration=16, n_member=4, fold=fold, layers=layers) for fold in (4, 1))
    torch.testing.assert_close(folded, single, rtol=1e-4, atol=1e-4)
    assert float(folded.std(0).mean()) > 0


# Checkpoints


def checkpoint(tmp_path, network, prefix="net.", old=False, parallel=False, **changes):
    state = dict(network.state_dict())
    if parallel:
        state = climax_checkpoint.modern_names(state)
    if old:
        state = {name.replace("var_", "channel_"): values for name, values in state.items()}
    path = tmp_path / "tiny.ckpt"
    about = {"epoch": 3, "hyper_parameters": {"lr": 5e-4}, "optimizer_states": [{"state": {}}]}
    torch.save({"state_dict": {prefix + name: values for name, values in state.items()}, **about, **changes}, path)
    return path


@pytest.mark.parametrize("old", [False, True], ids=["var", "channel"])
@pytest.mark.parametrize("parallel", [False, True], ids=["one embedding each", "parallel"])
def test_a_checkpoint_gives_back_the_network_in_every_spelling(tmp_path, old, parallel):
    network, x, lead = tiny(), fields(2, 5, 8, 16), torch.tensor([24.0, 72.0])
    path = checkpoint(tmp_path, network, old=old, parallel=parallel)
    for ours in (False, True):
        loaded = climax_checkpoint.load_checkpoint(path, NAMES, n_head=2, parallel_patch_embed=ours)
        with torch.no_grad():
            assert torch.equal(loaded(x, lead), network(x, lead))


def test_for_another_grid_the_position_embedding_is_interpolated(tmp_path):
    network = tiny()
    loaded = climax_checkpoint.load_checkpoint(checkpoint(tmp_path, network), NAMES, n_head=2, grid=(12, 20))
    assert loaded.patches == (6, 10) and loaded.pos_embed.shape == (1, 60, 16)
    assert loaded(fields(1, 5, 12, 20), torch.tensor([24.0])).shape == (1, 5, 12, 20)
    # Cubic convolution (Keys 1981) with a = -0.75; place 7 of 16 lies at 3.25 of 8, a quarter past place 3.
    a, distance = -0.75, torch.tensor([1.25, 0.25, 0.75, 1.75])
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
    row = fields(1, 8, 1)
    again = climax_checkpoint.interpolated(row.expand(1, 8, 1).repeat(1, 4, 1).view(1, 32, 1), (4, 8), (8, 16)).view(8, 16)
    torch.testing.assert_close(again[4, 7], torch.where(distance < 1, near, far) @ row[0, 2:6, 0])
    assert climax_checkpoint.interpolated(row, (4, 8), (4, 8)) is row


def test_files_that_are_no_climax_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "other.ckpt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"expected a ClimaX checkpoint .* that holds tensors and plain values only"):
        climax_checkpoint.load_checkpoint(path)
    with pytest.raises(ValueError, match="expected a ClimaX checkpoint"):
        climax_checkpoint.load_checkpoint(tmp_path / "nowhere.ckpt")
    torch.save({"state_dict": {"net.weight": torch.zeros(2)}}, path)
    with pytest.raises(ValueError, match="found no pos_embed"):
        climax_checkpoint.load_checkpoint(path)
    with pytest.raises(ValueError, match=r"as many variables as .* has embeddings, 5, got 48"):
        climax_checkpoint.load_checkpoint(checkpoint(tmp_path, tiny()))
    damaged = tiny()
    del damaged.blocks[1].attn.proj
    with pytest.raises(ValueError, match=r"without blocks\.1\.attn\.proj\.bias; the file is damaged"):
        climax_checkpoint.load_checkpoint(checkpoint(tmp_path, damaged), NAMES)


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    with pytest.raises(ValueError, match="plain values only, got UnpicklingError"):
        climax_checkpoint.load_checkpoint(checkpoint(tmp_path, tiny(), callbacks=Evil()), NAMES)
    assert not capsys.readouterr().out


def test_without_a_network_a_public_checkpoint_is_one_clear_sentence(monkeypatch):
    import huggingface_hub

    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", fail)
    with pytest.raises(ValueError, match=r"fetch 5\.625deg\.ckpt of tungnd/climax .* got OSError; connect to the internet once"):
        load_model("climax-5.625deg").on(grid_dataset())


def test_a_checkpoint_serves_a_grid_with_the_scales_of_its_train_part(tmp_path, monkeypatch):
    names = (*NAMES, "lattitude")
    path, dataset = checkpoint(tmp_path, tiny(names)), grid_dataset(variables=(*NAMES[1:], "rain"), lead_time=3, lead_unit="d")
    monkeypatch.setattr(climax_checkpoint, "fetch", lambda _: path)
    real = climax_checkpoint.load_checkpoint
    monkeypatch.setattr(climax_checkpoint, "load_checkpoint", lambda path, grid: real(path, names, grid=grid, n_head=2))
    network, inputs = load_model("climax-5.625deg").on(dataset, device="cpu"), dataset.test.inputs
    mean, scale = inputs.mean((0, 2, 3)), inputs.double().std((0, 2, 3), correction=0).float()
    standard = ((inputs - mean[:, None, None]) / scale[:, None, None])[:, :4]  # without "rain", which no checkpoint knows
    maps = climax_grid.geography(dataset.latitude, 16, dataset.constants)
    x = torch.cat([standard, torch.stack([maps["land_sea_mask"], maps["lattitude"]]).expand(len(standard), -1, -1, -1)], 1)
    with torch.no_grad():
        plain = tiny(names)(x, torch.full((len(x),), 72.0), (*NAMES[1:], "land_sea_mask", "lattitude"), ["geopotential_500"])[:, 0]
        torch.testing.assert_close(network(inputs), plain * scale[0] + mean[0], rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="a target among the inputs that this checkpoint knows"):
        load_model("climax-5.625deg").on(grid_dataset(variables=("rain",), target="rain"))
    with pytest.raises(ValueError, match="expected a lead time from 6 to 168 h, got 480 h"):
        load_model("climax-5.625deg").on(grid_dataset(lead_time=20, lead_unit="d"))
    with pytest.raises(ValueError, match=r"expected one lead time in h or days, got \(1,\) in 'month'"):
        load_model("climax-5.625deg").on(grid_dataset(lead_time=1, lead_unit="month"))


# Training


def test_the_quick_aggregation_is_the_same_function():
    x, lead = fields(2, 5, 8, 16), torch.tensor([24.0, 72.0])
    with torch.no_grad():
        torch.testing.assert_close(tiny(kind=QuickClimaX)(x, lead), tiny()(x, lead), rtol=1e-4, atol=1e-5)


def drifting(n_time=200, n_column=16):
    """A wave that moves one cell east a step and forgets itself slowly, and its picture a quarter wave behind."""
    t, column = torch.arange(float(n_time))[:, None, None], torch.arange(float(n_column))
    amplitude = 5 + fields(n_time, 1, 1).cumsum(0) * 0.2
    wave = lambda phase: amplitude * torch.cos(2 * math.pi * 2 * (column - t) / n_column + phase)  # noqa: E731
    rows = torch.tensor(LATITUDE).deg2rad().cos()[:, None]
    return torch.stack([100 + wave(0.0) * rows, 20 + wave(math.pi / 2) * rows], 1)


def test_training_learns_a_drift_and_goes_on_where_it_was_stopped(tmp_path):
    trajectory, kept = drifting(), tmp_path / "state.pt"
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
    make(20, kept)
    assert torch.load(kept, weights_only=True)["step"] == 20
    again, whole = make(30, kept), make(30)
    assert torch.load(kept, weights_only=True)["step"] == 30
    assert again.state_dict().keys() == whole.state_dict().keys()
    climax_grid.save(tmp_path / "a.safetensors", network, {})
    with torch.no_grad():
        served = climax_grid.load(tmp_path / "a.safetensors").for_target("a", 12)
        torch.testing.assert_close(served(now), network(now), rtol=1e-5, atol=1e-3)
    assert type(served.network) is ClimaX  # the quick one hides its aggregation from the patch


def test_at_a_lead_time_in_between_damping_and_step_are_interpolated():
    network = GridNetwork(tiny(("a",)), ("a",), ("a",), (), (6.0, 12.0, 24.0))
    network.step.copy_(torch.tensor([[1.0], [2.0], [4.0]]))
    assert network.at(network.step, torch.tensor([6.0, 9.0, 12.0, 18.0, 24.0]))[:, 0].tolist() == [1.0, 1.5, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="expected a lead time from 6 to 24 h, got 48 h"):
        network.for_target("a", 48)
    with pytest.raises(ValueError, match="expected a target out of a, got 'b'"):
        network.for_target("b", 12)


# A grid of the user's own


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


def test_on_a_grid_of_the_users_own_a_network_is_trained_once_and_kept(empty_cache, monkeypatch):
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


def test_a_look_at_fewer_cases_trains_nothing_again(empty_cache, monkeypatch):
    """The weights hang on the train part alone: another number of test cases finds them, another train part does not."""
    dataset, runs, real = own_dataset(), [], climax_own_grid.train_own
    monkeypatch.setattr(climax_own_grid, "train_own", lambda dataset, progress: runs.append(1) or real(dataset, n_step=2))
    networks = [climax_own_grid.stored_or_trained(one) for one in (dataset, thinned(dataset, 8))]
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


# The embedded network


def rmse(forecast, split, latitude):
    return float(((forecast - split.target).square() * area(latitude)[:, None]).mean().sqrt())


@pytest.mark.parametrize(("name", "of_persistence"), [("planet", 0.5), ("planet-72h", 0.9)])
def test_the_embedded_network_beats_persistence_and_climatology_on_the_test_stretch(name, of_persistence):
    dataset = load_dataset(name)
    network, split = load_model("climax").on(dataset, device="cpu"), dataset.test
    with torch.no_grad():
        error = rmse(network(split.inputs), split, dataset.latitude)
    persistence, climatology = (rmse(dataset.references[which](split), split, dataset.latitude) for which in ("persistence", "climatology"))
    assert error < of_persistence * persistence and error < climatology


def test_the_embedded_network_is_small_and_knows_its_lead_time():
    assert EMBEDDED.stat().st_size < 10e6
    networks = [load_model("climax").on(load_dataset(name), device="cpu") for name in ("planet", "planet-72h")]
    assert 400_000 < sum(values.numel() for values in networks[0].parameters()) < 2_000_000
    assert [float(network.lead_time) for network in networks] == [24.0, 72.0]
    assert weights_sha256(networks[0]) != weights_sha256(networks[1])  # or stored ensembles of one would serve the other
