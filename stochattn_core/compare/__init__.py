"""Comparison of methods on the same cases: nu alone, corrections and references, with the evidence for a recommendation."""

from stochattn_core.compare.comparison import Comparison, Row, compare, selected

__all__ = ["Comparison", "Row", "compare", "selected"]
