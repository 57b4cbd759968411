"""Reading a map, a spectrum, scores by lead time or region in one sentence: what this shape says, and what it does not prove."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stochattn_core.figures.theme import number

NEAR = (0.8, 1.25)  # a ratio within these matches for the eye of a map


def _place(latitude: Sequence[float], longitude: Sequence[float], field: np.ndarray) -> str:
    """Where a field is greatest: 53°N 170°E."""
    row, column = np.unravel_index(np.nanargmax(field), field.shape)
    north, east = float(latitude[row]), (float(longitude[column]) + 180) % 360 - 180
    return f"{abs(north):.0f}°{'N' if north >= 0 else 'S'} {abs(east):.0f}°{'E' if east >= 0 else 'W'}"


def _area(latitude: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(np.cos(np.deg2rad(np.asarray(latitude)))[:, None], shape)


def read_field_map(field: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], quantity: str, units: str = "") -> str:
    """The sentence under the mean, one member or the truth: where it is greatest and least."""
    if not np.isfinite(field).any():
        return f"The {quantity} is missing in every cell."
    high, low = _place(latitude, longitude, field), _place(latitude, longitude, -field)
    ends = [number(float(end)).replace("-", "−") for end in (np.nanmax(field), np.nanmin(field))]
    return (
        f"The {quantity} is greatest near {high} ({ends[0]} {units}".rstrip() + f") and least near {low} ({ends[1]} {units}".rstrip() + ")."
    )


def read_error_map(error: np.ndarray, spread: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], units: str = "") -> str:
    """The sentence under the error of the mean in one forecast: its worst place, and how many standard deviations that is.

    error: mean minus truth; spread: standard deviation of the members; both (latitude, longitude).
    """
    known = np.isfinite(error)
    if not known.any():
        return "The truth of this forecast is not known."
    size = np.abs(np.where(known, error, 0.0))
    row, column = np.unravel_index(size.argmax(), size.shape)
    side = "high" if error[row, column] > 0 else "low"
    start = f"The mean is {number(float(size.max()))} {units}".rstrip() + f" too {side} near {_place(latitude, longitude, size)}"
    if not spread[row, column] > 0:
        return f"{start}; the plain model gives no spread to compare it with."
    area = _area(latitude, error.shape)[known]
    outside = float((area * (size[known] > 1.645 * spread[known])).sum() / area.sum())
    times = number(float(size[row, column] / spread[row, column]), 2)
    return f"{start}, {times} times the spread there. The truth lies more than 1.64 spreads off over {outside:.0%} of the area; 10% is expected."


def read_ratio_map(ratio: np.ndarray, latitude: Sequence[float]) -> str:
    """The sentence under the ratio of spread to RMSE: how much of the area matches, is too narrow, is too wide."""
    known = np.isfinite(ratio)
    if not known.any() or not np.nanmax(ratio) > 1e-6:
        return "There is no spread anywhere: the plain model says nothing of where it is unsure."
    area = _area(latitude, ratio.shape)[known]
    values = ratio[known]
    below, above = (float(area[part].sum() / area.sum()) for part in (values < NEAR[0], values > NEAR[1]))
    within = f"Spread and error agree within a quarter over {1 - below - above:.0%} of the area"
    if max(below, above) < 0.005:
        return f"{within}."
    return f"{within}; the ensemble is too narrow over {below:.0%} (orange) and too wide over {above:.0%} (violet)."


def read_map_association(
    spread: float, zonal_removed: float, climatology: float, climatology_zonal_removed: float = float("nan"), n_case: int = 0
) -> str:
    """The sentence under the correlations: the first number alone proves nothing, and this says whether the others add to it."""
    if spread != spread:
        return "There is no spread to correlate with the error."
    beyond_climate = climatology == climatology and spread > climatology + 0.02
    along = zonal_removed > max(0.3, (climatology_zonal_removed if climatology_zonal_removed == climatology_zonal_removed else 0.0) + 0.02)
    start = f"The correlation of {number(spread, 2)} proves nothing by itself"
    if climatology == climatology:
        start += f": the climatological standard deviation, which needs no forecast, reaches {number(climatology, 2)}"
    end = f"along latitude circles, where storm tracks no longer help, {number(zonal_removed, 2)} is left".replace("-", "−")
    if along and beyond_climate:
        return f"{start}. Here it is more than the climate: {end}."
    if along:
        return f"{start}; but {end}, so the spread knows more than the latitude."
    return f"{start}; {end}, so the spread knows the latitude of the error and little more."


def read_spaghetti(members: np.ndarray, latitude: Sequence[float], longitude: Sequence[float], level_text: Sequence[str]) -> str:
    """The sentence under spaghetti contours: where the members differ most, where lines lie on one another."""
    spread = np.asarray(members).std(axis=0, ddof=1) if len(members) > 1 else np.zeros(np.shape(members)[1:])
    if not spread.max() > 1e-9:
        return "The plain model draws one line at each level, and no word on how far to trust it."
    return (
        f"Where the lines of {' and '.join(level_text)} lie close the members agree; where they part the forecast is unsure. "
        f"The spread is greatest near {_place(latitude, longitude, spread)}."
    )


def read_spectrum(wavenumber: np.ndarray, member_ratio: np.ndarray, low: np.ndarray, high: np.ndarray, mean_ratio: np.ndarray) -> str:
    """The sentence under the spectra: is one member too smooth or too rough, and from which wavenumber the mean gives up."""
    known = np.isfinite(member_ratio)
    # Large and small scales apart: the power lies in the first few waves, the texture in the rest.
    if not known.any():
        return "The truth has no power around the globe in this band."
    small = known & (wavenumber > wavenumber[known][-1] / 3)
    too_smooth, too_rough = small & (high < 1), small & (low > 1)
    half = float(np.exp(np.mean(np.log(np.maximum(member_ratio[small], 1e-9)))))
    if too_rough.sum() > 0.5 * small.sum():
        shape = f"A member is rougher than the truth at small scales ({number(half, 2)} times its power): part of the spread is noise, not weather"
    elif too_smooth.sum() > 0.5 * small.sum():
        shape = (
            f"A member is smoother than the truth at small scales ({number(half, 2)} of its power): the model blurs, and no ν corrects that"
        )
    else:
        shape = "A member is as rough as the truth at small scales, within chance"
    lost = np.flatnonzero(known & (mean_ratio < 0.5))
    if len(lost):
        return f"{shape}; the mean holds less than half the power from wavenumber {int(wavenumber[lost[0]])} on, as the members disagree there."
    return f"{shape}; the mean keeps at least half the power at every wavenumber."


def read_lead_curves(lead_time: np.ndarray, ratio: np.ndarray, low: np.ndarray, high: np.ndarray, lead_unit: str = "h") -> str:
    """The sentence under the scores by lead time: at which leads a ratio of 1 can be excluded."""
    if not np.isfinite(ratio).all() or not np.max(ratio) > 1e-6:
        return "There is no spread at any lead time: this is the plain model."
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return "Too few independent init times to say what chance does to these scores."
    narrow, wide = lead_time[high < 1], lead_time[low > 1]
    if not len(narrow) and not len(wide):
        return "At every lead time a ratio of 1 lies within the range of chance: the spread matches the error as far as can be told."
    parts = [f"too narrow at {_leads(narrow, lead_unit)}"] if len(narrow) else []
    parts += [f"too wide at {_leads(wide, lead_unit)}"] if len(wide) else []
    rest = len(lead_time) - len(narrow) - len(wide)
    return f"The ensemble is {' and '.join(parts)}" + (
        "; at the other lead times 1 lies within the range of chance." if rest else ", beyond chance."
    )


def _leads(lead_time: np.ndarray, unit: str) -> str:
    if len(lead_time) > 7:
        return f"{len(lead_time)} leads from {lead_time[0]:g} to {lead_time[-1]:g} {unit}"
    return f"{', '.join(f'{lead:g}' for lead in lead_time)} {unit}"


def read_regions(label: Sequence[str], ratio: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The sentence under scores by region: which region the one ν serves worst."""
    known = np.isfinite(ratio) & (ratio > 1e-6)
    if not known.any():
        return "There is no spread in any region: this is the plain model."
    worst = int(np.argmax(np.where(known, np.abs(np.log(np.maximum(ratio, 1e-9))), -1)))
    kind = "narrow" if ratio[worst] < 1 else "wide"
    if np.isfinite([low[worst], high[worst]]).all() and low[worst] <= 1 <= high[worst]:
        return "In every region a ratio near 1 cannot be excluded: one ν serves them all."
    return f"One ν is used in every region. It fits {label[worst]} worst, where the ensemble is too {kind}: ratio {number(float(ratio[worst]))}."
