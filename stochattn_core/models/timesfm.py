"""TimesFM for series: the class TimesFm2_5ModelForPrediction of transformers, patches of the past in, the future out.

One path serves the small embedded weights, the public checkpoint and any folder written by save_pretrained. Attention goes
through torch's scaled_dot_product_attention. Source: Das et al. (2024), "A decoder-only foundation model for time-series
forecasting", ICML, arXiv 2310.10688.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from stochattn_core.datasets.base import Dataset, Progress
from stochattn_core.device import resolve_device
from stochattn_core.models.base import Model
from stochattn_core.models.weights import EMBEDDED

CHECKPOINT = "google/timesfm-2.5-200m-transformers"
REVISION = "5a9806b9b291fad9233b5249d88263f1846304d3"  # the commit of the hub that is loaded, whatever is uploaded later


class SeriesNetwork(nn.Module):
    """TimesFM as a plain function of the context, rows independent of one another.

    **Shape**: inputs (case, context) -> (case, horizon), both in the units of the series.

    - Nothing is clamped at zero: the class clamps by a minimum over ALL rows, so that one row would change another.
    - The context is cropped to whole patches, oldest values first: the class pads with zeros, and these zeros would
      enter the mean and standard deviation by which a row is normalised.
    - A horizon beyond the model's own is reached by forecasting from its own forecasts.
    """

    def __init__(self, network: nn.Module, horizon: int) -> None:
        super().__init__()
        self.network = network
        self.horizon = horizon

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        config = self.network.config
        series, forecast = inputs, inputs[:, :0]
        while forecast.shape[1] < self.horizon:
            length = min(series.shape[1], config.context_length) // config.patch_length * config.patch_length
            ahead = self.network(past_values=series, forecast_context_len=length, truncate_negative=False).mean_predictions
            forecast = torch.cat([forecast, ahead], dim=1)
            series = torch.cat([series, ahead], dim=1)
        return forecast[:, : self.horizon]


def load_pretrained(place: str | Path, revision: str | None = None) -> nn.Module:
    """The network saved in a folder, or on the hub under that name and commit; safetensors only, never a pickle.

    What the hub has already sent is taken from the local cache without asking again.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from transformers import TimesFm2_5ModelForPrediction  # takes two seconds to import

    options = {"use_safetensors": True, "attn_implementation": "sdpa", "dtype": torch.float32, "revision": revision}
    with torch.random.fork_rng(devices=[]), _quiet():  # building may draw numbers that loading throws away
        try:
            return TimesFm2_5ModelForPrediction.from_pretrained(place, local_files_only=True, **options).eval()
        except (OSError, ValueError, SafetensorError) as error:
            if Path(place).is_dir():
                raise ValueError(
                    f"expected config.json and model.safetensors of a TimesFM 2.5 in {str(place)!r}, got {type(error).__name__}; save it there "
                    "with save_pretrained"
                ) from error
        try:
            get_hf_file_metadata(
                hf_hub_url(str(place), "config.json", revision=revision)
            )  # fails at once; the download retries for half a minute
            return TimesFm2_5ModelForPrediction.from_pretrained(place, **options).eval()
        except Exception as error:  # the hub's client raises a dozen kinds for a network that fails
            raise ValueError(
                f"expected to fetch {place} at {str(revision)[:12]} (about 925 MB) from huggingface.co, got {type(error).__name__}; connect to the "
                "internet once, or pick the model 'timesfm', which is embedded"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers draws a bar for the loading of half a megabyte; a command's one line of error must stay one line."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


class TimesFm(Model):
    """The embedded one: the same class, small, trained by `python -m stochattn_core.models.train timesfm`."""

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
        context = dataset.train.inputs.shape[1]
        if context < network.config.patch_length:
            raise ValueError(
                f"expected a context of at least {network.config.patch_length} values, {dataset.name!r} gives {context}; choose a longer context"
            )
        if progress is not None:
            progress(1, 1, f"loading {self.name}")
        return SeriesNetwork(network, len(dataset.lead_time)).eval().to(place)

    def _place_for(self, dataset: Dataset) -> str | Path:
        """The weights for every series, or those trained further on exactly this dataset where there are some."""
        for about in sorted(EMBEDDED.glob(f"{self.name}-*/about.json")):
            if json.loads(about.read_text()).get("dataset_sha256") == dataset.sha256:
                return about.parent
        return self.place


class TimesFmCheckpoint(TimesFm):
    """The public checkpoint of 200 million parameters."""

    name = "timesfm-2.5-200m"
    title = "TimesFM 2.5, 200M"
    source = f"Das et al. (2024), arXiv 2310.10688; huggingface.co/{CHECKPOINT} at {REVISION}"
    need = "a download of 925 MB from huggingface.co at first use"
    place = CHECKPOINT
    revision = REVISION
