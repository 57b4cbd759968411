"""The single passes of the authors' search over the calibration part, each kept in the store, and the search result they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stochattn_core import store
from stochattn_core.datasets.base import Progress
from stochattn_core.datasets.split import CallArguments
from stochattn_core.ensemble import rows_per_pass, sample_ensemble
from stochattn_core.forecasts import Experiment, fingerprint
from stochattn_core.metrics import cell_area_weights
from stochattn_core.metrics.statistics import coarser
from stochattn_core.models.model import weights_sha256
from stochattn_core.outputs import like_target
from stochattn_core.plain_forecast import plain_forecast
from stochattn_core.tuning.interval import inference_of, within
from stochattn_core.tuning.points import MOST_BLOCKS, Budget
from stochattn_core.tuning.search_result import SearchResult, whole_beside
from stochattn_core.tuning.thompson import PassAt, thompson


def single_pass_search(
    result: SearchResult, experiment: Experiment, largest: int, *, budget: Budget, started: float, progress: Progress | None
) -> SearchResult:
    """The result with nu*, its interval and the number of passes from single passes; the curves stay those of the grid.

    result: of the grid.   largest: concentrations go from 1 to it.   started: time.monotonic() when the search began.
    """
    statistics, seed = next(iter(result.points.values())).statistics, experiment.setting.seed
    error_sq, weight = statistics.pooled_error_sq.numpy(), statistics.weight.numpy()
    search = thompson(
        passes_of(experiment),
        error_sq,
        weight,
        largest,
        seed=seed,
        budget=budget,
        spent=result.passes,
        started=started,
        progress=progress,
    )
    found = inference_of(statistics, lambda counts: search.resampled_optima(counts.numpy(), error_sq, weight)).at(0)
    return replace(
        result,
        concentration=whole_beside(search.optimum, result.grid, result.ratio),
        optimum=search.optimum,
        interval=(result.interval[0], *within(found, 1.0, float(largest))),
        at_low=search.optimum <= 1,
        at_high=search.optimum >= largest,
        passes=result.passes + len(search.concentration),
        ended=not search.converged,
        thompson=search,
    )


def passes_of(experiment: Experiment) -> PassAt:
    """A function from (concentration, member) to the squared deviations of that pass by block, (block,); from the store where they are kept."""
    network, dataset, split, device = experiment.network, experiment.dataset, experiment.split, experiment.device
    area = cell_area_weights(torch.tensor(dataset.latitude, dtype=torch.float64))[:, None] if dataset.latitude else torch.ones(())
    seen = torch.isfinite(split.target)
    weights_digest, network_digest = weights_sha256(network), fingerprint(network, split.arguments(slice(4), device))
    step = rows_per_pass(split.largest, device)
    blocks = coarser(split.block, MOST_BLOCKS)
    block, n_block = torch.as_tensor(blocks, dtype=torch.int64), min(split.n_block, MOST_BLOCKS)

    def by_block(squares: Tensor) -> np.ndarray:
        each = (torch.where(seen, squares.double(), 0.0) * area).flatten(1).sum(1) if squares.ndim > 1 else squares.double() * seen
        return torch.zeros(n_block, dtype=torch.float64).index_add_(0, block, each).numpy()

    def forecast(forecast_of: Callable[[CallArguments, int], Tensor]) -> Tensor:
        """All cases in chunks. forecast_of(arguments, first_case): of one chunk."""
        parts = [forecast_of(split.arguments(slice(i, i + step), device), i) for i in range(0, len(split), step)]
        return like_target(torch.cat(parts), split.target.ndim).cpu()

    plain = forecast(lambda arguments, first_case: plain_forecast(network, *arguments[0], model_kwargs=arguments[1]))

    def pass_at(concentration: int, member: int) -> np.ndarray:
        key = store.key_of(
            "pass",
            weights=weights_digest,
            dataset=dataset.sha256,
            concentration=concentration,
            member=member,
            seed=experiment.case_seed,
            layers=experiment.layers,
            ignore=experiment.ignore,
            device=device.type,
            case_per_pass=step,
            torch=torch.__version__,
            network=network_digest,
            block=blocks.tolist(),  # the sums that are kept are by block, with cells weighted by their area
            latitude=dataset.latitude,
        )

        def fill(folder: Path) -> None:
            sampled = forecast(
                lambda arguments, first_case: sample_ensemble(
                    network,
                    *arguments[0],
                    concentration=concentration,
                    n_member=1,
                    first_member=member,
                    seed=experiment.case_seed,
                    layers=experiment.layers,
                    ignore=experiment.ignore,
                    first_case=first_case,
                    model_kwargs=arguments[1],
                )[0]
            )
            np.save(folder / "deviation_sq.npy", by_block((sampled - plain).square()))

        return np.array((store.load(key) or store.save(key, fill))["deviation_sq"])

    return pass_at
