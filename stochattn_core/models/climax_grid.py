"""A ClimaX as a plain function of fields in their own units at one lead time, and the entries of the table that serve it.

"climax" is small, embedded and trained by this project on the simulated planet; the others are the public checkpoints, for ERA5
and the like. All are of the class in climax.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.device import resolve_device
from stochattn_core.models import climax_checkpoint, weights
from stochattn_core.models.base import Model
from stochattn_core.models.climax import ClimaX, whole_patches

LATITUDE = "lattitude"  # as the public checkpoints spell it
LAYER_GROUPS = {"Blocks only": "*blocks*", "All attention": "*"}
PUBLIC_LEADS = (6.0, 168.0)  # h, what the public checkpoints were trained for


class GridNetwork(nn.Module):
    """Fields now in, one variable at one lead time out; standardisation and geography are part of the network.

    **Shape**: inputs (case, variable, latitude, longitude) -> (case, latitude, longitude), both in the data's own units.

    The network adds to damped persistence, in units of what that leaves unexplained:

        forecast = centre + damping(lead) (now - centre) + step(lead) ClimaX(now, geography, lead)

    centre is the mean over the training times, damping the regression of the later anomaly on the present one by latitude, step the
    standard deviation of the rest. damping 0 and step = the variable's standard deviation is the plain ClimaX of the public checkpoints.

    inputs, outputs: names of the variables given (those that the network does not know are not read) and forecast.
    constants: names of the maps that are inputs besides.   leads: (lead,) hours at which damping and step are known, ascending;
    in between they are interpolated linearly.   grid: (latitude, longitude) cells of the data; the network may have the few more that
    make whole patches, and sees the last row and column again there.
    """

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
        # What forward answers; buffers, so that the digest of the weights tells two leads or targets apart.
        self.register_buffer("lead_time", torch.tensor(24.0))
        self.register_buffer("target", torch.tensor(0))

    def for_target(self, name: str, lead_time: float) -> GridNetwork:
        """Itself, set to forecast this variable at this lead time in hours."""
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
        """Any outputs at any lead times, one (hours) a case: (case, output, latitude, longitude) in their own units."""
        outputs = self.outputs if outputs is None else tuple(outputs)
        if inputs.ndim != 4 or inputs.shape[1] != len(self.inputs):
            raise ValueError(
                f"expected inputs (case, {len(self.inputs)}, latitude, longitude) of {', '.join(self.inputs)}, got {tuple(inputs.shape)}"
            )
        ids = [self.outputs.index(name) for name in outputs]
        change = self.change(inputs, lead_times, outputs)
        return self.base(inputs, lead_times, outputs) + self.at(self.step, lead_times)[:, ids, None, None] * change

    def change(self, inputs: Tensor, lead_times: Tensor, outputs: Sequence[str] | None = None) -> Tensor:
        """What the network gives, in units of step."""
        x = ((inputs - self.mean[:, None, None]) / self.scale[:, None, None])[:, self.reads]
        x = torch.cat([x, self.geography.expand(len(x), -1, -1, -1)], dim=1)
        names = (*(self.inputs[i] for i in self.reads), *self.constants)
        (n_row, n_column), (below, beside) = x.shape[2:], self.missing
        if below or beside:
            x = F.pad(x, (0, beside, 0, below), mode="replicate")
        return self.network(x, lead_times, names, self.outputs if outputs is None else outputs)[..., :n_row, :n_column]

    def base(self, inputs: Tensor, lead_times: Tensor, outputs: Sequence[str] | None = None) -> Tensor:
        """Damped persistence; the climatology for variables that are not among the inputs."""
        outputs = self.outputs if outputs is None else outputs
        ids = [self.outputs.index(name) for name in outputs]
        centre = self.centre[ids].expand(len(inputs), -1, -1, -1)
        if any(name not in self.inputs for name in outputs):
            return centre
        now = inputs[:, [self.inputs.index(name) for name in outputs]]
        return centre + self.at(self.damping, lead_times)[:, ids, :, None] * (now - centre)

    def at(self, table: Tensor, lead_times: Tensor) -> Tensor:
        """table (lead, ...) interpolated at lead_times (case,): (case, ...)"""
        if len(self.leads) == 1:
            return table.expand(len(lead_times), *table.shape[1:])
        after = torch.searchsorted(self.leads, lead_times.contiguous()).clamp(1, len(self.leads) - 1)
        share = (lead_times - self.leads[after - 1]) / (self.leads[after] - self.leads[after - 1])
        return torch.lerp(table[after - 1], table[after], share.view(-1, *[1] * (table.ndim - 1)))


def geography(latitude: Sequence[float], n_longitude: int, constants: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Maps that do not change, standardised: the constants and the latitude, by name, each (latitude, longitude)."""
    maps = {name: torch.as_tensor(np.asarray(values), dtype=torch.float32) for name, values in constants.items()}
    maps[LATITUDE] = torch.tensor(latitude, dtype=torch.float32)[:, None].expand(-1, n_longitude)
    return {name: (values - values.mean()) / values.std().clamp_min(1e-6) for name, values in maps.items()}


def save(path: Path, network: GridNetwork, about: dict) -> None:
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
    weights.save(path, network.state_dict(), {**about, **sizes})


def load(path: Path) -> GridNetwork:
    """The network that `save` wrote."""
    about, state = weights.about(path), weights.load(path)
    grid = tuple(state["centre"].shape[1:])
    with torch.random.fork_rng(devices=[]):  # building draws numbers that loading throws away
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
    served = GridNetwork(network, about["inputs"], about["outputs"], about["constants"], state["leads"].tolist(), grid)
    served.load_state_dict(state)
    return served.eval()


class Climax(Model):
    """The embedded one, for the planet at any lead time from 6 to 120 h; on any other grid one that is trained on its train part."""

    name = "climax"
    task = "grid"
    title = "ClimaX, small"
    source = "Nguyen et al. (2023), arXiv 2301.10343; weights trained by this project on its simulated planet"
    licence = "Apache-2.0"
    layers = "*blocks*"  # sampling the aggregation of variables as well makes the members worse, not only wider
    layer_groups = LAYER_GROUPS
    path = weights.EMBEDDED / "climax_planet.safetensors"

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place, lead_time = resolve_device(device), hours_of(dataset)
        if weights.about(self.path).get("inputs") == list(dataset.feature_names):
            network = load(self.path)
            if network.centre.shape[1:] == dataset.train.inputs.shape[2:]:
                return network.for_target(dataset.target_name, lead_time).to(place)
        from stochattn_core.models import climax_own_grid

        return climax_own_grid.stored_or_trained(dataset, progress).to(place)


class ClimaxCheckpoint(Model):
    """A public checkpoint, on any grid of whole patches whose variables have names that it knows."""

    name = "climax-5.625deg"
    task = "grid"
    title = "ClimaX, 5.625 degrees (public checkpoint, CMIP6)"
    source = f"Nguyen et al. (2023), arXiv 2301.10343; huggingface.co/{climax_checkpoint.REPOSITORY}"
    licence = "MIT"
    need = "a download of about 430 MB from huggingface.co at first use"
    layers = "*blocks*"
    layer_groups = LAYER_GROUPS
    file = "5.625deg.ckpt"

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place, lead_time = resolve_device(device), hours_of(dataset)
        if dataset.target_name not in dataset.feature_names or dataset.target_name not in climax_checkpoint.VARIABLES:
            raise ValueError(
                f"expected a target among the inputs that this checkpoint knows, such as geopotential_500 or 2m_temperature, got {dataset.target_name!r}; "
                "rename the variable or pick another target"
            )
        if progress is not None:
            progress(0, 1, f"loading {self.name}")
        grid = tuple(dataset.train.inputs.shape[2:])
        network = climax_checkpoint.load_checkpoint(climax_checkpoint.fetch(self.file), grid=grid)
        return on_grid(network, dataset).for_target(dataset.target_name, lead_time).to(place)


class ClimaxFineCheckpoint(ClimaxCheckpoint):
    name = "climax-1.40625deg"
    title = "ClimaX, 1.40625 degrees (public checkpoint, CMIP6)"
    file = "1.40625deg.ckpt"


def on_grid(network: ClimaX, dataset: Dataset) -> GridNetwork:
    """A network of public weights with the means and standard deviations of the dataset's train part."""
    known = [name for name in dataset.feature_names if name in network.var_map]
    maps = geography(dataset.latitude, dataset.train.inputs.shape[3], dataset.constants)
    maps = {name: values for name, values in maps.items() if name in network.var_map}
    grid = GridNetwork(network, dataset.feature_names, known, tuple(maps), PUBLIC_LEADS, tuple(dataset.train.inputs.shape[2:]))
    standardise(grid, dataset.train, maps)
    ids = [dataset.feature_names.index(name) for name in known]
    grid.centre.copy_(grid.mean[ids, None, None].expand_as(grid.centre))
    grid.step.copy_(grid.scale[ids].expand_as(grid.step))
    return grid.eval()


def standardise(network: GridNetwork, train: Split, maps: Mapping[str, Tensor]) -> GridNetwork:
    """Itself, with the means and standard deviations of the inputs of train, and these maps."""
    inputs = train.inputs.double()
    network.mean.copy_(inputs.mean((0, 2, 3)))
    network.scale.copy_(inputs.std((0, 2, 3), correction=0).clamp_min(1e-6))
    if maps:
        network.geography.copy_(torch.stack(list(maps.values())))
    return network


def hours_of(dataset: Dataset) -> float:
    """The lead time in hours of a dataset that has one."""
    unit = {"h": 1.0, "hour": 1.0, "hours": 1.0, "d": 24.0, "day": 24.0, "days": 24.0}.get(dataset.lead_unit)
    if len(dataset.lead_time) != 1 or unit is None:
        raise ValueError(
            f"expected one lead time in h or days, got {dataset.lead_time} in {dataset.lead_unit!r}; give the grid one target at one lead time"
        )
    return dataset.lead_time[0] * unit
