"""Attention in the places where programs keep it: loops, chunks, containers, caches, nested functions, checkpoints, shared modules."""

import functools

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tests.attention_form import N_HEAD, N_TOKEN, WIDTH, Form, Projected, heads, merged, multi_head, of, scores


def attention(query, key, value):
    return torch.softmax(scores(query, key), -1) @ value


def reference(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def a_head_at_a_time(query, key, value):
    return torch.cat([attention(*head) for head in zip(*(x.chunk(N_HEAD, -1) for x in (query, key, value)), strict=True)], -1)


def a_case_at_a_time(query, key, value):
    return torch.stack([torch.mm(F.softmax(scores(q, k), 1), v) for q, k, v in zip(query, key, value, strict=True)])


def queries_in_chunks(query, key, value):
    out = torch.empty_like(query)
    for i in range(0, N_TOKEN, 5):
        out[:, i : i + 5] = attention(query[:, i : i + 5], key, value)
    return out


def sliced_over_batch(query, key, value):
    """Diffusers' sliced attention: a slice of case x head at a time is written into the output."""
    query, key, value = (heads(x).flatten(0, 1) for x in (query, key, value))
    out = torch.zeros_like(value)
    for i in range(0, len(query), len(query) // 2):
        part = slice(i, i + len(query) // 2)
        weights = torch.baddbmm(torch.empty(len(query) // 2, N_TOKEN, N_TOKEN), query[part], key[part].mT, beta=0, alpha=0.5)
        out[part] = torch.bmm(weights.softmax(dim=-1), value[part])
    return merged(out.unflatten(0, (-1, N_HEAD)))


def growing_keys(query, key, value):
    """Each token attends the tokens up to the next, one call a token."""
    return torch.cat([attention(query[:, i : i + 1], key[:, : i + 2], value[:, : i + 2]) for i in range(N_TOKEN)], 1)


def up_to_the_next(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=torch.ones(N_TOKEN, N_TOKEN, dtype=torch.bool).tril(1))


def nested(query, key, value):
    def weights():
        def normalised(s):
            return s.softmax(-1)

        return normalised(scores(query, key))

    return (lambda w: w @ value)(weights())


class Cached(nn.Module):
    """A decoder that keeps keys and values of earlier tokens; the second half of the tokens attends all."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(WIDTH, 3 * WIDTH)

    def step(self, x, cache):
        query, key, value = self.project(x).chunk(3, -1)
        cache.append((key, value))
        key, value = (torch.cat(parts, 1) for parts in zip(*cache, strict=True))
        return attention(query, key, value)

    def forward(self, x):
        cache = []
        return torch.cat([self.step(part, cache) for part in x.chunk(2, 1)], 1)


class CrossCached(nn.Module):
    """Keys and values of an encoder are computed once and used by two layers of a decoder."""

    def __init__(self):
        super().__init__()
        self.to_key_and_value, self.to_query = nn.Linear(WIDTH, 2 * WIDTH), nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x):
        key, value = self.to_key_and_value(x).chunk(2, -1)
        return sum(attention(to_query(x), key, value) for to_query in self.to_query)


class Checkpointed(Projected):
    def __init__(self, use_reentrant):
        super().__init__(functools.partial(checkpoint, attention, use_reentrant=use_reentrant))


class Residual(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(WIDTH), layer

    def forward(self, x):
        return x + self.layer(self.norm(x))


class Parallel(nn.Module):
    """Layers of a ModuleList, whose outputs are added."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        return sum(layer(x) for layer in self.layers)


def shared_twice():
    layer = Projected(attention)
    return Parallel([layer, layer])


class Weights(nn.Module):
    """A module that returns weights alone; the product is taken elsewhere, as in the ScaledDotProduct of older libraries."""

    def forward(self, query, key):
        return F.softmax(scores(query, key), dim=-1)


class WeightsElsewhere(Projected):
    def __init__(self):
        super().__init__(self.attend_elsewhere)
        self.weights = Weights()

    def attend_elsewhere(self, query, key, value):
        return self.weights(query, key).matmul(value)


class MapUsedTwice(Projected):
    """One attention map for two sets of values, as in AlphaFold's and relation networks' code."""

    def __init__(self):
        super().__init__(self.attend_twice)
        self.second = nn.Linear(WIDTH, WIDTH)

    def attend_twice(self, query, key, value):
        weights = scores(query, key).softmax(-1)
        return torch.cat([weights @ value, torch.einsum("bqk,bkd->bqd", weights, self.second(value))], -1)


class MapReturned(Projected):
    """The map is returned beside the output, and the caller drops it."""

    def __init__(self):
        super().__init__(self.attend_and_return)

    def attend_and_return(self, query, key, value):
        weights = scores(query, key).softmax(-1)
        return weights @ value, weights

    def forward(self, x):
        return super().forward(x)[0]


class Switch(Projected):
    """Softmax by hand for many tokens, torch's function for few."""

    def __init__(self):
        super().__init__(self.attend_by_length)

    def attend_by_length(self, query, key, value):
        return attention(query, key, value) if query.shape[1] > 8 else F.scaled_dot_product_attention(query, key, value)


class Rule:
    """Attention in a plain object that the module holds."""

    def __call__(self, query, key, value):
        return attention(query, key, value)


class TorchsFunction(nn.Module):
    """F.multi_head_attention_forward with weights that the module holds itself, as in CLIP's pooling."""

    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = x.transpose(0, 1)
        return F.multi_head_attention_forward(
            x, x, x, WIDTH, N_HEAD, self.project.weight, self.project.bias, None, None, False, 0.0, self.out.weight, self.out.bias,
            training=False, need_weights=False,
        )[0].transpose(0, 1)  # fmt: skip


class FunctionalCall(nn.Module):
    """A layer is called with weights that were computed, as in models with low-rank updates."""

    def __init__(self):
        super().__init__()
        self.layer, self.change = Projected(attention), nn.Parameter(torch.randn(3 * WIDTH, WIDTH))

    def forward(self, x):
        weights = {"project.weight": self.layer.project.weight + 0.1 * self.change, "project.bias": self.layer.project.bias}
        return torch.func.functional_call(self.layer, weights, (x,))


class InHook(nn.Module):
    """A forward hook replaces the output of a linear map by attention."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.project.register_forward_hook(lambda module, inputs, output: attention(*output.chunk(3, -1)))

    def forward(self, x):
        return self.project(x)


def under_autocast(query, key, value):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.matmul(torch.softmax(torch.matmul(query, key.mT) * WIDTH**-0.5, -1), value).float()


FORMS: dict[str, Form] = {
    "a head at a time": of(a_head_at_a_time, multi_head, calls={"by_hand": 2}),
    "a case at a time": of(a_case_at_a_time, reference, calls={"by_hand": 3}),
    "queries in chunks": of(queries_in_chunks, reference, calls={"by_hand": 4}),
    "case and head in slices": of(sliced_over_batch, multi_head, calls={"by_hand": 2}),
    "growing keys": of(growing_keys, up_to_the_next, calls={"by_hand": N_TOKEN}),
    "nested functions": of(nested, reference),
    "keys of earlier tokens cached": Form(Cached, calls={"by_hand": 2}),
    "keys of an encoder cached": Form(CrossCached, calls={"by_hand": 2}),
    "checkpoint": Form(lambda: Checkpointed(False)),
    "checkpoint, reentrant": Form(lambda: Checkpointed(True)),
    "layers of a Sequential": Form(
        lambda: nn.Sequential(*(Residual(Projected(attention)) for _ in range(2))),
        calls={"by_hand.0.layer": 1, "by_hand.1.layer": 1},
        is_linear=False,
    ),
    "layers of a ModuleList": Form(
        lambda: Parallel(Projected(attention) for _ in range(2)), calls={"by_hand.layers.0": 1, "by_hand.layers.1": 1}
    ),
    "one module called twice": Form(shared_twice, calls={"by_hand.layers.0": 2}),
    "weights from a module of their own": Form(WeightsElsewhere, calls={"by_hand.weights": 1}),
    "one map for two sets of values": Form(MapUsedTwice),
    "map returned beside the output": Form(MapReturned),
    "by hand where there are many tokens": Form(Switch),
    "plain object": of(Rule(), reference),
    "functools.partial": of(functools.partial(attention), reference),
    "F.multi_head_attention_forward": Form(TorchsFunction),
    "functional call": Form(FunctionalCall, calls={"by_hand.layer": 1}),
    "forward hook": Form(InHook, calls={"by_hand.project": 1}),
    "autocast inside": of(under_autocast, close=0.05),
}
