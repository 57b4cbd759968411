"""The table of models: a new one is a new file and a new line here; pages, commands and contract tests read the table."""

from __future__ import annotations

from stochattn_core.models.base import Model, weights_sha256
from stochattn_core.models.climax_grid import Climax, ClimaxCheckpoint, ClimaxFineCheckpoint
from stochattn_core.models.ft_transformer import FtTransformer
from stochattn_core.models.timesfm import TimesFm, TimesFmCheckpoint

MODELS: dict[str, Model] = {
    model.name: model for model in (FtTransformer(), TimesFm(), TimesFmCheckpoint(), Climax(), ClimaxCheckpoint(), ClimaxFineCheckpoint())
}


def load_model(name: str) -> Model:
    """The model of that name; `.on(dataset)` gives the network for a dataset of the same task."""
    if name not in MODELS:
        raise ValueError(f"expected the name of a model, one of {', '.join(MODELS)}, got {name!r}; pick one of these")
    return MODELS[name]


__all__ = ["MODELS", "Model", "load_model", "weights_sha256"]
