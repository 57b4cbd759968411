"""The rank of the target among the members: rank histogram, PIT, and the distance of the PIT from uniform."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import legendre
from torch import Tensor

PIT_STREAM = 0x9E3779B97F4A7C15 >> 2


def rank_weights(members: Float[Tensor, " member *event"], target: Float[Tensor, " *event"]) -> Float[Tensor, " member+1 *event"]:
    """Return the probability of each rank of the target among the members, when ties are broken at random.

    With b members below and e members equal, ranks b .. b+e have probability 1/(e+1) each: the exact expectation of the randomised rank,
    without random numbers. The sum over cases is the rank histogram; it is fractional under ties, and the sums of parts of a set add.

    members: (member, *event).   target: (*event).   Returns (member + 1, *event) in float64 (float32 on a device without float64). The sum
    over axis 0 is 1; it is 0, at every rank, where any input is NaN.
    Source: Hamill (2001), Monthly Weather Review 129, 550.

    >>> rank_weights(torch.tensor([0.0, 1.0, 1.0]), torch.tensor(1.0))
    tensor([0.0000, 0.3333, 0.3333, 0.3333], dtype=torch.float64)
    """
    m = members.shape[0]
    below = (members < target).sum(0)
    equal = (members == target).sum(0)
    rank = torch.arange(m + 1, device=members.device).view(-1, *[1] * below.ndim)
    inside = (rank >= below) & (rank <= below + equal) & ~_missing(members, target)
    return inside.to(torch.float32 if members.device.type == "mps" else torch.float64) / (equal + 1)


def pit(members: Float[Tensor, " member *event"], target: Float[Tensor, " *event"], *, seed: int = 0) -> Float[Tensor, " *event"]:
    """Return the randomised PIT of each case, u = (r + U) / (M + 1), uniform on [0, 1] when the ensemble is calibrated.

    r is the number of members below the target plus a random part of the ties; U is uniform. Scores use the expectation over both
    (rank_weights, w1), which needs no seed; this function gives one value a case.

    members: (member, *event).   target: (*event).   Returns (*event), no units; NaN where any input is NaN.
    Source: Gneiting, Balabdaoui and Raftery (2007), JRSS B 69, 243.

    >>> pit(torch.tensor([0.0, 1.0, 2.0]), torch.tensor(0.5)).mul(4).floor()  # one member of three is below
    tensor(1.)
    """
    below = (members < target).sum(0)
    equal = (members == target).sum(0)
    # A random stream of its own: with `seed` itself, U would depend on data that were drawn with the same seed.
    generator = torch.Generator().manual_seed(seed + PIT_STREAM)
    uniform = torch.rand(below.shape, generator=generator, dtype=torch.float64).to(members.device, target.dtype)
    # b + U (e + 1) is r + U' with r uniform on b .. b+e and U' uniform: one draw is enough for both.
    u = (below + uniform * (equal + 1)) / (members.shape[0] + 1)
    return torch.where(_missing(members, target), torch.nan, u)


def _missing(members: Tensor, target: Tensor) -> Tensor:
    return torch.isnan(target) | torch.isnan(members).any(0)


def w1(rank: Float[Tensor, " rank *event"]) -> Float[Tensor, " *event"]:
    """Return the W1 calibration error, the integral over [0, 1] of |F_u(t) - t|: 0 is calibrated, 0.5 the worst.

    F_u is the expected distribution of the randomised PIT. It is linear between the knots k / (M + 1), so that the integral is exact
    (two triangles where F_u crosses the diagonal inside a bin, a trapezium elsewhere).
    A perfect ensemble does not score 0: over n independent cases it scores about 0.313 / sqrt(n), because E|F_u - t| is
    sqrt(2/pi) sqrt(t(1-t)/n). For Gaussian ensembles of many members with spread/error of 0.5, 0.75, 0.9, 1.3, 2 it is 0.102, 0.045, 0.017,
    0.041, 0.102; for 49 members 4 to 7% less. Do not choose by W1 alone: a forecast without any skill can have W1 = 0.

    rank: (member + 1, *event), rank counts.   Returns (*event), no units; smaller is better; NaN without cases.

    >>> w1(torch.tensor([1.0, 0.0]))  # one member, always above the target
    tensor(0.2500)
    """
    gap = _gap(rank)
    left, right = gap[:-1], gap[1:]
    size = left.abs() + right.abs()
    crossing = (left**2 + right**2) / size.clamp(min=torch.finfo(size.dtype).tiny)
    return torch.where(left * right < 0, crossing, size).sum(0) / (2 * (gap.shape[0] - 1))


def _gap(rank: Tensor) -> Tensor:
    """Return F_u - t at the knots 0, 1/(M+1), ..., 1: (member + 2, *event)."""
    k = rank.shape[0]
    share = rank / rank.sum(0)
    knots = torch.arange(k + 1, dtype=share.dtype, device=rank.device).view(-1, *[1] * (rank.ndim - 1)) / k
    return torch.cat([torch.zeros_like(share[:1]), share.cumsum(0)]) - knots


def rebin(rank: Tensor, n_bin: int) -> Tensor:
    """Return the share of the randomised PIT in n_bin equal bins of [0, 1], from rank counts; exact for any n_bin.

    A calibrated ensemble gives 1 / n_bin in every bin, also where n_bin does not divide M + 1, because a rank is spread
    evenly over its 1 / (M + 1) of the axis. More than M + 1 bins would show detail that the ranks do not contain.

    rank: (member + 1, *event).   Returns (n_bin, *event), sums to 1 over axis 0; NaN without cases.

    >>> rebin(torch.tensor([1.0, 1.0, 2.0]), 2)
    tensor([0.3750, 0.6250])
    """
    k = rank.shape[0]
    if not 1 <= n_bin <= k:
        raise ValueError(f"a histogram of {k - 1} members has between 1 and {k} bins, got {n_bin}; use {k} or fewer")
    edges = torch.arange(n_bin + 1, dtype=torch.int64) * k  # in units of 1 / (n_bin k), to find the knots exactly
    knot, rest = edges // n_bin, (edges % n_bin).to(rank.dtype) / n_bin
    share = rank / rank.sum(0)
    cdf = torch.cat([torch.zeros_like(share[:1]), share.cumsum(0)])
    step = torch.cat([share, torch.zeros_like(share[:1])])
    at_edges = cdf[knot] + step[knot] * rest.to(rank.device).view(-1, *[1] * (rank.ndim - 1))
    return at_edges.diff(dim=0)


def pit_mean(rank: Tensor) -> Tensor:
    """Return the mean of the randomised PIT: 0.5 without bias, above 0.5 when the forecast is too low, below 0.5 when it is too high.

    rank: (member + 1, *event), rank counts.   Returns (*event), no units; NaN without cases.

    >>> pit_mean(torch.tensor([0.0, 1.0]))
    tensor(0.7500)
    """
    k = rank.shape[0]
    middle = (torch.arange(k, dtype=rank.dtype, device=rank.device) + 0.5) / k
    return torch.tensordot(middle, rank, dims=1) / rank.sum(0)


def pit_dispersion(rank: Tensor) -> Tensor:
    """Return the variance of the randomised PIT over that of a uniform, 12 Var(u): 1 if flat, above 1 for a U (too narrow), below 1 for a dome.

    rank: (member + 1, *event), rank counts.   Returns (*event), no units, between 0 and 3; NaN without cases.
    Source: Gneiting, Balabdaoui and Raftery (2007), JRSS B 69, 243 (the dispersion of the PIT).

    >>> pit_dispersion(torch.tensor([1.0, 1.0])), pit_dispersion(torch.tensor([1.0, 0.0, 0.0, 1.0]))
    (tensor(1.), tensor(1.7500))
    """
    k = rank.shape[0]
    middle = (torch.arange(k, dtype=rank.dtype, device=rank.device) + 0.5) / k
    centred = middle.view(-1, *[1] * (rank.ndim - 1)) - pit_mean(rank)
    return 12 * (rank * centred**2).sum(0) / rank.sum(0) + 1 / k**2


N_POLYNOMIAL = 4  # place, spread, skewness, tails


def legendre_weights(n_bin: int, n_polynomial: int = N_POLYNOMIAL) -> np.ndarray:
    """Return the mean of each Legendre polynomial on [0, 1] over each of n_bin equal bins, from the first degree on: (polynomial, bin).

    Each is scaled to a mean square of 1 over the bins, so that it varies by 1 / sqrt(n) for n independent cases, however few bins there are.

    >>> legendre_weights(2, 1).round(3).tolist()
    [[-1.0, 1.0]]
    """
    edges = np.linspace(-1, 1, n_bin + 1)
    degrees = range(1, n_polynomial + 1)
    integrals = [np.diff(legendre.legval(edges, legendre.legint([0.0] * degree + [1.0]))) for degree in degrees]
    size = [np.sqrt(np.square(integral).mean()) for integral in integrals]
    return np.stack([integral / (scale if scale > 1e-9 else 1.0) for integral, scale in zip(integrals, size, strict=True)])


def legendre_means(rank: Tensor) -> Tensor:
    """Return the means over the randomised PIT of the first four Legendre polynomials, orthonormal on [0, 1]: (polynomial, *event).

    Each is 0 for a calibrated ensemble, with standard deviation 1 / sqrt(n) over n independent cases. In this order they say that the PIT
    is shifted up, that it is a U (above 0) or a dome, that it is skewed, and that its outermost bins and its middle are full (heavy tails).

    rank: (bin, *event), counts.   NaN without cases.   Source: Neyman (1937), Skandinavisk Aktuarietidskrift 20, 149.

    >>> legendre_means(torch.tensor([1.0, 1.0, 1.0])).abs().max() < 1e-12
    tensor(True)
    """
    weights = torch.from_numpy(legendre_weights(rank.shape[0])).to(rank.device, rank.dtype)
    return torch.tensordot(weights, rank / rank.sum(0), dims=1)


def flatness(rank: Tensor) -> Tensor:
    """Return the reliability index of a rank histogram, sum_k |f_k - 1/K| over its K bins: 0 is flat, always below 2; it depends on K.

    rank: (bin, *event), counts.   Returns (*event), no units; smaller is better; NaN without cases.
    Source: Delle Monache et al. (2006), JGR 111, D24307.

    >>> flatness(torch.tensor([3.0, 1.0]))
    tensor(0.5000)
    """
    return (rank / rank.sum(0) - 1 / rank.shape[0]).abs().sum(0)
