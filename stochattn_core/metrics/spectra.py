"""Zonal power spectra: the variance of a field at each wavenumber around the globe. Is a member as rough as the truth?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stochattn_core.metrics.regions import latitude_weights
from stochattn_core.metrics.significance import infer

BAND = (30.0, 60.0)  # degrees of latitude: the northern storm track
NOTHING = 1e-8  # of the variance: a smaller power at one wavenumber is rounding, and a ratio to it is meaningless


def zonal_power(field: Tensor, latitude: Sequence[float], band: tuple[float, float] = (-90.0, 90.0)) -> Tensor:
    """Return the power by zonal wavenumber, P_k = c_k |F_k|^2 / n^2 with F the Fourier sum along a latitude circle, averaged over a band.

    c_k is 2, for k and -k together, but 1 at k = 0 and, for even n, at n / 2. Parseval: the sum over k is the area-weighted mean
    square of the field, and without k = 0 its variance around the zonal mean.
    field: (..., latitude, longitude), with evenly spaced longitudes around the whole circle.   band: (south, north) in degrees.
    Returns (..., wavenumber) float64 for k = 0 .. n // 2, in units squared; NaN where any value of the band is NaN. ValueError for a wrong
    number of latitudes, and where no row is in the band.

    >>> wave = 3 * torch.cos(2 * torch.pi * torch.arange(8) / 8 * 2).repeat(2, 1)
    >>> zonal_power(wave, [-45.0, 45.0]).round(decimals=6).abs()
    tensor([0.0000, 0.0000, 4.5000, 0.0000, 0.0000], dtype=torch.float64)
    """
    field = torch.as_tensor(field)
    if field.ndim < 2 or field.shape[-2] != len(latitude):
        raise ValueError(
            f"expected (..., latitude, longitude) with {len(latitude)} latitudes, got {tuple(field.shape)}; name the last two axes"
        )
    area = latitude_weights(latitude, *band)
    if not area.sum() > 0:
        raise ValueError(f"no row of this grid lies between {band[0]:g} and {band[1]:g} degrees; choose another band")
    rows = area > 0
    area = area[rows] / area[rows].sum()
    n = field.shape[-1]
    power = torch.fft.rfft(field[..., rows, :].to(torch.float64), dim=-1).abs() ** 2 / n**2
    twice = torch.full((power.shape[-1],), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    if n % 2 == 0:
        twice[-1] = 1.0
    return (power * twice * area[:, None]).sum(dim=-2)


def without_zonal_mean(field: Tensor) -> Tensor:
    """Return the field, (..., latitude, longitude), minus its mean around each latitude circle: the differences along the circle are left."""
    return field - field.mean(dim=-1, keepdim=True)


class Spectra(NamedTuple):
    """Mean power over cases, (wavenumber,) each, in units squared, without k = 0, the zonal mean.

    Ranges are 90%, by blocks of cases. Ratios are NaN where the power of the truth is only rounding (a field truncated at some wavenumber).
    """

    wavenumber: Tensor
    truth: Tensor
    member: Tensor  # of single members, averaged over them: their power, not the power of their mean
    mean: Tensor  # of the ensemble mean, smooth where the members disagree
    plain: Tensor | None
    member_ratio: Tensor  # member / truth: 1 when a member is as rough as the truth
    member_low: Tensor
    member_high: Tensor
    mean_ratio: Tensor
    n_member: int
    n_case: int


def spectra(
    members: Tensor,
    target: Tensor,
    latitude: Sequence[float],
    *,
    band: tuple[float, float] = BAND,
    plain: Tensor | None = None,
    block: Tensor | None = None,
) -> Spectra:
    """Return the spectra of the truth, of single members and of the ensemble mean.

    members: (member, case, latitude, longitude).   target, plain: (case, latitude, longitude), same units.
    block: (case,) ints in the order of time, equal for cases that count as one; without it, each case is one. Cases with NaN in the band are left
    out. ValueError if every case has one.
    """
    target = torch.as_tensor(target)
    by_case = {"truth": zonal_power(target, latitude, band), "mean": zonal_power(torch.as_tensor(members).mean(0), latitude, band)}
    # One member at a time: the transform of all of them would need three copies of the ensemble in memory.
    by_case["member"] = torch.stack([zonal_power(member, latitude, band) for member in members]).mean(0)
    if plain is not None:
        by_case["plain"] = zonal_power(plain, latitude, band)
    known = by_case["truth"].isfinite().all(-1)
    if not known.any():
        raise ValueError("the truth has missing values in every case of this band; choose another band, or fill the gaps")
    by_case = {name: power[known][:, 1:] for name, power in by_case.items()}
    mean = {name: power.mean(0) for name, power in by_case.items()}
    block = torch.arange(len(known)) if block is None else torch.as_tensor(block)
    _, place = block[known].unique(return_inverse=True)
    sums = {name: power.new_zeros(int(place.max()) + 1, power.shape[1]).index_add_(0, place, power) for name, power in by_case.items()}
    without = {name: power.sum(0) - power for name, power in sums.items()}
    found = infer((mean["member"] / mean["truth"]).numpy(), (without["member"] / without["truth"]).numpy(), scale="log")
    low, high = torch.from_numpy(found.low), torch.from_numpy(found.high)
    has_power = mean["truth"] > NOTHING * mean["truth"].sum()

    def ratio(values: Tensor) -> Tensor:
        return torch.where(has_power, values, torch.nan)

    return Spectra(
        wavenumber=torch.arange(1, len(mean["truth"]) + 1),
        truth=mean["truth"],
        member=mean["member"],
        mean=mean["mean"],
        plain=mean.get("plain"),
        member_ratio=ratio(mean["member"] / mean["truth"]),
        member_low=ratio(low),
        member_high=ratio(high),
        mean_ratio=ratio(mean["mean"] / mean["truth"]),
        n_member=len(members),
        n_case=int(known.sum()),
    )
