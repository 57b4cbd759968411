"""What a model is: an entry of the MODELS table that gives, for a dataset, a network from inputs to forecasts."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import nn

from stochattn_core.datasets.base import Dataset, Progress, Task


class Model(ABC):
    """One entry of the table. The network that `on` returns is an ordinary module in eval mode:
    inputs (case, *input) of a Split in, forecast (case, *event) in the units of the target out.
    """

    name: ClassVar[str]
    task: ClassVar[Task]
    title: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str]
    need: ClassVar[str] = "embedded"  # or what has to be fetched or installed first, in words
    layers: ClassVar[str] = "*"  # which attention layers are sampled unless the user says otherwise, a glob over module names
    layer_groups: ClassVar[Mapping[str, str]] = MappingProxyType({"All attention": "*"})  # what there is to choose: glob by title

    @abstractmethod
    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        """The network for this dataset: loaded where weights are embedded or stored, trained on dataset.train where not.

        Raises ValueError when the dataset's task is another one or its shape does not fit.
        """

    def check(self, dataset: Dataset) -> None:
        if dataset.task != self.task:
            raise ValueError(
                f"model {self.name!r} forecasts a {self.task}, dataset {dataset.name!r} is a {dataset.task}; pick a dataset of the same task"
            )


def weights_sha256(network: nn.Module) -> str:
    """Digest of every parameter and buffer, by name, shape, type and bytes; the same on every device."""
    digest = hashlib.sha256()
    for name, values in sorted([*network.named_parameters(), *network.named_buffers()], key=lambda item: item[0]):
        values = values.detach().to("cpu").contiguous()
        digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
    return digest.hexdigest()
