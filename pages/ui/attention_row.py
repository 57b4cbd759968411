"""One attention row for the page Method: its arrays from the sliders, its figures, their sentences, and the text of the page."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from pages.ui import cached
from stochattn_core.figures.attention_row import row_deviation, row_output, row_weights
from stochattn_core.figures.theme import number

CONCENTRATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
N_DRAW = 4000

STORY = r"""
An attention layer turns scores into a row of weights $p = \mathrm{softmax}(q k^\top s)$ and answers with the mean $p\,v$ of the
values. A row of $p$ is a probability distribution over the keys; the plain model uses only its mean. **Stochastic attention draws from
it instead**, at inference, in every sampled layer, independently for every row, head and member:

$$\text{counts} \sim \mathrm{Multinomial}(\nu, p), \qquad w = \text{counts} / \nu, \qquad \text{output} = w\,v .$$

The weights keep their mean and get a covariance that is known exactly:

$$\mathbb{E}[w] = p, \qquad \mathrm{Cov}[w] = \frac{\mathrm{diag}(p) - p\,p^\top}{\nu}.$$

A row with all its weight on one key gets no noise; a row that divides its weight between different values gets the most. So the attention
of the model decides **where** the ensemble spreads, and one number, the *concentration* $\nu$, decides **how much**: the noise of a row falls
as $\nu^{-1/2}$, and $\nu \to \infty$ is the plain model. Nothing is trained and no weight of the model changes; $M$ passes give $M$ members.
Tuning finds the $\nu$ at which one pass differs from the plain answer as much as the plain answer differs from the truth on the
calibration part.
"""

LIMITS = """
- **The range of ν has an end.** ν = 1 gives the largest noise. For some models and data it is too little; tuning then ends at the bound
  and reports that, instead of calling the ensemble calibrated.
- **The mean drifts at small ν.** A nonlinear network with noisy layers has another mean than the plain model. Compare the RMSE of the
  ensemble mean with that of the plain model.
- **Bias stays.** No ν corrects a bias; a slope in the PIT histogram calls for a better model.
- **The spread shows only part of the uncertainty.** It comes from attention alone. Noise in the data that attention does not react to is
  missing, however well the average is tuned: read the spread-error plot before you trust a single case.
- **A small W1 alone proves little.** A forecast without skill can have a flat PIT histogram; look at CRPS and interval width too.

Source: Yadav, Adebiyi, Zhang, *Calibrating Scientific Foundation Models with Inference-Time Stochastic Attention*, arXiv 2604.19530 (2026).
"""


def figures(n_key: int, temperature: float, nu: int, seed: int) -> list[tuple[str, go.Figure, str]]:
    """Return name, figure and sentence of the three plots."""
    return cached.remembered(("row", n_key, round(temperature, 3), nu, seed), lambda: _figures(n_key, temperature, nu, seed))


def _figures(n_key: int, temperature: float, nu: int, seed: int) -> list[tuple[str, go.Figure, str]]:
    logits, values = _row(n_key)
    probability = np.exp(logits / temperature - np.max(logits / temperature))
    probability /= probability.sum()
    rng = np.random.default_rng(seed)
    draw = rng.multinomial(nu, probability) / nu
    draws = rng.multinomial(nu, probability, size=N_DRAW) / nu
    outputs, plain = draws @ values, float(probability @ values)
    expected = float(np.sqrt(max(probability @ values**2 - plain**2, 0) / nu))  # standard deviation of the output
    n_drawn, top = int((draw > 0).sum()), float(probability.max())
    peak = "one key has nearly all the weight, so draws hardly differ" if top > 0.9 else f"the largest p is {top:.2f}"
    normal = (
        "close to a normal distribution" if nu * (1 - top) > 20 else "few draws leave few possible outputs, so a normal curve may not fit"
    )
    return [
        (
            "weights",
            row_weights(probability, draw, concentration=nu),
            f"This draw uses {n_drawn} of {n_key} keys; {peak}. A dot at the top of its bar is the weight of the plain model.",
        ),
        (
            "law",
            row_deviation(probability, draws.mean(axis=0), draws.std(axis=0), concentration=nu, n_draw=N_DRAW),
            f"The standard deviations of {N_DRAW:,} draws follow √(p(1−p)/ν): four times the ν halves them.",
        ),
        (
            "output",
            row_output(outputs, plain, expected, concentration=nu),
            f"The plain output is {number(plain)}. The sampled output has a standard deviation of {number(float(outputs.std()))}; "
            f"the formula gives {number(expected)}. Its shape: {normal}.",
        ),
    ]


def _row(n_key: int) -> tuple[np.ndarray, np.ndarray]:
    """Return fixed logits with a clear peak and a lower one, and smooth values, so that each slider shows its own effect alone."""
    place = np.linspace(0, 1, n_key)
    logits = 2.6 * np.exp(-(((place - 0.3) / 0.12) ** 2)) + 1.7 * np.exp(-(((place - 0.75) / 0.09) ** 2)) + 0.35 * np.sin(17 * place)
    return logits, np.cos(2.4 * np.pi * place) + 0.6 * place
