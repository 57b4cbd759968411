"""TimesFM for series: the class TimesFm2_5ModelForPrediction of transformers, with patches of the past as tokens.

The same code loads the small embedded weights, the public checkpoint and any folder written by save_pretrained. Attention goes
through torch's scaled_dot_product_attention. Source: Das et al. (2024), "A decoder-only foundation model for time-series
forecasting", ICML, arXiv 2310.10688.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from stochattn_core.device import resolve_device
from stochattn_core.models.model import Model
from stochattn_core.models.weight_files import EMBEDDED

if TYPE_CHECKING:
    from stochattn_core.datasets.base import Dataset, Progress

CHECKPOINT = "google/timesfm-2.5-200m-transformers"
REVISION = "5a9806b9b291fad9233b5249d88263f1846304d3"  # the commit on the hub that is loaded, whatever is uploaded later


class SeriesConfig(Protocol):
    """What is read of the configuration of a TimesFM."""

    context_length: int
    horizon_length: int
    patch_length: int
    quantiles: list[float]


def config_of(network: nn.Module) -> SeriesConfig:
    """Return the configuration of a transformers TimesFM, which torch types as a tensor or a module."""
    config: Any = network.config
    return config


class SeriesNetwork(nn.Module):
    """TimesFM as a plain function of the context, in which rows are independent of one another.

    **Shape**: inputs (case, context) -> (case, horizon), both in the units of the series.

    - Nothing is clamped at zero: the class clamps by a minimum over ALL rows, so one row would change another.
    - The context is cropped to whole patches, oldest values first: the class would pad it with zeros, which would enter the mean and
      standard deviation by which a row is normalised.
    - A horizon beyond the model's own is reached by forecasting from its own forecasts.
    """

    def __init__(self, network: nn.Module, horizon: int) -> None:
        super().__init__()
        self.network = network
        self.horizon = horizon

    def forward(self, inputs: Tensor) -> Tensor:
        config = config_of(self.network)
        series, forecast = inputs, inputs[:, :0]
        while forecast.shape[1] < self.horizon:
            length = min(series.shape[1], config.context_length) // config.patch_length * config.patch_length
            next_values = self.network(past_values=series, forecast_context_len=length, truncate_negative=False).mean_predictions
            forecast = torch.cat([forecast, next_values], dim=1)
            series = torch.cat([series, next_values], dim=1)
        return forecast[:, : self.horizon]


def load_pretrained(place: str | Path, revision: str | None = None) -> nn.Module:
    """Return the network saved in a folder, or on the hub under that name and commit; only from safetensors, never from a pickle.

    Files that the hub has already sent are read from the local cache without asking again. Raises ValueError if there is no network.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from transformers import TimesFm2_5ModelForPrediction  # takes two seconds to import

    def load(*, local_files_only: bool) -> nn.Module:
        return TimesFm2_5ModelForPrediction.from_pretrained(
            place,
            local_files_only=local_files_only,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=torch.float32,
            revision=revision,  # type: ignore[arg-type]  # typed as str, but None means the folder, or the newest commit
        ).eval()

    with torch.random.fork_rng(devices=[]), _quiet():  # building the network may draw initial weights, which loading replaces
        try:
            return load(local_files_only=True)
        except (OSError, ValueError, SafetensorError) as error:
            if Path(place).is_dir():
                raise ValueError(
                    f"expected config.json and model.safetensors of a TimesFM 2.5 in {str(place)!r}, got {type(error).__name__}; save it there "
                    "with save_pretrained"
                ) from error
        try:
            # Without a network this fails at once; the download would retry for half a minute.
            get_hf_file_metadata(hf_hub_url(str(place), "config.json", revision=revision))
            return load(local_files_only=False)
        except Exception as error:  # the hub's client raises a dozen kinds of errors for a network that fails
            raise ValueError(
                f"expected to fetch {place} at {str(revision)[:12]} (about 925 MB) from huggingface.co, got {type(error).__name__}; connect to the "
                "internet once, or pick the model 'timesfm', which is embedded"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers inside the block: it draws a progress bar even for half a megabyte, and an error must stay one line."""
    from transformers.utils import logging

    has_bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()


class TimesFm(Model):
    """The embedded model: the same class at a small size, trained by `python -m tools.train_weights timesfm`."""

    name = "timesfm"
    task = "series"
    title = "TimesFM 2.5, small"
    source = "Das et al. (2024), arXiv 2310.10688; weights trained by this project"
    licence = "Apache-2.0"
    place: str | Path = EMBEDDED / "timesfm"
    revision: str | None = None

    def on(self, dataset: Dataset, *, device: str = "auto", progress: Progress | None = None) -> nn.Module:
        self.check(dataset)
        place = resolve_device(device)
        if progress is not None:
            progress(0, 1, f"loading {self.name}")
        network = load_pretrained(self._place_for(dataset), self.revision)
        context, patch_length = dataset.train.inputs.shape[1], config_of(network).patch_length
        if context < patch_length:
            raise ValueError(
                f"expected a context of at least {patch_length} values, {dataset.name!r} gives {context}; choose a longer context"
            )
        if progress is not None:
            progress(1, 1, f"loading {self.name}")
        return SeriesNetwork(network, len(dataset.lead_time)).eval().to(place)

    def _place_for(self, dataset: Dataset) -> str | Path:
        """Return the folder of weights trained further on exactly this dataset if there is one, else that of the general weights."""
        for about in sorted(EMBEDDED.glob(f"{self.name}-*/about.json")):
            if json.loads(about.read_text()).get("dataset_sha256") == dataset.sha256:
                return about.parent
        return self.place


class TimesFmCheckpoint(TimesFm):
    """The public checkpoint with 200 million parameters."""

    name = "timesfm-2.5-200m"
    title = "TimesFM 2.5, 200M"
    source = f"Das et al. (2024), arXiv 2310.10688; huggingface.co/{CHECKPOINT} at {REVISION}"
    need = "a download of 925 MB from huggingface.co at first use"
    place = CHECKPOINT
    revision = REVISION
