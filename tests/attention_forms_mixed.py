"""Attention whose weights are changed between softmax and values, or made without softmax."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_HEAD, N_TOKEN, WIDTH, Form, Projected, heads, merged, of, scores


class TalkingHeads(Projected):
    """Shazeer et al. (2020): linear maps across the heads, before and after softmax. way: how the maps are spelled."""

    def __init__(self, way):
        super().__init__(self.attend_talking)
        self.way = way
        self.before, self.after = nn.Linear(N_HEAD, N_HEAD, bias=False), nn.Linear(N_HEAD, N_HEAD, bias=False)

    def talk(self, weights, layer):
        if self.way == "einsum":
            return torch.einsum("bhij,gh->bgij", weights, layer.weight)
        if self.way == "convolution":
            return F.conv2d(weights, layer.weight[:, :, None, None])
        return layer(weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def attend_talking(self, query, key, value):
        weights = self.talk(scores(heads(query), heads(key)), self.before).softmax(-1)
        return merged(self.talk(weights, self.after) @ heads(value))

    def reference(self, x):
        query, key, value = map(heads, self.project(x).chunk(3, -1))
        s = scores(query, key)
        weights = torch.stack([sum(self.before.weight[g, h] * s[:, h] for h in range(N_HEAD)) for g in range(N_HEAD)], 1).softmax(-1)
        return merged(
            torch.stack([sum(self.after.weight[g, h] * weights[:, h] for h in range(N_HEAD)) @ value[:, g] for g in range(N_HEAD)], 1)
        )


class GatedWeights(Projected):
    """A gate for each query and key multiplies the weights."""

    def __init__(self):
        super().__init__(self.attend_gated)
        self.gate = nn.Linear(WIDTH, N_TOKEN)

    def attend_gated(self, query, key, value):
        return (scores(query, key).softmax(-1) * torch.sigmoid(self.gate(query))) @ value


class GatedHeads(Projected):
    """A gate for each head multiplies its output."""

    def __init__(self):
        super().__init__(self.attend_gated)
        self.gate = nn.Linear(WIDTH, N_HEAD)

    def attend_gated(self, query, key, value):
        out = scores(heads(query), heads(key)).softmax(-1) @ heads(value)
        return merged(out * torch.sigmoid(self.gate(query)).mT[..., None])


class Differential(Projected):
    """Ye et al. (2024): the difference of two attention maps with the same values."""

    def __init__(self):
        super().__init__(self.attend_differential)
        self.weight = nn.Parameter(torch.tensor(0.5))

    def attend_differential(self, query, key, value):
        first, second = scores(heads(query), heads(key)).unbind(1)
        return (first.softmax(-1) - self.weight.sigmoid() * second.softmax(-1)) @ value


class DifferentialPairs(Projected):
    """Differential attention, with one softmax over the maps of all pairs."""

    def __init__(self):
        super().__init__(self.attend_pairs)

    def attend_pairs(self, query, key, value):
        weights = F.softmax(scores(heads(query, 4), heads(key, 4)), dim=-1, dtype=torch.float32).view(-1, 2, 2, N_TOKEN, N_TOKEN)
        return merged((weights[:, :, 0] - 0.3 * weights[:, :, 1]) @ heads(value))


class NullKey(Projected):
    """One learned key and value stand beside those of the tokens."""

    def __init__(self):
        super().__init__(self.attend_with_null)
        self.key, self.value = nn.Parameter(torch.randn(1, 1, WIDTH)), nn.Parameter(torch.randn(1, 1, WIDTH))

    def attend_with_null(self, query, key, value):
        key, value = (torch.cat([null.expand(len(x), -1, -1), x], 1) for null, x in ((self.key, key), (self.value, value)))
        return scores(query, key).softmax(-1) @ value


class Sink(Projected):
    """GPT-OSS: a learned score stands beside those of the keys, and its weight is dropped."""

    def __init__(self):
        super().__init__(self.attend_with_sink)
        self.sink = nn.Parameter(torch.zeros(N_HEAD))

    def attend_with_sink(self, query, key, value):
        s = scores(heads(query), heads(key))
        weights = F.softmax(torch.cat([s, self.sink.reshape(1, -1, 1, 1).expand(len(s), -1, N_TOKEN, 1)], -1), -1)
        return merged(weights[..., :-1] @ heads(value))

    def reference(self, x):
        query, key, value = map(heads, self.project(x).chunk(3, -1))
        mass = scores(query, key).exp()
        return merged(mass @ value / (mass.sum(-1, keepdim=True) + self.sink.exp()[:, None, None]))


class SmoothedOverKeys(Projected):
    """A depthwise convolution runs over the map of weights, as in multi-token attention."""

    def __init__(self):
        super().__init__(self.attend_smoothed)
        self.smooth = nn.Conv2d(N_HEAD, N_HEAD, 3, padding=1, groups=N_HEAD, bias=False)

    def attend_smoothed(self, query, key, value):
        return merged(self.smooth(scores(heads(query), heads(key)).softmax(-1)) @ heads(value))


class Dependent(torch.autograd.Function):
    """Softmax with its own derivative."""

    @staticmethod
    def forward(ctx, s):
        weights = s.softmax(-1)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx, grad):
        (weights,) = ctx.saved_tensors
        return weights * (grad - (weights * grad).sum(-1, keepdim=True))


def sparsemax(s):
    """Martins and Astudillo (2016): the projection of s onto the simplex."""
    ordered = s.sort(-1, descending=True).values
    rank = torch.arange(1, s.shape[-1] + 1)
    n_key = (1 + rank * ordered > ordered.cumsum(-1)).sum(-1, keepdim=True)
    threshold = (ordered.cumsum(-1).gather(-1, n_key - 1) - 1) / n_key
    return (s - threshold).clamp(min=0)


def sparsemax_by_bisection(s):
    low, high = s.amax(-1, keepdim=True) - 1, s.amax(-1, keepdim=True)
    for _ in range(60):
        middle = (low + high) / 2
        is_low = (s - middle).clamp(min=0).sum(-1, keepdim=True) > 1
        low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
    return (s - low).clamp(min=0)


def entmax_by_bisection(s, power=1.5):
    """Peters, Niculae, Martins (2019): alpha-entmax, as in the entmax package."""
    s = s * (power - 1)
    low, step = s.amax(-1, keepdim=True) - 1, 1.0
    for _ in range(40):
        step /= 2
        mass = (s - low - step).clamp(min=0) ** (1 / (power - 1))
        low = torch.where(mass.sum(-1, keepdim=True) >= 1, low + step, low)
    mass = (s - low).clamp(min=0) ** (1 / (power - 1))
    return mass / mass.sum(-1, keepdim=True)


class Sparsemax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s):
        weights = sparsemax(s)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx, grad):
        (weights,) = ctx.saved_tensors
        is_key = weights > 0
        return is_key * (grad - (grad * is_key).sum(-1, keepdim=True) / is_key.sum(-1, keepdim=True))


def rectified(query, key, value):
    weights = F.relu(scores(query, key)) + 1e-6
    return weights / weights.sum(-1, keepdim=True) @ value


def softplus_normalised(query, key, value):
    return F.normalize(F.softplus(scores(query, key)), p=1, dim=-1) @ value


def renormalised_top(query, key, value):
    weights = scores(query, key).softmax(-1)
    best = torch.zeros_like(weights).scatter(-1, weights.topk(4, -1).indices, 1.0)
    weights = weights * best
    return weights / weights.sum(-1, keepdim=True) @ value


def top_by_threshold(query, key, value):
    """Sparse transformers: scores below the fourth largest become -inf before softmax."""
    s = scores(query, key)
    return s.masked_fill(s < s.topk(4, -1).values[..., -1:], -math.inf).softmax(-1) @ value


def top_reference(query, key, value):
    s = scores(query, key)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=s >= s.topk(4, -1).values[..., -1:])


def renormalised_after_a_mask(query, key, value):
    """As in AllenNLP's masked_softmax: softmax, times the mask, divided by the sum."""
    mask = torch.arange(N_TOKEN) < 4
    weights = F.softmax(scores(query, key) * mask, -1) * mask
    return weights / (weights.sum(-1, keepdim=True) + 1e-13) @ value


def renormalised_reference(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=(torch.arange(N_TOKEN) < 4).expand(N_TOKEN, N_TOKEN))


def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def null_column(query, key, value):
    """Softmax-plus-one: a column of zeros takes part in softmax and is dropped."""
    return F.pad(scores(query, key), (1, 0)).softmax(-1)[..., 1:] @ value


def plus_one(query, key, value):
    mass = scores(query, key).exp()
    return mass @ value / (1 + mass.sum(-1, keepdim=True))


def less_its_mean(query, key, value):
    """Weights less 1 / n, against oversmoothing."""
    weights = scores(query, key).softmax(-1)
    return (weights - weights.mean(-1, keepdim=True) + torch.eye(N_TOKEN)) @ value


def less_its_mean_reference(query, key, value):
    return attention(query, key, value) - value.mean(1, keepdim=True) + value


TALKING = {way: Form(lambda way=way: TalkingHeads(way), reference=TalkingHeads.reference) for way in ("einsum", "linear", "convolution")}
FORMS: dict[str, Form] = {
    **{f"talking heads by {way}": form for way, form in TALKING.items()},
    "weights times a gate": Form(GatedWeights),
    "weights times a constant": of(lambda q, k, v: (scores(q, k).softmax(-1) * 0.7) @ v, lambda q, k, v: 0.7 * attention(q, k, v)),
    "weights plus a small number": of(
        lambda q, k, v: (scores(q, k).softmax(-1) + 1e-3) @ v, lambda q, k, v: attention(q, k, v) + 1e-3 * v.sum(1, keepdim=True)
    ),
    "weights less their mean": of(less_its_mean, less_its_mean_reference),
    "gated heads": Form(GatedHeads),
    "differential": Form(Differential, calls={"by_hand": 2}),
    "differential, one softmax": Form(DifferentialPairs),
    "null key and value": Form(NullKey),
    "null column, dropped": of(null_column, plus_one),
    "sink, dropped": Form(Sink, reference=Sink.reference),
    "weights smoothed by a convolution": Form(SmoothedOverKeys),
    "softmax in an autograd.Function": of(lambda q, k, v: Dependent.apply(scores(q, k)) @ v, attention),
    "sparsemax": of(lambda q, k, v: sparsemax(scores(q, k)) @ v, lambda q, k, v: sparsemax_by_bisection(scores(q, k)) @ v),
    "sparsemax in an autograd.Function": of(
        lambda q, k, v: Sparsemax.apply(scores(q, k)) @ v, lambda q, k, v: sparsemax_by_bisection(scores(q, k)) @ v
    ),
    "entmax by bisection": of(lambda q, k, v: entmax_by_bisection(scores(q, k)) @ v),
    "ReLU over its sum": of(rectified),
    "softplus, normalised": of(softplus_normalised),
    "top four, renormalised": of(renormalised_top, top_reference),
    "top four, masked before softmax": of(top_by_threshold, top_reference),
    "masked and renormalised": of(renormalised_after_a_mask, renormalised_reference),
}
