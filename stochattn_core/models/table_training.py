"""How the network for a table is trained: least squares on the train part alone, early stopping on a held-out fifth of it, one seed."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.models import weight_files
from stochattn_core.models.reproducible import reproducible
from stochattn_core.models.table_network import TableNetwork

NAME = "ft_transformer"
RECIPE = 1  # raise this when the training changes: weights of another recipe are then not used
N_CHECK = 40  # how often the error of the held-out fifth is computed


def stored_or_trained(dataset: Dataset, progress: Progress | None = None) -> TableNetwork:
    """Return the network trained on exactly this dataset: from the user's cache folder, or trained now and stored there."""
    path = cached_path(dataset)
    if weight_files.about(path).get("dataset_sha256") == dataset.sha256:
        return TableNetwork.from_state(weight_files.load(path))
    network = train_table(dataset.train, progress=progress)
    try:
        save(network, dataset, path)
    except OSError as error:
        warnings.warn(f"the trained weights could not be kept ({error}): the next session trains them again", stacklevel=3)
    return network


def cached_path(dataset: Dataset) -> Path:
    """Return where weights trained on this dataset are stored."""
    return weight_files.cache_folder() / f"{NAME}_{dataset.sha256[:16]}_recipe{RECIPE}.safetensors"


def save(network: TableNetwork, dataset: Dataset, path: Path) -> None:
    """Write the weights of a network together with the dataset and the recipe of its training."""
    about = {"model": NAME, "dataset": dataset.name, "dataset_sha256": dataset.sha256, "recipe": RECIPE}
    weight_files.save(path, network.state_dict(), about)


def train_table(train: Split, *, seed: int = 0, progress: Progress | None = None, max_step: int | None = None) -> TableNetwork:
    """Return a network trained on the cases of train, in eval mode.

    Minimises the mean squared error, in units of the target's standard deviation, by AdamW under a one-cycle learning rate, and returns
    the weights with the smallest error on the held-out fifth. The number of steps shrinks with the cost of one step, so that a table of
    ordinary width takes less than a minute on one core. Raises ValueError if the error is never finite.
    """
    with reproducible(seed):
        network = TableNetwork.for_train(train)
        order = torch.randperm(len(train))
        n_held_out = max(len(train) // 5, 1)
        held_out, fitted = order[:n_held_out], order[n_held_out:]
        scale = float(train.target[fitted].std()) or 1.0
        batch = min(256, max(16, len(fitted) // 8))
        n_step = max_step or _n_step(network, len(fitted), batch, train.inputs.shape[1])
        every = max(n_step // N_CHECK, 1)
        optimiser = torch.optim.AdamW(network.parameter_groups(), lr=1e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=n_step, pct_start=0.15)
        best: dict[str, Tensor] = {}
        best_error = math.inf
        for step in range(1, n_step + 1):
            network.train()
            rows = fitted[torch.randint(len(fitted), (batch,))]
            loss = ((network(train.inputs[rows]) - train.target[rows]) / scale).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if step % every == 0 or step == n_step:
                error = _error(network, train, held_out)
                if error < best_error:
                    best_error, best = error, {name: values.clone() for name, values in network.state_dict().items()}
                if progress is not None:
                    progress(step, n_step, "training on the train part")
            elif progress is not None and step % 10 == 0:
                progress(step, n_step, "training on the train part")
        if not math.isfinite(best_error):
            raise ValueError(
                "expected numbers that a network can learn from, got a training error that is not finite; look for extreme values"
            )
        network.load_state_dict(best)
    return network.eval()


def _n_step(network: nn.Module, n_case: int, batch: int, n_feature: int) -> int:
    """Return the number of steps: sixty passes over the data, at least 300, at most what about 40 s on one core allow.

    One core makes about 5e9 multiplications a second.
    """
    per_step = 3 * batch * (n_feature + 1) * sum(values.numel() for values in network.parameters())
    return int(min(max(60 * n_case / batch, 300), max(40 * 5e9 / per_step, 100), 5000))


@torch.no_grad()
def _error(network: nn.Module, train: Split, cases: Tensor) -> float:
    """Return the sum of squared errors of these cases."""
    network.eval()
    errors = [(network(train.inputs[rows]) - train.target[rows]).square().sum() for rows in cases.split(4096)]
    return float(torch.stack(errors).sum())
