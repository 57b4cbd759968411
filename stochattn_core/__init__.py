"""Stochastic attention: calibrated ensembles from a trained transformer, with one number to tune.

The names of __all__ are the public ones. `import stochattn_core` loads torch and the sampling of attention; names that need datasets,
models or scores are imported when they are first used (PEP 562), so a program that samples its own network does not wait for them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stochattn_core.attention import stochastic_scaled_dot_product_attention
from stochattn_core.audit import audit
from stochattn_core.checklist import Audit
from stochattn_core.ensemble import sample_ensemble
from stochattn_core.patching import stochastic_attention
from stochattn_core.recognition.refusals import NoAttentionError, UnansweredAttentionError
from stochattn_core.rollouts import sample_rollout
from stochattn_core.run import Run

if TYPE_CHECKING:  # the same names as in _MODULE_OF, for type checkers and editors only
    from stochattn_core.datasets import DATASETS, load_dataset
    from stochattn_core.datasets.base import Dataset, Split
    from stochattn_core.evaluate import evaluate
    from stochattn_core.models import MODELS, load_model
    from stochattn_core.settings import Setting
    from stochattn_core.tuned_setting import TunedSetting
    from stochattn_core.tuning import tune

__version__ = "0.2.0.dev0"  # the only place; pyproject.toml reads it from here

__all__ = [
    "DATASETS",
    "MODELS",
    "Audit",
    "Dataset",
    "NoAttentionError",
    "Run",
    "Setting",
    "Split",
    "TunedSetting",
    "UnansweredAttentionError",
    "audit",
    "evaluate",
    "load_dataset",
    "load_model",
    "sample_ensemble",
    "sample_rollout",
    "stochastic_attention",
    "stochastic_scaled_dot_product_attention",
    "tune",
]

# The module that each name comes from when it is first used.
_MODULE_OF = {
    "DATASETS": "datasets",
    "Dataset": "datasets.base",
    "MODELS": "models",
    "Setting": "settings",
    "Split": "datasets.base",
    "TunedSetting": "tuned_setting",
    "evaluate": "evaluate",
    "load_dataset": "datasets",
    "load_model": "models",
    "tune": "tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})


class _Package(ModuleType):
    """This package, in which `evaluate` is always the function: importing the module of the same name would put the module in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _MODULE_OF.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
