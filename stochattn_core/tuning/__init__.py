"""Tuning: objectives, the search for nu* on the calibration part, its interval, and the verdict on the test part."""

from stochattn_core.tuning.found import Found, Optimum
from stochattn_core.tuning.objectives import OBJECTIVES
from stochattn_core.tuning.points import GRID, Budget
from stochattn_core.tuning.preview import Preview, preview
from stochattn_core.tuning.search import SEARCHES, search_concentration
from stochattn_core.tuning.tuned import Tuning, tune

__all__ = ["GRID", "OBJECTIVES", "SEARCHES", "Budget", "Found", "Optimum", "Preview", "Tuning", "preview", "search_concentration", "tune"]
