"""Reading a figure in one sentence: what this shape says, and when the sample is too small to say anything."""

from __future__ import annotations

import numpy as np

from stochattn_core.figures.theme import number

WIDER, NARROWER = "a smaller ν, down to 1, widens it", "a larger ν narrows it"


Range = tuple[float, float]


def read_pit(
    density: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    dispersion: tuple[float, Range],
    mean: tuple[float, Range],
    has_spread: bool = True,
) -> str:
    """The sentence under a PIT histogram. density, low, high: (bin,), 1 when flat, with the band of chance.

    The shape is named by two numbers with their 90% ranges: the dispersion of the PIT, its variance over that of a uniform
    (above 1 a U, below 1 a dome), and its mean (0.5 without bias). The ranges take dependence into account, so the
    sentence claims a shape only where the data can tell it.
    """
    if not has_spread:
        return "All members agree, so every truth falls outside: the plain model has no spread to check."
    shapes = []
    if _excludes(dispersion[1], 1.0):
        shapes.append(
            f"U shape: the truth falls outside the members too often, so the ensemble is too narrow; {WIDER}"
            if dispersion[0] > 1
            else f"Dome: the truth sits in the middle too often, so the ensemble is too wide; {NARROWER}"
        )
    if _excludes(mean[1], 0.5):
        side = ("up", "above") if mean[0] > 0.5 else ("down", "below")
        shapes.append(f"slope {side[0]}: the truth lies {side[1]} the middle of the members more often than not, a bias that no ν corrects")
    if shapes:
        sentence = "; ".join(shapes)
        return sentence[0].upper() + sentence[1:] + "."
    reach = float(np.mean(high - low)) / 2
    if not np.isfinite(dispersion[1]).all() or reach > 0.75:
        return f"Too few independent cases to tell: chance alone moves a bar by ±{reach:.0%}."
    outside = int(((density < low) | (density > high)).sum())
    if outside:
        return f"No U, dome or slope, but {outside} of {len(density)} bars leave{'s' if outside == 1 else ''} the band of chance."
    return "Flat within what chance allows: the truth falls anywhere among the members equally often."


def _excludes(interval: Range, value: float) -> bool:
    return bool(np.isfinite(interval).all()) and not interval[0] <= value <= interval[1]


def read_ratio(ratio: float, interval: tuple[float, float] | None = None) -> str:
    """The spread-skill ratio in words; with its interval the sentence says whether 1 can be excluded."""
    if not np.isfinite(ratio) or ratio < 1e-6:
        return "There is no spread: the plain model gives one answer."
    if interval is not None and interval[0] <= 1 <= interval[1]:
        return f"Ratio {number(ratio)}: 1 lies within its range {number(interval[0])} to {number(interval[1])}, so the spread matches the error."
    if abs(ratio - 1) < 0.05:
        return f"Ratio {number(ratio)}: the spread matches the error within 5%."
    if ratio < 1:
        return f"Ratio {number(ratio)}: the spread is {1 - ratio:.0%} smaller than the error it should match; {WIDER}."
    return f"Ratio {number(ratio)}: the spread is {ratio - 1:.0%} larger than the error it should match; {NARROWER}."


def read_spread_skill(
    spread: np.ndarray, error: np.ndarray, count: np.ndarray, ratio: float, interval: tuple[float, float] | None = None
) -> str:
    """The sentence under spread against error: the ratio, and whether a larger spread goes with a larger error."""
    sentence = read_ratio(ratio, interval)
    keep = (count > 0) & np.isfinite(spread) & np.isfinite(error)
    if not np.isfinite(ratio) or ratio < 1e-6 or keep.sum() < 3:
        return sentence
    spread, error, count = spread[keep], error[keep], count[keep]
    if count.min() < 8:
        return f"{sentence} Bins hold as few as {int(count.min())} values: too few to say whether the spread tells cases apart."
    if spread.max() < 1.1 * spread.min():
        return f"{sentence} The spread is nearly the same everywhere, so it does not tell cases apart."
    slope = np.polyfit(np.log(np.maximum(spread, 1e-12)), np.log(np.maximum(error, 1e-12)), 1, w=np.sqrt(count))[0]
    if slope > 0.5:
        return f"{sentence} Where it spreads more it errs more: the spread tells hard cases from easy ones."
    if slope > 0.2:
        return f"{sentence} Where it spreads more it errs a little more."
    return f"{sentence} A larger spread does not go with a larger error: it does not tell hard cases from easy ones."


def read_coverage(level: np.ndarray, observed: np.ndarray) -> str:
    """The sentence under a coverage curve: the largest gap between what intervals say and what they hold."""
    gap = observed - level
    worst = int(np.argmax(np.abs(gap)))
    if abs(gap[worst]) < 0.03:
        return "Intervals hold what they say, within 3 points at every level."
    kind = "less than they say: the ensemble is too narrow" if gap[worst] < 0 else "more than they say: the ensemble is too wide"
    return f"Intervals hold {kind}; the largest gap is at {level[worst]:.0%}, which holds {observed[worst]:.0%}."


def read_fan(members: np.ndarray, truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The sentence under one fan: how many lead times the 90% band holds, and that one case proves little."""
    known = np.isfinite(truth)
    if not known.any():
        return "The truth of this case is not known."
    if np.ptp(members, axis=0).max() < 1e-9:
        return "The plain model gives one line and no word on how far to trust it; move the slider below ∞."
    held = int(((truth >= low) & (truth <= high))[known].sum())
    verdict = "one case proves little, the PIT counts them all"
    if held == known.sum():
        return f"The 90% band holds the truth at all {held} lead times; {verdict}."
    return f"The 90% band holds the truth at {held} of {int(known.sum())} lead times; {verdict}."


def read_fitted(outside: int, n_case: int) -> str:
    """The sentence under predicted against true, over all cases: how many truths lie outside the 90% interval; 10% should."""
    share = outside / max(n_case, 1)
    chance = 1.645 * np.sqrt(0.09 / max(n_case, 1))
    sentence = f"{outside:,} of {n_case:,} truths ({share:.0%}) lie outside their 90% interval, where 10% should"
    if abs(share - 0.1) <= chance:
        return f"{sentence}: within chance for this many cases."
    return f"{sentence}: the intervals are too {'short' if share > 0.1 else 'long'}."


def read_lead_time(lead_time: np.ndarray, ratio: np.ndarray, lead_unit: str = "") -> str:
    """The sentence under error and spread by lead time: where the ratio is worst and how it goes with lead time."""
    if not np.isfinite(ratio).all() or np.max(ratio) < 1e-6:
        return "There is no spread at any lead time: this is the plain model."
    worst = int(np.argmax(np.abs(np.log(np.maximum(ratio, 1e-9)))))
    if len(ratio) > 2 and ratio[-1] < 0.85 * ratio[0]:
        trend = "The error grows faster with lead time than the spread"
    elif len(ratio) > 2 and ratio[-1] > 1.18 * ratio[0]:
        trend = "The spread grows faster with lead time than the error"
    else:
        trend = "Spread and error grow alike with lead time"
    return f"{trend}; the ratio is farthest from 1 at {lead_time[worst]:g} {lead_unit}".rstrip() + f" ({number(float(ratio[worst]))})."


def read_references(rmse: float, references: dict[str, float]) -> str:
    """Whether the model beats forecasts that need no network; a skill score always names its reference."""
    if not references:
        return "No reference forecast is known for this dataset."
    beaten = [f"{name} by {1 - rmse / value:.0%}" for name, value in references.items() if rmse < value]
    lost = [f"{name} ({number(value)} against {number(rmse)})" for name, value in references.items() if rmse >= value]
    if not lost:
        return f"The model beats {' and '.join(beaten)} in RMSE: an honest forecaster on these data."
    if not beaten:
        return f"The model does not beat {' or '.join(lost)}: do not trust it on these data, however well calibrated."
    return f"The model beats {' and '.join(beaten)}, and does not beat {' or '.join(lost)}."


def read_ratio_curve(grid: np.ndarray, ratio: np.ndarray) -> str:
    """The sentence under the ratio over nu: where it crosses 1, or that it never does."""
    known = np.isfinite(ratio)
    grid, ratio = np.asarray(grid)[known], np.asarray(ratio)[known]
    if not len(ratio):
        return "The ratio is not known at any ν."
    if ratio.max() < 1:
        return f"The ratio stays below 1: even ν = {grid[ratio.argmax()]:,} reaches only {number(float(ratio.max()))}."
    if ratio.min() > 1:
        return f"The ratio stays above 1: even ν = {grid[ratio.argmin()]:,} spreads {number(float(ratio.min()))} times the error."
    cross = int(np.argmax((ratio[:-1] - 1) * (ratio[1:] - 1) <= 0))
    return f"The ratio passes 1 between ν = {grid[cross]:,} and {grid[cross + 1]:,} on the calibration part; the tuned ν follows the objective, not this."
