"""The continuous ranked probability score of an ensemble, and Hersbach's decomposition of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stochattn_core.metrics.ranks import rank_weights


def crps(members: Float[Tensor, " member *event"], target: Float[Tensor, " *event"], *, fair: bool = True) -> Float[Tensor, " *event"]:
    """Return the continuous ranked probability score, E|X - y| - E|X - X'| / 2, with X and X' two members.

    Fair: X and X' are two different members, so that the expectation does not depend on M. Plain (fair=False): X' may be X itself. The plain
    score treats the M members as the whole distribution and is larger than the fair one by E|X - X'| / 2M.

    members: (member, *event), at least 2 when fair.   target: (*event), same units.
    Returns (*event) in the units of target; smaller is better; the fair score may be negative; NaN where any input is NaN.
    Cost: one sort, O(M log M).
    Source: Ferro (2014), QJRMS 140, 1917; Gneiting and Raftery (2007), JASA 102, 359.

    >>> crps(torch.tensor([0.0, 2.0]), torch.tensor(1.0))
    tensor(0.)
    >>> crps(torch.tensor([0.0, 2.0]), torch.tensor(1.0), fair=False)
    tensor(0.5000)
    """
    m = members.shape[0]
    if m < 1 or (fair and m < 2):
        raise ValueError(f"the fair CRPS needs at least 2 members, got {m}; pass fair=False to score one forecast")
    return crps_of_errors((members - target).sort(0).values, fair=fair)


def crps_of_errors(errors: Tensor, *, fair: bool) -> Tensor:
    """Return the CRPS from the SORTED errors of the members, x_1 <= ... <= x_M (member minus target): (member, *event) -> (*event).

    sum_ij |x_i - x_j| = 2 sum_i (2i - M - 1) x_i, so E|X - X'| / 2 is one weighted sum of the order statistics.

    >>> crps_of_errors(torch.tensor([-1.0, 1.0]), fair=True)
    tensor(0.)
    """
    m = errors.shape[0]
    rank = torch.arange(1, m + 1, dtype=errors.dtype, device=errors.device)
    pairs = m * (m - 1) if fair else m * m
    half_distance = torch.tensordot(2 * rank - m - 1, errors, dims=1) / pairs
    return errors.abs().mean(0) - half_distance


def hersbach_bins(errors: Tensor) -> tuple[Tensor, Tensor]:
    """Return Hersbach's alpha and beta: the parts of the gap between members i and i+1 that lie below and above the target.

    errors: (member, *event), SORTED member minus target, in the units of the target.
    Returns alpha, beta, each (member + 1, *event). Bin i has i members below it: there the forecast distribution is P(y < bin) = i/M.
    alpha_0 = beta_M = 0: outside the ensemble, the bin is the gap between the outermost member and the target.
    The plain CRPS is sum_i alpha_i (i/M)^2 + beta_i (1 - i/M)^2. NaN where any input is NaN.
    Source: Hersbach (2000), Weather and Forecasting 15, 559, equations 26 and 27.

    >>> hersbach_bins(torch.tensor([-1.0, 3.0]))
    (tensor([0., 1., 0.]), tensor([0., 3., 0.]))
    """
    below, above = errors.clamp(max=0), errors.clamp(min=0)
    alpha = below.diff(dim=0, prepend=below[:1], append=torch.zeros_like(below[:1]))
    beta = above.diff(dim=0, prepend=torch.zeros_like(above[:1]), append=above[-1:])
    return alpha, beta


class CrpsParts(NamedTuple):
    """The parts of the plain CRPS, each (*event), in the units of the target.

    crps = reliability + potential = reliability - resolution + uncertainty.
    """

    crps: Tensor
    reliability: Tensor  # the gain from perfect calibration; 0 is best
    potential: Tensor  # the CRPS after perfect calibration
    resolution: Tensor  # the gain over the climatology after perfect calibration; larger is better
    uncertainty: Tensor  # the CRPS of the climatology itself


def hersbach_parts(alpha: Tensor, beta: Tensor, rank: Tensor, uncertainty: Tensor) -> CrpsParts:
    """Return the parts of the CRPS from MEANS over cases: sums are added before this function, and divided only here.

    alpha, beta, rank: (member + 1, *event), means of hersbach_bins and of rank_weights.   uncertainty: (*event).
    With p_i = i/M, inner bins have g_i = alpha_i + beta_i and o_i = beta_i / g_i. For the two outer bins, o follows from how often
    the target is outside the ensemble. reliability = sum g_i (o_i - p_i)^2, potential = sum g_i o_i (1 - o_i).
    Ties between the target and an outermost member are split as in rank_weights (Hersbach counts them as inside).

    >>> alpha, beta, rank = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 3.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    >>> hersbach_parts(alpha, beta, rank, torch.tensor(2.0)).reliability
    tensor(0.2500)
    """
    m = alpha.shape[0] - 1
    p = torch.linspace(0, 1, m + 1, dtype=alpha.dtype, device=alpha.device).view(-1, *[1] * (alpha.ndim - 1))
    width = alpha + beta
    o = torch.where(width > 0, beta / width, p)
    # An outer bin exists only in the cases whose target is there: its length is the mean over those cases, g_0 = beta_0 / o_0.
    g = width.clone()
    o[0], o[m] = rank[0], 1 - rank[m]
    g[0] = torch.where(beta[0] > 0, beta[0] / o[0], torch.zeros_like(g[0]))
    g[m] = torch.where(alpha[m] > 0, alpha[m] / (1 - o[m]), torch.zeros_like(g[m]))
    reliability = (g * (o - p) ** 2).sum(0)
    potential = (g * o * (1 - o)).sum(0)
    missing = torch.where(torch.isnan(alpha.sum(0)), torch.nan, 0.0)  # 0 > NaN is False above: put the NaN back
    reliability, potential = reliability + missing, potential + missing
    return CrpsParts(reliability + potential, reliability, potential, uncertainty - potential, uncertainty)


def decompose_crps(members: Float[Tensor, "member case *event"], target: Float[Tensor, " case *event"]) -> CrpsParts:
    """Return Hersbach's decomposition of the plain CRPS over cases, crps = reliability - resolution + uncertainty.

    members: (member, case, *event).   target: (case, *event), same units.   Cases with a NaN make the result NaN.
    uncertainty is the CRPS of the sample climatology, E|y - y'| / 2 over all pairs of cases.
    Returns CrpsParts of (*event) in the units of target. Reliability: smaller is better; resolution: larger is better.
    Source: Hersbach (2000), Weather and Forecasting 15, 559.

    >>> parts = decompose_crps(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1.0, 2.0]))
    >>> parts.reliability, parts.potential, parts.uncertainty
    (tensor(0.), tensor(0.5000), tensor(0.2500))
    """
    alpha, beta = hersbach_bins((members - target).sort(0).values)
    rank = rank_weights(members, target)
    # crps_of_errors(y) = mean|y| - E|y - y'| / 2.
    climatology = target.sort(0).values
    uncertainty = climatology.abs().mean(0) - crps_of_errors(climatology, fair=False)
    return hersbach_parts(alpha.mean(1), beta.mean(1), rank.mean(1).to(alpha.dtype), uncertainty)
