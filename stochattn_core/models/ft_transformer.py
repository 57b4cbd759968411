"""FT-Transformer for tables: the class of the package rtdl_revisiting_models, with one token per column and one to read out.

Its attention is softmax by hand in rtdl_revisiting_models.MultiheadAttention. Source: Gorishniy et al. (2021), "Revisiting
Deep Learning Models for Tabular Data", NeurIPS, arXiv 2106.11959.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from stochattn_core.device import resolve_device
from stochattn_core.models import weight_files
from stochattn_core.models.model import Model
from stochattn_core.models.table_network import TableNetwork

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset, Progress

MAX_FEATURE = 256  # columns: the cost of attention grows with their square


class FtTransformer(Model):
    """Embedded weights for the embedded tables; for any other table, weights trained on its train part."""

    name = "ft_transformer"
    task = "table"
    title = "FT-Transformer"
    source = "Gorishniy et al. (2021), arXiv 2106.11959; weights trained by this project"
    licence = "Apache-2.0, the class and the weights"

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place = resolve_device(device)
        if dataset.train.inputs.shape[1] > MAX_FEATURE:
            raise ValueError(
                f"expected a table of at most {MAX_FEATURE} columns, {dataset.name!r} has {dataset.train.inputs.shape[1]}; "
                "keep the columns that matter"
            )
        for path in sorted(weight_files.EMBEDDED.glob(f"{self.name}_*.safetensors")):
            if weight_files.about(path).get("dataset_sha256") == dataset.sha256:  # weights of another dataset are never used
                return TableNetwork.from_state(weight_files.load(path)).to(place)
        from stochattn_core.models import table_training

        return table_training.stored_or_trained(dataset, progress).to(place)
