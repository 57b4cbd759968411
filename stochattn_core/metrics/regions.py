"""Parts of the globe as weights on a grid: exact areas, also for cells partly inside a region and for regions across the date line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stochattn_core.metrics.cell_area import cell_area_weights


@dataclass(frozen=True)
class Region:
    """A box between two parallels and two meridians, in degrees. It extends eastwards from west to east: 170 to -170 crosses the date line."""

    label: str
    south: float
    north: float
    west: float = -180.0
    east: float = 180.0

    def __post_init__(self) -> None:
        if not -90 <= self.south < self.north <= 90:
            raise ValueError(
                f"a region lies between two latitudes of -90 to 90 degrees, the southern first, got {self.south:g} and {self.north:g}; "
                "swap them, or move one"
            )
        if not all(-360 <= longitude <= 360 for longitude in (self.west, self.east)):
            raise ValueError(f"longitudes of a region are degrees within -360 to 360, got {self.west:g} and {self.east:g}")

    @property
    def width(self) -> float:
        """The extent from west to east in degrees, more than 0 and at most 360."""
        return (self.east - self.west) % 360 or 360.0

    @property
    def box(self) -> str:
        """The edges "south,north,west,east" in degrees, as in a link."""
        return ",".join(f"{edge:g}" for edge in (self.south, self.north, self.west, self.east))

    @property
    def place(self) -> str:
        """The box in words, such as 30°N to 60°N, 170°E to 170°W."""
        rows = f"{_degrees(self.south, 'NS')} to {_degrees(self.north, 'NS')}"
        return rows if self.width == 360 else f"{rows}, {_degrees(_half(self.west), 'EW')} to {_degrees(_half(self.east), 'EW')}"


def _half(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


def _degrees(value: float, letters: str) -> str:
    return f"{abs(value):.4g}°" + ("" if value == 0 or abs(value) == 180 else letters[0 if value > 0 else 1])


# The tropics are those of WMO's verification (Manual on the Global Data-processing and Forecasting System, WMO-No. 485, appendix 2.2.34:
# 20 S to 20 N); the mid-latitudes are those of the storm tracks.
REGIONS = {
    "globe": Region("Globe", -90, 90),
    "tropics": Region("Tropics", -20, 20),
    "mid-latitudes-north": Region("Mid-latitudes N", 30, 60),
    "mid-latitudes-south": Region("Mid-latitudes S", -60, -30),
}


def _axis(degrees: Sequence[float] | Tensor) -> Tensor:
    """Return the axis as float64; through numpy, because torch accepts no array with negative strides (a reversed axis)."""
    return torch.from_numpy(np.ascontiguousarray(degrees, dtype=np.float64))


def _row_edges(latitude: Tensor) -> Tensor:
    middle = (latitude[1:] + latitude[:-1]) / 2
    step = latitude.diff()
    return torch.cat([latitude[:1] - step[:1] / 2, middle, latitude[-1:] + step[-1:] / 2]).clamp(-90, 90)


def latitude_weights(latitude: Sequence[float] | Tensor, south: float = -90.0, north: float = 90.0) -> Tensor:
    """Return the area of each row's cells between two parallels, sin(upper) - sin(lower), not scaled.

    latitude: (latitude,) cell centres in degrees, in either order.   Returns (latitude,) float64; over the whole globe the sum is 2.

    >>> latitude_weights([-45.0, 45.0], 0, 30)
    tensor([0.0000, 0.5000], dtype=torch.float64)
    """
    latitude = _axis(latitude)
    cell_area_weights(latitude)  # checks that this is an axis of latitudes
    edges = torch.deg2rad(_row_edges(latitude).clamp(south, north)).sin()
    return edges.diff().abs()


def longitude_weights(longitude: Sequence[float] | Tensor, west: float = -180.0, east: float = 180.0) -> Tensor:
    """Return the share of each column's cells between two meridians, eastwards from west to east.

    longitude: (longitude,) cell centres in degrees, going east, in either convention.   Returns (longitude,) float64, 0 to 1.

    >>> longitude_weights([0.0, 90.0, 180.0, 270.0], 90, -135)
    tensor([0.0000, 0.5000, 1.0000, 0.0000], dtype=torch.float64)
    """
    columns = _axis(longitude)
    step = (columns.diff()) % 360
    if columns.ndim != 1 or len(columns) < 2 or not (step > 0).all() or step.sum() >= 360:
        raise ValueError(f"longitudes must go east steadily, once around at most, got shape {tuple(columns.shape)}; sort the columns")
    around = 360 - step.sum()
    is_cyclic = around <= 1.5 * step.max()
    before = torch.cat([around[None] if is_cyclic else step[:1], step]) / 2
    after = torch.cat([step, around[None] if is_cyclic else step[-1:]]) / 2
    width = (east - west) % 360 or 360.0
    low, high = columns - before - west, columns + after - west  # relative to the western edge
    turns = (low / 360).floor() * 360
    low, high = low - turns, high - turns  # low is in 0 .. 360; high may exceed 360, and enter the box again
    inside = (high.clamp(max=width) - low).clamp(min=0) + (high.clamp(max=360 + width) - 360).clamp(min=0)
    return inside / (high - low)


def region_weights(region: Region, latitude: Sequence[float] | Tensor, longitude: Sequence[float] | Tensor) -> Tensor:
    """Return the area of each cell inside the region, scaled so that the sum is the number of cells that the region touches.

    For scores of a part of the map: scores(statistics, region_weights(...)). Cells outside have weight 0.
    Returns (latitude, longitude) float64. ValueError if the region touches no cell.

    >>> region_weights(Region("north", 0, 90), [-45.0, 45.0], [0.0, 180.0])
    tensor([[0., 0.],
            [1., 1.]], dtype=torch.float64)
    """
    area = latitude_weights(latitude, region.south, region.north)[:, None] * longitude_weights(longitude, region.west, region.east)
    touched = area > 1e-12
    if not touched.any():
        raise ValueError(f"the region {region.label} ({region.place}) holds no cell of this grid; choose another, or draw it larger")
    return torch.where(touched, area, 0.0) * (touched.sum() / area[touched].sum())


def region_mask(region: Region, latitude: Sequence[float] | Tensor, longitude: Sequence[float] | Tensor) -> Tensor:
    """Return a mask of the cells that touch the region: (latitude, longitude) bool."""
    return region_weights(region, latitude, longitude) > 0
