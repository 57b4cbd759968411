"""Checkpoints of ClimaX in all their spellings, and files that are refused."""

import pytest
import torch

from stochattn_core.models import climax_checkpoint, climax_grid, load_model
from tests.small_climax import NAMES, fields, grid_dataset, tiny


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
@pytest.mark.parametrize("parallel", [False, True], ids=["embedding by variable", "parallel"])
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


def test_files_without_a_climax_are_refused_with_a_reason(tmp_path):
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
    with pytest.raises(ValueError, match=r"expected one lead time in h, days, months or years, got \(1,\) in 'step'"):
        load_model("climax-5.625deg").on(grid_dataset(lead_time=1, lead_unit="step"))
