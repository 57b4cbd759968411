"""Area weights of the cells of a latitude-longitude grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def cell_area_weights(latitude: Sequence[float] | Float[Tensor, " latitude"]) -> Float[Tensor, " latitude"]:
    """Return the exact relative area of the cells of each latitude row, sin(upper edge) - sin(lower edge), scaled to mean 1.

    Edges are half-way between neighbouring rows. The outermost rows extend as far outwards as inwards, but not beyond a pole, so that a row
    at a pole is a cap half as high as the others. Multiply values (latitude, longitude) by weights[:, None].

    latitude: (latitude,) cell centres in degrees, ascending or descending, at least 2.
    Returns (latitude,) float64, mean 1. ValueError for fewer than 2 latitudes, and where they do not rise or fall within -90 to 90.

    >>> cell_area_weights([-45.0, 45.0])
    tensor([1., 1.], dtype=torch.float64)
    >>> cell_area_weights([-90.0, 0.0, 90.0])
    tensor([0.4393, 2.1213, 0.4393], dtype=torch.float64)
    """
    centre = torch.as_tensor(latitude, dtype=torch.float64).detach().cpu()
    if centre.ndim != 1 or len(centre) < 2:
        raise ValueError(f"expected at least 2 latitudes on one axis, got shape {tuple(centre.shape)}; give the cell centres in degrees")
    step = centre.diff()
    if not ((step > 0).all() or (step < 0).all()) or centre.abs().max() > 90:
        raise ValueError(
            f"latitudes must rise or fall steadily within -90 to 90 degrees, got {centre.min():g} to {centre.max():g}; "
            "sort the rows, and check that degrees were meant"
        )
    middle = (centre[1:] + centre[:-1]) / 2
    first, last = centre[:1] - step[:1] / 2, centre[-1:] + step[-1:] / 2
    edges = torch.deg2rad(torch.cat([first, middle, last]).clamp(-90, 90))
    area = edges.sin().diff().abs()
    return area / area.mean()
