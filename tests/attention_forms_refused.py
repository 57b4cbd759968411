"""Attention that counts cannot answer: weights changed in a way that moves the mean, no rows at all, or code that no torch function sees."""

import threading

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_TOKEN, WIDTH, Form, Projected, heads, merged, of, scores


def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def top_not_renormalised(query, key, value):
    weights = scores(query, key).softmax(-1)
    return weights.masked_fill(weights < weights.topk(4, -1).values[..., -1:], 0.0) @ value


def in_numpy(query, key, value):
    s = scores(query, key).detach().numpy()
    mass = np.exp(s - s.max(-1, keepdims=True))
    return torch.from_numpy(mass / mass.sum(-1, keepdims=True)) @ value


def product_in_numpy(query, key, value):
    return torch.from_numpy(scores(query, key).softmax(-1).detach().numpy() @ value.detach().numpy())


def never_materialised(query, key, value):
    mass = torch.exp(scores(query, key))
    return mass @ value / mass.sum(-1, keepdim=True)


def never_materialised_plus_one(query, key, value):
    mass = torch.exp(scores(query, key))
    return mass @ value / (1 + mass.sum(-1, keepdim=True))


def online(query, key, value):
    """Flash attention by hand: a running maximum, a running sum and rescaled partial products."""
    top = torch.full((*query.shape[:2], 1), -torch.inf)
    total, out = torch.zeros_like(top), torch.zeros_like(query)
    for i in range(0, N_TOKEN, 4):
        s = scores(query, key[:, i : i + 4])
        higher = torch.maximum(top, s.amax(-1, keepdim=True))
        mass, shrink = torch.exp(s - higher), torch.exp(top - higher)
        total, out, top = total * shrink + mass.sum(-1, keepdim=True), out * shrink + mass @ value[:, i : i + 4], higher
    return out / total


def linear_attention(query, key, value):
    """Katharopoulos et al. (2020): elu + 1 as features, a summary of keys and values, a normaliser."""
    query, key = F.elu(query) + 1, F.elu(key) + 1
    summary = torch.einsum("bkd,bkv->bdv", key, value)
    normaliser = 1 / torch.einsum("bqd,bd->bq", query, key.sum(1))
    return torch.einsum("bqd,bdv,bq->bqv", query, summary, normaliser)


def linear_attention_reference(query, key, value):
    mass = (F.elu(query) + 1) @ (F.elu(key) + 1).mT
    return mass / mass.sum(-1, keepdim=True) @ value


class RandomFeatures(Projected):
    """Performer: positive random features of queries and keys."""

    def __init__(self):
        super().__init__(self.attend_by_features)
        self.register_buffer("directions", torch.randn(32, WIDTH))

    def features(self, x):
        x = x * WIDTH**-0.25
        return torch.exp(x @ self.directions.T - x.square().sum(-1, keepdim=True) / 2) + 1e-6

    def attend_by_features(self, query, key, value):
        query, key = self.features(query), self.features(key)
        return query @ (key.mT @ value) / (query @ key.sum(1)[..., None])


class InThread(Projected):
    """The model starts a thread for each head."""

    def __init__(self):
        super().__init__(self.attend_in_threads)

    def attend_in_threads(self, query, key, value):
        results = {}

        def work(head):
            with torch.no_grad():
                results[head] = attention(*(heads(x)[:, head] for x in (query, key, value)))

        threads = [threading.Thread(target=work, args=(head,)) for head in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return torch.cat([results[0], results[1]], -1)


class SoftmaxInThread(Projected):
    """Softmax and product run in a thread."""

    def __init__(self):
        super().__init__(self.attend_in_thread)

    def attend_in_thread(self, query, key, value):
        result = []

        def work():
            with torch.no_grad():
                result.append(scores(query, key).softmax(-1) @ value)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return result[0]


def math_kernel(query, key, value):
    return merged(torch.ops.aten._scaled_dot_product_attention_math(heads(query), heads(key), heads(value))[0])


def math_kernel_reference(query, key, value):
    return merged(F.scaled_dot_product_attention(heads(query), heads(key), heads(value)))


def flash_kernel(query, key, value):
    return merged(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(heads(query), heads(key), heads(value))[0])


@torch.library.custom_op("attention_forms::attend", mutates_args=())
def attend_in_custom_op(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1) @ value


def scripted(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.softmax(query @ key.transpose(1, 2) / query.size(-1) ** 0.5, -1) @ value


class Scripted(Projected):
    """A scripted function is held by a module that is not scripted."""

    def __init__(self):
        super().__init__(torch.jit.script(scripted))

    def reference(self, x):
        return attention(*self.project(x).chunk(3, -1))


class Traced(nn.Module):
    def __init__(self):
        super().__init__()
        layer = Projected(attention)
        self.traced = torch.jit.trace(layer, torch.randn(3, N_TOKEN, WIDTH))

    def forward(self, x):
        return self.traced(x)


def hard_gumbel(query, key, value):
    return F.gumbel_softmax(scores(query, key), hard=True, dim=-1) @ value


def sigmoid(query, key, value):
    return torch.sigmoid(scores(query, key) - torch.log(torch.tensor(float(N_TOKEN)))) @ value


FORMS: dict[str, Form] = {
    "top four, not renormalised": of(top_not_renormalised),
    "clamped weights": of(lambda q, k, v: scores(q, k).softmax(-1).clamp(min=0.05) @ v),
    "squared weights": of(lambda q, k, v: scores(q, k).softmax(-1) ** 2 @ v),
    "sigmoid": of(sigmoid),
    "squared ReLU over the number of keys": of(lambda q, k, v: F.relu(scores(q, k)).square() / N_TOKEN @ v),
    "ReLU over the number of keys": of(lambda q, k, v: torch.einsum("bqk,bkd->bqd", F.relu(scores(q, k)) / N_TOKEN, v)),
    "exp, divided by its sum after the product": of(never_materialised, attention),
    "softmax-plus-one, divided after the product": of(never_materialised_plus_one),
    "flash attention by hand": of(online, attention),
    "linear attention": of(linear_attention, linear_attention_reference),
    "random features": Form(RandomFeatures),
    "softmax in NumPy": of(in_numpy, attention),
    "product in NumPy": of(product_in_numpy, attention),
    "torch's function in threads of the model": Form(InThread),
    "softmax in a thread of the model": Form(SoftmaxInThread),
    "math kernel called directly": of(math_kernel, math_kernel_reference),
    "flash kernel called directly": of(flash_kernel, math_kernel_reference),
    "custom operator": of(attend_in_custom_op, attention),
    "scripted function": Form(Scripted, reference=Scripted.reference),
    "traced module": Form(Traced),
    "hard Gumbel softmax": of(hard_gumbel),
}
