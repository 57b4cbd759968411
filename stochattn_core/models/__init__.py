"""The table of models. A new model is one file and one line here; pages, commands and contract tests read the table.

The entries are cheap: title, task, need and layers are known without the libraries and the training code of a model, which its `on` imports.
"""

from __future__ import annotations

from stochattn_core.models.climax_entries import Climax, ClimaxCheckpoint, ClimaxFineCheckpoint
from stochattn_core.models.ft_transformer import FtTransformer
from stochattn_core.models.model import Model, weights_sha256
from stochattn_core.models.timesfm import TimesFm, TimesFmCheckpoint

MODELS: dict[str, Model] = {
    model.name: model for model in (FtTransformer(), TimesFm(), TimesFmCheckpoint(), Climax(), ClimaxCheckpoint(), ClimaxFineCheckpoint())
}


def load_model(name: str) -> Model:
    """Return the model with that name; `.on(dataset)` gives its network for a dataset of the same task."""
    if name not in MODELS:
        raise ValueError(f"expected the name of a model, one of {', '.join(MODELS)}, got {name!r}; pick one of these")
    return MODELS[name]


__all__ = ["MODELS", "Model", "load_model", "weights_sha256"]
