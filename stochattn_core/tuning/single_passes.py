"""The single passes of the authors' search over the calibration part, each kept on disk, and what they say beside the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from stochattn_core import store
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.ensemble import rows_per_pass, sample_ensemble
from stochattn_core.forecasts import device_of, fingerprint
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.metrics import cell_area_weights
from stochattn_core.models.model import weights_sha256
from stochattn_core.tuning.found import Found, whole_beside
from stochattn_core.tuning.interval import ends, error_draws, resampled, wider
from stochattn_core.tuning.points import Budget
from stochattn_core.tuning.thompson import thompson


def single_pass_search(
    found: Found,
    network: nn.Module,
    dataset: Dataset,
    layers: str,
    largest: int,
    seed: int,
    *,
    budget: Budget,
    started: float,
    attention_classes: Sequence[AttentionClass],
    progress: Progress | None,
) -> Found:
    """The same finding with nu*, its intervals and the number of passes from single passes; the curves stay those of the grid."""
    split = dataset.calibration
    device = device_of(network)
    statistics = next(iter(found.points.values())).statistics
    error_sq, weight = statistics.pooled_error_sq.numpy(), statistics.weight.numpy()
    area = cell_area_weights(torch.tensor(dataset.latitude, dtype=torch.float64))[:, None] if dataset.latitude else torch.ones(())
    seen = torch.isfinite(split.target)
    digest, print_of_network = weights_sha256(network), fingerprint(network, split.inputs[:4].clone().to(device))
    step = rows_per_pass(split.inputs, device)
    block = torch.as_tensor(split.block, dtype=torch.int64)

    def by_block(squares: torch.Tensor) -> np.ndarray:
        each = (torch.where(seen, squares.double(), 0.0) * area).flatten(1).sum(1) if squares.ndim > 1 else squares.double() * seen
        return torch.zeros(split.n_block, dtype=torch.float64).index_add_(0, block, each).numpy()

    def forecast(one) -> torch.Tensor:
        with torch.no_grad():
            parts = [one(split.inputs[i : i + step].clone().to(device), i) for i in range(0, len(split), step)]
        return torch.cat(parts).cpu()

    plain = forecast(lambda inputs, first: network(inputs))

    def pass_at(concentration: int, member: int) -> np.ndarray:
        key = store.key_of(
            "pass",
            weights=digest,
            dataset=dataset.sha256,
            concentration=concentration,
            member=member,
            seed=seed,
            layers=layers,
            attention_classes=[str(name) for name in attention_classes],
            device=device.type,
            case_per_pass=step,
            torch=torch.__version__,
            network=print_of_network,
            block=split.block.tolist(),  # what is kept are sums by block, cells by their area
            latitude=dataset.latitude,
        )

        def fill(folder) -> None:
            sampled = forecast(
                lambda inputs, first: sample_ensemble(
                    network,
                    inputs,
                    concentration=concentration,
                    n_member=1,
                    first_member=member,
                    seed=seed,
                    layers=layers,
                    attention_classes=attention_classes,
                    first_case=first,
                )[0]
            )
            np.save(folder / "deviation_sq.npy", by_block((sampled - plain).square()))

        return np.array((store.load(key) or store.save(key, fill))["deviation_sq"])

    result = thompson(pass_at, error_sq, weight, largest, seed=seed, budget=budget, spent=found.passes, started=started, progress=progress)
    again = resampled(statistics, lambda counts: result.resampled_optima(counts.numpy(), error_sq, weight), seed=seed)
    intervals = {
        "bootstrap": again.ends(1.0, float(largest)),
        "posterior": ends(result.line.optima(error_draws(error_sq, weight, n_draw=len(result.line.draws), seed=seed)), 1.0, float(largest)),
    }
    low, high = wider(intervals)
    return replace(
        found,
        concentration=whole_beside(result.optimum, found.grid, found.ratio),
        optimum=result.optimum,
        interval=(found.interval[0], low, high),
        intervals=intervals,
        at_low=result.optimum <= 1,
        at_high=result.optimum >= largest,
        passes=found.passes + len(result.concentration),
        ended=not result.converged,
        thompson=result,
    )
