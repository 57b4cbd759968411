"""model x dataset x setting -> ensemble -> sums of statistics -> scores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from stochattn_core.audit import audit
from stochattn_core.checklist import Audit
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.device import resolve_device
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.extras import explained_extras
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.metrics import Statistics, scores
from stochattn_core.models.model import Model, weights_sha256
from stochattn_core.references.errors import ReferenceErrors, errors_of
from stochattn_core.references.result import ReferenceResult, best_reference
from stochattn_core.settings import Setting

# The last few networks that entries of MODELS gave: loading one again costs more than a forecast.
N_NETWORK = 3
_networks: dict[tuple[str, type[Model], str, str], nn.Module] = {}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The ensemble and the scores of one setting on one part of a dataset.

    layers: the pattern that was sampled.   references: RMSE of the reference forecasts (persistence, climatology), by name.
    reference_errors: the errors of these forecasts, case by case.
    calls, entropy: attention calls and mean row entropy by module name.   seconds: that the evaluation took.
    """

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
    reference_errors: ReferenceErrors | None = None

    @property
    def statistics(self) -> Statistics:
        return self.ensemble.statistics

    @cached_property
    def scores(self) -> dict[str, float | int]:
        return scores(self.ensemble.pooled)

    @cached_property
    def best_reference(self) -> ReferenceResult | None:
        """The best reference forecast beside the ensemble; None where there is none."""
        return self.best_reference_at(0)

    def best_reference_at(self, lead: int) -> ReferenceResult | None:
        """The same at one lead time of a series; 0 for all lead times together."""
        errors, ensemble = self.reference_errors, self.ensemble
        if errors is None:
            return None
        if not lead or ensemble.latitude:
            return best_reference(errors, ensemble.pooled, ensemble.block)
        return best_reference(errors, ensemble.at_lead(lead), ensemble.block, ensemble.lead_time.index(lead))

    @property
    def plain(self) -> dict[str, float]:
        """RMSE and MAE of the plain model's one forecast; its MAE is its CRPS."""
        return {"rmse": self.scores["rmse_plain"], "mae": self.scores["mae_plain"]}


def evaluate(
    model: Model | nn.Module,
    dataset: Dataset,
    setting: Setting | None = None,
    *,
    part: str = "test",
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> Evaluation:
    """Ensemble and scores of a model on one part of a dataset; results that were computed before from the same contents are read from disk.

    model: an entry of MODELS, or a module of your own that maps inputs (case, *input), given by name where the Split has names, to
    (case, *event); ignore as in stochastic_attention.
    progress(done, total, what) is called after every few cases and may raise to stop: nothing half-done is kept.
    Raises ValueError when model, dataset and setting do not fit together.
    """
    started = time.perf_counter()
    experiment = experiment_of(model, dataset, setting, part=part, ignore=ignore, device=device, progress=progress)
    return evaluation_of(experiment, progress=progress, started=started)


def experiment_of(
    model: Model | nn.Module,
    dataset: Dataset,
    setting: Setting | None = None,
    *,
    part: str = "test",
    ignore: str = "",
    device: str = "auto",
    progress: Progress | None = None,
) -> Experiment:
    """The experiment that a model, a dataset and a setting make; everything below takes it as it is. Arguments and errors as in `evaluate`."""
    dataset.filled(part)
    network = network_of(model, dataset, device=device, progress=progress)
    # The attribute `layers` of a module, where it has one, holds its parts and is no pattern.
    name, layers = (model.name, model.layers) if isinstance(model, Model) else (type(model).__name__, "*")
    return Experiment(network, dataset, setting or Setting(), part, layers, ignore, name)


def evaluation_of(experiment: Experiment, *, progress: Progress | None = None, started: float | None = None) -> Evaluation:
    """Ensemble and scores of an experiment. started: time.perf_counter() when the work began, where that was before this call."""
    started = time.perf_counter() if started is None else started
    seen = audited(experiment)
    ensemble, errors = ensemble_of(experiment, progress=progress), errors_of(experiment.dataset, experiment.part)
    return Evaluation(
        model=experiment.model_name,
        dataset=experiment.dataset.name,
        part=experiment.part,
        setting=experiment.setting,
        layers=experiment.layers,
        ensemble=ensemble,
        references=errors.rmse,
        calls=seen.calls,
        entropy=seen.entropy,
        weights_sha256=weights_sha256(experiment.network),
        device=str(experiment.device),
        seconds=time.perf_counter() - started,
        reference_errors=errors,
    )


def audited(experiment: Experiment) -> Audit:
    """The audit of the network over two cases of the part."""
    inputs, named = experiment.split.arguments(slice(2), experiment.device)
    return audit(experiment.network, *inputs, ignore=experiment.ignore, **named)


def network_of(model: Model | nn.Module, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
    """The module to run: the network that an entry of MODELS gives for this dataset, or the user's own module, on its own device."""
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
