"""What a look has come to know: the shadows of all tensors, and the weights that were made so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from stochattn_core.recognition.shadows import Cell, Shadows
from stochattn_core.recognition.sources import Opaque, Source


@dataclass
class Knowledge:
    """The knowledge of one pass. here() names the running module; unnormalised: attention whose weights do not sum to one, or are never made."""

    shadows: Shadows
    here: Callable[[], str]
    sources: list[Source] = field(default_factory=list)
    unnormalised: list[Opaque] = field(default_factory=list)

    def of(self, x: Tensor) -> Cell:
        """Return the cell of a tensor."""
        return self.shadows.of(x)
