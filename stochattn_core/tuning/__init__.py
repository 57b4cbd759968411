"""Tuning: objectives, the search for nu* on the calibration part, its interval, and the verdict on the test part."""

from stochattn_core.tuning.concentration_search import SEARCHES, SearchPlan, search_concentration
from stochattn_core.tuning.objectives import OBJECTIVES
from stochattn_core.tuning.points import GRID, Budget
from stochattn_core.tuning.preview import Preview, preview
from stochattn_core.tuning.search_result import Optimum, SearchResult
from stochattn_core.tuning.tuned import Tuning, tune

__all__ = [
    "GRID",
    "OBJECTIVES",
    "SEARCHES",
    "Budget",
    "Optimum",
    "Preview",
    "SearchPlan",
    "SearchResult",
    "Tuning",
    "preview",
    "search_concentration",
    "tune",
]
