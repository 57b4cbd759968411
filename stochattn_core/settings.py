"""The setting of one evaluation: the one bundle that travels from the page to the sampler."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stochattn_core import corrections
from stochattn_core.draw import check_concentration


@dataclass(frozen=True)
class Setting:
    """How an ensemble is drawn. Frozen and hashable; ValueError for a value that cannot be.

    concentration: draws for each attention row, a positive whole number, or math.inf for the plain model.
    n_member: at least 2.   seed: of the random stream.   layers: glob patterns with commas between; "" for the model's own default.
    correction: "" for none, or the text of one, see `stochattn_core.corrections`; it is kept in its canonical form.
    """

    concentration: int | float = 64
    n_member: int = 49
    seed: int = 0
    layers: str = ""
    correction: str = ""

    def __post_init__(self) -> None:
        concentration = check_concentration(self.concentration)
        if self.correction:
            recipe = corrections.parse(self.correction)
            concentration = recipe.concentration(concentration)
            object.__setattr__(self, "correction", recipe.text)
        object.__setattr__(self, "concentration", concentration)
        if not isinstance(self.layers, str):
            raise ValueError(f"layers must be a text such as '*attention*', several with commas between, got {self.layers!r}")
        for name, least in (("n_member", 2), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
                raise ValueError(f"{name} must be a whole number, {least} or more, got {value!r}")

    @property
    def is_plain(self) -> bool:
        """Is this the plain model, without sampling?"""
        return self.concentration == math.inf
