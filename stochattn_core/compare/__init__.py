"""Comparison of methods on the same cases: nu alone, corrections and references, with the evidence for a recommendation."""

from stochattn_core.compare.comparison import compare, selected
from stochattn_core.compare.recommendation import in_sentence
from stochattn_core.compare.rows import Comparison, Row

__all__ = ["Comparison", "Row", "compare", "in_sentence", "selected"]
