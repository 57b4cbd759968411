"""How the small ClimaX is trained: pairs of fields out of long trajectories, all variables at random lead times at once.

A planet knows its geography only by its land and mountains: a roll of fields, geography and climatology by any number of cells
along a circle of latitude is again a true pair, so every case is rolled at random.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from stochattn_core.datasets.base import Progress
from stochattn_core.models.climax import ClimaX
from stochattn_core.models.climax_grid import GridNetwork, geography
from stochattn_core.models.weights import own_randomness

LEADS = tuple(range(6, 126, 6))  # h
OFTEN = {24: 3.0, 72: 3.0}  # lead times that are drawn so many times as often as the others
SIZE = {"patch_size": 4, "embed_dim": 128, "depth": 4, "n_head": 4}
STRIDE = 8  # between the times that damping and step are taken from: neighbours in time say the same
WARM_UP = 200  # steps
FORGETS = 0.998  # of the running mean of the weights, a step


@dataclass(frozen=True)
class Recipe:
    """n_step steps of AdamW on `batch` cases each, with a cosine schedule from rate to 0; served is the running mean of the weights."""

    n_step: int = 9500
    batch: int = 16
    rate: float = 1.5e-3
    weight_decay: float = 0.02
    seed: int = 0


def train_climax(
    trajectories: Sequence[Tensor],
    variables: Sequence[str],
    latitude: Sequence[float],
    constants: Mapping[str, np.ndarray],
    *,
    emphasis: Mapping[str, float] | None = None,
    leads: Sequence[int] = LEADS,
    hours: int = 6,
    recipe: Recipe = Recipe(),
    resume: Path | None = None,
    progress: Progress | None = None,
    **size: int,
) -> GridNetwork:
    """A network for every variable at every lead time.

    trajectories: each (time, variable, latitude, longitude) in the data's own units, steps of `hours`.   leads: multiples of hours.
    emphasis: weight of a variable in the loss, 1 where it is not named.   resume: a file that keeps the state every minute; a run
    goes on from there.   Minimises the area-weighted squared error in units of what damped persistence leaves unexplained.
    """
    with own_randomness(recipe.seed):
        network = _untrained(trajectories, variables, latitude, constants, leads, hours, size)
        fields = [((values - network.mean[:, None, None]) / network.scale[:, None, None]).half() for values in trajectories]
        target = _Target(network)
        weight = torch.tensor([(emphasis or {}).get(name, 1.0) for name in variables])
        weight = weight[:, None, None] / weight.sum() * area(latitude)[:, None]
        run = Run(network.network, recipe, resume)
        often = torch.tensor([OFTEN.get(lead, 1.0) for lead in leads])
        names = (*network.inputs, *network.constants)
        while run.step < recipe.n_step:
            now, later, maps, lead, centre = _draw(run.random, fields, target, often, leads, hours, recipe.batch)
            with half_precision():
                change = run.trained(torch.cat([now, maps], dim=1), lead, names, network.outputs)
            wanted = target.change(now, later, lead, centre)
            loss = (weight * (change.float() - wanted).square()).sum(1).mean()
            run.take(loss)
            if progress is not None and (run.step % 20 == 0 or run.step == recipe.n_step):
                progress(run.step, recipe.n_step, f"training climax, loss {run.loss:.3f}")
        network.network.load_state_dict(run.mean)
    return network.eval()


@contextmanager
def half_precision() -> Iterator[None]:
    """Products in bfloat16 where the processor has them, twice as fast; attention as products, as torch's fused kernel is slow for few keys."""
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    with torch.autocast("cpu", torch.bfloat16, enabled=native), sdpa_kernel(SDPBackend.MATH):
        yield


def area(latitude: Sequence[float]) -> Tensor:
    """cos(latitude), the area of a cell, scaled to mean 1: (latitude,)"""
    weight = torch.tensor(latitude, dtype=torch.float64).deg2rad().cos()
    return (weight / weight.mean()).float()


def _untrained(
    trajectories: Sequence[Tensor],
    variables: Sequence[str],
    latitude: Sequence[float],
    constants: Mapping[str, np.ndarray],
    leads: Sequence[int],
    hours: int,
    size: Mapping[str, int],
) -> GridNetwork:
    """Means, climatology, damping and steps are those of the trajectories."""
    n_row, n_column = trajectories[0].shape[2:]
    maps = geography(latitude, n_column, constants)
    inner = QuickClimaX((*variables, *maps), grid=(n_row, n_column), **{**SIZE, **size})
    start_small(inner)
    network = GridNetwork(inner, variables, variables, tuple(maps), leads)
    n_time = sum(map(len, trajectories))
    network.centre.copy_(sum(values.sum(0, dtype=torch.float64) for values in trajectories) / n_time)
    network.mean.copy_(network.centre.mean((1, 2)))
    square = sum((values - network.mean[:, None, None]).square().sum(0, dtype=torch.float64) for values in trajectories) / n_time
    network.scale.copy_(square.mean((1, 2)).sqrt())
    network.geography.copy_(torch.stack(list(maps.values())))
    cells = area(latitude)[:, None]
    for i, lead in enumerate(leads):
        both, before, after = (torch.zeros(len(variables), n_row, dtype=torch.float64) for _ in range(3))
        for values in trajectories:
            pairs = torch.arange(0, len(values) - lead // hours, STRIDE)
            now, later = values[pairs] - network.centre, values[pairs + lead // hours] - network.centre
            both += (now * later).mean(-1).sum(0, dtype=torch.float64)
            before += now.square().mean(-1).sum(0, dtype=torch.float64)
            after += later.square().mean(-1).sum(0, dtype=torch.float64)
        n_pair = sum(len(range(0, len(values) - lead // hours, STRIDE)) for values in trajectories)
        network.damping[i] = (both / before.clamp_min(1e-12)).clamp(0, 1)
        rest = (after - network.damping[i] * both) / n_pair
        network.step[i] = (rest.clamp_min(0) * cells.squeeze(-1)).mean(-1).sqrt()
    return network


@torch.no_grad()
def start_small(network: ClimaX) -> None:
    """Weights for a start at a small width. The published standard deviation of 0.02 is made for 1024: at 128 the fields would reach
    the blocks a thousand times weaker than the position embedding, and nothing is learnt for the first thousands of steps."""
    for name, values in network.named_parameters():
        if values.ndim >= 2 and ("proj" in name or "weight" in name):
            nn.init.normal_(values, std=values[0].numel() ** -0.5)
    for block in network.blocks:
        for last in (block.attn.proj, block.mlp.fc2):
            last.weight.div_((2 * len(network.blocks)) ** 0.5)
    network.head[-1].weight.mul_(0.1)
    network.var_query.normal_()
    for values in (network.pos_embed, network.var_embed):
        values.mul_(0.3)


class _Target:
    """What the network is to give, in standardised units, with the climatology rolled as the case is."""

    def __init__(self, network: GridNetwork) -> None:
        scale = network.scale[:, None, None]
        self.network = network
        self.centre = (network.centre - network.mean[:, None, None]) / scale
        self.step = network.step / network.scale
        self.geography = network.geography

    def change(self, now: Tensor, later: Tensor, lead: Tensor, centre: Tensor) -> Tensor:
        damping = self.network.at(self.network.damping, lead)[..., None]
        step = self.network.at(self.step, lead)[..., None, None]
        return (later - centre - damping * (now - centre)) / step


def _draw(
    random: torch.Generator, fields: Sequence[Tensor], target: _Target, often: Tensor, leads: Sequence[int], hours: int, batch: int
) -> tuple[Tensor, ...]:
    """now, later (case, variable, latitude, longitude), maps of the geography, lead (case,), centre; each case rolled on its own."""
    rows: list[tuple[Tensor, ...]] = []
    length = torch.tensor([float(len(values)) for values in fields])
    n_column = fields[0].shape[-1]
    for i in torch.multinomial(length, batch, replacement=True, generator=random).tolist():
        lead = leads[int(torch.multinomial(often, 1, generator=random))]
        start = int(torch.randint(len(fields[i]) - lead // hours, (), generator=random))
        shift = int(torch.randint(n_column, (), generator=random))
        maps = (fields[i][start].float(), fields[i][start + lead // hours].float(), target.geography, target.centre)
        rows.append((*(values.roll(shift, -1) for values in maps), torch.tensor(float(lead))))
    now, later, geography, centre, lead = (torch.stack(values) for values in zip(*rows, strict=True))
    return now, later, geography, lead, centre


class QuickClimaX(ClimaX):
    """The same function and state with a quarter less work in training: one query for all places, so keys need no projection,
    and values are projected after they are mixed. Its aggregation is no call of torch's attention: a ClimaX is what is served."""

    def aggregate(self, tokens: Tensor) -> Tensor:
        agg = self.var_agg
        n_head, width = agg.num_heads, agg.embed_dim
        query, key, value = agg.in_proj_weight.view(3, n_head, width // n_head, width)  # each (head, head_dim, width)
        bias = agg.in_proj_bias.view(3, n_head, width // n_head)
        asked = torch.einsum("w,hdw->hd", self.var_query[0, 0], query) + bias[0]
        # A constant added to every score of a row changes nothing: the bias of the keys drops out.
        scores = tokens @ torch.einsum("hd,hdw->wh", asked, key) / math.sqrt(width // n_head)
        mixed = scores.softmax(1).transpose(1, 2) @ tokens  # (case place, head, width)
        heads = torch.einsum("nhw,hdw->nhd", mixed, value) + bias[2]
        return F.linear(heads.flatten(1), agg.out_proj.weight, agg.out_proj.bias)[:, None]


class Run:
    """Optimiser, schedule, the running mean of the weights, and a file from which all that is taken up again."""

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
            kept = torch.load(resume, weights_only=True)
            network.load_state_dict(kept["trained"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.random.set_state(kept["random"])
            self.mean, self.step = kept["mean"], kept["step"]

    def take(self, loss: Tensor) -> None:
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
        forgets = min(FORGETS, (1 + self.step) / (10 + self.step))
        state = self.trained.state_dict()
        torch._foreach_lerp_(list(self.mean.values()), [state[name] for name in self.mean], 1 - forgets)
        if self.resume is not None and (time.monotonic() - self.saved > 60 or self.step == self.recipe.n_step):
            self.keep()

    def keep(self) -> None:
        part = self.resume.with_suffix(".part")
        kept = {"trained": self.trained.state_dict(), "optimiser": self.optimiser.state_dict(), "random": self.random.get_state()}
        torch.save({**kept, "mean": self.mean, "step": self.step}, part)
        os.replace(part, self.resume)
        self.saved = time.monotonic()
