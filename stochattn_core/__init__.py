"""Stochastic attention: calibrated ensembles from a trained transformer, with one number to tune.

The names here are the public ones. Those that bring datasets and models are imported when they are first used, so that a program that
only samples a network of its own does not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from stochattn_core.attention import stochastic_scaled_dot_product_attention
from stochattn_core.audit import Audit, audit
from stochattn_core.ensemble import sample_ensemble
from stochattn_core.evaluate import evaluate
from stochattn_core.guard import UnansweredAttentionError
from stochattn_core.patching import NoAttentionError, Run, stochastic_attention

__version__ = "0.1.0"

_LATER = {
    "MODELS": "models",
    "load_model": "models",
    "DATASETS": "datasets",
    "load_dataset": "datasets",
    "tune": "tuning",
    "Setting": "settings",
    "TunedSetting": "tuned_setting",
}

__all__ = [
    "Audit",
    "NoAttentionError",
    "Run",
    "UnansweredAttentionError",
    "audit",
    "evaluate",
    "sample_ensemble",
    "stochastic_attention",
    "stochastic_scaled_dot_product_attention",
    *_LATER,
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
