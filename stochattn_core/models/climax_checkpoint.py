"""The public ClimaX checkpoints: a Lightning file in, our own module out.

Such a file is a pickle, read with weights_only=True: it cannot run code. Keys carry the prefix "net."; older ones say "channel" for
"var"; the patch embeddings may be one tensor for all variables or one for each. What is published is pretrained on climate models
(CMIP6) for lead times of 6 to 168 h, with neither a mean nor a standard deviation: these are taken from the data at hand.
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
HEAD_DIM = 64  # of the public configuration: the number of heads cannot be read off the weights


def fetch(name: str) -> Path:
    """The file of that name on the hub, "5.625deg.ckpt" or "1.40625deg.ckpt", from the local cache where it has been fetched before."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

    kept = try_to_load_from_cache(REPOSITORY, name)
    if isinstance(kept, str):
        return Path(kept)
    try:
        get_hf_file_metadata(hf_hub_url(REPOSITORY, name), timeout=10)  # fails at once; the download retries for half a minute
        return Path(hf_hub_download(REPOSITORY, name))
    except Exception as error:  # the hub's client raises a dozen kinds for a network that fails
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
    """The network of a checkpoint file in eval mode; its sizes are read off the weights.

    variables: what the rows of its embeddings stand for, in order.   grid: (latitude, longitude) cells, by default those it was trained on, twice
    as many longitudes as latitudes; for another one, made larger to whole patches, the position embedding is interpolated.
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
    expected, found = set(network.state_dict()), set(state)
    if expected - found:
        raise ValueError(
            f"expected {len(expected)} tensors of a ClimaX in {str(path)!r}, found {len(expected & found)}, without {min(expected - found)}; "
            "the file is damaged or of another model"
        )
    network.load_state_dict({name: state[name].float() for name in expected}, assign=True)
    return network.eval()


def read(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a Lightning file, or of a bare state dict, without the prefix "net."."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"expected a ClimaX checkpoint in {str(path)!r} that holds tensors and plain values only, got {type(error).__name__}; "
            f"give a file of {REPOSITORY}, fetched anew"
        ) from error
    state = kept.get("state_dict", kept) if isinstance(kept, dict) else {}
    return {name.removeprefix("net."): values for name, values in state.items() if isinstance(values, Tensor)}


def modern_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """ "channel" becomes "var", and patch embeddings of one variable each become one tensor for all."""
    state = {name.replace("channel", "var"): values for name, values in state.items()}
    n_variable = _count(state, "token_embeds.")
    if "token_embeds.0.proj.weight" in state:
        for old, new in (("weight", "proj_weights"), ("bias", "proj_biases")):
            state[f"token_embeds.{new}"] = torch.stack([state.pop(f"token_embeds.{i}.proj.{old}") for i in range(n_variable)])
    return state


def one_embedding_each(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The patch embeddings of one tensor as one embedding a variable."""
    state = dict(state)
    pairs = zip(state.pop("token_embeds.proj_weights"), state.pop("token_embeds.proj_biases"), strict=True)
    for i, (weight, bias) in enumerate(pairs):
        state |= {f"token_embeds.{i}.proj.weight": weight, f"token_embeds.{i}.proj.bias": bias}
    return state


def interpolated(pos_embed: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Position embeddings (1, place, width) of one grid of patches for another, bicubic as upstream does it."""
    if old == new:
        return pos_embed
    maps = pos_embed.unflatten(1, old).permute(0, 3, 1, 2)
    return F.interpolate(maps, size=new, mode="bicubic", align_corners=False).permute(0, 2, 3, 1).flatten(1, 2)


def _count(state: dict[str, Tensor], prefix: str) -> int:
    """How many different first parts the names after the prefix have."""
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})
