"""A small ClimaX for a grid without stored weights, trained on the train part of its dataset for one target at one lead time.

A network soon overfits a train part of a few hundred maps. So the last sixth is held out, and what the network adds to damped persistence
is scaled by the regression of the truth on it there: it then adds no more than it has learnt.
"""

from __future__ import annotations

import hashlib
import warnings

import torch
from torch import Tensor

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.models import weight_files
from stochattn_core.models.climax import ClimaX, whole_patches
from stochattn_core.models.climax_grid import GridNetwork, geography, hours_of, load, save, standardise
from stochattn_core.models.climax_training import QuickClimaX, Recipe, Run, Size, area, half_precision, start_small
from stochattn_core.models.reproducible import reproducible

RECIPE = 2  # raise this when the training changes: weights of another recipe are then not used
MAX_PATCH = 256  # the cost of attention grows with the square of the number of patches
HELD_OUT = 6  # one case in so many is held out
BATCH = 16
EPOCHS, MIN_STEP, MAX_STEP = 60, 300, 1500
MIN_SHARE = 0.1  # of the network's contribution always remains; without any, all members would be equal


def stored_or_trained(dataset: Dataset, progress: Progress | None = None) -> GridNetwork:
    """Return the network trained on exactly this train part: from the user's cache folder, or trained now and stored there."""
    key = train_sha256(dataset)
    path = weight_files.cache_folder() / f"climax_{key[:16]}_recipe{RECIPE}.safetensors"
    if weight_files.about(path).get("train_sha256") == key:
        return load(path)
    network = train_own(dataset, progress=progress)
    try:
        save(path, network, {"model": "climax", "dataset": dataset.name, "train_sha256": key})
    except OSError as error:
        warnings.warn(f"the trained weights could not be kept ({error}): the next session trains them again", stacklevel=2)
    return network


def train_sha256(dataset: Dataset) -> str:
    """Return the digest of everything that the training sees."""
    about = (dataset.feature_names, dataset.target_name, hours_of(dataset), dataset.latitude, dataset.longitude, sorted(dataset.constants))
    digest = hashlib.sha256(repr(about).encode())
    for values in (dataset.train.inputs, dataset.train.target, *(torch.as_tensor(dataset.constants[name]) for name in about[-1])):
        digest.update(str(tuple(values.shape)).encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()


def n_step_for(n_fit: int, batch: int = BATCH) -> int:
    """Return the steps for EPOCHS passes over the cases, within bounds: more steps on few cases do not lower the held-out error."""
    return max(MIN_STEP, min(MAX_STEP, EPOCHS * n_fit // batch))


def train_own(
    dataset: Dataset, *, n_step: int | None = None, batch: int = BATCH, seed: int = 0, progress: Progress | None = None
) -> GridNetwork:
    """Return the network trained on the train part, in eval mode. n_step: by default that of `n_step_for`."""
    train = dataset.train
    inputs, later = train.inputs, train.target[:, None]
    n_row, n_column = inputs.shape[2:]
    names, target = dataset.feature_names, dataset.target_name
    maps = geography(dataset.latitude, n_column, dataset.constants)
    side = patch_size(n_row, n_column)
    grid, size = whole_patches((n_row, n_column), side), Size(patch_size=side, embed_dim=64, depth=3, n_head=4)
    with reproducible(seed):
        inner = QuickClimaX(tuple(dict.fromkeys((*names, *maps, target))), grid=grid, **size)
        start_small(inner)
        network = standardise(GridNetwork(inner, names, (target,), tuple(maps), (hours_of(dataset),), (n_row, n_column)), train, maps)
        n_fit = len(train) - len(train) // HELD_OUT
        n_step = n_step or n_step_for(n_fit, batch)
        _fit_damping(network, inputs[:n_fit], later[:n_fit])
        wanted = (later - network.base(inputs, network.leads.expand(len(later)))) / network.step[0, :, None, None]
        weight = area(dataset.latitude)[:, None]
        run = Run(inner, Recipe(n_step, batch, rate=1e-3, weight_decay=0.1, seed=seed), None)
        while run.step < n_step:
            rows = torch.randint(n_fit, (batch,), generator=run.random)
            with half_precision():
                change = network.change(inputs[rows], network.leads.expand(batch))
            cell_weight = wanted[rows].isfinite() * weight
            run.take((cell_weight * (change.float() - wanted[rows].nan_to_num()).square()).sum() / cell_weight.sum().clamp_min(1e-6))
            if progress is not None and (run.step % 10 == 0 or run.step == n_step):
                progress(run.step, n_step, f"training climax on {n_fit} maps")
        network.network = ClimaX(inner.variables, grid=grid, **size)
        network.network.load_state_dict(run.mean)
    network.eval()
    with torch.no_grad():
        change = torch.cat([network.change(cases, network.leads.expand(len(cases))) for cases in inputs[n_fit:].split(64)])
    truth = wanted[n_fit:]
    cell_weight = truth.isfinite() * weight
    share = (cell_weight * change * truth.nan_to_num()).sum() / (cell_weight * change.square()).sum().clamp_min(1e-12)
    network.step.mul_(share.clamp(MIN_SHARE, 1.0))
    return network.for_target(target, hours_of(dataset))


def patch_size(n_row: int, n_column: int) -> int:
    """Return the smallest side of a patch, 2, 4, 8 ... cells, with which the grid has at most MAX_PATCH patches."""
    size = 2
    while -(-n_row // size) * -(-n_column // size) > MAX_PATCH:
        size *= 2
    return size


def _fit_damping(network: GridNetwork, inputs: Tensor, later: Tensor) -> None:
    """Set the climatology of the target, its regression on the present by latitude, and the standard deviation of the rest."""
    target = network.outputs[0]
    network.centre.copy_(later.nanmean(0).nan_to_num(float(later.nanmean())))
    departure = later - network.centre
    if target in network.inputs:
        now = (inputs[:, network.inputs.index(target), None] - network.centre) * departure.isfinite()
        both, square = (now * departure.nan_to_num()).sum((0, 3)), now.square().sum((0, 3))
        network.damping[0] = (both / square.clamp_min(1e-12)).clamp(0, 1)
        departure = departure - network.damping[0, :, :, None] * now
    network.step[0] = departure.square().nanmean().sqrt().clamp_min(1e-6)
