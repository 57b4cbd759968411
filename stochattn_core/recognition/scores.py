"""Scores that weigh values although no weights of theirs sum to one: sigmoid attention, linear attention, linear recurrences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from stochattn_core.recognition.knowledge import Knowledge
from stochattn_core.recognition.shadows import Cell
from stochattn_core.recognition.sources import Opaque


class Scores:
    """Notes products of moving tensors that act as attention without rows that could be sampled."""

    def __init__(self, knowledge: Knowledge):
        self.knowledge = knowledge

    def _cell(self, x: Tensor) -> Cell:
        return self.knowledge.of(x)

    def note_scores(self, left: Tensor, right: Tensor) -> None:
        """Note scores of two moving tensors that weigh values without a softmax: as non-negative weights, or with either sign."""
        for x in (left, right):
            cell = self._cell(x)
            if not cell.is_product or cell.marks or not x.numel() or min(x.shape[-2:]) < 2:
                continue
            if cell.is_curved:
                what, kind = "weights that do not sum to one (made from scores without a softmax)", self.knowledge.unnormalised
            else:
                what, kind = "scores times values without a softmax: a bilinear form or a linear recurrence", self.knowledge.signed
            kind.append(Opaque(what, self.knowledge.here()))

    def note_sums(self, left: Tensor, right: Tensor, result: Tensor) -> None:
        """Keep the sums of non-negative factors over the entries of a product: with them, linear attention is told by its normaliser."""
        target, first, second = self._cell(result), self._cell(left), self._cell(right)
        for query, product in ((left, right), (right.mT, left.mT)):
            for keys in self._cell(product).key_sums:
                if query.shape[:-2] == keys.shape[:-1] and query.shape[-1] == keys.shape[-1] and float(query.min()) >= 0:
                    target.row_sums.append(torch.einsum("...re,...e->...r", query, keys))
        target.row_sums += [left @ factor.reshape(right.shape) for factor in second.factors if _are_same_matrices(factor, right)]
        target.row_sums += [factor.reshape(left.shape) @ right for factor in first.factors if _are_same_matrices(factor, left)]
        if left.numel() and right.numel() and left.ndim == right.ndim and target.is_product:
            for factor, dim in ((left, -1), (right, -2)):
                if not self._cell(factor).is_product and float(factor.min()) >= 0 and float(factor.max()) > 0:
                    target.key_sums.append(factor.sum(dim))

    def normalise(self, op: str, args: tuple[Any, ...]) -> None:
        """Note linear attention: (phi(q) (phi(k)^T v)) divided by phi(q) (sum of phi(k)), which are weights of values that were never made."""
        if len(args) < 2 or not isinstance(args[1], Tensor) or not isinstance(args[0], Tensor):
            return
        for numerator, divisor in (args[:2], args[1::-1]) if op == "mul" else (args[:2],):
            for sums in self._cell(numerator).row_sums:
                came = (1 / divisor if op == "mul" else divisor).double()
                if came.numel() > 1 and (_fits(came, sums) or (sums.numel() == came.numel() and _fits(came.flatten(), sums.flatten()))):
                    what = "values weighed by weights that are never computed, as in linear attention"
                    self.knowledge.unnormalised.append(Opaque(what, self.knowledge.here()))
                    return


def _fits(divisor: Tensor, sums: Tensor) -> bool:
    """Is a divisor these sums, up to rounding and a small number that keeps it from zero?"""
    try:
        divisor = divisor.expand(sums.shape)
    except RuntimeError:
        return False
    return bool(torch.allclose(divisor, sums.double(), rtol=1e-2, atol=1e-5))


def _are_same_matrices(factor: Tensor, x: Tensor) -> bool:
    """Is x, up to the dims before its matrices, of the shape of a factor? Another view of the same memory may not be."""
    return factor.numel() == x.numel() and factor.shape[-2:] == x.shape[-2:]
