"""Attention that pools: few queries, learned or from elsewhere, over all tokens; and attention over other axes than tokens."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_TOKEN, WIDTH, Form, Projected, heads, merged, of, scores

SIDE = 4


class Scored(nn.Module):
    """A linear map scores each token; softmax over tokens; the tokens are summed. pool: (weights (case, token, 1), x) -> pooled."""

    def __init__(self, pool, score=None):
        super().__init__()
        self.score = score or nn.Linear(WIDTH, 1)
        self.pool = pool

    def forward(self, x):
        return self.pool(F.softmax(self.score(x), dim=1), x)

    def reference(self, x):
        return (self.score(x).exp() / self.score(x).exp().sum(1, keepdim=True) * x).sum(1)


class LearnedQuery(nn.Module):
    def __init__(self, n_query=1):
        super().__init__()
        self.query, self.to_key, self.to_value = nn.Parameter(torch.randn(n_query, WIDTH)), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return torch.matmul(torch.softmax(self.query @ self.to_key(x).mT / WIDTH**0.5, -1), self.to_value(x))

    def reference(self, x):
        return F.scaled_dot_product_attention(self.query.expand(len(x), -1, -1), self.to_key(x), self.to_value(x))


class Additive(nn.Module):
    """Bahdanau, Cho, Bengio (2015): a small network scores each pair of decoder state and encoder output."""

    def __init__(self):
        super().__init__()
        self.of_query, self.of_key, self.score = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1, bias=False)

    def forward(self, x):
        energy = self.score(torch.tanh(self.of_query(x[:, -1:]) + self.of_key(x))).squeeze(2)
        return torch.bmm(torch.softmax(energy, dim=1).unsqueeze(1), x)


class General(nn.Module):
    """Luong, Pham, Manning (2015): the last state of a GRU attends all its states."""

    def __init__(self):
        super().__init__()
        self.recurrent, self.attention = nn.GRU(WIDTH, WIDTH, batch_first=True), nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x):
        states, last = self.recurrent(x)
        weights = F.softmax(torch.bmm(states, self.attention(last[0]).unsqueeze(2)).squeeze(2), 1)
        return torch.bmm(states.transpose(1, 2), weights.unsqueeze(2)).squeeze(2)


class Latents(nn.Module):
    """Perceiver: learned latents attend the tokens."""

    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(4, WIDTH))
        self.to_query, self.to_key_and_value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, x):
        key, value = self.to_key_and_value(x).chunk(2, dim=-1)
        query = self.to_query(self.latents.expand(len(x), -1, -1))
        sim = torch.einsum("b i d, b j d -> b i j", query, key) * WIDTH**-0.5
        return torch.einsum("b i j, b j d -> b i d", sim.softmax(dim=-1), value)


class Block(nn.Module):
    """The multi-head attention block of the Set Transformer, with heads in dim 0."""

    def __init__(self):
        super().__init__()
        self.to_query, self.to_key, self.to_value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, query, x):
        query, key, value = self.to_query(query), self.to_key(x), self.to_value(x)
        folded = [torch.cat(part.split(WIDTH // 2, 2), 0) for part in (query, key, value)]
        weights = torch.softmax(folded[0].bmm(folded[1].transpose(1, 2)) / WIDTH**0.5, 2)
        return torch.cat((folded[0] + weights.bmm(folded[2])).split(len(query), 0), 2)


class InducedPoints(nn.Module):
    """Set Transformer: inducing points attend the set, and the set attends them."""

    def __init__(self):
        super().__init__()
        self.points, self.first, self.second = nn.Parameter(torch.randn(1, 3, WIDTH)), Block(), Block()

    def forward(self, x):
        return self.second(x, self.first(self.points.repeat(len(x), 1, 1), x))


class Seeds(nn.Module):
    """Set Transformer: pooling by learned seeds."""

    def __init__(self):
        super().__init__()
        self.seeds, self.block = nn.Parameter(torch.randn(1, 2, WIDTH)), Block()

    def forward(self, x):
        return self.block(self.seeds.repeat(len(x), 1, 1), x)


class Slots(Projected):
    """Slot attention: softmax over slots, then renormalised over inputs, so that each slot is a mean of values."""

    def __init__(self):
        super().__init__(self.attend_slots)
        self.slots = nn.Parameter(torch.randn(3, WIDTH))

    def attend_slots(self, query, key, value):
        weights = F.softmax(key @ self.slots.T / WIDTH**0.5, dim=-1) + 1e-8
        weights = weights / weights.sum(dim=1, keepdim=True)
        return torch.einsum("bts,btd->bsd", weights, value)


class ClassToken(nn.Module):
    """CaiT's class attention: the first token is the only query."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        query = heads(self.q(x[:, 0]).unsqueeze(1)) * (WIDTH / 2) ** -0.5
        return merged((query @ heads(self.k(x)).transpose(-2, -1)).softmax(dim=-1) @ heads(self.v(x)))


class PooledKeys(nn.Module):
    """PVT: keys and values come from the image, made smaller by a convolution."""

    def __init__(self):
        super().__init__()
        self.q, self.kv, self.reduce = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Conv2d(WIDTH, WIDTH, 2, 2)

    def forward(self, x):
        small = self.reduce(x.transpose(1, 2).reshape(len(x), WIDTH, SIDE, SIDE)).flatten(2).transpose(1, 2)
        key, value = self.kv(small).chunk(2, -1)
        return merged((heads(self.q(x)) @ heads(key).mT * 0.5).softmax(-1) @ heads(value))


class Context(nn.Module):
    """GCNet: one map of weights over all pixels pools the image, and the context is added to each pixel."""

    def __init__(self):
        super().__init__()
        self.mask, self.transform = nn.Conv2d(WIDTH, 1, 1), nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x):
        image = x.mT.unflatten(-1, (SIDE, SIDE))
        weights = F.softmax(self.mask(image).view(len(x), 1, N_TOKEN), dim=2).unsqueeze(-1)
        context = torch.matmul(image.view(len(x), 1, WIDTH, N_TOKEN), weights).view(len(x), WIDTH, 1, 1)
        return (image + self.transform(context)).flatten(2).mT


class NonLocal(nn.Module):
    """Non-local network and SAGAN: 1x1 convolutions make queries, keys and values of an image."""

    def __init__(self):
        super().__init__()
        self.theta, self.phi, self.g = nn.Conv2d(WIDTH, 4, 1), nn.Conv2d(WIDTH, 4, 1), nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x):
        image = x.mT.unflatten(-1, (SIDE, SIDE))
        theta, phi, g = self.theta(image).flatten(2), F.max_pool2d(self.phi(image), 2).flatten(2), F.max_pool2d(self.g(image), 2).flatten(2)
        weights = F.softmax(torch.bmm(theta.transpose(1, 2), phi), -1)
        return x + torch.bmm(g, weights.permute(0, 2, 1)).mT


def over_features(query, key, value):
    """XCiT: features attend features, with normalised queries and keys; the values stand to the right of the weights."""
    query, key, value = (heads(x).mT for x in (query, key, value))
    weights = (F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * 3.0).softmax(dim=-1)
    return (weights @ value).permute(0, 3, 1, 2).reshape(len(query), N_TOKEN, WIDTH)


def over_channels(query, key, value):
    """DANet's channel attention: the image itself is query, key and value."""
    image = value.mT
    energy = torch.bmm(image, image.permute(0, 2, 1)) / N_TOKEN
    return torch.bmm(F.softmax(energy.amax(-1, keepdim=True) - energy, dim=-1), image).mT


def over_time_then_space(query, key, value):
    """Divided attention: 4 times and 4 places; einsum keeps both axes."""
    query, key, value = (x.unflatten(1, (4, 4)) for x in (query, key, value))
    in_time = torch.einsum("btpd,bspd->bpts", query, key).div(WIDTH**0.5).softmax(-1)
    in_space = torch.einsum("btpd,btqd->btpq", query, key).div(WIDTH**0.5).softmax(-1)
    return (torch.einsum("bpts,bspd->btpd", in_time, value) + torch.einsum("btpq,btqd->btpd", in_space, value)).flatten(1, 2)


def mean_as_query(query, key, value):
    """CLIP's pooling: the mean of the tokens is the query."""
    return scores(query.mean(1, keepdim=True), key).softmax(-1) @ value


def mean_as_query_reference(query, key, value):
    return F.scaled_dot_product_attention(query.mean(1, keepdim=True), key, value)


def cosine(query, key, value):
    """Swin v2: the cosine between query and key, times a clamped temperature."""
    scale = torch.clamp(torch.tensor(2.0), max=4.6).exp()
    return (F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * scale).softmax(-1) @ value


POOL = {
    "times and sum": lambda weights, x: (weights * x).sum(1),
    "matmul": lambda weights, x: (weights.mT @ x)[:, 0],
    "bmm with the tokens first": lambda weights, x: torch.bmm(x.transpose(1, 2), weights).squeeze(-1),
    "einsum": lambda weights, x: torch.einsum("bt,btd->bd", weights.squeeze(-1), x),
    "mean times the number of tokens": lambda weights, x: (weights * x).mean(1) * N_TOKEN,
}
SCORE = {
    "tanh": lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.Tanh(), nn.Linear(4, 1)),
    "two layers": lambda: nn.Sequential(nn.Linear(WIDTH, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)),
}
FORMS: dict[str, Form] = {
    **{f"scored tokens, {way}": Form(lambda pool=pool: Scored(pool), reference=Scored.reference) for way, pool in POOL.items()},
    **{
        f"tokens scored by {way}": Form(lambda score=score: Scored(POOL["times and sum"], score()), reference=Scored.reference)
        for way, score in SCORE.items()
    },
    "learned query": Form(LearnedQuery, reference=LearnedQuery.reference),
    "several learned queries": Form(lambda: LearnedQuery(4), reference=LearnedQuery.reference),
    "Bahdanau's additive scores": Form(Additive),
    "Luong's general scores": Form(General),
    "Perceiver's latents": Form(Latents),
    "induced points": Form(InducedPoints, calls={"by_hand.first": 1, "by_hand.second": 1}, is_linear=False),
    "pooling by seeds": Form(Seeds, calls={"by_hand.block": 1}),
    "slots": Form(Slots),
    "class token": Form(ClassToken),
    "pooled keys": Form(PooledKeys),
    "global context": Form(Context),
    "non-local": Form(NonLocal),
    "features attend features": of(over_features),
    "channels attend channels": of(over_channels),
    "time then space": of(over_time_then_space, calls={"by_hand": 2}),
    "mean of the tokens as query": of(mean_as_query, mean_as_query_reference),
    "cosine with a temperature": of(cosine),
}
