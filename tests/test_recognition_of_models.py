"""Attention of real models that earlier versions recognised wrongly, written as the models write it."""

import torch
from torch import nn
from torch.nn import functional as F

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


class Pyramid(nn.Module):
    """Deformable attention over three levels of features, each from a convolution of its own: two places on each level, weights from the query."""

    def __init__(self):
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(3, 8, 2 * stride, stride) for stride in (2, 4, 8))
        self.query, self.weights, self.places = nn.Linear(5, 8), nn.Linear(8, 6), nn.Linear(8, 12)
        self.value = nn.Linear(8, 8)

    def forward(self, x, image):
        query = self.query(x)
        maps = [level(image) for level in self.levels]
        values = self.value(torch.cat([level.flatten(2).mT for level in maps], 1)).mT.split([level[0, 0].numel() for level in maps], -1)
        places = self.places(query).tanh().unflatten(-1, (3, 2, 2)).unbind(2)
        samples = [F.grid_sample(v.reshape(level.shape), p, align_corners=False) for v, level, p in zip(values, maps, places, strict=True)]
        weights = self.weights(query).softmax(-1)
        return (torch.stack(samples, -2).flatten(-2) * weights[:, None]).sum(-1).mT


class Branches(nn.Module):
    """A gate over three branches that share their last layer: not attention, because each branch has a weight and a layer of its own."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(5, 8) for _ in range(3))
        self.gate, self.last = nn.Linear(5, 3), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        outputs = self.last(torch.stack([branch(x) for branch in self.branches], -2).relu())
        y = (outputs * self.gate(x).softmax(-1)[..., None]).sum(-2)
        return self.attention(y, y, y, need_weights=False)[0]


def test_entries_of_several_levels_are_entries_of_one_activation():
    torch.manual_seed(0)
    model = Pyramid().eval()
    with torch.no_grad(), stochastic_attention(model, 16) as run:
        model(torch.randn(3, 7, 5), torch.randn(3, 3, 16, 16))
    assert dict(run.calls) == {"": 1}


def test_branches_that_share_their_last_layer_are_no_entries():
    torch.manual_seed(0)
    model = Branches().eval()
    with torch.no_grad(), stochastic_attention(model, 16) as run:
        model(torch.randn(3, 7, 5))
    assert dict(run.calls) == {"attention": 1} and "gate" in run.left[""]
