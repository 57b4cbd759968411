"""A ClimaX as a plain function of fields in their own units at one lead time, with its standardisation and geography built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stochattn_core.models import weight_files
from stochattn_core.models.climax import ClimaX, whole_patches

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset, Split

HOURS = {
    "h": 1.0,
    "hour": 1.0,
    "hours": 1.0,
    "d": 24.0,
    "day": 24.0,
    "days": 24.0,
    "month": 730.485,
    "year": 8765.82,
}  # in a unit of lead time
LATITUDE = "lattitude"  # as the public checkpoints spell it


class GridNetwork(nn.Module):
    """A forecast of one variable at one lead time from the present fields.

    **Shape**: inputs (case, variable, latitude, longitude) -> (case, latitude, longitude), both in the data's own units.

    The network adds to damped persistence, in units of what damped persistence leaves unexplained:

        forecast = centre + damping(lead) (now - centre) + step(lead) ClimaX(now, geography, lead)

    centre is the mean over the training times, damping the regression of the later anomaly on the present one by latitude, and step the
    standard deviation of the rest. With damping 0 and the variable's standard deviation as step, this is the plain ClimaX of the public
    checkpoints.

    inputs, outputs: names of the variables that are given and of those that are forecast; inputs unknown to the network are not read.
    constants: names of the maps that are further inputs. leads: (lead,) hours at which damping and step are known, ascending; between
    them they are interpolated linearly. grid: (latitude, longitude) cells of the data. The grid of the network may be a little larger, to
    consist of whole patches; there it sees the last row and column again.
    """

    mean: Tensor
    scale: Tensor
    geography: Tensor
    centre: Tensor
    leads: Tensor
    damping: Tensor
    step: Tensor
    lead_time: Tensor
    target: Tensor

    def __init__(
        self,
        network: ClimaX,
        inputs: Sequence[str],
        outputs: Sequence[str],
        constants: Sequence[str] = (),
        leads: Sequence[float] = (0.0,),
        grid: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.inputs, self.outputs, self.constants = tuple(inputs), tuple(outputs), tuple(constants)
        self.reads = [i for i, name in enumerate(self.inputs) if name in network.var_map]
        grid = grid or network.grid
        self.missing = (network.grid[0] - grid[0], network.grid[1] - grid[1])
        n_input, n_output, n_lead = len(self.inputs), len(self.outputs), len(leads)
        self.register_buffer("mean", torch.zeros(n_input))
        self.register_buffer("scale", torch.ones(n_input))
        self.register_buffer("geography", torch.zeros(len(self.constants), *grid))
        self.register_buffer("centre", torch.zeros(n_output, *grid))
        self.register_buffer("leads", torch.tensor(leads, dtype=torch.float32))
        self.register_buffer("damping", torch.zeros(n_lead, n_output, grid[0]))
        self.register_buffer("step", torch.ones(n_lead, n_output))
        # The lead time and variable of forward. They are buffers, so that networks for other ones have other digests of their weights.
        self.register_buffer("lead_time", torch.tensor(24.0))
        self.register_buffer("target", torch.tensor(0))

    def for_target(self, name: str, lead_time: float) -> GridNetwork:
        """Set the network to forecast this variable at this lead time in hours, and return it. Raises ValueError for others than its own."""
        if name not in self.outputs:
            raise ValueError(f"expected a target out of {', '.join(self.outputs)}, got {name!r}; pick one of these")
        low, high = float(self.leads[0]), float(self.leads[-1])
        if len(self.leads) > 1 and not low <= lead_time <= high:
            raise ValueError(f"expected a lead time from {low:g} to {high:g} h, got {lead_time:g} h; this network was not trained for it")
        self.target.fill_(self.outputs.index(name))
        self.lead_time.fill_(lead_time)
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        target = int(self.target)
        return self.forecast(inputs, self.lead_time.expand(len(inputs)), self.outputs[target : target + 1])[:, 0]

    def forecast(self, inputs: Tensor, lead_times: Tensor, outputs: Sequence[str] | None = None) -> Tensor:
        """Return forecasts of any outputs, (case, output, latitude, longitude) in their own units. lead_times: (case,) hours."""
        outputs = self.outputs if outputs is None else tuple(outputs)
        if inputs.ndim != 4 or inputs.shape[1] != len(self.inputs):
            raise ValueError(
                f"expected inputs (case, {len(self.inputs)}, latitude, longitude) of {', '.join(self.inputs)}, got {tuple(inputs.shape)}"
            )
        ids = [self.outputs.index(name) for name in outputs]
        change = self.change(inputs, lead_times, outputs)
        return self.base(inputs, lead_times, outputs) + self.at(self.step, lead_times)[:, ids, None, None] * change

    def change(self, inputs: Tensor, lead_times: Tensor, outputs: Sequence[str] | None = None) -> Tensor:
        """Return what the network adds to damped persistence, in units of step."""
        x = ((inputs - self.mean[:, None, None]) / self.scale[:, None, None])[:, self.reads]
        x = torch.cat([x, self.geography.expand(len(x), -1, -1, -1)], dim=1)
        names = (*(self.inputs[i] for i in self.reads), *self.constants)
        (n_row, n_column), (below, beside) = x.shape[2:], self.missing
        if below or beside:
            x = F.pad(x, (0, beside, 0, below), mode="replicate")
        return self.network(x, lead_times, names, self.outputs if outputs is None else outputs)[..., :n_row, :n_column]

    def base(self, inputs: Tensor, lead_times: Tensor, outputs: Sequence[str] | None = None) -> Tensor:
        """Return damped persistence; for variables that are not among the inputs, the mean over the training times."""
        outputs = self.outputs if outputs is None else outputs
        ids = [self.outputs.index(name) for name in outputs]
        centre = self.centre[ids].expand(len(inputs), -1, -1, -1)
        if any(name not in self.inputs for name in outputs):
            return centre
        now = inputs[:, [self.inputs.index(name) for name in outputs]]
        return centre + self.at(self.damping, lead_times)[:, ids, :, None] * (now - centre)

    def at(self, table: Tensor, lead_times: Tensor) -> Tensor:
        """Return a table (lead, ...) interpolated at lead_times (case,): (case, ...)."""
        if len(self.leads) == 1:
            return table.expand(len(lead_times), *table.shape[1:])
        after = torch.searchsorted(self.leads, lead_times.contiguous()).clamp(1, len(self.leads) - 1)
        share = (lead_times - self.leads[after - 1]) / (self.leads[after] - self.leads[after - 1])
        return torch.lerp(table[after - 1], table[after], share.view(-1, *[1] * (table.ndim - 1)))


def geography(latitude: Sequence[float], n_longitude: int, constants: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return the maps that do not change, standardised: the constants and the latitude, by name, each (latitude, longitude)."""
    maps = {name: torch.as_tensor(np.asarray(values), dtype=torch.float32) for name, values in constants.items()}
    maps[LATITUDE] = torch.tensor(latitude, dtype=torch.float32)[:, None].expand(-1, n_longitude)
    return {name: (values - values.mean()) / values.std().clamp_min(1e-6) for name, values in maps.items()}


def save(path: Path, network: GridNetwork, about: Mapping[str, Any]) -> None:
    """Write the network with its sizes; `about` says what else is to be known of it."""
    inner = network.network
    sizes = {
        "variables": inner.variables,
        "inputs": network.inputs,
        "outputs": network.outputs,
        "constants": network.constants,
        "patch_size": inner.patch_size,
        "n_head": inner.var_agg.num_heads,
        "depth": len(inner.blocks),
        "decoder_depth": (len(inner.head) - 1) // 2,
    }
    weight_files.save(path, network.state_dict(), {**about, **sizes})


def load(path: Path) -> GridNetwork:
    """Return the network that `save` wrote, in eval mode."""
    about, state = weight_files.about(path), weight_files.load(path)
    n_row, n_column = state["centre"].shape[1:]
    grid = (n_row, n_column)
    with torch.random.fork_rng(devices=[]):  # building the network draws initial weights, which loading replaces
        network = ClimaX(
            about["variables"],
            grid=whole_patches(grid, about["patch_size"]),
            patch_size=about["patch_size"],
            embed_dim=state["network.pos_embed"].shape[-1],
            depth=about["depth"],
            n_head=about["n_head"],
            mlp_ratio=len(state["network.blocks.0.mlp.fc1.bias"]) / state["network.pos_embed"].shape[-1],
            decoder_depth=about["decoder_depth"],
        )
    grid_network = GridNetwork(network, about["inputs"], about["outputs"], about["constants"], state["leads"].tolist(), grid)
    grid_network.load_state_dict(state)
    return grid_network.eval()


def standardise(network: GridNetwork, train: Split, maps: Mapping[str, Tensor]) -> GridNetwork:
    """Give the network the means and standard deviations of the inputs of train, and these maps; return it."""
    inputs = train.inputs.double()
    network.mean.copy_(inputs.mean((0, 2, 3)))
    network.scale.copy_(inputs.std((0, 2, 3), correction=0).clamp_min(1e-6))
    if maps:
        network.geography.copy_(torch.stack(list(maps.values())))
    return network


def hours_of(dataset: Dataset) -> float:
    """Return the lead time of a dataset in hours. Raises ValueError if it has several, or one in another unit than HOURS."""
    unit = HOURS.get(dataset.lead_unit)
    if len(dataset.lead_time) != 1 or unit is None:
        raise ValueError(
            f"expected one lead time in h, days, months or years, got {dataset.lead_time} in {dataset.lead_unit!r}; give the grid one target at one lead time"
        )
    return dataset.lead_time[0] * unit
