"""What a look has come to know: the shadows of all tensors, and the weights that were made so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from stochattn_core.recognition.shadows import Cell, Shadows
from stochattn_core.recognition.sources import Opaque, Source


@dataclass
class Knowledge:
    """The knowledge of one pass.

    here() names the running module; unnormalised: attention whose weights do not sum to one, or are never made.
    signed: products of scores and values without any weights. indices: (entry,) groups into which entries were added up.
    """

    shadows: Shadows
    here: Callable[[], str]
    sources: list[Source] = field(default_factory=list)
    unnormalised: list[Opaque] = field(default_factory=list)
    signed: list[Opaque] = field(default_factory=list)
    indices: list[Tensor] = field(default_factory=list)

    def of(self, x: Tensor) -> Cell:
        """Return the cell of a tensor."""
        return self.shadows.of(x)

    def are_grouped(self, x: Tensor) -> bool:
        """Do the non-negative entries of x sum to one in every group of an index, and are there groups of several entries?"""
        for index in self.indices:
            for dim in range(x.ndim):
                if x.shape[dim] == len(index) and int(index.min()) >= 0:
                    moved = x.detach().movedim(dim, 0).float()
                    sums = moved.new_zeros(int(index.max()) + 1, *moved.shape[1:]).index_add_(0, index, moved)
                    if (
                        bool(((sums - 1).abs() < 1e-3).logical_or(sums == 0).all())
                        and bool((moved < 0.999).any())
                        and float(moved.min()) >= 0
                    ):
                        return True
        return False
