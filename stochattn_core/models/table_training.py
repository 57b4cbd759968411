"""How a network for a table is trained: least squares on train alone, early stopping on a fifth of it, one seed."""

from __future__ import annotations

import math

import torch
from torch import nn

from stochattn_core.datasets.base import Progress, Split
from stochattn_core.models.weights import own_randomness

RECIPE = 1  # raise it when anything below changes: weights trained by another recipe are then trained anew
CHECKS = 40  # how often the held-out fifth is looked at


def train_table(build, train: Split, *, seed: int = 0, progress: Progress | None = None, max_step: int | None = None) -> nn.Module:
    """build(train) gives the untrained network, raw inputs (case, feature) in, (case,) in the units of the target out.

    Minimises the mean squared error in units of the target's standard deviation by AdamW under a one-cycle learning
    rate, and keeps the weights that did best on the held-out fifth. The number of steps shrinks with the cost of one, so
    that a table of ordinary width takes less than a minute on one core.
    """
    with own_randomness(seed):
        network = build(train)
        order = torch.randperm(len(train))
        n_held = max(len(train) // 5, 1)
        held, kept = order[:n_held], order[n_held:]
        scale = float(train.target[kept].std()) or 1.0
        batch = min(256, max(16, len(kept) // 8))
        n_step = max_step or _n_step(network, len(kept), batch, train.inputs.shape[1])
        every = max(n_step // CHECKS, 1)
        optimiser = torch.optim.AdamW(network.network.make_parameter_groups(), lr=1e-3, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=n_step, pct_start=0.15)
        best, best_error = {}, math.inf
        for step in range(1, n_step + 1):
            network.train()
            rows = kept[torch.randint(len(kept), (batch,))]
            loss = ((network(train.inputs[rows]) - train.target[rows]) / scale).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if step % every == 0 or step == n_step:
                error = _held_out_error(network, train, held)
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
    """Sixty passes over the data, at least 300 steps, at most what about 40 s on one core allow (5e9 multiplications a second)."""
    per_step = 3 * batch * (n_feature + 1) * sum(values.numel() for values in network.parameters())
    return int(min(max(60 * n_case / batch, 300), max(40 * 5e9 / per_step, 100), 5000))


@torch.no_grad()
def _held_out_error(network: nn.Module, train: Split, held: torch.Tensor) -> float:
    network.eval()
    errors = [(network(train.inputs[rows]) - train.target[rows]).square().sum() for rows in held.split(4096)]
    return float(torch.stack(errors).sum())
