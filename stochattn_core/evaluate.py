"""model x dataset x setting -> ensemble -> sums of statistics -> scores."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn

from stochattn_core import mends, store
from stochattn_core.audit import audit
from stochattn_core.by_hand import AttentionClass
from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.device import resolve_device
from stochattn_core.ensemble import rows_per_pass, sample_ensemble
from stochattn_core.metrics import Statistics, cell_area_weights, scores
from stochattn_core.models.base import Model, weights_sha256
from stochattn_core.settings import Setting

# Networks as they came from their entries, the last few: loading one again costs more than a forecast.
N_NETWORK = 3
_networks: dict[tuple, nn.Module] = {}

DIMS = {"table": ("case",), "series": ("init_time", "lead_time"), "grid": ("init_time", "latitude", "longitude")}


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Forecasts of one part of a dataset beside what came true.

    members: (member, case, *event) float32, memory-mapped where large.   target, plain: (case, *event); plain is the model's one answer.
    index: (case,) as in Split.   block: (case,) dependence blocks.   dims: names of the axes after member.   units of all three.
    climatology: (quantile, *event), what the training part alone would forecast; None where there is none.
    latitude, longitude: degrees, of a grid.
    """

    members: np.ndarray
    target: np.ndarray
    plain: np.ndarray
    index: pd.Index
    block: np.ndarray
    dims: tuple[str, ...]
    units: str = ""
    lead_time: tuple[int, ...] = ()
    lead_unit: str = ""
    name: str = "target"
    climatology: np.ndarray | None = None
    latitude: tuple[float, ...] = ()
    longitude: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.members.shape[1:] != self.target.shape or self.plain.shape != self.target.shape:
            raise ValueError(
                f"expected members (member, *target) and plain like target, got members {self.members.shape}, plain {self.plain.shape}, "
                f"target {self.target.shape}; put the member axis first"
            )
        if len(self.dims) != self.target.ndim:
            raise ValueError(f"expected one name for each of the {self.target.ndim} axes after member, got {self.dims}")

    @property
    def weights(self) -> torch.Tensor | None:
        """Areas of the cells of a grid, mean 1, (latitude, 1); None where every element counts the same."""
        return cell_area_weights(torch.tensor(self.latitude, dtype=torch.float64))[:, None] if self.latitude else None

    @cached_property
    def statistics(self) -> Statistics:
        n_block = int(self.block.max()) + 1
        return Statistics.of(self.members, self.target, self.plain, self.block, n_block, climatology=self.climatology, weights=self.weights)

    @cached_property
    def pooled(self) -> Statistics:
        """The statistics of all elements together, cells by their area."""
        return self.statistics.pooled(self.weights)

    def forget_elements(self) -> None:
        """Let go of the statistics element by element, tens of megabytes of a grid; asked for again, they are summed again."""
        _ = self.pooled
        vars(self).pop("statistics", None)


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
    split = dataset.part(part)
    layers = layers_of(model, setting)
    few = split.inputs[:2].to(device_of(network))
    if not len(split):
        raise ValueError(f"expected cases in the {part} part of {dataset.name!r}, found none; give more data")
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
            _networks[key] = model.on(dataset, device=place, progress=progress)
        return _networks[key]
    if isinstance(model, nn.Module):
        return model
    raise ValueError(f"model must be an entry of MODELS or a torch.nn.Module, got {type(model).__name__}; see load_model")


def ensemble_of(
    network: nn.Module,
    dataset: Dataset,
    setting: Setting,
    *,
    part: str = "test",
    layers: str = "*",
    attention_classes: Sequence[AttentionClass] = (),
    progress: Progress | None = None,
) -> Ensemble:
    """The members of every case of a part, computed in chunks of cases straight to disk, or read back from there.

    A mended ensemble is made, in memory, of unmended ones; math.inf is the plain model whatever the mend.
    """

    def unmended(setting: Setting, *, shared: bool = False) -> Ensemble:
        return _sampled(network, dataset, setting, shared, part, layers, attention_classes, progress)

    if setting.mend and not setting.is_plain:
        return mends.parse(setting.mend).ensemble(unmended, setting)
    return unmended(setting)


def _sampled(
    network: nn.Module,
    dataset: Dataset,
    setting: Setting,
    shared: bool,
    part: str,
    layers: str,
    attention_classes: Sequence[AttentionClass],
    progress: Progress | None,
) -> Ensemble:
    """`ensemble_of` without a mend."""
    split, device = dataset.part(part), device_of(network)
    step = max(1, rows_per_pass(split.inputs, device) // setting.n_member)
    key = store.key_of(
        "ensemble",
        weights=weights_sha256(network),
        network=fingerprint(network, split.inputs[:4].clone().to(device)),
        attention_classes=[str(name) for name in attention_classes],
        dataset=dataset.sha256,
        part=part,
        concentration=setting.concentration,
        n_member=setting.n_member,
        seed=setting.seed,
        layers=layers,
        device=device.type,
        case_per_pass=step,  # matrix products of another size round otherwise
        torch=torch.__version__,
        **({"shared": True} if shared else {}),  # what was kept before there were shared draws is still found
    )
    event = tuple(split.target.shape[1:])

    def fill(folder) -> None:
        shape = (setting.n_member, len(split), *event)
        members = np.lib.format.open_memmap(folder / "members.npy", mode="w+", dtype=np.float32, shape=shape)
        plain = np.empty(shape[1:], dtype=np.float32)
        for start in range(0, len(split), step):
            # A copy starts where torch likes memory to start; a part of an array may not, and is then summed in another order.
            inputs = split.inputs[start : start + step].clone().to(device)
            cases = slice(start, start + len(inputs))
            with torch.no_grad():
                plain[cases] = _forecast(network(inputs), inputs, event)
            members[:, cases] = sample_ensemble(
                network,
                inputs,
                concentration=setting.concentration,
                n_member=setting.n_member,
                seed=setting.seed,
                layers=layers,
                attention_classes=attention_classes,
                first_case=start,
                shared=shared,
            ).cpu()
            if progress:
                progress(cases.stop, len(split), "forecasts")
        members.flush()
        np.save(folder / "plain.npy", plain)

    kept = store.load(key) or store.save(key, fill)
    return Ensemble(
        members=kept["members"],
        target=split.target.numpy(),
        plain=kept["plain"],
        index=split.index,
        block=split.block,
        dims=DIMS[dataset.task],
        units=dataset.units,
        lead_time=dataset.lead_time,
        lead_unit=dataset.lead_unit,
        name=dataset.target_name,
        climatology=_climatology(dataset.train.target),
        latitude=dataset.latitude,
        longitude=dataset.longitude,
    )


def fingerprint(network: nn.Module, inputs: torch.Tensor) -> str:
    """What the weights do not tell of a network: its structure, and what it makes of a few cases. Code that was edited changes it."""
    with torch.no_grad():
        output = network(inputs)
    tensors = [x.float().cpu().numpy().tobytes() for x in torch.utils._pytree.tree_leaves(output) if isinstance(x, torch.Tensor)]
    return hashlib.sha256(b"".join([repr(network).encode(), *tensors])).hexdigest()


def _climatology(target: torch.Tensor, n_quantile: int = 99) -> np.ndarray:
    """Evenly spaced quantiles of the training targets, element by element: (quantile, *event)."""
    levels = (torch.arange(n_quantile, dtype=target.dtype) + 0.5) / n_quantile
    return torch.nanquantile(target[:: 1 + len(target) // 100_000], levels, dim=0).numpy()


def _forecast(output: torch.Tensor, inputs: torch.Tensor, event: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != (len(inputs), *event):
        came = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ValueError(
            f"expected a forecast of shape {(len(inputs), *event)}, the model gave {came}; let its forward return (case, *event)"
        )
    return output.cpu()


def device_of(network: nn.Module) -> torch.device:
    tensor = next((x for x in (*network.parameters(), *network.buffers())), None)
    return tensor.device if tensor is not None else torch.device("cpu")


def _name(model: Model | nn.Module) -> str:
    return model.name if isinstance(model, Model) else type(model).__name__


def _rmse(forecast: torch.Tensor, target: torch.Tensor, weights: torch.Tensor | None) -> float:
    square = (forecast.double() - target.double()).square()
    weights = torch.ones_like(square) if weights is None else weights.expand_as(square)
    return float((square * weights).nansum().div(weights[square.isfinite()].sum()).sqrt())
