"""Scores of an ensemble: functions of arrays, one file for each family; for data that come in parts, Statistics and the scores of them."""

from stochattn_core.metrics.association import Association, association, correlation
from stochattn_core.metrics.cell_area import cell_area_weights
from stochattn_core.metrics.crps import crps, decompose_crps
from stochattn_core.metrics.diagrams import (
    CoverageCurve,
    PitHistogram,
    SpreadError,
    binned_spread_error,
    coverage_curve,
    default_bins,
    pit_histogram,
)
from stochattn_core.metrics.dispersion import Deviation, deviation
from stochattn_core.metrics.energy import energy_score, variogram_score
from stochattn_core.metrics.intervals import LEVELS, attainable_coverage, central_intervals, coverage, quantiles
from stochattn_core.metrics.ranks import flatness, pit, pit_dispersion, pit_mean, rank_weights, rebin, w1
from stochattn_core.metrics.scores import by_event, scores
from stochattn_core.metrics.significance import Estimate, W1Floor, intervals, w1_floor
from stochattn_core.metrics.spread_skill import finite_size_factor, rmse, spread, spread_skill_ratio
from stochattn_core.metrics.statistics import Statistics

__all__ = [
    "LEVELS",
    "Association",
    "CoverageCurve",
    "Deviation",
    "Estimate",
    "PitHistogram",
    "SpreadError",
    "Statistics",
    "W1Floor",
    "association",
    "attainable_coverage",
    "binned_spread_error",
    "by_event",
    "cell_area_weights",
    "central_intervals",
    "correlation",
    "coverage",
    "coverage_curve",
    "crps",
    "decompose_crps",
    "default_bins",
    "deviation",
    "energy_score",
    "finite_size_factor",
    "flatness",
    "intervals",
    "pit",
    "pit_dispersion",
    "pit_histogram",
    "pit_mean",
    "quantiles",
    "rank_weights",
    "rebin",
    "rmse",
    "scores",
    "spread",
    "spread_skill_ratio",
    "variogram_score",
    "w1",
    "w1_floor",
]
