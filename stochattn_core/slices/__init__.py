"""Where is an ensemble not calibrated? Slices of its values, their sums by case, and the search through them."""

from stochattn_core.slices.search import Estimate, Failure, Search, search_slices, search_sums
from stochattn_core.slices.slices import Partition, Slice
from stochattn_core.slices.sums import FIELDS, SlicedEnsemble, partition_sums, sliced

__all__ = [
    "FIELDS",
    "Estimate",
    "Failure",
    "Partition",
    "Search",
    "Slice",
    "SlicedEnsemble",
    "partition_sums",
    "search_slices",
    "search_sums",
    "sliced",
]
