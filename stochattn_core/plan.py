"""The plan of a block: what its attention draws, which layers are sampled, and which modules stay plain whatever they compute."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from stochattn_core.draw import Draw

Layers = str | Callable[[str], bool]
ModuleObserver = Callable[[str, Tensor], None]  # is called with a module's name and its (row, key) attention rows


@dataclass(frozen=True)
class Plan:
    """What a block is to do, checked: the draw of its calls, the layers that are sampled, those that stay plain whatever they are, an observer."""

    draw: Draw
    layers: Layers = "*"
    ignore: Layers = ""
    observe: ModuleObserver | None = None

    def for_members(self, members: Sequence[int]) -> Plan:
        """Return the same plan for other members."""
        return replace(self, draw=replace(self.draw, members=tuple(members)))


def ignored_by(ignore: Layers) -> Callable[[str], bool]:
    """Return a predicate: does the module with this name stay plain on purpose? An empty pattern, which would name the root, ignores nothing."""
    return sampled_by(ignore) if ignore else lambda _: False


def sampled_by(layers: Layers) -> Callable[[str], bool]:
    """Return a predicate: is the layer with this name sampled? layers: as in stochastic_attention.

    A comma inside brackets belongs to its glob.

    >>> [name for name in ("query", "key", "value") if sampled_by("quer[x,y], k*")(name)]
    ['query', 'key']
    """
    if callable(layers):
        return layers
    patterns = [pattern.strip() for pattern in re.split(r",(?![^\[]*\])", layers)]
    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
