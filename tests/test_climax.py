"""ClimaX: the state dict of the public class, its attention, and the embedded network on the planet."""

import math

import pytest
import torch

from stochattn_core import sample_ensemble, stochastic_attention
from stochattn_core.datasets import load_dataset
from stochattn_core.models import load_model, weights_sha256
from stochattn_core.models.climax import VARIABLES, ClimaX, box_patches
from stochattn_core.models.climax_entries import Climax
from stochattn_core.models.climax_training import area
from tests.small_climax import NAMES, TINY, fields, tiny

EMBEDDED = Climax.path


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
    assert weights_sha256(networks[0]) != weights_sha256(networks[1])  # otherwise a stored ensemble of one would be read for the other
