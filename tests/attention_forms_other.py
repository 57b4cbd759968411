"""What is not attention, although softmax, rows that sum to one, or products of activations occur in it."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_CASE, N_TOKEN, WIDTH, Form, heads, merged, scores

SIDE = 4


class Mapped(nn.Module):
    """One linear map of the tokens, given with the tokens to a plain function."""

    def __init__(self, combine, n_out=WIDTH, **more):
        super().__init__()
        self.map, self.combine = nn.Linear(WIDTH, n_out), combine
        self.more = nn.ParameterDict(more)

    def forward(self, x, *inputs):
        return self.combine(self.map(x), x, *self.more.values(), *inputs)


def mapped(combine, n_out=WIDTH, inputs=(), **shapes) -> Form:
    """combine: (mapped, x, *parameters, *further inputs) -> output; shapes: of further parameters."""
    return Form(lambda: Mapped(combine, n_out, **{name: torch.randn(shape) for name, shape in shapes.items()}), inputs=inputs)


class Routed(nn.Module):
    """A mixture of experts. combine: (weights (case, token, expert), experts, x) -> output."""

    def __init__(self, combine):
        super().__init__()
        self.gate, self.experts, self.combine = nn.Linear(WIDTH, 4), nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(4)), combine

    def forward(self, x):
        return self.combine(F.softmax(self.gate(x), dim=-1), self.experts, x)


def all_experts(weights, experts, x):
    return torch.einsum("bte,bted->btd", weights, torch.stack([expert(x) for expert in experts], 2))


def all_experts_by_matmul(weights, experts, x):
    return torch.matmul(weights.unsqueeze(-2), torch.stack([expert(x) for expert in experts], -2)).squeeze(-2)


def two_experts(weights, experts, x):
    """As in Mixtral: the two best experts run on their tokens, with renormalised weights."""
    best, index = weights.topk(2, -1)
    best = best / best.sum(-1, keepdim=True)
    out = torch.zeros_like(x)
    for number, expert in enumerate(experts):
        case, token, place = (index == number).nonzero(as_tuple=True)
        out.index_put_((case, token), expert(x[case, token]) * best[case, token, place, None], accumulate=True)
    return out


def dispatched(weights, experts, x):
    """Switch Transformer: a dispatch tensor sends tokens to experts, and a combine tensor brings them back."""
    best, index = weights.max(-1)
    one_hot = F.one_hot(index, len(experts)).float()
    inside = torch.einsum("bte,btd->bted", one_hot, x)
    outside = torch.stack([expert(inside[:, :, number]) for number, expert in enumerate(experts)], 2)
    return torch.einsum("bted,bte->btd", outside, one_hot * best[..., None])


class Branches(nn.Module):
    """SK-Net: softmax over two branches with different kernels, for each channel."""

    def __init__(self):
        super().__init__()
        self.small, self.large = nn.Conv2d(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.squeeze = nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, x):
        image = x.mT.unflatten(-1, (SIDE, SIDE))
        branches = torch.stack([self.small(image), self.large(image)], 1)
        weights = self.squeeze(branches.sum(1).mean((2, 3))).unflatten(-1, (2, WIDTH)).softmax(1)
        return (branches * weights[..., None, None]).sum(1).flatten(2).mT


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent, self.head = nn.LSTM(WIDTH, WIDTH, batch_first=True), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return self.head(self.recurrent(x)[0]).softmax(-1)


class Capsules(nn.Module):
    """Routing by agreement: softmax over the capsules above, sum over the capsules below."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, WIDTH, WIDTH))

    def forward(self, x):
        votes = torch.einsum("btd,ode->btoe", x, self.weight)
        logits = torch.zeros(len(x), N_TOKEN, 3)
        for _ in range(3):
            above = torch.tanh((logits.softmax(2)[..., None] * votes).sum(1))
            logits = logits + (votes * above[:, None]).sum(-1)
        return above


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 3, padding=1), nn.GELU(), nn.AvgPool1d(2), nn.Conv1d(WIDTH, WIDTH, 1))

    def forward(self, x):
        return self.layers(x.mT).mT


class Mixer(nn.Module):
    """MLP-Mixer: a linear map over tokens, then one over features."""

    def __init__(self):
        super().__init__()
        self.tokens, self.features = nn.Linear(N_TOKEN, N_TOKEN), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return self.features(x + self.tokens(x.mT).mT)


class CodeBook(nn.Module):
    """Soft vector quantisation: the nearest codes, weighed by softmax."""

    def __init__(self):
        super().__init__()
        self.codes = nn.Embedding(5, WIDTH)

    def forward(self, x):
        return torch.softmax(-torch.cdist(x, self.codes.weight.expand(len(x), -1, -1)), -1) @ self.codes.weight


class Interpolated(nn.Module):
    """A fixed matrix, each of whose rows sums to one, brings 16 tokens to 8."""

    def __init__(self):
        super().__init__()
        self.register_buffer("matrix", torch.eye(N_TOKEN).unflatten(0, (8, 2)).mean(1))

    def forward(self, x):
        return self.matrix @ x


def net_vlad(s, x, centre):
    weights = s.softmax(-1)
    return F.normalize(torch.einsum("btk,btd->bkd", weights, x) - weights.sum(1)[..., None] * centre, dim=-1)


def with_a_loss(s, x):
    """The loss is computed inside forward and kept; the output does not depend on it."""
    target = torch.arange(N_TOKEN).expand(len(s), -1) % WIDTH
    loss = F.nll_loss(F.log_softmax(s, -1).flatten(0, 1), target.flatten())
    smoothed = -(F.log_softmax(s, -1) * (0.9 * F.one_hot(target, WIDTH) + 0.1 / WIDTH)).sum(-1)
    return s + 0 * (loss + smoothed.mean())


def selected_position(s, x):
    """Spatial soft-argmax: the expected position under a map of the image, for each feature."""
    column, row = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="xy")
    weights = s.softmax(1)
    return torch.stack([(weights * row.reshape(-1, 1)).sum(1), (weights * column.reshape(-1, 1)).sum(1)], 1)


def lifted(s, x):
    """Lift, splat, shoot: features times a distribution over depth, without a sum."""
    return torch.einsum("btz,btd->btzd", s.softmax(-1), x)


def gated_by_position(s, x):
    """The gate of an attention U-Net: a sigmoid for each position."""
    return x * torch.sigmoid(F.relu(s).mean(-1, keepdim=True))


def gated_twice(s, x):
    """CBAM: a sigmoid for each channel, from mean and maximum, then one for each position."""
    x = x * torch.sigmoid(s.mean(1, keepdim=True) + s.amax(1, keepdim=True))
    return x * torch.sigmoid(x.mean(-1, keepdim=True) + x.amax(-1, keepdim=True))


def mixture_of_softmaxes(s, x, w):
    """Yang et al. (2018): prior-weighted sum of several distributions over classes."""
    prior, logits = s[..., :3].softmax(-1), s[..., 3:].unflatten(-1, (3, WIDTH)) @ w
    return torch.einsum("btk,btkc->btc", prior, logits.softmax(-1))


def mixture_of_kernels(s, x, w):
    """CondConv: kernels are mixed by a softmax for each case, and the mixture is applied."""
    kernel = torch.einsum("bk,kio->bio", s.mean(1).softmax(-1), w)
    return x @ kernel


def routed_by_graph(y, x, adjacency):
    return adjacency @ y


def normalised_graph(y, x, adjacency):
    return adjacency / adjacency.sum(-1, keepdim=True) @ y


def symmetric_graph(y, x, adjacency):
    root = adjacency.sum(-1) ** -0.5
    return (root[..., None] * adjacency * root[..., None, :]) @ y


def masked_mean(y, x):
    mask = (torch.arange(N_TOKEN) < 10).float().expand(len(x), -1)
    return ((mask / mask.sum(-1, keepdim=True)).unsqueeze(1) @ y).squeeze(1)


NEAR = (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).abs().le(2).float().expand(N_CASE, -1, -1).contiguous()
FORMS: dict[str, Form] = {
    "mixture of all experts": Form(lambda: Routed(all_experts)),
    "mixture of all experts by matmul": Form(lambda: Routed(all_experts_by_matmul)),
    "mixture of two experts": Form(lambda: Routed(two_experts)),
    "experts by dispatch": Form(lambda: Routed(dispatched)),
    "branches": Form(Branches),
    "recurrent with softmax": Form(Recurrent),
    "capsules": Form(Capsules),
    "convolutions": Form(Convolutional),
    "mixer": Form(Mixer),
    "soft code book": Form(CodeBook),
    "interpolation matrix": Form(Interpolated),
    "class probabilities times a weight": mapped(lambda s, x, w: s.softmax(-1) @ w, w=(WIDTH, WIDTH)),
    "expected embedding": mapped(lambda s, x, table: torch.einsum("btn,nd->btd", s.softmax(-1), table), 12, table=(12, WIDTH)),
    "expected bin": mapped(lambda s, x: (s.unflatten(-1, (WIDTH, 4)).softmax(-1) * torch.arange(4.0)).sum(-1), 4 * WIDTH),
    "expected bin by convolution": mapped(
        lambda s, x: F.conv1d(s.flatten(0, 1).unflatten(-1, (4, WIDTH)).softmax(1), torch.arange(4.0)[None, :, None]).view_as(x), 4 * WIDTH
    ),
    "probabilities with a temperature": mapped(lambda s, x: (s / 0.5).softmax(-1)),
    "softmax as activation": mapped(lambda s, x, w: F.linear(s.softmax(-1), w), w=(WIDTH, WIDTH)),
    "squeeze by softmax": mapped(lambda s, x: x * s.mean(1, keepdim=True).softmax(-1)),
    "squeeze by sigmoid": mapped(lambda s, x: x * s.mean(1, keepdim=True).sigmoid()),
    "gate by softmax": mapped(lambda s, x: x * s.softmax(-1)),
    "GLU": mapped(lambda s, x: F.glu(s, -1), 2 * WIDTH),
    "GeGLU": mapped(lambda s, x: s[..., :WIDTH] * F.gelu(s[..., WIDTH:]), 2 * WIDTH),
    "mixture density": mapped(lambda s, x: (s[..., :4, None].softmax(-2) * s[..., 4:].unflatten(-1, (4, WIDTH))).sum(-2), 4 + 4 * WIDTH),
    "DiffPool": mapped(lambda s, x: s.softmax(-1).mT @ x, 4),
    "NetVLAD": mapped(net_vlad, 4, centre=(4, WIDTH)),
    "fusion of two streams": mapped(lambda s, x, w: (s.softmax(-1).unsqueeze(-1) * torch.stack([x, x @ w], 2)).sum(2), 2, w=(WIDTH, WIDTH)),
    "expected position": mapped(selected_position),
    "depth distribution": mapped(lifted, 4),
    "loss in forward": mapped(with_a_loss),
    "graph given": mapped(routed_by_graph, inputs=(NEAR / NEAR.sum(-1, keepdim=True),)),
    "graph given, normalised inside": mapped(normalised_graph, inputs=(NEAR,)),
    "graph given, symmetric": mapped(symmetric_graph, inputs=(NEAR,)),
    "mean by a product": mapped(lambda y, x: torch.full((len(x), 1, N_TOKEN), 1 / N_TOKEN) @ y),
    "masked mean by a product": mapped(masked_mean),
    "fixed weights over time": mapped(lambda y, x, w: w.softmax(0) @ y, w=(N_TOKEN,)),
    "fixed weights over layers": mapped(lambda y, x, w: (w.softmax(0)[:, None, None, None] * torch.stack([x, y, x + y])).sum(0), w=(3,)),
    "Fourier mixing": mapped(lambda y, x: torch.fft.fft2(y).real),
    "bilinear pooling": mapped(lambda y, x: y.mT @ x),
    "covariance": mapped(lambda y, x: (x - x.mean(1, keepdim=True)).mT @ (x - x.mean(1, keepdim=True)) / (N_TOKEN - 1)),
    "correlation volume": mapped(lambda y, x, w: (y @ x.mT / WIDTH**0.5) @ w, w=(N_TOKEN, WIDTH)),
    "matching probabilities returned": mapped(lambda y, x: scores(y, x).softmax(-1) * scores(y, x).softmax(-2)),
    "hypernetwork": mapped(lambda w, x: x @ w.mean(1).unflatten(-1, (WIDTH, WIDTH)), WIDTH * WIDTH),
    "FiLM": mapped(lambda s, x: x * (1 + s[..., :WIDTH]) + s[..., WIDTH:], 2 * WIDTH),
    "gate of each position": mapped(gated_by_position),
    "gates of channels and positions": mapped(gated_twice),
    "mixture of softmaxes": mapped(mixture_of_softmaxes, 3 + 3 * WIDTH, w=(WIDTH, WIDTH)),
    "mixture of kernels": mapped(mixture_of_kernels, 3, w=(3, WIDTH, WIDTH)),
    "logsumexp pooling": mapped(lambda y, x: torch.logsumexp(y, 1)),
    "generalised mean": mapped(lambda y, x: y.abs().clamp(min=1e-6).pow(3).mean(1).pow(1 / 3)),
    "normalised features times a weight": mapped(lambda y, x, w: F.normalize(y, p=1, dim=-1) @ w, w=(WIDTH, WIDTH)),
    "distances to prototypes": mapped(lambda y, x, w: (-torch.cdist(y, w.expand(len(y), -1, -1))).softmax(-1), w=(WIDTH, WIDTH)),
    "mean over heads": mapped(lambda y, x: merged(heads(y) - heads(y).mean(2, keepdim=True))),
    "running mean": mapped(lambda y, x: y.cumsum(1) / torch.arange(1, N_TOKEN + 1)[:, None]),
}
