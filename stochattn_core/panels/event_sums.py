"""What the panels of a threshold event have in common: the counts of the chosen event, over all lead times or at one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stochattn_core.figures.theme import units_text
from stochattn_core.metrics.events import EventSums, base_rate, event_sums
from stochattn_core.panels.base import View

TAB = "Events"


class KnownEvent(NamedTuple):
    """words: the event, such as "above 30 °C".   sums: by case.   block: (case,).   n: values with a target, and how many of them are events."""

    words: str
    sums: EventSums
    block: np.ndarray
    n_member: int
    n: int
    n_event: int

    @property
    def counts(self) -> Tensor:
        """The counts of all cases: (outcome, probability)."""
        return self.sums.counts.sum(0)

    @property
    def rate(self) -> float:
        """The base rate: the (weighted) share of values for which the event happened."""
        return float(base_rate(self.counts))

    @property
    def is_certain(self) -> bool:
        """Whether the event never happened, or always: discrimination and value are then not defined."""
        return self.n_event in (0, self.n)

    @property
    def subtitle(self) -> str:
        """The event and the sizes behind a plot, short enough for a narrow screen."""
        return f"{self.words} · M = {self.n_member} · N = {self.n:,}"


def known_event(view: View) -> KnownEvent:
    """Return the counts of the event of this view. ValueError for a quantile where no climatology is known."""
    return view.remember("event", (view.lead, view.event.text), lambda: _known_event(view))


def _known_event(view: View) -> KnownEvent:
    ensemble, event = view.ensemble, view.event
    members, target, climatology = arrays_of(view)
    sums = event_sums(members, target, event, climatology=climatology, weights=ensemble.weights)
    truth = torch.from_numpy(np.asarray(target, dtype=np.float64))
    happened = event.happens(truth, event.level(climatology)) & ~truth.isnan()
    n, n_event = int((~truth.isnan()).sum()), int(happened.sum())
    words = event.words(units_text(ensemble.units))
    return KnownEvent(words, sums, np.asarray(ensemble.block), len(members), n, n_event)


def arrays_of(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return members (member, case, *event), target (case, *event) and climatology (reference, *event) at the lead times of the view."""
    ensemble = view.ensemble
    members, target, climatology = np.asarray(ensemble.members), ensemble.target, ensemble.climatology
    if not view.lead or ensemble.latitude:
        return members, target, climatology
    place = ensemble.lead_time.index(view.lead)
    return members[:, :, place], target[:, place], None if climatology is None else climatology[:, place]


def certain_text(known: KnownEvent) -> str:
    """Return the sentence for an event that happened in every value or in none."""
    how = "in every one" if known.n_event else "in none"
    return f"The target was {known.words} {how} of {known.n:,} values, so that this is not defined. Choose another threshold."
