"""From an experiment (a network, a part of a dataset, a setting) to an ensemble: of all cases, kept in the store, or of one case at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stochattn_core import corrections, store
from stochattn_core.corrections import Request, Sampler
from stochattn_core.datasets.base import Dataset, Progress, Split
from stochattn_core.datasets.split import CallArguments
from stochattn_core.ensemble import rows_per_pass, sample_ensemble
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.models.model import weights_sha256
from stochattn_core.outputs import like_target
from stochattn_core.plain_forecast import plain_forecast
from stochattn_core.sampling.stream import further_seed
from stochattn_core.settings import Setting

__all__ = ["DIMS", "Ensemble", "Experiment", "device_of", "ensemble_of", "ensemble_of_case", "fingerprint"]

PARTS_BESIDE_TEST = ("calibration", "train")
DIMS = {"table": ("case",), "series": ("init_time", "lead_time"), "grid": ("init_time", "latitude", "longitude")}


@dataclass(frozen=True)
class Experiment:
    """Everything that decides an ensemble: a network on one part of a dataset, sampled as a setting says. Frozen and hashable.

    network: maps the inputs of a Split, by name where they have names, to forecasts (case, *event).
    default_layers: sampled where the setting names no layers.
    ignore: as in stochastic_attention.   model_name: for reports.
    `stochattn_core.evaluate.experiment_of` makes one from an entry of MODELS or from a module, and checks that all fits together.
    """

    network: nn.Module
    dataset: Dataset
    setting: Setting
    part: str = "test"
    default_layers: str = "*"
    ignore: str = ""
    model_name: str = ""

    @property
    def layers(self) -> str:
        """The pattern of the layers that are sampled."""
        return self.setting.layers or self.default_layers

    @property
    def case_seed(self) -> int:
        """The seed of the draws for the cases: the setting's for the test part, another for each other part, so that parts share no draws."""
        seed = self.setting.seed
        return seed if self.part == "test" else further_seed(seed, PARTS_BESIDE_TEST.index(self.part))

    @property
    def split(self) -> Split:
        return self.dataset.part(self.part)

    @property
    def device(self) -> torch.device:
        return device_of(self.network)

    def with_setting(self, setting: Setting, part: str | None = None) -> Experiment:
        """The same network and dataset with another setting, and another part where one is given."""
        return replace(self, setting=setting, part=part or self.part)


def ensemble_of(experiment: Experiment, *, progress: Progress | None = None) -> Ensemble:
    """The members of every case of the part, computed in chunks of cases straight to disk, or read back from there.

    A corrected ensemble is made, in memory, from uncorrected ones; math.inf is the plain model whatever the correction.
    """
    return _corrected(experiment, lambda request: _uncorrected(experiment, request, progress))


def ensemble_of_case(experiment: Experiment, case: int) -> Ensemble:
    """The ensemble of one case, as `ensemble_of` gives it but without the climatology and without waiting for other cases; nothing is stored."""
    dataset, part = experiment.dataset, experiment.part
    split = dataset.filled(part)
    if not 0 <= case < len(split):
        raise ValueError(f"expected a case from 0 to {len(split) - 1} of the {part} part of {dataset.name!r}, got {case}")
    alone, only = split.of_cases(np.array([case])), slice(case, case + 1)

    def sample(request: Request) -> Ensemble:
        members, plain = _forecasts(experiment, request, only)
        return _beside_target(dataset, alone, members.numpy(), plain.numpy(), first_case=case)

    return _corrected(experiment, sample)


def _corrected(experiment: Experiment, sample: Sampler) -> Ensemble:
    setting = experiment.setting
    request = Request(setting.concentration, setting.n_member, setting.seed, experiment.case_seed)
    if setting.correction and not setting.is_plain:
        return corrections.parse(setting.correction).ensemble(sample, request)
    return sample(request)


def _uncorrected(experiment: Experiment, request: Request, progress: Progress | None) -> Ensemble:
    """The ensemble of all cases from the store, computed first where it is not there."""
    network, dataset, split, device = experiment.network, experiment.dataset, experiment.split, experiment.device
    step = max(1, rows_per_pass(split.largest, device) // request.n_member)
    key = store.key_of(
        "ensemble",
        weights=weights_sha256(network),
        network=fingerprint(network, split.arguments(slice(4), device)),
        ignore=experiment.ignore,
        dataset=dataset.sha256,
        part=experiment.part,
        concentration=request.concentration,
        n_member=request.n_member,
        seed=request.case_seed,
        layers=experiment.layers,
        device=device.type,
        case_per_pass=step,  # matrix products of another size round differently
        torch=torch.__version__,
        shared=request.shared,
    )

    def fill(folder: Path) -> None:
        shape = (request.n_member, *split.target.shape)
        members = np.lib.format.open_memmap(folder / "members.npy", mode="w+", dtype=np.float32, shape=shape)
        plain = np.empty(shape[1:], dtype=np.float32)
        for start in range(0, len(split), step):
            cases = slice(start, min(start + step, len(split)))
            members[:, cases], plain[cases] = _forecasts(experiment, request, cases)
            if progress:
                progress(cases.stop, len(split), "forecasts")
        members.flush()
        np.save(folder / "plain.npy", plain)

    arrays = store.load(key) or store.save(key, fill)
    return _beside_target(dataset, split, arrays["members"], arrays["plain"], climatology=_climatology(dataset.train.target))


def _forecasts(experiment: Experiment, request: Request, cases: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Members (member, case, *event) and the plain forecast (case, *event) of these cases, on the CPU."""
    network, split = experiment.network, experiment.split
    inputs, named = split.arguments(cases, experiment.device)
    n_dim = split.target.ndim
    plain = like_target(plain_forecast(network, *inputs, model_kwargs=named), n_dim)
    _check_shape(plain, (cases.stop - cases.start, *split.target.shape[1:]))
    members = sample_ensemble(
        network,
        *inputs,
        concentration=request.concentration,
        n_member=request.n_member,
        seed=request.case_seed,
        layers=experiment.layers,
        ignore=experiment.ignore,
        first_case=cases.start,
        shared=request.shared,
        model_kwargs=named,
    )
    return like_target(members, n_dim + 1).cpu(), plain.cpu()


def _check_shape(plain: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tuple(plain.shape) != shape:
        raise ValueError(
            f"expected a forecast of shape {shape}, the model gave {tuple(plain.shape)}; let its forward return (case, *event)"
        )


def _beside_target(
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
        valid_time=dataset.valid_times(split),
    )


def fingerprint(network: nn.Module, arguments: CallArguments) -> str:
    """SHA-256 of what the weights do not tell about a network: its structure, and its output for a few cases. Edited code changes it."""
    inputs, named = arguments
    output = plain_forecast(network, *inputs, model_kwargs=named).float().cpu().numpy()
    return hashlib.sha256(repr(network).encode() + output.tobytes()).hexdigest()


def device_of(network: nn.Module) -> torch.device:
    """The device of the first parameter or buffer; the CPU for a network without any."""
    tensor = next((x for x in (*network.parameters(), *network.buffers())), None)
    return tensor.device if tensor is not None else torch.device("cpu")


def _climatology(target: torch.Tensor, n_quantile: int = 99) -> np.ndarray:
    """Evenly spaced quantiles of the training targets, element by element: (quantile, *event)."""
    levels = (torch.arange(n_quantile, dtype=target.dtype) + 0.5) / n_quantile
    return torch.nanquantile(target[:: 1 + len(target) // 100_000], levels, dim=0).numpy()
