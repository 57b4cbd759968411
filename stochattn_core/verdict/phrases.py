"""The phrases of a verdict: numbers and slices as a person reads them."""

from __future__ import annotations

import math

from stochattn_core.verdict.departures import Bound, Column, Departures
from stochattn_core.verdict.quantities import QUANTITIES, SHAPE

MOST_RATIO = 1000.0  # an interval that reaches beyond it says nothing, and is not printed


def at(column: Column) -> str:
    """Return the value of one quantity in a slice."""
    quantity, value = column.quantity, column.quantity.shown(column.departure)
    if quantity.is_share:
        return f"coverage {value:.0%} ({quantity.shown(column.low):.0%} to {min(quantity.shown(column.high), 1.0):.0%})"
    low, high = quantity.shown(column.low), quantity.shown(column.high)
    values = f"{value:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")
    return f"{lower(quantity.title)} {values}"


def compared(cost: Column) -> str:
    """Return how the error of the mean compares with that of the plain model, with its interval."""
    return percent(cost) if cost.departure >= 0 else percent(cost).replace("-", "", 1).replace(" more ", " less ", 1)


def percent(cost: Column) -> str:
    """Return how much more the mean errs than the plain model."""
    more = math.expm1(cost.departure)
    if more > 9:
        return f"{1 + more:.0f} times as much as the plain model"
    return f"{more:.0%} more ({math.expm1(cost.low):+.0%} to {math.expm1(cost.high):+.0%}) than the plain model"


def rounded(number: float) -> str:
    """Return a number with two digits."""
    if number < 10:
        return f"{max(math.ceil(number), 1)}"
    unit = 10 ** (int(math.log10(number)) - 1)
    return f"{math.ceil(number / unit) * unit:,}"


def counted(n_effective: float) -> str:
    """Return a number of cases, rounded down: 19.7 are not 20."""
    n = max(math.floor(n_effective), 1)
    return f"{n:,} independent case{'s' if n > 1 else ''}"


def ratio_text(found: Departures) -> str:
    ratio = found.overall["ratio"]
    worth = counted(found.n_effective) if math.isfinite(found.n_effective) else "these cases"
    if not math.isfinite(ratio.departure):
        return f"no spread-skill ratio on {worth}"
    is_bounded = math.isfinite(ratio.low) and ratio.high < math.log(MOST_RATIO)
    ends = f" ({math.exp(ratio.low):.2f} to {math.exp(ratio.high):.2f})" if is_bounded else ""
    return f"spread-skill ratio {math.exp(ratio.departure):.2f}{ends} on {worth}"


def shape_text(found: Departures) -> str:
    """Return what is wrong with the shape of the PIT beyond chance, "" for nothing."""
    place, width, skew, tails = (found.overall[quantity.key] for quantity in SHAPE)
    texts = []
    if skew.side:
        texts.append(f"the errors are skewed, with a long tail of targets {'above' if skew.side > 0 else 'below'} the members")
    if tails.side:
        texts.append(f"the tails of the errors are {'heavier' if tails.side > 0 else 'lighter'} than those of the members")
    if not texts and width.side:
        texts.append(f"the targets lie too {'far from' if width.side > 0 else 'near'} the middle of the members")
    if not texts and place.side:
        texts.append(f"the targets lie too {'high' if place.side > 0 else 'low'} among the members")
    return " and ".join(texts)


def others(found: Departures, worst: Column) -> str:
    """Return how many more slices depart, "" for none."""
    n = len({column.slice_.name for column in found.slices if column.side and column.slice_} - {worst.slice_.name if worst.slice_ else ""})
    return f" (and at {n} more of {found.n_slice} slices)" if n else ""


def over_slices(bound: Bound) -> str:
    return f"{lower(QUANTITIES[bound.quantity].title)} by {bound.kind}"


def lower(title: str) -> str:
    """Return a title within a sentence; PIT and RMSE stay as they are."""
    return title if title[:2].isupper() else f"{title[0].lower()}{title[1:]}"
