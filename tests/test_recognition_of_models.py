"""Attention of real models that earlier versions recognised wrongly, written as the models write it."""

import torch
from torch import nn

from stochattn_core.patching import stochastic_attention


class Landmarks(nn.Module):
    """Attention over landmarks as in Nystroemformer, with four axes: the map between landmarks is inverted by an iteration."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))

    def forward(self, x):
        query, key, value = (layer(x).unflatten(-1, (4, 4)).transpose(1, 2) for layer in (self.query, self.key, self.value))
        query_mean, key_mean = (x.unflatten(2, (4, -1)).mean(3) for x in (query, key))
        first, middle, last = (
            (a @ b.mT).softmax(-1) for a, b in ((query, key_mean), (query_mean, key_mean), (query_mean, key))
        )  # fmt: skip
        inverse = 1 / middle.sum(-2).max() * middle.mT
        for _ in range(6):
            product = middle @ inverse
            inverse = 0.25 * inverse @ (13 * torch.eye(4) - product @ (15 * torch.eye(4) - product @ (7 * torch.eye(4) - product)))
        return first @ inverse @ (last @ value)


def test_an_inverse_computed_by_an_iteration_hides_no_attention():
    torch.manual_seed(0)
    model, x = Landmarks().eval(), torch.randn(3, 16, 16)
    with torch.no_grad(), stochastic_attention(model, 16) as run:
        model(x)
    assert dict(run.calls) == {"": 2}
