"""The parts of every training of a small ClimaX: recipe, start, mixed precision, and a run that can be resumed.

`climax_own_grid` uses them for a grid of the user's own, tools/climax_training.py for the embedded network.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from stochattn_core.models.climax import Block, ClimaX
from stochattn_core.torch_private import has_bfloat16_products, move_towards

WARM_UP = 200  # steps
DECAY = 0.998  # of the running mean of the weights, per step


class Size(TypedDict, total=False):
    """The sizes of a small network, as ClimaX takes them."""

    patch_size: int
    embed_dim: int
    depth: int
    n_head: int


@dataclass(frozen=True)
class Recipe:
    """n_step steps of AdamW on `batch` cases each, with a cosine schedule from rate to 0. The result is the running mean of the weights."""

    n_step: int = 9500
    batch: int = 16
    rate: float = 1.5e-3
    weight_decay: float = 0.02
    seed: int = 0


@contextmanager
def half_precision() -> Iterator[None]:
    """Multiply in bfloat16 if the processor can, which is twice as fast; torch's fused attention, slow for few keys, stays off."""
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16_products()), sdpa_kernel(SDPBackend.MATH):
        yield


def area(latitude: Sequence[float]) -> Tensor:
    """Return cos(latitude), the area of a cell, scaled to mean 1: (latitude,)."""
    weight = torch.tensor(latitude, dtype=torch.float64).deg2rad().cos()
    return (weight / weight.mean()).float()


@torch.no_grad()
def start_small(network: ClimaX) -> None:
    """Initialise the weights for a small width.

    The published standard deviation of 0.02 suits a width of 1024. At 128 the fields would reach the blocks a thousand times weaker
    than the position embedding, and the first thousands of steps would learn nothing.
    """
    for name, values in network.named_parameters():
        if values.ndim >= 2 and ("proj" in name or "weight" in name):
            nn.init.normal_(values, std=values[0].numel() ** -0.5)
    for block in network.blocks:
        assert isinstance(block, Block)
        for last in (block.attn.proj, block.mlp.fc2):
            last.weight.div_((2 * len(network.blocks)) ** 0.5)
    output = network.head[-1]
    assert isinstance(output, nn.Linear)
    output.weight.mul_(0.1)
    network.var_query.normal_()
    for values in (network.pos_embed, network.var_embed):
        values.mul_(0.3)


class QuickClimaX(ClimaX):
    """The same function with the same state, for training, which it makes a quarter cheaper.

    All places share one query, so keys need no projection, and values are projected after they are mixed. This aggregation does not call
    torch's attention, so it could not be sampled: forecasts are made by a ClimaX with these weights.
    """

    def aggregate(self, tokens: Tensor) -> Tensor:
        agg = self.var_agg
        n_head, width = agg.num_heads, agg.embed_dim
        query, key, value = agg.in_proj_weight.view(3, n_head, width // n_head, width)  # each (head, head_dim, width)
        bias = agg.in_proj_bias.view(3, n_head, width // n_head)
        projected = torch.einsum("w,hdw->hd", self.var_query[0, 0], query) + bias[0]
        # A constant added to every score of a row cancels in the softmax, so the bias of the keys drops out.
        scores = tokens @ torch.einsum("hd,hdw->wh", projected, key) / math.sqrt(width // n_head)
        mixed = scores.softmax(1).transpose(1, 2) @ tokens  # (case place, head, width)
        heads = torch.einsum("nhw,hdw->nhd", mixed, value) + bias[2]
        return F.linear(heads.flatten(1), agg.out_proj.weight, agg.out_proj.bias)[:, None]


class Run:
    """Optimiser, schedule and the running mean of the weights, with a file from which a stopped run is resumed.

    loss: an exponential mean over the steps. mean: the running mean of the weights by name.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, resume: Path | None) -> None:
        self.trained, self.recipe, self.resume = network.train(), recipe, resume
        self.random = torch.Generator().manual_seed(recipe.seed)
        decay = [values for values in network.parameters() if values.ndim == 2]
        plain = [values for values in network.parameters() if values.ndim != 2]
        groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.95), fused=True)
        self.mean = {name: values.detach().clone() for name, values in network.state_dict().items()}
        self.step, self.loss, self.saved = 0, math.nan, time.monotonic()
        if resume is not None and resume.exists():
            state = torch.load(resume, weights_only=True)
            network.load_state_dict(state["trained"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.random.set_state(state["random"])
            self.mean, self.step = state["mean"], state["step"]

    def take(self, loss: Tensor) -> None:
        """Take one step down the gradient of this loss."""
        done = self.step / self.recipe.n_step
        rate = self.recipe.rate * min(1.0, (self.step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self.loss = float(loss.detach()) if self.step == 1 or math.isnan(self.loss) else 0.98 * self.loss + 0.02 * float(loss.detach())
        decay = min(DECAY, (1 + self.step) / (10 + self.step))
        state = self.trained.state_dict()
        move_towards(list(self.mean.values()), [state[name] for name in self.mean], 1 - decay)
        if self.resume is not None and (time.monotonic() - self.saved > 60 or self.step == self.recipe.n_step):
            self._save(self.resume)

    def _save(self, path: Path) -> None:
        part = path.with_suffix(".part")
        state = {"trained": self.trained.state_dict(), "optimiser": self.optimiser.state_dict(), "random": self.random.get_state()}
        torch.save({**state, "mean": self.mean, "step": self.step}, part)
        os.replace(part, path)
        self.saved = time.monotonic()
