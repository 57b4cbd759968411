"""One attention row for the method page: its arrays from the sliders, its figures and what they say."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from pages.ui import cached
from stochattn_core.figures.attention_row import row_law, row_output, row_weights
from stochattn_core.figures.theme import number

CONCENTRATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
N_DRAW = 4000

STORY = r"""
An attention layer turns scores into a row of weights $p = \mathrm{softmax}(q k^\top s)$ and answers with the mean $p\,v$ of the
values. A row of $p$ is a probability distribution over the keys, and the mean is all that a trained model uses of it. **Stochastic
attention draws from it instead**, at inference, in every layer, independently for every row, head and member:

$$\text{counts} \sim \mathrm{Multinomial}(\nu, p), \qquad w = \text{counts} / \nu, \qquad \text{output} = w\,v .$$

The weights keep their mean and get a covariance that is known exactly:

$$\mathbb{E}[w] = p, \qquad \mathrm{Cov}[w] = \frac{\mathrm{diag}(p) - p\,p^\top}{\nu}.$$

A row that looks at one key gets no noise; a row that hesitates between unlike values gets most. So the model's own doubt decides
**where** the ensemble spreads, and the one number $\nu$, the *concentration*, decides **how much**: spread falls as $\nu^{-1/2}$, and
$\nu \to \infty$ is the plain model. Nothing is trained, no weight changes; $M$ passes give $M$ members. Tuning looks for the $\nu$ at which
one pass strays from the plain answer as far as the plain answer errs on data kept aside.
"""

LIMITS = """
- **The range can run out.** ν = 1 is the largest noise there is. On some models and data it is still too little; tuning then ends at
  the bound and says so, instead of calling it calibrated.
- **The mean drifts at small ν.** A nonlinear network of noisy layers has another mean than the quiet one. Watch the RMSE of the
  ensemble mean beside the plain model's.
- **Bias stays.** No ν moves the ensemble to where the truth is; a slope in the PIT histogram needs a better model.
- **Spread is not all of uncertainty.** It comes from attention alone. Noise in the data that no row hesitates about is not seen, however well
  the average is tuned: read the spread-error plot before you trust one case.
- **A good W1 alone proves little.** A forecast that knows nothing can be perfectly flat; look at the CRPS and the width beside it.

Source: Yadav, Adebiyi, Zhang, *Calibrating Scientific Foundation Models with Inference-Time Stochastic Attention*, arXiv 2604.19530 (2026).
"""


def touch(n_key: int, temperature: float, nu: int, seed: int) -> list[tuple[str, go.Figure, str]]:
    """Name, figure and sentence of the three plots."""
    return cached.remembered(("row", n_key, round(temperature, 3), nu, seed), lambda: _touch(n_key, temperature, nu, seed))


def _touch(n_key: int, temperature: float, nu: int, seed: int) -> list[tuple[str, go.Figure, str]]:
    logits, values = _row(n_key)
    probability = np.exp(logits / temperature - np.max(logits / temperature))
    probability /= probability.sum()
    rng = np.random.default_rng(seed)
    draw = rng.multinomial(nu, probability) / nu
    draws = rng.multinomial(nu, probability, size=N_DRAW) / nu
    outputs, plain = draws @ values, float(probability @ values)
    law = float(np.sqrt(max(probability @ values**2 - plain**2, 0) / nu))
    one, many, out = (
        row_weights(probability, draw, concentration=nu),
        row_law(probability, draws.mean(axis=0), draws.std(axis=0), concentration=nu, n_draw=N_DRAW),
        row_output(outputs, plain, law, concentration=nu),
    )
    drawn, top = int((draw > 0).sum()), float(probability.max())
    hesitates = "one key takes nearly all, so there is little to draw" if top > 0.9 else f"the largest p is {top:.2f}"
    normal = "near a normal distribution" if nu * (1 - top) > 20 else "far from normal: few draws leave few possible outputs"
    return [
        (
            "weights",
            one,
            f"This draw copies {drawn} of {n_key} keys; {hesitates}. A dot on its bar is a weight the plain model would use too.",
        ),
        ("law", many, f"Measured over {N_DRAW:,} draws, the points lie on the law; four times the ν halves every one of them."),
        (
            "output",
            out,
            f"The plain model says {number(plain)}. Drawn, the output spreads by {number(float(outputs.std()))} (the law says {number(law)}), {normal}.",
        ),
    ]


def _row(n_key: int) -> tuple[np.ndarray, np.ndarray]:
    """Fixed logits with one clear peak and a second place, and smooth values, so that each slider shows its own effect alone."""
    place = np.linspace(0, 1, n_key)
    logits = 2.6 * np.exp(-(((place - 0.3) / 0.12) ** 2)) + 1.7 * np.exp(-(((place - 0.75) / 0.09) ** 2)) + 0.35 * np.sin(17 * place)
    return logits, np.cos(2.4 * np.pi * place) + 0.6 * place
