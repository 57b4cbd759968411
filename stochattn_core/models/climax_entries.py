"""The entries of ClimaX: "climax" is small, embedded and trained by this project on its simulated planet; the others are public checkpoints.

All are of the class in climax.py, served as a `GridNetwork`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from stochattn_core.device import resolve_device
from stochattn_core.models import climax_checkpoint, weight_files
from stochattn_core.models.climax import ClimaX
from stochattn_core.models.climax_grid import GridNetwork, geography, hours_of, load, standardise
from stochattn_core.models.model import Model

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset, Progress

LAYER_GROUPS = {"Blocks only": "*blocks*", "All attention": "*"}
PUBLIC_LEADS = (6.0, 168.0)  # h, the range for which the public checkpoints were trained


class Climax(Model):
    """Embedded weights for the planet at any lead time from 6 to 120 h; for any other grid, weights trained on its train part."""

    name = "climax"
    task = "grid"
    title = "ClimaX, small"
    source = "Nguyen et al. (2023), arXiv 2301.10343; weights trained by this project on its simulated planet"
    licence = "Apache-2.0"
    layers = "*blocks*"  # sampling the aggregation of the variables too makes members worse, not only wider
    layer_groups = LAYER_GROUPS
    path = weight_files.EMBEDDED / "climax_planet.safetensors"

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place, lead_time = resolve_device(device), hours_of(dataset)
        if weight_files.about(self.path).get("inputs") == list(dataset.feature_names):
            network = load(self.path)
            if network.centre.shape[1:] == dataset.train.inputs.shape[2:]:
                return network.for_target(dataset.target_name, lead_time).to(place)
        from stochattn_core.models import climax_own_grid

        return climax_own_grid.stored_or_trained(dataset, progress).to(place)


class ClimaxCheckpoint(Model):
    """A public checkpoint, for any grid whose variables have names that it knows."""

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
        network = climax_checkpoint.load_checkpoint(climax_checkpoint.fetch(self.file), grid=_grid_of(dataset))
        return on_grid(network, dataset).for_target(dataset.target_name, lead_time).to(place)


class ClimaxFineCheckpoint(ClimaxCheckpoint):
    """The public checkpoint at the finer resolution."""

    name = "climax-1.40625deg"
    title = "ClimaX, 1.40625 degrees (public checkpoint, CMIP6)"
    file = "1.40625deg.ckpt"


def on_grid(network: ClimaX, dataset: Dataset) -> GridNetwork:
    """Return a network of public weights with the means and standard deviations of the dataset's train part."""
    known = [name for name in dataset.feature_names if name in network.var_map]
    maps = geography(dataset.latitude, dataset.train.inputs.shape[3], dataset.constants)
    maps = {name: values for name, values in maps.items() if name in network.var_map}
    grid = GridNetwork(network, dataset.feature_names, known, tuple(maps), PUBLIC_LEADS, _grid_of(dataset))
    standardise(grid, dataset.train, maps)
    ids = [dataset.feature_names.index(name) for name in known]
    grid.centre.copy_(grid.mean[ids, None, None].expand_as(grid.centre))
    grid.step.copy_(grid.scale[ids].expand_as(grid.step))
    return grid.eval()


def _grid_of(dataset: Dataset) -> tuple[int, int]:
    """Return the (latitude, longitude) cells of a dataset."""
    n_row, n_column = dataset.train.inputs.shape[2:]
    return n_row, n_column
