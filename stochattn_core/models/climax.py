"""ClimaX for weather on a latitude-longitude grid: a module of our own with the state dict of microsoft/ClimaX, global and regional.

Each variable has its own patch embedding. At each place one learned query attends over the variables (`var_agg`, an
nn.MultiheadAttention); pre-norm blocks then attend over the places (`blocks.*.attn`, torch's scaled_dot_product_attention).
Source: Nguyen et al. (2023), "ClimaX: A foundation model for weather and climate", ICML,
arXiv 2301.10343.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = (50, 250, 500, 600, 700, 850, 925)  # hPa
# The 48 variables of the public checkpoints, in their order; "lattitude" is their spelling.
VARIABLES = (
    *("land_sea_mask", "orography", "lattitude", "2m_temperature", "10m_u_component_of_wind", "10m_v_component_of_wind"),
    *(
        f"{name}_{level}"
        for name in ("geopotential", "u_component_of_wind", "v_component_of_wind", "temperature", "relative_humidity", "specific_humidity")
        for level in LEVELS
    ),
)
HOURS = 100.0  # the network receives lead times in units of so many hours


class ClimaX(nn.Module):
    """A forecast of standardised variables at a later time from standardised variables of one time.

    **Shape**: x (case, variable, latitude, longitude), lead_times (case,) in hours -> (case, out_variable, latitude, longitude);
    with patch_ids, the box of the grid that these patches cover.

    The defaults are the public configuration: 108,088,512 parameters in 209 tensors. A pass makes 1 + depth attention calls.
    parallel_patch_embed keeps the patch embeddings of all variables in one tensor, as some checkpoints do; the result is the same.
    """

    def __init__(
        self,
        variables: Sequence[str] = VARIABLES,
        *,
        grid: tuple[int, int] = (32, 64),
        patch_size: int = 2,
        embed_dim: int = 1024,
        depth: int = 8,
        n_head: int = 16,
        mlp_ratio: float = 4.0,
        decoder_depth: int = 2,
        dropout: float = 0.0,
        parallel_patch_embed: bool = False,
    ) -> None:
        super().__init__()
        if grid[0] % patch_size or grid[1] % patch_size:
            raise ValueError(f"expected a grid of whole patches of {patch_size} cells a side, got {grid[0]} x {grid[1]}; crop it")
        if embed_dim % 4 or embed_dim % n_head:
            raise ValueError(f"expected an embed_dim that 4 and the {n_head} heads divide, got {embed_dim}; take a multiple of both")
        self.variables = tuple(variables)
        self.patch_size = patch_size
        self.grid = (grid[0], grid[1])
        self.patches = (grid[0] // patch_size, grid[1] // patch_size)
        self.var_map = {name: i for i, name in enumerate(self.variables)}
        n_variable, n_patch = len(self.variables), self.patches[0] * self.patches[1]
        embeds = ParallelPatchEmbeds if parallel_patch_embed else PatchEmbeds
        self.token_embeds: nn.Module = embeds(n_variable, patch_size, embed_dim)
        self.var_embed = nn.Parameter(torch.zeros(1, n_variable, embed_dim))
        self.var_query = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.var_agg = nn.MultiheadAttention(embed_dim, n_head, batch_first=True)
        self.pos_embed = nn.Parameter(torch.zeros(1, n_patch, embed_dim))
        self.lead_time_embed = nn.Linear(1, embed_dim)
        self.pos_drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(embed_dim, n_head, mlp_ratio, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim)
        layers = [layer for _ in range(decoder_depth) for layer in (nn.Linear(embed_dim, embed_dim), nn.GELU())]
        self.head = nn.Sequential(*layers, nn.Linear(embed_dim, n_variable * patch_size**2))
        self._initialise()

    def _initialise(self) -> None:
        """Initialise as published: weights normal with standard deviation 0.02, cut at 2, biases 0, positions and variables as sines and cosines."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        width = self.pos_embed.shape[-1]
        row, column = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in self.patches), indexing="ij")
        with torch.no_grad():
            self.pos_embed.copy_(torch.cat([sines(column.flatten(), width // 2), sines(row.flatten(), width // 2)], dim=-1))
            self.var_embed.copy_(sines(torch.arange(len(self.variables), dtype=torch.float64), width))

    def forward(
        self,
        x: Tensor,
        lead_times: Tensor,
        variables: Sequence[str] | None = None,
        out_variables: Sequence[str] | None = None,
        *,
        patch_ids: Sequence[int] | Tensor | None = None,
    ) -> Tensor:
        """variables name the channels of x, out_variables those of the result; None stands for all of the network's, in its order.

        patch_ids: the patches of a box, row by row from the first latitude, each row from west to east; see `box_patches`.
        Inputs are whole grids even then: the box is cut out after the embedding.
        """
        names = self.variables if variables is None else tuple(variables)
        wanted = None if out_variables is None else self._ids(out_variables)
        if x.ndim != 4 or x.shape[1] != len(names) or tuple(x.shape[2:]) != self.grid:
            raise ValueError(
                f"expected inputs of shape (case, {len(names)}, {self.grid[0]}, {self.grid[1]}), got {tuple(x.shape)}; name the variables and check the grid"
            )
        rows, places = self.patches[0], None
        if patch_ids is not None:
            places = torch.as_tensor(patch_ids, device=x.device)
            rows = self._rows(places)
        tokens = self.head(self.encode(x, lead_times, names, places))
        maps = self._maps(tokens, rows)
        return maps if wanted is None else maps[:, wanted]

    def encode(self, x: Tensor, lead_times: Tensor, variables: Sequence[str], places: Tensor | None = None) -> Tensor:
        """Return one token per place, after the last block and its norm: (case, place, embed_dim)."""
        ids = self._ids(variables)
        tokens = self.token_embeds(x, ids) + self.var_embed[:, ids, None]  # (case, variable, place, embed_dim)
        pos_embed: Tensor = self.pos_embed
        if places is not None:
            tokens, pos_embed = tokens[:, :, places], pos_embed[:, places]
        n_case, _, n_place, width = tokens.shape
        tokens = self.aggregate(tokens.transpose(1, 2).flatten(0, 1))
        lead = self.lead_time_embed((lead_times.to(x.dtype) / HOURS)[:, None])
        tokens = self.pos_drop(tokens.view(n_case, n_place, width) + pos_embed + lead[:, None])
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def aggregate(self, tokens: Tensor) -> Tensor:
        """Let one learned query attend over the variables at each place: (case place, variable, embed_dim) -> (case place, 1, embed_dim)."""
        return self.var_agg(self.var_query.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)[0]

    def _ids(self, variables: Sequence[str]) -> list[int]:
        unknown = [name for name in variables if name not in self.var_map]
        if unknown:
            raise ValueError(
                f"expected variables out of {', '.join(self.variables)}, got {', '.join(unknown)}; leave these out or rename them"
            )
        return [self.var_map[name] for name in variables]

    def _rows(self, places: Tensor) -> int:
        """Return how many rows of patches the box has. Raises ValueError for patches that do not form a box."""
        n_row, n_column = self.patches
        inside = places.ndim == 1 and len(places) > 0 and bool(((places >= 0) & (places < n_row * n_column)).all())
        if inside:
            rows = len((places // n_column).unique())
            if len(places) % rows == 0:
                row, column = (places // n_column).view(rows, -1), (places % n_column).view(rows, -1)
                if bool((row == row[:, :1]).all() & (column == column[:1]).all() & (row[:, 0].diff() == 1).all()):
                    return rows
        raise ValueError(
            f"expected patch_ids of a box, row by row, each from 0 to {n_row * n_column - 1}, got {places.tolist()[:8]} ...; use box_patches"
        )

    def _maps(self, tokens: Tensor, rows: int) -> Tensor:
        """Return tokens as maps: (case, place, row column variable) -> (case, variable, latitude, longitude)."""
        p = self.patch_size
        maps = tokens.view(len(tokens), rows, -1, p, p, len(self.variables)).permute(0, 5, 1, 3, 2, 4)
        return maps.flatten(4, 5).flatten(2, 3)


def whole_patches(grid: tuple[int, int], patch_size: int) -> tuple[int, int]:
    """Return the smallest grid of whole patches that holds this one.

    >>> whole_patches((25, 53), 4)
    (28, 56)
    """
    n_row, n_column = grid
    return -(-n_row // patch_size) * patch_size, -(-n_column // patch_size) * patch_size


def box_patches(patches: tuple[int, int], latitude: tuple[int, int], longitude: tuple[int, int]) -> Tensor:
    """Return the patch_ids of a box: rows latitude[0] <= i < latitude[1], and columns likewise.

    Columns may run past the end, over the date line.

    >>> box_patches((16, 32), (2, 4), (31, 33)).tolist()
    [95, 64, 127, 96]
    """
    row, column = torch.arange(*latitude), torch.arange(*longitude) % patches[1]
    return (row[:, None] * patches[1] + column).flatten()


def sines(position: Tensor, width: int) -> Tensor:
    """Return sines, then cosines, of position / 10000^(2 i / width), i from 0 to width / 2 - 1: (place,) -> (place, width)."""
    rate = 10000.0 ** -(torch.arange(width // 2, dtype=position.dtype) / (width / 2))
    angle = position[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class PatchEmbed(nn.Module):
    """The patch embedding of one variable; `PatchEmbeds` reads its weights."""

    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, width, patch_size, stride=patch_size)
        nn.init.trunc_normal_(self.proj.weight, std=0.02)


class PatchEmbeds(nn.ModuleList):
    """One embedding per variable. **Shape**: (case, variable, latitude, longitude) -> (case, variable, place, width)"""

    def __init__(self, n_variable: int, patch_size: int, width: int) -> None:
        super().__init__(PatchEmbed(patch_size, width) for _ in range(n_variable))

    def forward(self, x: Tensor, ids: list[int]) -> Tensor:
        convolutions = [module.proj for module in self if isinstance(module, PatchEmbed)]
        weights, biases = ([getattr(convolutions[i], name) for i in ids] for name in ("weight", "bias"))
        return _embed(x, torch.stack(weights), torch.stack(biases))


class ParallelPatchEmbeds(nn.Module):
    """The same as PatchEmbeds, with the weights of all variables in one tensor."""

    def __init__(self, n_variable: int, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj_weights = nn.Parameter(torch.empty(n_variable, width, 1, patch_size, patch_size))
        self.proj_biases = nn.Parameter(torch.zeros(n_variable, width))
        nn.init.trunc_normal_(self.proj_weights, std=0.02)

    def forward(self, x: Tensor, ids: list[int]) -> Tensor:
        return _embed(x, self.proj_weights[ids], self.proj_biases[ids])


def _embed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the embedded patches, (case, variable, place, width), of weight (variable, width, 1, p, p) and bias (variable, width).

    A convolution whose stride is its size is a product of the patches with a matrix.
    """
    p = weight.shape[-1]
    patches = x.unflatten(3, (-1, p)).unflatten(2, (-1, p)).transpose(3, 4).flatten(4, 5).flatten(2, 3)  # (case, variable, place, p p)
    return torch.einsum("cvlp,vwp->cvlw", patches, weight.flatten(2)) + bias[:, None]


class Attention(nn.Module):
    """Self-attention over the places. **Shape**: (case, place, width) -> (case, place, width)"""

    def __init__(self, width: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.n_head, -1)).permute(2, 0, 3, 1, 4)  # each (case, head, place, head_dim)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.proj_drop(self.proj(mixed.transpose(1, 2).flatten(2)))


class Mlp(nn.Module):
    """Two linear layers with GELU between them, at each place."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))


class Block(nn.Module):
    """A pre-norm transformer block: attention, then the MLP, each added to its input."""

    def __init__(self, width: int, n_head: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, n_head, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio), dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))
