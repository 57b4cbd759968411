"""How the embedded ClimaX is trained: on pairs of fields from long trajectories, all variables at random lead times at once.

A simulated planet knows its geography only by its land and mountains. Fields, geography and climatology rolled together by any number of
cells along a circle of latitude are again a true pair, so every case is rolled at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from stochattn_core.datasets.base import Progress
from stochattn_core.models.climax_grid import GridNetwork, geography
from stochattn_core.models.climax_training import QuickClimaX, Recipe, Run, Size, area, half_precision, start_small
from stochattn_core.models.reproducible import reproducible

LEADS = tuple(range(6, 126, 6))  # h
OFTEN = {24: 3.0, 72: 3.0}  # lead times drawn so many times as often as the others
SIZE: Size = {"patch_size": 4, "embed_dim": 128, "depth": 4, "n_head": 4}
RECIPE = Recipe()
STRIDE = 8  # between the times that damping and step are computed from: neighbours in time carry the same information


def train_climax(
    trajectories: Sequence[Tensor],
    variables: Sequence[str],
    latitude: Sequence[float],
    constants: Mapping[str, np.ndarray],
    *,
    emphasis: Mapping[str, float] | None = None,
    leads: Sequence[int] = LEADS,
    hours: int = 6,
    recipe: Recipe = RECIPE,
    resume: Path | None = None,
    progress: Progress | None = None,
    **size: Unpack[Size],
) -> GridNetwork:
    """Return a network for every variable at every lead time.

    trajectories: each (time, variable, latitude, longitude) in the data's own units, in steps of `hours`. leads: multiples of hours.
    emphasis: the weight of a variable in the loss, 1 if it is not named. resume: a file to which the state is written every minute, and
    from which a stopped run is resumed.
    Minimises the area-weighted squared error in units of what damped persistence leaves unexplained.
    """
    with reproducible(recipe.seed):
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


def _untrained(
    trajectories: Sequence[Tensor],
    variables: Sequence[str],
    latitude: Sequence[float],
    constants: Mapping[str, np.ndarray],
    leads: Sequence[int],
    hours: int,
    size: Size,
) -> GridNetwork:
    """Return the network before training, with the means, climatology, damping and steps of the trajectories."""
    n_row, n_column = trajectories[0].shape[2:]
    maps = geography(latitude, n_column, constants)
    sizes: Size = {**SIZE, **size}
    inner = QuickClimaX((*variables, *maps), grid=(n_row, n_column), **sizes)
    start_small(inner)
    network = GridNetwork(inner, variables, variables, tuple(maps), leads)
    n_time = sum(map(len, trajectories))
    zeros = torch.zeros(len(variables), n_row, n_column, dtype=torch.float64)
    network.centre.copy_(sum((values.sum(0, dtype=torch.float64) for values in trajectories), zeros) / n_time)
    network.mean.copy_(network.centre.mean((1, 2)))
    squares = ((values - network.mean[:, None, None]).square().sum(0, dtype=torch.float64) for values in trajectories)
    square = sum(squares, zeros) / n_time
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


class _Target:
    """What the network is to learn, in standardised units, with the climatology rolled like the case."""

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
    """Return now, later (case, variable, latitude, longitude), the geography, lead (case,) and centre; each case is rolled on its own."""
    cases: list[tuple[Tensor, ...]] = []
    length = torch.tensor([float(len(values)) for values in fields])
    n_column = fields[0].shape[-1]
    for i in torch.multinomial(length, batch, replacement=True, generator=random).tolist():
        hours_ahead = leads[int(torch.multinomial(often, 1, generator=random))]
        start = int(torch.randint(len(fields[i]) - hours_ahead // hours, (), generator=random))
        shift = int(torch.randint(n_column, (), generator=random))
        maps = (fields[i][start].float(), fields[i][start + hours_ahead // hours].float(), target.geography, target.centre)
        cases.append((*(values.roll(shift, -1) for values in maps), torch.tensor(float(hours_ahead))))
    now, later, geography, centre, lead = (torch.stack(values) for values in zip(*cases, strict=True))
    return now, later, geography, lead, centre
