"""From a network and a part of a dataset to forecasts beside what came true: all cases, kept on disk, or one at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from stochattn_core import corrections, store
from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.ensemble import rows_per_pass, sample_ensemble
from stochattn_core.manual_attention import AttentionClass
from stochattn_core.metrics import Statistics, cell_area_weights
from stochattn_core.models.model import weights_sha256
from stochattn_core.settings import Setting
from stochattn_core.torch_private import tree_leaves

DIMS = {"table": ("case",), "series": ("init_time", "lead_time"), "grid": ("init_time", "latitude", "longitude")}


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Forecasts of one part of a dataset beside what came true.

    members: (member, case, *event) float32, memory-mapped where large.   target, plain: (case, *event); plain is the model's one answer.
    index: (case,) as in Split.   block: (case,) dependence blocks.   dims: names of the axes after member.   units of all three.
    climatology: (quantile, *event), what the training part alone would forecast; None where there is none.
    latitude, longitude: degrees, of a grid.   first_case: place of the first case in its part.
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
    first_case: int = 0

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

    A corrected ensemble is made, in memory, of uncorrected ones; math.inf is the plain model whatever the correction.
    """

    def uncorrected(setting: Setting, *, shared: bool = False) -> Ensemble:
        return _kept(network, dataset, setting, shared, part, layers, attention_classes, progress)

    return _corrected(uncorrected, setting)


def ensemble_of_case(
    network: nn.Module, dataset: Dataset, setting: Setting, case: int, *, part: str = "test", layers: str = "*"
) -> Ensemble:
    """The ensemble of one case alone, as `ensemble_of` gives it but for the climatology, without waiting for the others; nothing is kept."""
    split = dataset.filled(part)
    if not 0 <= case < len(split):
        raise ValueError(f"expected a case from 0 to {len(split) - 1} of the {part} part of {dataset.name!r}, got {case}")
    only = slice(case, case + 1)
    one = Split(split.inputs[only], split.target[only], split.index[only], np.zeros(1, dtype=int))

    def uncorrected(setting: Setting, *, shared: bool = False) -> Ensemble:
        members, plain = _forecasts(network, split, only, setting, shared, layers, ())
        return _beside(dataset, one, members.numpy(), plain.numpy(), first_case=case)

    return _corrected(uncorrected, setting)


def _corrected(of: corrections.Ensembles, setting: Setting) -> Ensemble:
    if setting.correction and not setting.is_plain:
        return corrections.parse(setting.correction).ensemble(of, setting)
    return of(setting)


def _kept(
    network: nn.Module,
    dataset: Dataset,
    setting: Setting,
    shared: bool,
    part: str,
    layers: str,
    attention_classes: Sequence[AttentionClass],
    progress: Progress | None,
) -> Ensemble:
    """`ensemble_of` without a correction."""
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
        shared=shared,
    )

    def fill(folder: Path) -> None:
        shape = (setting.n_member, *split.target.shape)
        members = np.lib.format.open_memmap(folder / "members.npy", mode="w+", dtype=np.float32, shape=shape)
        plain = np.empty(shape[1:], dtype=np.float32)
        for start in range(0, len(split), step):
            cases = slice(start, min(start + step, len(split)))
            members[:, cases], plain[cases] = _forecasts(network, split, cases, setting, shared, layers, attention_classes)
            if progress:
                progress(cases.stop, len(split), "forecasts")
        members.flush()
        np.save(folder / "plain.npy", plain)

    kept = store.load(key) or store.save(key, fill)
    return _beside(dataset, split, kept["members"], kept["plain"], climatology=_climatology(dataset.train.target))


def _forecasts(
    network: nn.Module,
    split: Split,
    cases: slice,
    setting: Setting,
    shared: bool,
    layers: str,
    attention_classes: Sequence[AttentionClass],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Members (member, case, *event) and the plain answer (case, *event) of these cases, on the CPU."""
    # A copy starts where torch likes memory to start; a part of an array may not, and is then summed in another order.
    inputs = split.inputs[cases].clone().to(device_of(network))
    with torch.no_grad():
        plain = _checked(network(inputs), (len(inputs), *split.target.shape[1:]))
    members = sample_ensemble(
        network,
        inputs,
        concentration=setting.concentration,
        n_member=setting.n_member,
        seed=setting.seed,
        layers=layers,
        attention_classes=attention_classes,
        first_case=cases.start,
        shared=shared,
    )
    return members.cpu(), plain.cpu()


def _checked(output: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(output, torch.Tensor) or tuple(output.shape) != shape:
        came = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise ValueError(f"expected a forecast of shape {shape}, the model gave {came}; let its forward return (case, *event)")
    return output


def _beside(
    dataset: Dataset, split: Split, members: np.ndarray, plain: np.ndarray, *, climatology: np.ndarray | None = None, first_case: int = 0
) -> Ensemble:
    """Forecasts beside the targets of their cases."""
    return Ensemble(
        members=members,
        target=split.target.numpy(),
        plain=plain,
        index=split.index,
        block=split.block,
        dims=DIMS[dataset.task],
        units=dataset.units,
        lead_time=dataset.lead_time,
        lead_unit=dataset.lead_unit,
        name=dataset.target_name,
        climatology=climatology,
        latitude=dataset.latitude,
        longitude=dataset.longitude,
        first_case=first_case,
    )


def fingerprint(network: nn.Module, inputs: torch.Tensor) -> str:
    """What the weights do not tell of a network: its structure, and what it makes of a few cases. Code that was edited changes it."""
    with torch.no_grad():
        output = network(inputs)
    tensors = [x.float().cpu().numpy().tobytes() for x in tree_leaves(output) if isinstance(x, torch.Tensor)]
    return hashlib.sha256(b"".join([repr(network).encode(), *tensors])).hexdigest()


def device_of(network: nn.Module) -> torch.device:
    tensor = next((x for x in (*network.parameters(), *network.buffers())), None)
    return tensor.device if tensor is not None else torch.device("cpu")


def _climatology(target: torch.Tensor, n_quantile: int = 99) -> np.ndarray:
    """Evenly spaced quantiles of the training targets, element by element: (quantile, *event)."""
    levels = (torch.arange(n_quantile, dtype=target.dtype) + 0.5) / n_quantile
    return torch.nanquantile(target[:: 1 + len(target) // 100_000], levels, dim=0).numpy()
