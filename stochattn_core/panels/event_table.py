"""The scores of a threshold event as a table: Brier score with its parts, discrimination, and the CRPS beyond the threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from stochattn_core.figures.theme import number, units_text
from stochattn_core.metrics.event_scores import EventScore, event_scores
from stochattn_core.panels.base import Panel, View
from stochattn_core.panels.event_sums import TAB, arrays_of


class Numbers(NamedTuple):
    event: str
    scores: Mapping[str, EventScore]
    units: str


def numbers(view: View) -> Numbers:
    return Numbers(view.event.words(units_text(view.ensemble.units)), scores_of(view), units_text(view.ensemble.units))


def scores_of(view: View) -> Mapping[str, EventScore]:
    """Return the scores of the event of this view, at its lead time or at all of them."""
    ensemble, (members, target, climatology) = view.ensemble, arrays_of(view)
    return event_scores(members, target, ensemble.block, view.event, climatology=climatology, weights=ensemble.weights)


def reading(numbers: Numbers) -> str:
    return read_event(numbers.event, numbers.scores)


def table(numbers: Numbers) -> pd.DataFrame:
    rows = [
        {
            "score": score.title + (f" ({numbers.units})" if score.units and numbers.units else ""),
            "value": _text(score.value),
            "90% interval": f"{_text(score.low)} to {_text(score.high)}" if math.isfinite(score.low) else "–",
            "independent cases": f"{score.n_effective:,.0f}" if math.isfinite(score.n_effective) else "–",
        }
        for score in numbers.scores.values()
    ]
    return pd.DataFrame(rows)


def _text(value: float) -> str:
    return number(value).replace("-", "−")


def read_event(event: str, scores: Mapping[str, EventScore]) -> str:
    """Return the sentence over the scores of an event: whether its probabilities are better than those of the climatology.

    event: in words, such as "above 30 °C".
    """
    rate, skill = scores["base_rate"], scores["brier_skill"]
    share = f"The target was {event} in {rate.value:.1%} of all values"
    if not math.isfinite(skill.value):
        return f"{share}. No climatology is known, or it makes no error, so that there is no skill against it."
    gain = f"the Brier score is {abs(skill.value):.0%} {'better' if skill.value > 0 else 'worse'} than that of the climatology"
    if not math.isfinite(skill.low):
        return f"{share}; {gain}. There are too few independent cases for an interval."
    interval = f"skill {_text(skill.value)}, 90% interval {_text(skill.low)} to {_text(skill.high)}"
    if skill.low <= 0 <= skill.high:
        return f"{share}. There is no evidence that the forecast probabilities differ in skill from the climatology: {interval}."
    return f"{share}; {gain}, beyond chance ({interval})."


panel = Panel("event-scores", "Scores of the event", "tab", numbers, reading, table, tab=TAB, choices=("lead", "event"))
