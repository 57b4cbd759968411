"""Forms that may be answered or refused, and forms of which it is a matter of definition whether they are attention."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention.bias import causal_lower_right

from tests.attention_form import N_TOKEN, WIDTH, Form, heads, merged, multi_head, of, scores

SIDE = 4
SOURCE, TARGET = (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).abs().le(3).nonzero(as_tuple=True)
IS_EDGE = torch.zeros(N_TOKEN, N_TOKEN, dtype=torch.bool).index_put((TARGET, SOURCE), torch.tensor(True))


def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


class Graph(nn.Module):
    """GAT: a score for each edge, softmax over the edges that end in a node by scatter, weighted messages added up."""

    def __init__(self):
        super().__init__()
        self.project, self.of_source, self.of_target = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)

    def scores(self, nodes):
        return F.leaky_relu(self.of_source(nodes)[:, SOURCE] + self.of_target(nodes)[:, TARGET], 0.2).squeeze(-1)

    def forward(self, x):
        nodes = self.project(x)
        s = self.scores(nodes)
        index = TARGET.expand(len(x), -1)
        top = torch.full((len(x), N_TOKEN), -torch.inf).scatter_reduce(1, index, s, "amax")
        mass = torch.exp(s - top.gather(1, index))
        weights = mass / torch.zeros(len(x), N_TOKEN).scatter_add(1, index, mass).gather(1, index)
        return torch.zeros_like(nodes).index_add(1, TARGET, weights[..., None] * nodes[:, SOURCE])

    def reference(self, x):
        nodes = self.project(x)
        dense = torch.full((len(x), N_TOKEN, N_TOKEN), -torch.inf)
        dense[:, TARGET, SOURCE] = self.scores(nodes)
        return dense.softmax(-1) @ nodes


class Deformable(nn.Module):
    """Deformable DETR: each query looks at four places, given by offsets, with weights of its own."""

    def __init__(self):
        super().__init__()
        self.value, self.offset, self.weight = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 8), nn.Linear(WIDTH, 4)
        centre = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
        self.register_buffer("centre", torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1).view(1, N_TOKEN, 1, 2))

    def forward(self, x):
        image = self.value(x).mT.unflatten(-1, (SIDE, SIDE))
        place = self.centre + 0.3 * self.offset(x).unflatten(-1, (4, 2))
        sampled = F.grid_sample(image, place, align_corners=False)  # (case, feature, query, place)
        return (sampled * self.weight(x).softmax(-1)[:, None]).sum(-1).mT


def sparse(query, key, value):
    """torch.sparse.softmax over stored scores, then a sparse product for each case."""
    out = []
    for q, k, v in zip(query, key, value, strict=True):
        s = scores(q, k)[TARGET, SOURCE]
        weights = torch.sparse.softmax(torch.sparse_coo_tensor(torch.stack([TARGET, SOURCE]), s, (N_TOKEN, N_TOKEN)), 1)
        out.append(torch.sparse.mm(weights, v))
    return torch.stack(out)


def along_edges(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=IS_EDGE)


def mapped(query, key, value):
    return torch.func.vmap(attention)(query, key, value)


def mapped_over_heads(query, key, value):
    return merged(torch.func.vmap(lambda q, k, v: scores(q, k).softmax(-1) @ v, 1, 1)(heads(query), heads(key), heads(value)))


def softmax_operator(query, key, value):
    return torch.ops.aten._softmax(scores(query, key), -1, False) @ value


def composite_softmax_operator(query, key, value):
    return torch.ops.aten.softmax.int(scores(query, key), -1) @ value


def into_a_buffer(query, key, value):
    out = torch.empty(len(query), N_TOKEN, N_TOKEN)
    with torch.no_grad():
        torch.softmax(scores(query, key), -1, out=out)
    return out @ value


def kept_by_score(query, key, value):
    """The law holds at softmax: which weights are dropped is decided by the scores, not by the weights."""
    s = scores(query, key)
    return (s.softmax(-1) * (s >= s.topk(8, -1).values[..., -1:])) @ value


def twice(query, key, value):
    """One map applied twice, as in diffusion over a graph; with the same counts twice, the mean would not be the plain output."""
    weights = scores(query, key).softmax(-1)
    return weights @ (weights @ value)


def by_agents(query, key, value):
    """Agent attention: pooled queries attend the tokens, and the tokens attend them."""
    agent = query.unflatten(1, (4, 4)).mean(2)
    return scores(query, agent).softmax(-1) @ (scores(agent, key).softmax(-1) @ value)


def by_landmarks(query, key, value):
    """Nystromformer: three maps, of which the middle one is inverted."""
    query_mean, key_mean = (x.unflatten(1, (4, 4)).mean(2) for x in (query, key))
    first, second = scores(query, key_mean).softmax(-1), scores(query_mean, key).softmax(-1)
    return first @ torch.linalg.pinv(scores(query_mean, key_mean).softmax(-1)) @ (second @ value)


def efficient(query, key, value):
    """Shen et al. (2021): softmax of keys over tokens, softmax of queries over features."""
    return query.softmax(-1) @ (key.softmax(1).mT @ value)


def both_ways(query, key, value):
    """Softmax over keys times softmax over queries, as in matching, then values."""
    s = scores(query, key)
    return (s.softmax(-1) * s.softmax(-2)) @ value


def sinkhorn(query, key, value):
    """Rows and columns are normalised in turn, rows last."""
    s = scores(query, key)
    for _ in range(3):
        s = s - s.logsumexp(-2, keepdim=True)
        s = s - s.logsumexp(-1, keepdim=True)
    return s.exp() @ value


def stick_breaking(query, key, value):
    """Tan et al. (2025): each key takes a part of what the nearer keys left."""
    s = scores(query, key).masked_fill(torch.ones(N_TOKEN, N_TOKEN, dtype=torch.bool).triu(), -torch.inf)
    left = F.logsigmoid(-s).flip(-1).cumsum(-1).flip(-1) - F.logsigmoid(-s)
    return torch.exp(F.logsigmoid(s) + left) @ value


def flexible(query, key, value):
    from torch.nn.attention.flex_attention import flex_attention

    return merged(flex_attention(heads(query), heads(key), heads(value), score_mod=lambda s, *index: s))


BIAS = causal_lower_right(N_TOKEN, N_TOKEN)  # a Tensor subclass without numbers, which torch reads by its type


def with_bias(query, key, value, bias=BIAS):
    return merged(F.scaled_dot_product_attention(heads(query), heads(key), heads(value), attn_mask=bias))


def with_bias_made_inside(query, key, value):
    return with_bias(query, key, value, causal_lower_right(N_TOKEN, N_TOKEN))


def causal(query, key, value):
    return multi_head(query, key, value, is_causal=True)


def hard(query, key, value):
    """The best key alone: a draw from such a row is the row."""
    return F.one_hot(scores(query, key).argmax(-1), N_TOKEN).float() @ value


def compiled(query, key, value):
    """A compiled function inside a module that is not compiled."""
    return torch.compile(lambda q, k, v: scores(q, k).softmax(-1) @ v, backend="eager")(query, key, value)


def attention_free(query, key, value):
    """Zhai et al. (2021): weights of each feature by exp of the keys, divided by their sum after the product."""
    mass = torch.exp(-0.1 * (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).abs())
    return torch.sigmoid(query) * (mass @ (key.exp() * value)) / (mass @ key.exp())


def pooled_by_softmax(query, key, value):
    """SoftPool: exp of each value weighs it among its neighbours."""
    pool = lambda x: F.avg_pool1d(x.mT, 2).mT  # noqa: E731
    return pool(value.exp() * value) / pool(value.exp())


def autocorrelation(query, key, value):
    """Autoformer: softmax over the best delays weighs shifted values."""
    correlation = torch.fft.irfft(torch.fft.rfft(query, dim=1) * torch.fft.rfft(key, dim=1).conj(), n=N_TOKEN, dim=1).mean(-1)
    best, delay = correlation.topk(3, -1)
    index = (torch.arange(N_TOKEN)[None, :, None] + delay[:, None]) % N_TOKEN
    shifted = value[torch.arange(len(value))[:, None, None], index]
    return (best.softmax(-1)[:, None, :, None] * shifted).sum(2)


class FixedMap(nn.Module):
    """Random Synthesizer, and the learned graph of Graph WaveNet: softmax of parameters weighs the values."""

    def __init__(self):
        super().__init__()
        self.source, self.target, self.value = nn.Parameter(torch.randn(N_TOKEN, 4)), nn.Parameter(torch.randn(4, N_TOKEN)), nn.Linear(8, 8)

    def forward(self, x):
        return torch.einsum("qk,bkd->bqd", F.softmax(F.relu(self.source @ self.target), dim=1), self.value(x))


class External(nn.Module):
    """External attention: keys and values are parameters."""

    def __init__(self):
        super().__init__()
        self.key, self.value = nn.Linear(WIDTH, 5, bias=False), nn.Linear(5, WIDTH, bias=False)

    def forward(self, x):
        weights = self.key(x).softmax(1)
        return self.value(weights / (1e-9 + weights.sum(2, keepdim=True)))


class DynamicConvolution(nn.Module):
    """Wu et al. (2019): the taps of a kernel are predicted from each token."""

    def __init__(self):
        super().__init__()
        self.taps = nn.Linear(WIDTH, 3)

    def forward(self, x):
        near = F.pad(x, (0, 0, 1, 1)).unfold(1, 3, 1)  # (case, token, feature, tap)
        return (near * self.taps(x).softmax(-1).unsqueeze(2)).sum(-1)


class Upsampled(nn.Module):
    """RAFT and CARAFE: each fine pixel is a convex combination of nine coarse ones, with predicted weights."""

    def __init__(self):
        super().__init__()
        self.mask = nn.Conv2d(WIDTH, 36, 1)

    def forward(self, x):
        image = x.mT.unflatten(-1, (SIDE, SIDE))
        mask = self.mask(image).view(len(x), 1, 9, 2, 2, SIDE, SIDE).softmax(2)
        near = F.unfold(image, 3, padding=1).view(len(x), WIDTH, 9, 1, 1, SIDE, SIDE)
        return (mask * near).sum(2).permute(0, 4, 2, 5, 3, 1).flatten(1, 4)


FORMS: dict[str, Form] = {
    "graph attention by scatter": Form(Graph, reference=Graph.reference),
    "deformable": Form(Deformable),
    "sparse softmax": of(sparse, along_edges),
    "vmap over torch's function": of(mapped, attention),
    "vmap over softmax by hand": of(mapped_over_heads, multi_head),
    "softmax operator called directly": of(softmax_operator, attention),
    "composite softmax operator": of(composite_softmax_operator, attention),
    "softmax into a buffer": of(into_a_buffer, attention),
    "dropped by score": of(kept_by_score),
    "one map applied twice": of(twice),
    "agents": of(by_agents),
    "landmarks": of(by_landmarks, close=1e-2),
    "efficient attention": of(efficient),
    "softmax both ways": of(both_ways, is_linear=False),
    "Sinkhorn": of(sinkhorn),
    "stick-breaking": of(stick_breaking),
    "flex_attention": of(flexible, multi_head),
    "torch's function with a bias object": of(with_bias, causal),
    "torch's function with a bias object made in forward": of(with_bias_made_inside, causal),
    "compiled function": of(compiled, attention),
    "attention-free transformer": of(attention_free),
    "pooling by softmax": of(pooled_by_softmax, may_be_plain=True),
    "autocorrelation": of(autocorrelation, may_be_plain=True),
    "map of parameters": Form(FixedMap, may_be_plain=True),
    "hard attention": of(hard, may_be_plain=True),
    "external attention": Form(External, may_be_plain=True),
    "dynamic convolution": Form(DynamicConvolution, may_be_plain=True),
    "convex upsampling": Form(Upsampled, may_be_plain=True),
}
