"""Exact multinomial counts of attention rows in plain torch, on any device. This is the reference for every faster sampler.

Law: counts ~ Multinomial(concentration, p) with p = mass / mass.sum(), so E[counts] = concentration p and
Cov[counts] = concentration (diag p - p p^T). Limit: counts / concentration -> p as the concentration grows.
A key without mass is never drawn. See `sampler` for the contract.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stochattn_core.sampling import stream

# Rows of few keys are searched up to so many draws, because the Poisson chain has a fixed cost.
SEARCH_AT_LEAST = 256
# The chain hands its last draws to the search when at most so many are left.
LEFT_TO_SEARCH = 128
HALF_LOG_2PI = math.log(2 * math.pi) / 2
STIRLING_BELOW_10 = (0.0, *(math.log(math.factorial(k)) - (k + 0.5) * math.log(k) + k for k in range(1, 10)))
# The most keys for which comparing every draw with every key costs less than searching it.
COMPARE_AT_MOST = 32


def draws_by_search(concentration: int, n_key: int) -> bool:
    """Is searching every draw in the cumulated row cheaper than drawing counts? The choice depends on these two numbers alone."""
    return concentration <= max(2 * n_key, SEARCH_AT_LEAST)


def search(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """Return the key that each draw hits, by inversion of the cumulated row: (row, key) mass, (*fold, row) keys -> (*fold, row, draw) int64.

    The first n draws of a larger concentration are the draws of concentration n (common random numbers).
    Every row must have mass; `sample_counts` and `mean_of_draws` also take rows without.
    """
    cumulated = _cumulated(mass)
    points = _points(cumulated, keys, concentration, stream.DRAW)
    drawn = torch.searchsorted(cumulated, points.movedim(-2, 0).flatten(1).contiguous(), right=True)
    return drawn.view(len(mass), *keys.shape[:-1], concentration).movedim(0, -2)


def mean_of_draws(
    mass: Float[Tensor, "head_row key"],
    keys: Int64[Tensor, "*fold head_row"],
    concentration: int,
    values: Float[Tensor, "head key feature"],
) -> Float[Tensor, "*fold head_row feature"]:
    """Return the mean of the drawn keys' values. All folds draw from the same rows, each with its own keys of the stream.

    mass: (head * row, key), keys: (*fold, head * row), values: (head, key, feature) -> (*fold, head * row, feature).
    Made for few draws over many keys: adding up the drawn values, draw by draw, reads less memory than a row of weights.
    A row without mass gives zeros; a row whose mass is not finite gives NaN.
    """
    n_head, n_key, _ = values.shape
    drawable, otherwise = _drawable(mass)
    drawn = search(torch.where(drawable, mass, 1.0), keys, concentration)
    drawn += torch.arange(n_head, device=mass.device).repeat_interleave(len(mass) // n_head)[:, None] * n_key
    total = torch.nn.functional.embedding_bag(drawn.flatten(0, -2), values.reshape(n_head * n_key, -1), mode="sum")
    return torch.where(drawable, total.view(*keys.shape, -1) / concentration, otherwise)


def _drawable(mass: Tensor) -> tuple[Tensor, Tensor]:
    """Return which rows can be drawn from, and the result of those that cannot: 0 without mass, NaN where the mass is not finite."""
    total = mass.sum(-1, keepdim=True)
    return torch.isfinite(total) & (total > 0), torch.where(torch.isfinite(total), 0.0, torch.nan).to(mass.dtype)


def _cumulated(mass: Tensor) -> Tensor:
    """Return the sums in the order of the keys, which other samplers repeat bit for bit; float32 where the device has no float64 (MPS)."""
    return mass.to(torch.float32 if mass.device.type == "mps" else torch.float64).cumsum(-1)


def _points(cumulated: Tensor, keys: Tensor, n_draw: int, purpose: int) -> Tensor:
    """Return n_draw points on each row: a key is drawn where a point falls between the cumulated entry before it and its own."""
    # Rounding could move a point up to the last entry of its row. The minimum keeps it strictly below, so that a key without mass, whose
    # interval is empty, is never hit.
    total = cumulated[:, -1:].contiguous()
    points = stream.uniforms(stream.purpose_keys(keys, purpose), n_draw).mul_(total)
    return torch.minimum(points, torch.nextafter(total, torch.zeros_like(total)))


def counts_by_search(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """Return multinomial counts, drawn one by one: (row, key) in mass's dtype. The cost grows with the concentration."""
    cumulated = _cumulated(mass)
    return _count(cumulated, _points(cumulated, keys, concentration, stream.DRAW), mass.dtype)


def _count(cumulated: Tensor, points: Tensor, dtype: torch.dtype) -> Tensor:
    """Return how many points of a row fall to each key; points at infinity fall to none."""
    n_key = cumulated.shape[-1]
    if n_key <= COMPARE_AT_MOST:
        below = torch.stack([(points < cumulated[:, key : key + 1]).sum(-1) for key in range(n_key)], -1)
        return below.diff(dim=-1, prepend=torch.zeros_like(below[:, :1])).to(dtype)
    drawn = torch.searchsorted(cumulated, points, right=True)
    wanted = (drawn < n_key).to(dtype)
    return torch.zeros(cumulated.shape, device=cumulated.device, dtype=dtype).scatter_add_(-1, drawn.clamp_max_(n_key - 1), wanted)


def counts_by_chain(mass: Tensor, keys: Tensor, concentration: int) -> Tensor:
    """Return multinomial counts by a chain of Poisson counts: (row, key) float64. The cost grows with the number of keys.

    Independent Poisson counts, given their total T, are multinomial with T draws. The chain proposes Poisson counts whose mean total is
    a little below the draws still to be made, and accepts them if T does not exceed these: a decision that depends on T alone. It
    repeats this for the draws that are left, until they are few enough for the search.
    """
    if mass.device.type == "mps":  # MPS has no float64, which the counts need
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
        accepted = total <= left[rows]
        counts[rows[accepted]] += batch[accepted]
        left[rows[accepted]] -= total[accepted]
        attempt += 1
    return counts.add_(_top_up(cumulated, keys, left))


def _top_up(cumulated: Tensor, keys: Tensor, left: Tensor) -> Tensor:
    """Return the counts of the last left[row] draws of every row, by search."""
    most = int(left.max())
    if not most:
        return torch.zeros_like(cumulated)
    points = _points(cumulated, keys, most, stream.TOP_UP)
    points.masked_fill_(torch.arange(most, device=points.device) >= left[:, None], torch.inf)
    return _count(cumulated, points, cumulated.dtype)


def poisson(mean: Tensor, keys: Tensor) -> Tensor:
    """Return independent Poisson counts from the stream: (row, key) means -> (row, key) float64; 0 where the mean is 0.

    Means below 10 are sampled by inversion, the others by Hoermann's transformed rejection PTRS (1993, Insurance: Mathematics and
    Economics 12).
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
    """Return log k! - (k log k - k + log(k) / 2), or 0 at k = 0, to the last bits.

    The log of the Poisson density is then k log(mean / k) + (k - mean) - log(k) / 2 minus this, without large terms that cancel
    (Loader 2000, Fast and accurate computation of binomial probabilities).
    """
    inverse = 1 / k.clamp_min(1.0)
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
    few = torch.tensor(STIRLING_BELOW_10, dtype=k.dtype, device=k.device)[k.clamp(0, 9).long()]
    return torch.where(k < 10, few, HALF_LOG_2PI + series)


def _uniform_at(keys: Tensor, row: Tensor, key: Tensor, attempt: int) -> Tensor:
    """Return one number for each chosen element, at the address (row, attempt, key)."""
    return stream.uniforms_at(stream.purpose_keys(keys, stream.REJECTION, attempt)[row], key)


def _poisson_inversion(mean: Tensor, uniform: Tensor) -> Tensor:
    """Return the smallest k whose cumulated probability exceeds the uniform, counting up from 0."""
    counts = torch.zeros_like(mean)
    term = torch.exp(-mean)
    cumulated = term.clone()
    # P(count > 200 | mean < 10) is below 1e-150: no count reaches the bound, which only ends the loop for a NaN.
    for k in range(1, 200):
        above = uniform >= cumulated
        if not bool(above.any()):
            break
        counts += above
        term = term * (mean * (1 / k))
        cumulated = cumulated + term
    return counts


def sample_counts(
    mass: Float[Tensor, "row key"], keys: Int64[Tensor, " row"], concentration: int, *, out: Tensor | None = None
) -> Float[Tensor, "row key"]:
    """Return multinomial counts of every row: (row, key) non-negative mass, (row,) keys -> (row, key) in mass's dtype.

    out: memory that a sampler may use for the counts; this one allocates its own.
    A row without mass (every key masked) gives zeros; a row whose mass is not finite gives NaN.
    """
    drawable, otherwise = _drawable(mass)
    sampler = counts_by_search if draws_by_search(concentration, mass.shape[-1]) else counts_by_chain
    return torch.where(drawable, sampler(torch.where(drawable, mass, 1.0), keys, concentration).to(mass.dtype), otherwise)
