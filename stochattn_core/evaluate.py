"""model x dataset x setting -> ensemble -> sums of statistics -> scores."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from stochattn_core.audit import audit
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.device import resolve_device
from stochattn_core.extras import explained_extras
from stochattn_core.forecasts import Ensemble, device_of, ensemble_of
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.metrics import Statistics, scores
from stochattn_core.models.model import Model, weights_sha256
from stochattn_core.settings import Setting

# Networks as they came from their entries, the last few: loading one again costs more than a forecast.
N_NETWORK = 3
_networks: dict[tuple, nn.Module] = {}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one setting does on one part of a dataset. references: RMSE of forecasts nobody needs a network for, by name."""

    model: str
    dataset: str
    part: str
    setting: Setting
    layers: str
    ensemble: Ensemble
    references: Mapping[str, float]
    calls: Mapping[str, int]
    entropy: Mapping[str, float]
    weights_sha256: str
    device: str
    seconds: float

    @property
    def statistics(self) -> Statistics:
        return self.ensemble.statistics

    @cached_property
    def scores(self) -> dict[str, float | int]:
        return scores(self.ensemble.pooled)

    @property
    def plain(self) -> dict[str, float]:
        """RMSE and MAE of the model's one answer; its MAE is its CRPS."""
        return {"rmse": self.scores["rmse_plain"], "mae": self.scores["mae_plain"]}


def evaluate(
    model: Model | nn.Module,
    dataset: Dataset,
    setting: Setting | None = None,
    *,
    part: str = "test",
    attention_classes: Sequence[AttentionClass] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Ensemble and scores of a model on one part of a dataset; what was computed before with the same contents is read from disk.

    model: an entry of MODELS, or a module of your own that maps inputs (case, *input) to (case, *event); attention_classes as in
    stochastic_attention.
    progress(done, total, what) is called after every few cases and may raise to stop: nothing half-done is kept.
    Raises ValueError when model, dataset and setting do not fit together.
    """
    setting = setting or Setting()
    started = time.perf_counter()
    network = network_of(model, dataset, device=device, progress=progress)
    split = dataset.filled(part)
    layers = layers_of(model, setting)
    few = split.inputs[:2].to(device_of(network))
    seen = audit(network, few, attention_classes=attention_classes)
    ensemble = ensemble_of(network, dataset, setting, part=part, layers=layers, attention_classes=attention_classes, progress=progress)
    return Evaluation(
        model=_name(model),
        dataset=dataset.name,
        part=part,
        setting=setting,
        layers=layers,
        ensemble=ensemble,
        references={name: _rmse(forecast(split), split.target, ensemble.weights) for name, forecast in dataset.references.items()},
        calls=seen.calls,
        entropy=seen.entropy,
        weights_sha256=weights_sha256(network),
        device=str(device_of(network)),
        seconds=time.perf_counter() - started,
    )


def layers_of(model: Model | nn.Module, setting: Setting) -> str:
    """Which layers are sampled: what the setting says, else what the entry of MODELS says. A module's own `layers` are its parts, no pattern."""
    return setting.layers or (model.layers if isinstance(model, Model) else "*")


def network_of(model: Model | nn.Module, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
    """The module to run: what an entry of MODELS gives for this dataset, or the user's own, where it is."""
    if isinstance(model, Model):
        model.check(dataset)
        place = str(resolve_device(device))
        key = (model.name, type(model), dataset.sha256, place)
        if key not in _networks:
            while len(_networks) >= N_NETWORK:
                _networks.pop(next(iter(_networks)), None)
            with explained_extras():
                _networks[key] = model.on(dataset, device=place, progress=progress)
        return _networks[key]
    if isinstance(model, nn.Module):
        return model
    raise ValueError(f"model must be an entry of MODELS or a torch.nn.Module, got {type(model).__name__}; see load_model")


def _name(model: Model | nn.Module) -> str:
    return model.name if isinstance(model, Model) else type(model).__name__


def _rmse(forecast: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> float:
    square = (forecast.double() - target.double()).square()
    weights = torch.ones_like(square) if weights is None else weights.expand_as(square)
    return float((square * weights).nansum().div(weights[square.isfinite()].sum()).sqrt())
