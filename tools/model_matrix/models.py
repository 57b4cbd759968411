"""MODELS, the table of the matrix: name -> Entry, in the order of the page."""

from __future__ import annotations

from tools.model_matrix import decoders, detection, forecasters, long_text, packages, series, speech, text, timm_models, vision, weather
from tools.model_matrix.entry import Entry

MODELS: dict[str, Entry] = {
    **text.MODELS,
    **long_text.MODELS,
    **decoders.MODELS,
    **vision.MODELS,
    **detection.MODELS,
    **speech.MODELS,
    **series.MODELS,
    **timm_models.MODELS,
    **packages.MODELS,
    **forecasters.MODELS,
    **weather.MODELS,
}

# Packages that do not install beside the pinned torch, with the reason.
NOT_INSTALLED: dict[str, str] = {}
