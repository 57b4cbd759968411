"""The contract of the samplers that draw from given rows: `eager`, the reference, and `cpu`, compiled. Both give the same bits.

mass: non-negative float32 (or, for `eager`, any float type) per key; a row need not sum to one. keys: int64 keys of the rows in the random
stream, see `stream.row_keys`. A row without mass (every key masked) gives zeros; a row whose mass is not finite gives NaN.
Law: counts ~ Multinomial(concentration, mass / mass.sum()), independently for each row; a key without mass is never drawn.
Limit: counts / concentration -> mass / mass.sum() as the concentration grows.
"""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float, Int64
from torch import Tensor


class Sampler(Protocol):
    """A module with these two functions; `attention` calls them without knowing which sampler it has."""

    def mean_of_draws(
        self,
        mass: Float[Tensor, "head_row key"],
        keys: Int64[Tensor, "*fold head_row"],
        concentration: int,
        values: Float[Tensor, "head key feature"],
    ) -> Float[Tensor, "*fold head_row feature"]:
        """Return the mean of the drawn keys' values. All folds draw from the same rows, each with its own keys of the stream."""

    def sample_counts(
        self, mass: Float[Tensor, "row key"], keys: Int64[Tensor, " row"], concentration: int, *, out: Tensor | None = None
    ) -> Float[Tensor, "row key"]:
        """Return the counts of every row in mass's dtype. out: memory of mass's shape that a sampler may use for the result."""
