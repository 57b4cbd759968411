"""The contract of a model: an entry of the MODELS table that gives, for a dataset, a network from inputs to forecasts."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset, Progress, Task


class Model(ABC):
    """One entry of the table.

    The network that `on` returns is an ordinary module in eval mode: it takes inputs (case, *input) of a Split and returns forecasts
    (case, *event) in the units of the target. Cases must not depend on one another, because members are folded into them.

    need: "embedded", or what has to be downloaded or installed first, in words.
    layers: the attention layers that are sampled unless the user chooses others, a glob over module names.
    layer_groups: the choices offered to the user, a glob by title.
    """

    name: ClassVar[str]
    task: ClassVar[Task]
    title: ClassVar[str]
    source: ClassVar[str]
    licence: ClassVar[str]
    need: ClassVar[str] = "embedded"
    layers: ClassVar[str] = "*"
    layer_groups: ClassVar[Mapping[str, str]] = MappingProxyType({"All attention": "*"})

    @abstractmethod
    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        """Return the network for this dataset: with embedded or stored weights if there are any, else trained on dataset.train.

        Raises ValueError if the dataset has another task, or a shape that does not fit.
        """

    def check(self, dataset: Dataset) -> None:
        """Raise ValueError if the dataset has another task, or inputs by name."""
        if dataset.task != self.task:
            raise ValueError(
                f"model {self.name!r} forecasts a {self.task}, dataset {dataset.name!r} is a {dataset.task}; pick a dataset of the same task"
            )
        if isinstance(dataset.train.inputs, Mapping):
            raise ValueError(
                f"model {self.name!r} reads one tensor of inputs, dataset {dataset.name!r} has inputs by name; pass a torch.nn.Module that takes them"
            )


def weights_sha256(network: nn.Module) -> str:
    """Return the digest of every parameter and buffer, by name, shape, dtype and bytes; it is the same on every device."""
    digest = hashlib.sha256()
    for name, values in sorted([*network.named_parameters(), *network.named_buffers()], key=lambda item: item[0]):
        values = values.detach().to("cpu").contiguous()
        digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
    return digest.hexdigest()
