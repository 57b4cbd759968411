"""Attention of published architectures that is neither plain self-attention nor one of the families beside this file."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_CASE, N_HEAD, N_TOKEN, WIDTH, Form, Projected, heads, merged, of, scores

SIDE = 4
NEAR = (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).abs() <= 3


class Linformer(Projected):
    """Wang et al. (2020): keys and values are brought from 16 tokens to 5 by linear maps."""

    def __init__(self):
        super().__init__(self.attend_projected)
        self.of_keys, self.of_values = nn.Parameter(torch.randn(5, N_TOKEN)), nn.Parameter(torch.randn(5, N_TOKEN))

    def attend_projected(self, query, key, value):
        return scores(query, self.of_keys @ key).softmax(-1) @ torch.einsum("bnd,kn->bkd", value, self.of_values)


class Synthesizer(nn.Module):
    """Tay et al. (2021), dense: the scores of all keys are predicted from the query's token alone."""

    def __init__(self):
        super().__init__()
        self.score, self.value = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, N_TOKEN)), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return F.softmax(self.score(x), dim=-1) @ self.value(x)


class DenseGraph(nn.Module):
    """Velickovic et al. (2018) as first published: scores of all pairs of nodes, masked by the graph with a large negative number."""

    def __init__(self):
        super().__init__()
        self.project, self.left, self.right = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)

    def forward(self, x):
        nodes = self.project(x)
        edge = F.leaky_relu(self.left(nodes) + self.right(nodes).mT, 0.2)
        weights = F.softmax(torch.where(NEAR, edge, -9e15 * torch.ones_like(edge)), dim=2)
        return torch.matmul(F.dropout(weights, 0.6, training=self.training), nodes)


class PairBias(Projected):
    """AlphaFold's attention along rows: a bias for each pair, and a gate for each output."""

    def __init__(self):
        super().__init__(self.attend_pairs)
        self.pair, self.gate = nn.Linear(WIDTH, N_HEAD, bias=False), nn.Linear(WIDTH, WIDTH)

    def attend_pairs(self, query, key, value):
        bias = self.pair(query[:, :, None] * key[:, None]).permute(0, 3, 1, 2)
        weights = torch.softmax(torch.einsum("bqhc,bkhc->bhqk", *(x.unflatten(-1, (N_HEAD, -1)) for x in (query, key))) + bias, dim=-1)
        out = torch.einsum("bhqk,bkhc->bqhc", weights, value.unflatten(-1, (N_HEAD, -1))).flatten(2)
        return out * torch.sigmoid(self.gate(query))


class Separable(nn.Module):
    """MobileViTv2: scores of the tokens pool the keys to one context, which multiplies the values."""

    def __init__(self):
        super().__init__()
        self.project = nn.Conv2d(WIDTH, 1 + 2 * WIDTH, 1)

    def forward(self, x):
        query, key, value = torch.split(self.project(x.mT.unflatten(-1, (SIDE, SIDE))).flatten(2)[:, :, None], [1, WIDTH, WIDTH], dim=1)
        context = (key * F.softmax(query, dim=-1)).sum(dim=-1, keepdim=True)
        return (F.relu(value) * context.expand_as(value)).squeeze(2).mT


class GatedPooling(nn.Module):
    """Ilse, Tomczak, Welling (2018): the instances of a bag are scored by tanh times sigmoid."""

    def __init__(self):
        super().__init__()
        self.tanh, self.sigmoid, self.score = nn.Linear(WIDTH, 4), nn.Linear(WIDTH, 4), nn.Linear(4, 1)

    def forward(self, x):
        weights = self.score(torch.tanh(self.tanh(x)) * torch.sigmoid(self.sigmoid(x)))
        return torch.matmul(F.softmax(weights.transpose(2, 1), dim=2), x)


class Statistics(nn.Module):
    """ECAPA-TDNN: softmax over time for each channel, then the weighted mean and standard deviation."""

    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(WIDTH, 4, 1), nn.Tanh(), nn.Conv1d(4, WIDTH, 1))

    def forward(self, x):
        x = x.mT
        weights = F.softmax(self.score(x), dim=2)
        mean = torch.sum(weights * x, dim=2)
        return torch.cat([mean, torch.sqrt((torch.sum(weights * x**2, dim=2) - mean**2).clamp(min=1e-4))], 1)


class Hierarchy(nn.Module):
    """Yang et al. (2016): attention over the words of each sentence, then over the sentences."""

    def __init__(self):
        super().__init__()
        self.of_words, self.of_sentences = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.word, self.sentence = nn.Parameter(torch.randn(WIDTH, 1)), nn.Parameter(torch.randn(WIDTH, 1))

    def forward(self, x):
        words = x.unflatten(1, (4, 4))
        sentences = (F.softmax(torch.tanh(self.of_words(words)) @ self.word, dim=2) * words).sum(2)
        return (F.softmax(torch.tanh(self.of_sentences(sentences)) @ self.sentence, dim=1) * sentences).sum(1)


class SetToSet(nn.Module):
    """Vinyals, Bengio, Kudlur (2016): an LSTM reads the set twice by attention."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.LSTMCell(2 * WIDTH, WIDTH)

    def forward(self, x):
        read, hidden, cell = x.new_zeros(len(x), 2 * WIDTH), x.new_zeros(len(x), WIDTH), x.new_zeros(len(x), WIDTH)
        for _ in range(2):
            hidden, cell = self.recurrent(read, (hidden, cell))
            weights = torch.softmax((x * hidden[:, None]).sum(-1, keepdim=True), dim=1)
            read = torch.cat([hidden, (weights * x).sum(1)], -1)
        return read


class Retrieval(nn.Module):
    """TabR: softmax over distances to stored cases, whose values hold an embedded label and the difference of keys."""

    def __init__(self):
        super().__init__()
        self.key, self.label, self.difference = nn.Linear(WIDTH, WIDTH), nn.Linear(1, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x, stored, labels):
        difference = self.key(x)[:, :, None] - self.key(stored)[:, None]
        weights = F.softmax(-difference.square().sum(-1) / WIDTH, dim=-1)
        values = self.label(labels)[:, None] + self.difference(difference)
        return (weights[..., None, :] @ values).squeeze(-2)


class Reading(nn.Module):
    """Neural Turing machine: a memory is written from the first half of the tokens and read by content by the second half."""

    def __init__(self):
        super().__init__()
        self.key, self.sharpness, self.write = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        written, reading = x.chunk(2, 1)
        memory = torch.tanh(self.write(written))
        alike = F.cosine_similarity(self.key(reading)[:, :, None], memory[:, None], dim=-1)
        weights = F.softmax(F.softplus(self.sharpness(reading)) * alike, dim=-1)
        return (weights.unsqueeze(-1) * memory.unsqueeze(1)).sum(2)


def seeded_normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def over_height_and_width(query, key, value):
    """One softmax over both axes of an image, flattened for it alone."""
    key, value = (x.unflatten(1, (SIDE, SIDE)) for x in (key, value))
    s = torch.einsum("bqd,bhwd->bqhw", query, key) / WIDTH**0.5
    return torch.einsum("bqhw,bhwd->bqd", s.flatten(2).softmax(-1).view_as(s), value)


def all_tokens(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def sparse_queries(query, key, value):
    """Informer, without its sampled keys: the five most uneven queries attend, the others take the mean of the values."""
    s = scores(query, key)
    index = (s.amax(-1) - s.mean(-1)).topk(5, sorted=False).indices
    case = torch.arange(len(query))[:, None]
    context = value.mean(1, keepdim=True).expand(-1, N_TOKEN, -1).clone()
    context[case, index] = s[case, index].softmax(-1) @ value
    return context


def sorted_blocks(query, key, value):
    """Reformer: tokens are sorted by a hash and attend in blocks by exp of scores less their logsumexp, then return to their places."""
    order = (query @ torch.linspace(-1, 1, WIDTH)).argsort(-1)
    take = lambda x, index: x.gather(1, index[..., None].expand_as(x))  # noqa: E731
    query, key, value = (take(x, order).unflatten(1, (4, 4)) for x in (query, key, value))
    dots = torch.einsum("bhie,bhje->bhij", query, key) * WIDTH**-0.5
    out = torch.einsum("bhij,bhje->bhie", torch.exp(dots - torch.logsumexp(dots, dim=-1, keepdim=True)), value)
    return take(out.flatten(1, 2), order.argsort(-1))


def sorted_blocks_reference(query, key, value):
    place = (query @ torch.linspace(-1, 1, WIDTH)).argsort(-1).argsort(-1) // 4
    return F.scaled_dot_product_attention(query, key, value, attn_mask=place[:, :, None] == place[:, None])


def associative(query, key, value):
    """Modern Hopfield network: the state is updated twice, and the second map reads the values."""
    state = torch.softmax(query @ key.mT / WIDTH**0.5, -1) @ key
    return torch.softmax(state @ key.mT / WIDTH**0.5, -1) @ value


def time_dependent(query, key, value):
    """Scores decay with the distance in time before softmax."""
    distance = (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).abs()
    return (scores(query, key) * torch.exp(-0.1 * distance)).softmax(-1) @ value


def in_sections(query, key, value):
    """Segments of different lengths are split, attended apart, and concatenated, as for images of different sizes."""
    parts = zip(*(x.split([4, 7, 5], 1) for x in (query, key, value)), strict=True)
    return torch.cat([torch.softmax(scores(q, k), dim=-1) @ v for q, k, v in parts], 1)


def in_sections_reference(query, key, value):
    section = torch.tensor([0] * 4 + [1] * 7 + [2] * 5)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=section[:, None] == section)


def grid(query, key, value):
    """MaxViT: the tokens of a window lie far apart, on a grid over the image."""
    cut = lambda x: x.view(-1, 2, 2, 2, 2, WIDTH).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, WIDTH)  # noqa: E731
    query, key, value = cut(query), cut(key), cut(value)
    out = merged(scores(heads(query), heads(key)).softmax(-1) @ heads(value))
    return out.view(-1, 2, 2, 2, 2, WIDTH).permute(0, 3, 1, 4, 2, 5).reshape(-1, N_TOKEN, WIDTH)


def queries_without_keys(query, key, value):
    """Rows of padded queries are set to zero after the product, and rows of padded keys before softmax."""
    is_token = torch.arange(N_TOKEN) < 12
    weights = scores(query, key).masked_fill(~is_token, -math.inf).softmax(-1)
    return (weights @ value) * is_token[:, None]


FORMS: dict[str, Form] = {
    "Linformer": Form(Linformer),
    "dense Synthesizer": Form(Synthesizer),
    "graph attention over all pairs": Form(DenseGraph),
    "pair bias and gate": Form(PairBias),
    "separable": Form(Separable),
    "gated pooling": Form(GatedPooling),
    "statistics of attention": Form(Statistics, is_linear=False),
    "words, then sentences": Form(Hierarchy, calls={"by_hand": 2}, is_linear=False),
    "set to set": Form(SetToSet, calls={"by_hand": 2}, is_linear=False),
    "retrieval": Form(Retrieval, inputs=(seeded_normal(N_CASE, 6, WIDTH), seeded_normal(N_CASE, 6, 1))),
    "reading a memory": Form(Reading),
    "over height and width": of(over_height_and_width, all_tokens),
    "Informer's sparse queries": of(sparse_queries),
    "Reformer's sorted blocks": of(sorted_blocks, sorted_blocks_reference),
    "Hopfield": of(associative, calls={"by_hand": 2}, is_linear=False),
    "decay of scores": of(time_dependent),
    "sections": of(in_sections, in_sections_reference, calls={"by_hand": 3}),
    "grid": of(grid),
    "padded queries": of(queries_without_keys),
}
