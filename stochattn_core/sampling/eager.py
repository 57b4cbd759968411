"""Exact multinomial counts of attention rows in plain torch, on any device. The reference for every faster kernel.

Law: counts ~ Multinomial(concentration, p), p = mass / mass.sum(). E[counts] = concentration p,
Cov[counts] = concentration (diag p - p p^T). Limit: counts / concentration -> p as the concentration grows.
A key without mass is never drawn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stochattn_core.sampling import stream

# Draws up to which a row of few keys is searched: the Poisson chain has a fixed cost. What the chain leaves is searched from fewer on.
SEARCH_AT_LEAST = 256
LEFT_TO_SEARCH = 128
HALF_LOG_2PI = math.log(2 * math.pi) / 2
STIRLING_BELOW_10 = (0.0, *(math.log(math.factorial(k)) - (k + 0.5) * math.log(k) + k for k in range(1, 10)))
# The most keys for which comparing every draw with every key costs less than searching it.
COMPARE_AT_MOST = 32


def draws_by_search(concentration: int, n_key: int) -> bool:
    """Whether searching every draw in the cumulated row is cheaper than drawing counts; the choice depends on these two alone."""
    return concentration <= max(2 * n_key, SEARCH_AT_LEAST)


def search(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """The drawn key of every draw by inversion of the cumulated row: (row, key) mass, (*fold, row) keys -> (*fold, row, draw) int64.

    The first n draws of a larger concentration are the draws of concentration n (common random numbers).
    Rows must have mass; see `sample_counts` for those that do not.
    """
    cumulated = _cumulated(mass)
    points = _points(cumulated, keys, concentration, stream.DRAW)
    drawn = torch.searchsorted(cumulated, points.movedim(-2, 0).flatten(1).contiguous(), right=True)
    return drawn.view(len(mass), *keys.shape[:-1], concentration).movedim(0, -2)


def mean_of_draws(mass: Tensor, keys: Tensor, concentration: int, values: Tensor) -> Tensor:
    """The mean of the drawn keys' values, which every fold draws from the same rows with keys of its own.

    mass: (head * row, key), keys: (*fold, head * row), values: (head, key, feature) -> (*fold, head * row, feature).
    For few draws over many keys: adding the drawn values up, draw by draw, reads less memory than a row of weights.
    A row without mass gives zeros; a row whose mass is not finite gives NaN.
    """
    n_head, n_key, _ = values.shape
    drawable, otherwise = _drawable(mass)
    drawn = search(torch.where(drawable, mass, 1.0), keys, concentration)
    drawn += torch.arange(n_head, device=mass.device).repeat_interleave(len(mass) // n_head)[:, None] * n_key
    total = torch.nn.functional.embedding_bag(drawn.flatten(0, -2), values.reshape(n_head * n_key, -1), mode="sum")
    return torch.where(drawable, total.view(*keys.shape, -1) / concentration, otherwise)


def _drawable(mass: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows can be drawn from, and what the others give."""
    total = mass.sum(-1, keepdim=True)
    return torch.isfinite(total) & (total > 0), torch.where(torch.isfinite(total), 0.0, torch.nan).to(mass.dtype)


def _cumulated(mass: Tensor) -> Tensor:
    """Sums in the order of the keys, which any other sampler can meet bit for bit; float32 where the device has no float64 (MPS)."""
    return mass.to(torch.float32 if mass.device.type == "mps" else torch.float64).cumsum(-1)


def _points(cumulated: Tensor, keys: Tensor, n_draw: int, purpose: int) -> Tensor:
    """n_draw points on each row: a key is drawn where a point falls between the entry before and its own."""
    # A point is kept strictly below the row's own last entry, which rounding could otherwise make it reach: then a key without mass,
    # whose interval is empty, is never hit.
    total = cumulated[:, -1:].contiguous()
    points = stream.uniforms(stream.purpose_keys(keys, purpose), n_draw).mul_(total)
    return torch.minimum(points, torch.nextafter(total, torch.zeros_like(total)))


def counts_by_search(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """Multinomial counts, draw by draw: cost grows with the concentration. (row, key) in mass's dtype."""
    cumulated = _cumulated(mass)
    return _count(cumulated, _points(cumulated, keys, concentration, stream.DRAW), mass.dtype)


def _count(cumulated: Tensor, points: Tensor, dtype: torch.dtype) -> Tensor:
    """How many points of a row each key has drawn; points at infinity are none of any key's."""
    n_key = cumulated.shape[-1]
    if n_key <= COMPARE_AT_MOST:
        below = torch.stack([(points < cumulated[:, key : key + 1]).sum(-1) for key in range(n_key)], -1)
        return below.diff(dim=-1, prepend=torch.zeros_like(below[:, :1])).to(dtype)
    drawn = torch.searchsorted(cumulated, points, right=True)
    wanted = (drawn < n_key).to(dtype)
    return torch.zeros(cumulated.shape, device=cumulated.device, dtype=dtype).scatter_add_(-1, drawn.clamp_max_(n_key - 1), wanted)


def counts_by_chain(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """Multinomial counts by a chain of Poisson counts: cost grows with the number of keys. (row, key) float64.

    Independent Poisson counts, given their total T, are multinomial of T draws. So Poisson counts with a mean total a little below
    what is still to be drawn are kept whenever T does not exceed it, a decision that depends on T alone, and the rest is drawn
    again, with few enough left by search.
    """
    if mass.device.type == "mps":  # which has no float64, and counts need it
        return counts_by_chain(mass.cpu(), keys.cpu(), concentration).float().to(mass.device)
    n_row, n_key = mass.shape
    cumulated = _cumulated(mass)
    p = mass.double() / cumulated[:, -1:]
    counts = torch.zeros_like(p)
    left = torch.full((n_row,), concentration, device=mass.device, dtype=torch.int64)
    attempt = 0
    while True:
        rows = (left > max(2 * n_key, LEFT_TO_SEARCH)).nonzero().squeeze(-1)
        if not len(rows):
            break
        wanted = left[rows].double()
        mean = (wanted - 2.5 * wanted.sqrt()).clamp_min_(1.0)[:, None] * p[rows]
        batch = poisson(mean, stream.purpose_keys(keys[rows], stream.POISSON, attempt))
        total = batch.sum(-1).long()
        kept = total <= left[rows]
        counts[rows[kept]] += batch[kept]
        left[rows[kept]] -= total[kept]
        attempt += 1
    return counts.add_(_top_up(cumulated, keys, left))


def _top_up(cumulated: Tensor, keys: Tensor, left: Tensor) -> Tensor:
    """Counts of the last left[row] draws of every row, by search."""
    most = int(left.max())
    if not most:
        return torch.zeros_like(cumulated)
    points = _points(cumulated, keys, most, stream.TOP_UP)
    points.masked_fill_(torch.arange(most, device=points.device) >= left[:, None], torch.inf)
    return _count(cumulated, points, cumulated.dtype)


def poisson(mean: Tensor, keys: Tensor) -> Tensor:
    """Independent Poisson counts from the stream: (row, key) means -> (row, key) float64; 0 where the mean is 0.

    Means below 10 by inversion, the others by Hoermann's transformed rejection PTRS (1993, Insurance: Mathematics and Economics 12).
    """
    counts = torch.zeros_like(mean)
    uniform = stream.uniforms(keys, mean.shape[-1])
    small = (mean > 0) & (mean < 10)
    counts[small] = _poisson_inversion(mean[small], uniform[small])
    row, key = (mean >= 10).nonzero(as_tuple=True)
    attempt = 1
    while len(row):
        mu = mean[row, key]
        u = _uniform_at(keys, row, key, 2 * attempt) - 0.5
        v = _uniform_at(keys, row, key, 2 * attempt + 1)
        b = 0.931 + 2.53 * mu.sqrt()
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        us = 0.5 - u.abs()
        k = torch.floor((2 * a / us + b) * u + mu + 0.43)
        k1 = k.clamp_min(1.0)
        ratio = v * inverse_alpha / (a / (us * us) + b) * k1.sqrt()
        accepted = (k >= 0) & ~((us < 0.013) & (v > us)) & (ratio.log() <= k * (mu / k1).log() + (k - mu) - _stirling(k))
        counts[row[accepted], key[accepted]] = k[accepted]
        row, key = row[~accepted], key[~accepted]
        attempt += 1
    return counts


def _stirling(k: Tensor) -> Tensor:
    """What remains of log k! beyond k log k - k + log(k) / 2 (at 0: all of it), to the last bits.

    So log of the Poisson density is k log(mean / k) + (k - mean) - log(k) / 2 - this, which is free of large terms that cancel
    (Loader 2000, Fast and accurate computation of binomial probabilities).
    """
    inverse = 1 / k.clamp_min(1.0)
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    few = torch.tensor(STIRLING_BELOW_10, dtype=k.dtype, device=k.device)[k.clamp(0, 9).long()]
    return torch.where(k < 10, few, HALF_LOG_2PI + series)


def _uniform_at(keys: Tensor, row: Tensor, key: Tensor, attempt: int) -> Tensor:
    """One number for each chosen element, at the address (row, attempt, key)."""
    return stream.uniforms_at(stream.purpose_keys(keys, stream.REJECTION, attempt)[row], key)


def _poisson_inversion(mean: Tensor, uniform: Tensor) -> Tensor:
    """Smallest k whose cumulated probability exceeds the uniform, by running up from 0."""
    counts = torch.zeros_like(mean)
    term = torch.exp(-mean)
    cumulated = term.clone()
    # P(count > 200 | mean < 10) is below 1e-150: the bound is never met, it only keeps a NaN from looping for ever.
    for k in range(1, 200):
        above = uniform >= cumulated
        if not bool(above.any()):
            break
        counts += above
        term = term * (mean * (1 / k))
        cumulated = cumulated + term
    return counts


def sample_counts(mass: Tensor, keys: Tensor, concentration: int, *, out: Tensor | None = None) -> Tensor:
    """Multinomial counts of every row: (row, key) non-negative mass, (row,) keys -> (row, key) in mass's dtype.

    out: memory that a sampler may put the counts into; this one has its own.
    A row without mass (every key masked) gives zeros; a row whose mass is not finite gives NaN.
    """
    drawable, otherwise = _drawable(mass)
    sampler = counts_by_search if draws_by_search(concentration, mass.shape[-1]) else counts_by_chain
    return torch.where(drawable, sampler(torch.where(drawable, mass, 1.0), keys, concentration).to(mass.dtype), otherwise)
