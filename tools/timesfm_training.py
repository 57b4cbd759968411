"""How the small TimesFM is trained: on made-up series of many kinds and on the train parts of the embedded series.

Nothing of a calibration or test part is used. Every patch of a window forecasts what follows it, so one pass trains all context lengths
from a few patches to the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from stochattn_core.datasets.base import Progress, Split
from stochattn_core.models.reproducible import reproducible
from stochattn_core.models.timesfm import config_of

if TYPE_CHECKING:
    from transformers import TimesFm2_5ModelForPrediction

CONFIG: dict[str, Any] = {
    "patch_length": 4,  # short, so that 96 values are 24 keys: attention over few keys has little noise to give
    "context_length": 128,
    "horizon_length": 24,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "output_quantile_len": 1,
    "use_continuous_quantile_head": False,  # quantiles come from the same head as the mean
    "decode_index": 0,  # column 0 is trained to be the mean, columns 1 to 9 the deciles
    # Averaging a pass with its mirror image changed test errors by -2% to +3% and costs twice as much, and two draws in one forecast
    # have less spread. The small network does without; the public checkpoint keeps its own setting.
    "force_flip_invariance": False,
    "infer_is_positive": False,
}
FIRST_PATCH = 5  # the loss begins where 24 values have been seen
REAL_SHARE = 0.25  # of a batch are real series
JITTER = 0.1  # noise added to windows of a short train part, in their standard deviations, against overfitting
SHORT = 500  # windows; a train part with fewer is short


def untrained(**changes: Any) -> TimesFm2_5ModelForPrediction:
    """Return a network of the size in CONFIG with random weights; changes: other values of its configuration."""
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    config = TimesFm2_5Config(**{**CONFIG, **changes})
    config._attn_implementation = "sdpa"
    return TimesFm2_5ModelForPrediction(config)


def train_series(
    real: Sequence[Split],
    *,
    start: TimesFm2_5ModelForPrediction | None = None,
    real_share: float = REAL_SHARE,
    n_step: int = 6000,
    rate: float = 3e-3,
    batch: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
    **changes: Any,
) -> TimesFm2_5ModelForPrediction:
    """Return a network trained on train parts and made-up series. start: trained further in place; None begins with a new network.

    Minimises the mean squared error of column 0 and the pinball loss of the deciles, in units of the window's standard deviation.
    """
    rng = np.random.default_rng(seed)
    with reproducible(seed):
        network = (start or untrained(**changes)).train()
        length = config_of(network).context_length + config_of(network).horizon_length
        windows = [torch.cat([split.inputs, split.target], dim=1).numpy() for split in real]
        often = np.sqrt([len(split) for split in real])
        often = often / often.sum()
        n_real = round(real_share * batch) if windows else 0
        decay = [values for values in network.parameters() if values.ndim > 1]
        plain = [values for values in network.parameters() if values.ndim <= 1]
        optimiser = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=n_step, pct_start=0.1)
        for step in range(1, n_step + 1):
            rows = [made_up_series(rng, batch - n_real, length)] if n_real < batch else []
            rows += [_real_row(rng, windows[rng.choice(len(windows), p=often)], length) for _ in range(n_real)]
            loss = _loss(network, torch.from_numpy(np.concatenate(rows).astype(np.float32)))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if progress is not None and (step % 10 == 0 or step == n_step):
                progress(step, n_step, f"training timesfm, loss {float(loss.detach()):.3f}")
    return network.eval()


def _loss(network: TimesFm2_5ModelForPrediction, rows: torch.Tensor) -> torch.Tensor:
    """Return the loss of windows, (case, context + horizon) in any units; NaN at the end of a real window that is shorter."""
    config = config_of(network)
    patch, horizon = config.patch_length, config.horizon_length
    context = rows.shape[1] - horizon
    known = rows.nan_to_num()
    scale = rows.nanmean(1, keepdim=True)
    scale = (rows - scale).square().nanmean(1, keepdim=True).sqrt().clamp_min(1e-6)
    known, rows = known / scale, rows / scale
    seen = network.model(past_values=known[:, :context], past_values_padding=torch.zeros_like(known[:, :context]))
    raw = network.output_projection_point(seen.last_hidden_state)  # (case, patch, horizon * (1 + decile))
    raw = raw * seen.context_sigma[..., None] + seen.context_mu[..., None]
    forecast = raw.view(*raw.shape[:2], horizon, len(config.quantiles) + 1)[:, FIRST_PATCH:]
    future = rows.unfold(1, horizon, patch)[:, FIRST_PATCH + 1 : FIRST_PATCH + 1 + forecast.shape[1]]  # after patch i: from (i+1) * patch
    is_known = future.isfinite()
    error = future.nan_to_num()[..., None] - forecast
    level = torch.tensor(config.quantiles)
    pinball = torch.maximum(level * error[..., 1:], (level - 1) * error[..., 1:]).mean(-1)
    return ((error[..., 0].square().clamp_max(25.0) + pinball) * is_known).sum() / is_known.sum()


def _real_row(rng: np.random.Generator, windows: np.ndarray, length: int) -> np.ndarray:
    """Return one window of a train part, with some of its oldest values cut off, mirrored half of the time, with NaN after its end."""
    row = windows[rng.integers(len(windows)), rng.integers(0, 33) :][:length]
    row = row * rng.choice([1.0, -1.0])
    if len(windows) < SHORT:
        row = row + rng.standard_normal(len(row)) * row.std() * JITTER * rng.random()
    out = np.full((1, length), np.nan)
    out[0, : len(row)] = row
    return out


def made_up_series(rng: np.random.Generator, n_case: int, length: int) -> np.ndarray:
    """Return series, (case, length): level, trend, one or two seasons of any shape, autoregression, shifts and noise in random proportions."""
    t = np.arange(length)[None]
    unit = rng.standard_normal
    periods = np.where(
        rng.random((n_case, 1)) < 0.6, rng.choice([4, 6, 7, 8, 10, 11, 12, 24, 48, 52], (n_case, 1)), rng.uniform(3, 60, (n_case, 1))
    )
    values = _season(rng, n_case, t, periods) * (rng.random((n_case, 1)) < 0.8)
    values += 0.5 * _season(rng, n_case, t, rng.uniform(3, 80, (n_case, 1))) * (rng.random((n_case, 1)) < 0.3)
    growth = 1 + (t / length - 0.5) * rng.uniform(-0.8, 0.8, (n_case, 1)) * (rng.random((n_case, 1)) < 0.3)
    values *= growth
    trend = unit((n_case, 1)) * 3 * (t / length) + unit((n_case, 1)) * 1.5 * (t / length) ** 2
    values += trend * (rng.random((n_case, 1)) < 0.5)
    values += _autoregression(rng, n_case, length) * np.exp(rng.uniform(-2.5, 0.7, (n_case, 1))) * (rng.random((n_case, 1)) < 0.6)
    shift = unit((n_case, 1)) * (t > rng.integers(0, length, (n_case, 1)))
    values += shift * (rng.random((n_case, 1)) < 0.15)
    values += unit((n_case, length)) * np.exp(rng.uniform(-4, 0.0, (n_case, 1)))
    skewed = np.exp(0.7 * (values - values.mean(1, keepdims=True)) / (values.std(1, keepdims=True) + 1e-9))
    return np.where(rng.random((n_case, 1)) < 0.15, skewed, values)


def _season(rng: np.random.Generator, n_case: int, t: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return random Fourier series of up to four harmonics, with amplitudes that fall with the harmonic."""
    values = np.zeros((n_case, t.shape[1]))
    decline = rng.uniform(0.5, 2.5, (n_case, 1))
    for harmonic in range(1, 5):
        amplitude = rng.standard_normal((n_case, 1)) * harmonic**-decline * (periods >= 2 * harmonic)
        values += amplitude * np.sin(2 * math.pi * harmonic * t / periods + rng.uniform(0, 2 * math.pi, (n_case, 1)))
    return values


def _autoregression(rng: np.random.Generator, n_case: int, length: int) -> np.ndarray:
    """Return AR(2) series of unit variance: half with a decaying memory, half with pseudo-cycles of 5 to 30 steps, as sunspots have."""
    warm = 60
    cyclic = rng.random(n_case) < 0.5
    radius = rng.uniform(0.85, 0.995, n_case)
    a1 = np.where(cyclic, 2 * radius * np.cos(2 * math.pi / rng.uniform(5, 30, n_case)), rng.uniform(0.3, 1.0, n_case))
    a2 = np.where(cyclic, -(radius**2), 0.0)
    shocks = rng.standard_normal((warm + length, n_case))
    values = np.zeros((warm + length, n_case))
    for i in range(2, warm + length):
        values[i] = a1 * values[i - 1] + a2 * values[i - 2] + shocks[i]
    values = values[warm:].T
    return values / (values.std(1, keepdims=True) + 1e-9)
