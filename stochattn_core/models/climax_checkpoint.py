"""The public ClimaX checkpoints: reads a Lightning file into a `ClimaX`.

Such a file is a pickle; it is read with weights_only=True and cannot run code. Its keys have the prefix "net."; older files say "channel"
for "var"; the patch embeddings may be one tensor for all variables or one for each. The published weights are pretrained on climate
models (CMIP6) for lead times of 6 to 168 h. They come without means and standard deviations, which are taken from the user's data.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from stochattn_core.models.climax import VARIABLES, ClimaX, whole_patches

REPOSITORY = "tungnd/climax"  # on huggingface.co
HEAD_DIM = 64  # of the public configuration; the weights do not show the number of heads


def fetch(name: str) -> Path:
    """Return the path of a file on the hub, "5.625deg.ckpt" or "1.40625deg.ckpt"; a file fetched before comes from the local cache."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    cached = try_to_load_from_cache(REPOSITORY, name)
    if isinstance(cached, str):
        return Path(cached)
    try:
        # Without a network this fails at once; the download would retry for half a minute.
        get_hf_file_metadata(hf_hub_url(REPOSITORY, name), timeout=10)
        return Path(hf_hub_download(REPOSITORY, name))
    except Exception as error:  # the hub's client raises a dozen kinds of errors for a network that fails
        raise ValueError(
            f"expected to fetch {name} of {REPOSITORY} (about 430 MB) from huggingface.co, got {type(error).__name__}; connect to the internet once, "
            "or pick the model 'climax', which is embedded"
        ) from error


def load_checkpoint(
    path: str | Path,
    variables: Sequence[str] = VARIABLES,
    *,
    grid: tuple[int, int] | None = None,
    n_head: int | None = None,
    parallel_patch_embed: bool = False,
) -> ClimaX:
    """Return the network of a checkpoint file in eval mode; its sizes are read off the weights.

    variables: the names of the rows of its embeddings, in order. grid: (latitude, longitude) cells, by default those of its training,
    with twice as many longitudes as latitudes. For another grid, extended to whole patches, the position embedding is interpolated.
    Raises ValueError for a file that does not hold these weights.
    """
    state = modern_names(read(path))
    needed = ("pos_embed", "var_embed", "lead_time_embed.weight", "head.0.weight", "token_embeds.proj_weights")
    missing = [name for name in needed if name not in state]
    if missing:
        raise ValueError(f"expected the weights of a ClimaX in {str(path)!r}, found no {', '.join(missing)}; give a file of {REPOSITORY}")
    if len(variables) != state["var_embed"].shape[1]:
        raise ValueError(
            f"expected as many variables as {str(path)!r} has embeddings, {state['var_embed'].shape[1]}, got {len(variables)}; name them in their order"
        )
    width, patch_size = state["pos_embed"].shape[-1], state["token_embeds.proj_weights"].shape[-1]
    n_row = round((state["pos_embed"].shape[1] / 2) ** 0.5)
    grid = whole_patches(grid, patch_size) if grid else (n_row * patch_size, 2 * n_row * patch_size)
    with torch.device("meta"):
        network = ClimaX(
            variables,
            grid=grid,
            patch_size=patch_size,
            embed_dim=width,
            depth=_count(state, "blocks."),
            n_head=n_head or max(1, width // HEAD_DIM),
            mlp_ratio=len(state["blocks.0.mlp.fc1.bias"]) / width,
            decoder_depth=_count(state, "head.") - 1,
            parallel_patch_embed=parallel_patch_embed,
        )
    state["pos_embed"] = interpolated(state["pos_embed"], (n_row, 2 * n_row), network.patches)
    if not parallel_patch_embed:
        state = one_embedding_each(state)
    expected, present = set(network.state_dict()), set(state)
    if expected - present:
        raise ValueError(
            f"expected {len(expected)} tensors of a ClimaX in {str(path)!r}, found {len(expected & present)}, without {min(expected - present)}; "
            "the file is damaged or of another model"
        )
    network.load_state_dict({name: state[name].float() for name in expected}, assign=True)
    return network.eval()


def read(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a Lightning file, or of a bare state dict, by their names without the prefix "net."."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"expected a ClimaX checkpoint in {str(path)!r} that holds tensors and plain values only, got {type(error).__name__}; "
            f"give a file of {REPOSITORY}, fetched anew"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {name.removeprefix("net."): values for name, values in state.items() if isinstance(values, Tensor)}


def modern_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with "var" for "channel", and with the patch embeddings of all variables in one tensor."""
    state = {name.replace("channel", "var"): values for name, values in state.items()}
    n_variable = _count(state, "token_embeds.")
    if "token_embeds.0.proj.weight" in state:
        for old, new in (("weight", "proj_weights"), ("bias", "proj_biases")):
            state[f"token_embeds.{new}"] = torch.stack([state.pop(f"token_embeds.{i}.proj.{old}") for i in range(n_variable)])
    return state


def one_embedding_each(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with one patch embedding per variable instead of one tensor for all."""
    state = dict(state)
    pairs = zip(state.pop("token_embeds.proj_weights"), state.pop("token_embeds.proj_biases"), strict=True)
    for i, (weight, bias) in enumerate(pairs):
        state |= {f"token_embeds.{i}.proj.weight": weight, f"token_embeds.{i}.proj.bias": bias}
    return state


def interpolated(pos_embed: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Return position embeddings (1, place, width) of one grid of patches for another grid, bicubic as in microsoft/ClimaX."""
    if old == new:
        return pos_embed
    maps = pos_embed.unflatten(1, old).permute(0, 3, 1, 2)
    return F.interpolate(maps, size=new, mode="bicubic", align_corners=False).permute(0, 2, 3, 1).flatten(1, 2)


def _count(state: dict[str, Tensor], prefix: str) -> int:
    """Return how many different first parts follow the prefix in the names of the state."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})
