"""Scores of a whole vector: is the joint structure of the ensemble right?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def energy_score(
    members: Float[Tensor, "member case *event"],
    target: Float[Tensor, " case *event"],
    *,
    fair: bool = True,
    weights: Tensor | None = None,
) -> Float[Tensor, " case"]:
    """Return the energy score, E||X - y|| - E||X - X'|| / 2, the CRPS of a vector; the norm is over the event axes.

    Fair: X and X' are two different members. For an event of one number it is the CRPS.

    members: (member, case, *event), at least 2 when fair.   target: (case, *event), same units. Elements with a NaN target are left out of
    the norms of their case; a case without any target is NaN.   weights: broadcasts to *event, inside the square.
    Returns (case,) in the units of target; smaller is better. If elements have different units, divide them by a scale first.
    Source: Gneiting and Raftery (2007), JASA 102, 359; fair: Ferro (2014).

    >>> energy_score(torch.tensor([[[0.0, 0.0]], [[6.0, 8.0]]]), torch.tensor([[3.0, 4.0]]))
    tensor([0.])
    """
    m = members.shape[0]
    if m < 1 or (fair and m < 2):
        raise ValueError(f"the fair energy score needs at least 2 members, got {m}; pass fair=False to score one forecast")
    observed = ~torch.isnan(target)
    errors = torch.where(observed, members - target, 0)
    if weights is not None:
        errors = errors * weights.to(errors).sqrt()
    errors = errors.flatten(2) if errors.ndim > 2 else errors.unsqueeze(2)
    errors = errors.transpose(0, 1)  # (case, member, element)
    to_target = errors.norm(dim=2).mean(1)
    between = _distances(errors).sum((1, 2)) / (m * (m - 1) if fair else m * m)
    return torch.where((observed.flatten(1).any(1) if observed.ndim > 1 else observed), to_target - 0.5 * between.to(to_target), torch.nan)


def _distances(errors: Tensor) -> Tensor:
    """Return the distances between members, (case, member, element) -> (case, member, member).

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b needs one matrix product. The members are centred and in float64, so that cancellation costs at most
    1e-8 of the spread, for members that are equal.
    """
    centred = errors if errors.device.type == "mps" else errors.double()
    centred = centred - centred.mean(1, keepdim=True)
    product = centred @ centred.transpose(1, 2)
    square = product.diagonal(dim1=1, dim2=2)
    distance = (square.unsqueeze(1) + square.unsqueeze(2) - 2 * product).clamp(min=0).sqrt()
    distance.diagonal(dim1=1, dim2=2).zero_()
    return distance


def variogram_score(
    members: Float[Tensor, "member case *event"], target: Float[Tensor, " case *event"], *, order: float = 0.5
) -> Float[Tensor, " case"]:
    """Return the variogram score, sum over pairs of elements i, j of ( |y_i - y_j|^p - mean over members |x_i - x_j|^p )^2.

    It is sensitive to wrong correlations between elements, to which the energy score is not, and it does not change with a common bias.

    members: (member, case, *event).   target: (case, *event), same units; NaN where any element of the case is NaN.
    order: p.   Returns (case,) in units to the power 2p; smaller is better.   Memory: case x element^2.
    Source: Scheuerer and Hamill (2015), Monthly Weather Review 143, 1321.

    >>> variogram_score(torch.tensor([[[0.0, 4.0]]]), torch.tensor([[0.0, 1.0]]))
    tensor([2.])
    """
    m, n_case = members.shape[:2]

    def pairs(values: Tensor) -> Tensor:
        values = values.reshape(n_case, -1)
        return (values.unsqueeze(2) - values.unsqueeze(1)).abs() ** order

    expected = pairs(members[0])
    for member in members[1:]:
        expected += pairs(member)
    return ((pairs(target) - expected / m) ** 2).sum((1, 2))
