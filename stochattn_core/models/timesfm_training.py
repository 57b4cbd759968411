"""How the small TimesFM is trained: made-up series of many kinds, and the train parts of the embedded series.

Nothing of a calibration or test part is seen. Every patch of a window forecasts what follows it, so one pass trains all
context lengths from a few patches to the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from stochattn_core.datasets.base import Progress, Split
from stochattn_core.models.weights import own_randomness

CONFIG = {
    "patch_length": 4,  # short, so that 96 values are 24 keys: attention over a handful of keys has little noise to give
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
    # Averaging a pass with one upside down changed test errors by -2 to +3 percent, costs twice as much, and two draws in
    # one forecast have less spread to give: the small one does without. The public checkpoint keeps what it says itself.
    "force_flip_invariance": False,
    "infer_is_positive": False,
}
FIRST_PATCH = 5  # 24 values must have been seen before a forecast is asked for
REAL_SHARE = 0.25  # of a batch
JITTER = 0.1  # noise added to a window of a short train part, in its standard deviations: these are soon known by heart
SHORT = 500  # windows


def untrained(**changes: object) -> nn.Module:
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    config = TimesFm2_5Config(**{**CONFIG, **changes})
    config._attn_implementation = "sdpa"
    return TimesFm2_5ModelForPrediction(config)


def train_series(
    real: Sequence[Split],
    *,
    start: nn.Module | None = None,
    real_share: float = REAL_SHARE,
    n_step: int = 6000,
    rate: float = 3e-3,
    batch: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
    **changes: object,
) -> nn.Module:
    """A network trained on train parts and made-up series; `start` is trained further in place, without it a new one is made.

    Minimises the mean squared error of column 0 and the pinball loss of the deciles, in units of the window's standard deviation."""
    rng = np.random.default_rng(seed)
    with own_randomness(seed):
        network = (start or untrained(**changes)).train()
        length = network.config.context_length + network.config.horizon_length
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


def _loss(network: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """rows: (case, context + horizon) in any units; NaN where a real window is shorter, at the end."""
    config = network.config
    patch, ahead = config.patch_length, config.horizon_length
    context = rows.shape[1] - ahead
    known = rows.nan_to_num()
    scale = rows.nanmean(1, keepdim=True)
    scale = (rows - scale).square().nanmean(1, keepdim=True).sqrt().clamp_min(1e-6)
    known, rows = known / scale, rows / scale
    seen = network.model(past_values=known[:, :context], past_values_padding=torch.zeros_like(known[:, :context]))
    raw = network.output_projection_point(seen.last_hidden_state)  # (case, patch, horizon * (1 + decile))
    raw = raw * seen.context_sigma[..., None] + seen.context_mu[..., None]
    forecast = raw.view(*raw.shape[:2], ahead, len(config.quantiles) + 1)[:, FIRST_PATCH:]
    future = rows.unfold(1, ahead, patch)[:, FIRST_PATCH + 1 : FIRST_PATCH + 1 + forecast.shape[1]]  # after patch i: from (i+1) * patch
    there = future.isfinite()
    error = future.nan_to_num()[..., None] - forecast
    level = torch.tensor(config.quantiles)
    pinball = torch.maximum(level * error[..., 1:], (level - 1) * error[..., 1:]).mean(-1)
    return ((error[..., 0].square().clamp_max(25.0) + pinball) * there).sum() / there.sum()


def _real_row(rng: np.random.Generator, windows: np.ndarray, length: int) -> np.ndarray:
    """One window of one train part, some of its oldest values cut off, upside down half of the time, with NaN after its end."""
    row = windows[rng.integers(len(windows)), rng.integers(0, 33) :][:length]
    row = row * rng.choice([1.0, -1.0])
    if len(windows) < SHORT:
        row = row + rng.standard_normal(len(row)) * row.std() * JITTER * rng.random()
    out = np.full((1, length), np.nan)
    out[0, : len(row)] = row
    return out


def made_up_series(rng: np.random.Generator, n_case: int, length: int) -> np.ndarray:
    """(case, length): level + trend + one or two seasons of any shape + autoregressive part + shifts + noise, in random proportions."""
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
    """A random Fourier series of up to four harmonics, amplitudes falling with the harmonic."""
    values = np.zeros((n_case, t.shape[1]))
    decline = rng.uniform(0.5, 2.5, (n_case, 1))
    for harmonic in range(1, 5):
        amplitude = rng.standard_normal((n_case, 1)) * harmonic**-decline * (periods >= 2 * harmonic)
        values += amplitude * np.sin(2 * math.pi * harmonic * t / periods + rng.uniform(0, 2 * math.pi, (n_case, 1)))
    return values


def _autoregression(rng: np.random.Generator, n_case: int, length: int) -> np.ndarray:
    """AR(2) with unit variance: half decaying memory, half pseudo-cycles of 5 to 30 steps, as sunspots have."""
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
