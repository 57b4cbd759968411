"""Every score of a threshold event with its interval: what the page, the command line and Python show."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.arrays import Array
from stochattn_core.metrics.case_estimates import case_estimates
from stochattn_core.metrics.events import Event, EventSums, base_rate, brier, brier_parts, event_sums, probabilities, roc_area
from stochattn_core.metrics.scores import Scale
from stochattn_core.metrics.tails import tail_crps, tail_crps_of_climatology


class EventScore(NamedTuple):
    """One score with its 90% interval. units: "target" for the units of the target, "" for none.   The ends are NaN where they are not known."""

    title: str
    value: float
    low: float
    high: float
    n_effective: float
    units: str = ""


class EventColumns(NamedTuple):
    """What each case adds: EventSums, and the sums (case,) of weights and of the threshold-weighted CRPS of ensemble and climatology."""

    sums: EventSums
    weight: Tensor
    tail: Tensor
    tail_climatology: Tensor


# Functions of the sums over all cases. A skill is 1 minus a score over that of the climatology, scored on the same cases.
SCORES_OF_EVENT: dict[str, tuple[str, str, Callable[[EventColumns], Tensor]]] = {
    "base_rate": ("Base rate: share of events", "", lambda total: base_rate(total.sums.counts)),
    "mean_probability": ("Mean forecast probability", "", lambda total: _mean_probability(total.sums.counts)),
    "brier_fair": ("Fair Brier score", "", lambda total: brier(total.sums.counts)),
    "brier_climatology": ("Brier score of the climatology", "", lambda total: total.sums.climatology / total.weight),
    "brier_skill": (
        "Brier skill against the climatology",
        "",
        lambda total: 1 - brier(total.sums.counts) * total.weight / total.sums.climatology,
    ),
    "brier_reliability": ("+ Reliability (smaller is better)", "", lambda total: brier_parts(total.sums.counts).reliability),
    "brier_resolution": ("− Resolution (larger is better)", "", lambda total: brier_parts(total.sums.counts).resolution),
    "brier_uncertainty": ("+ Uncertainty of the event", "", lambda total: brier_parts(total.sums.counts).uncertainty),
    "brier_within_variance": ("+ Variance inside bins", "", lambda total: brier_parts(total.sums.counts).within_variance),
    "brier_within_covariance": ("− Covariance inside bins", "", lambda total: brier_parts(total.sums.counts).within_covariance),
    "brier_of_few_members": (
        "− Part due to the number of members",
        "",
        lambda total: brier(total.sums.counts, fair=False) - brier(total.sums.counts),
    ),
    "roc_area": ("Area under the ROC curve", "", lambda total: roc_area(total.sums.counts)),
    "tail_crps_fair": ("Fair CRPS beyond the threshold", "target", lambda total: total.tail / total.weight),
    "tail_crps_skill": (
        "CRPS skill beyond the threshold against the climatology",
        "",
        lambda total: 1 - total.tail / total.tail_climatology,
    ),
}

# Scores above 0 have their interval on a logarithmic scale, shares have that of a share.
SCALES: dict[str, Scale] = {
    "base_rate": "share",
    "mean_probability": "share",
    "roc_area": "share",
    **dict.fromkeys(("brier_fair", "brier_climatology", "brier_reliability", "brier_resolution", "tail_crps_fair"), "log"),
}


def event_scores(
    members: Array,
    target: Array,
    block: Array,
    event: Event,
    *,
    climatology: Array | None = None,
    weights: Array | None = None,
) -> dict[str, EventScore]:
    """Return every score of the event over all cases and elements, with its 90% interval, by the keys of SCORES_OF_EVENT.

    members: (member, case, *event), at least 1.   target: (case, *event), same units; NaN where missing.   block: (case,).
    climatology: (reference, *event); scores that need one are NaN without it.   weights: broadcasts to *event.
    fair Brier score = reliability - resolution + uncertainty + variance - covariance - part due to the number of members, exactly.
    A skill is estimated from the same cases for both forecasts, so that its interval is that of a paired comparison.

    >>> x = torch.tensor([[0.0, 2.0], [2.0, 2.0]])
    >>> event_scores(x, torch.tensor([0.0, 2.0]), torch.arange(2), Event(1.0))["brier_fair"].value
    0.0
    """
    sums = event_sums(members, target, event, climatology=climatology, weights=weights)
    truth, level = torch.from_numpy(np.asarray(target, dtype=np.float64)), event.level(climatology)
    weight = torch.ones_like(truth) * (1.0 if weights is None else torch.as_tensor(np.asarray(weights), dtype=torch.float64))
    weight = torch.where(truth.isnan(), 0.0, weight)

    def by_case(score: Tensor | None) -> Tensor:
        if score is None:
            return torch.full((len(truth),), torch.nan, dtype=torch.float64)
        return torch.where(weight > 0, score * weight, 0.0).reshape(len(truth), -1).sum(1)

    tail = tail_crps(torch.tensor(np.asarray(members)), truth, level, is_upper=event.is_above) if len(members) > 1 else None
    reference = None if climatology is None else torch.from_numpy(np.asarray(climatology, dtype=np.float64))
    of_climatology = None if reference is None else tail_crps_of_climatology(reference, truth, level, is_upper=event.is_above)
    extra = torch.stack([by_case(torch.ones_like(truth)), by_case(tail), by_case(of_climatology)], 1)
    columns = torch.cat([sums.columns, extra], 1)
    is_known = ~columns.isnan().any(0)

    def of_total(total: Tensor) -> Tensor:
        total = torch.where(is_known, total, torch.nan)
        whole = EventColumns(sums.of_columns(total[..., :-3]), *total[..., -3:].unbind(-1))
        return torch.stack([formula(whole) for _, _, formula in SCORES_OF_EVENT.values()], -1)

    found = case_estimates(of_total, columns.nan_to_num(), np.asarray(block), scale=[SCALES.get(key, "linear") for key in SCORES_OF_EVENT])
    return {
        key: EventScore(title, *found.at(place), float(found.n_effective[place]), units)
        for place, (key, (title, units, _)) in enumerate(SCORES_OF_EVENT.items())
    }


def _mean_probability(counts: Tensor) -> Tensor:
    return (counts.sum(-2) * probabilities(counts.shape[-1] - 1)).sum(-1) / counts.sum((-2, -1))
