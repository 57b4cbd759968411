"""Attention whose weights go a long way from softmax to the values: they are gathered, scattered, stacked, cut, written in place."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_HEAD, N_TOKEN, WIDTH, Form, Projected, heads, merged, multi_head, of, scores

EARLIER = torch.ones(N_TOKEN, N_TOKEN, dtype=torch.bool).tril()
ORDER = torch.randperm(N_TOKEN, generator=torch.Generator().manual_seed(0))


def attention(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


def weights_of(query, key):
    return scores(query, key).softmax(-1)


def in_another_order(query, key, value):
    index = ORDER.expand(len(query), N_TOKEN, -1)
    return weights_of(query, key).gather(-1, index) @ value[:, ORDER]


def selected(query, key, value):
    return weights_of(query, key).index_select(2, ORDER) @ value.index_select(1, ORDER)


def flipped_and_rolled(query, key, value):
    return weights_of(query, key).flip(-1).roll(3, -1) @ value.flip(1).roll(3, 1)


def scattered(query, key, value):
    """Softmax of the five largest scores is scattered into a matrix of zeros."""
    best, index = scores(query, key).topk(5, -1)
    return torch.zeros(len(query), N_TOKEN, N_TOKEN).scatter_(-1, index, best.softmax(-1)) @ value


def scattered_reference(query, key, value):
    s = scores(query, key)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=s >= s.topk(5, -1).values[..., -1:])


def written_by_mask(query, key, value):
    """The weights of the first queries are written into a matrix; the other rows stay zero."""
    weights = torch.zeros(len(query), N_TOKEN, N_TOKEN)
    weights[:, :10] = weights_of(query[:, :10], key)
    return weights @ value


def written_by_mask_reference(query, key, value):
    return attention(query, key, value) * (torch.arange(N_TOKEN) < 10)[:, None]


def maps_stacked(query, key, value):
    maps = [weights_of(q, k) for q, k in zip(query.chunk(N_HEAD, -1), key.chunk(N_HEAD, -1), strict=True)]
    return merged(torch.stack(maps, 1) @ heads(value))


def maps_concatenated(query, key, value):
    """The maps of the heads stand side by side, and so do their values, each on its own features."""
    maps = torch.cat([weights_of(q, k) for q, k in zip(query.chunk(N_HEAD, -1), key.chunk(N_HEAD, -1), strict=True)], -1)
    first, second = value.chunk(N_HEAD, -1)
    values = torch.cat([F.pad(first, (0, WIDTH // 2)), F.pad(second, (WIDTH // 2, 0))], 1)
    return maps @ values


def one_map_for_all_heads(query, key, value):
    return merged(weights_of(query, key)[:, None].expand(-1, N_HEAD, -1, -1) @ heads(value))


def first_key_dropped(query, key, value):
    """In place: one entry of each row is set to zero after softmax, and the row is not renormalised."""
    weights = weights_of(query, key).clone()
    weights[..., 0] = 0
    return weights @ value


def first_key_dropped_reference(query, key, value):
    return attention(query, key, value) - scores(query, key).softmax(-1)[..., :1] * value[:, :1]


def later_keys_dropped(query, key, value):
    return torch.tril(weights_of(query, key)) @ value


def later_keys_dropped_reference(query, key, value):
    mass = scores(query, key).exp()
    return mass.masked_fill(~EARLIER, 0) @ value / mass.sum(-1, keepdim=True)


def gated_in_place(query, key, value):
    return weights_of(query, key).clone().mul_(torch.sigmoid(query.mean(-1, keepdim=True))) @ value


def gated_in_place_reference(query, key, value):
    return attention(query, key, value) * torch.sigmoid(query.mean(-1, keepdim=True))


def added_to_the_input(query, key, value):
    return torch.baddbmm(query, weights_of(query, key), value)


def mean_of_heads(query, key, value):
    """The maps of the heads are averaged to one, as nn.MultiheadAttention returns them, and the mean weighs the values."""
    return weights_of(heads(query), heads(key)).mean(1) @ value


def mean_of_heads_reference(query, key, value):
    return sum(attention(q, k, value) for q, k in zip(query.chunk(N_HEAD, -1), key.chunk(N_HEAD, -1), strict=True)) / N_HEAD


def mean_with_identity(query, key, value):
    """Half of each token is itself."""
    return (0.5 * weights_of(query, key) + 0.5 * torch.eye(N_TOKEN)) @ value


def mean_with_identity_reference(query, key, value):
    return 0.5 * attention(query, key, value) + 0.5 * value


def mean_with_mean(query, key, value):
    """torch.lerp between the map and the uniform one."""
    return torch.lerp(weights_of(query, key), torch.full((N_TOKEN, N_TOKEN), 1 / N_TOKEN), 0.3) @ value


def mean_with_mean_reference(query, key, value):
    return 0.7 * attention(query, key, value) + 0.3 * value.mean(1, keepdim=True)


def pooled_queries(query, key, value):
    """Rows of the map are averaged over queries, and one row weighs the values."""
    return weights_of(query, key).mean(1, keepdim=True) @ value


def pooled_queries_reference(query, key, value):
    return attention(query, key, value).mean(1, keepdim=True)


def cast_and_back(query, key, value):
    return weights_of(query.double(), key.double()).float() @ value


def flattened(query, key, value):
    """Case and head are flattened and a dim of one is added before the product."""
    weights = weights_of(heads(query), heads(key)).flatten(0, 1).unsqueeze(1).contiguous().view(-1, N_TOKEN, N_TOKEN)
    return merged(torch.bmm(weights, heads(value).reshape(-1, N_TOKEN, WIDTH // N_HEAD)).view(len(query), N_HEAD, N_TOKEN, -1))


def tokens_first(query, key, value):
    """Tokens, then cases, as in fairseq and in torch's modules without batch_first."""
    query, key, value = (x.transpose(0, 1) for x in (query, key, value))
    weights = (torch.einsum("qbd,kbd->bqk", query, key) / WIDTH**0.5).softmax(-1)
    return torch.einsum("bqk,kbd->qbd", weights, value).transpose(0, 1)


def cases_last(query, key, value):
    """Transformer-XL: the map is (query, key, case), and softmax runs over dim 1."""
    query, key, value = (x.transpose(0, 1) for x in (query, key, value))
    weights = F.softmax(torch.einsum("ibd,jbd->ijb", query, key) / WIDTH**0.5, dim=1)
    return torch.einsum("ijb,jbd->ibd", weights, value).transpose(0, 1)


def heads_first(query, key, value):
    """Heads, then cases: a fold of two members is easily taken for two heads."""
    query, key, value = (heads(x).transpose(0, 1) for x in (query, key, value))
    return merged((weights_of(query, key) @ value).transpose(0, 1))


class ThreeOperands(Projected):
    """One einsum takes weights, values and the output map together."""

    def __init__(self):
        super().__init__(self.attend_in_one)
        self.out = nn.Parameter(torch.randn(N_HEAD, WIDTH // N_HEAD, WIDTH))

    def attend_in_one(self, query, key, value):
        return torch.einsum("bhqk,bhkd,hde->bqe", weights_of(heads(query), heads(key)), heads(value), self.out)

    def reference(self, x):
        return multi_head(*self.project(x).chunk(3, -1)) @ self.out.flatten(0, 1)


class Joined(Projected):
    """Queries, keys and values of two modalities are joined, and one map is cut into the parts from each to each."""

    def __init__(self):
        super().__init__(self.attend_joined)
        self.strength = nn.Parameter(torch.tensor([1.0, 0.5]))

    def attend_joined(self, query, key, value):
        to_first, to_second = weights_of(query, key).tensor_split(2, -1)
        return self.strength[0] * (to_first @ value[:, :8]) + self.strength[1] * (to_second @ value[:, 8:])


def as_function_of_masked_rows(query, key, value):
    """Only rows with a key go through softmax, by boolean indexing, and return to their places."""
    mask = EARLIER.tril(-1)
    s = scores(query, key).masked_fill(~mask, -math.inf)
    has_key = mask.any(-1)
    return torch.zeros_like(s).index_copy(1, has_key.nonzero()[:, 0], s[:, has_key].softmax(-1)) @ value


def rows_with_a_key(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=EARLIER.tril(-1))


FORMS: dict[str, Form] = {
    "keys and values in another order": of(in_another_order, attention),
    "keys and values selected": of(selected, attention),
    "flipped and rolled": of(flipped_and_rolled, attention),
    "scattered into zeros": of(scattered, scattered_reference),
    "written into zeros": of(written_by_mask, written_by_mask_reference),
    "maps of heads stacked": of(maps_stacked, multi_head, calls={"by_hand": 2}),
    "maps of heads side by side": of(maps_concatenated, multi_head, calls={"by_hand": 2}),
    "one map for all heads": of(one_map_for_all_heads, attention),
    "first key set to zero in place": of(first_key_dropped, first_key_dropped_reference),
    "later keys set to zero": of(later_keys_dropped, later_keys_dropped_reference),
    "gated in place": of(gated_in_place, gated_in_place_reference),
    "added to the input by baddbmm": of(added_to_the_input, lambda q, k, v: q + attention(q, k, v)),
    "mean of the maps of heads": of(mean_of_heads, mean_of_heads_reference),
    "mean with the identity": of(mean_with_identity, mean_with_identity_reference),
    "mean with the uniform map": of(mean_with_mean, mean_with_mean_reference),
    "rows averaged over queries": of(pooled_queries, pooled_queries_reference),
    "softmax in float64": of(cast_and_back, attention),
    "flattened and viewed": of(flattened, multi_head),
    "tokens before cases": of(tokens_first, attention),
    "cases last": of(cases_last, attention),
    "heads before cases": of(heads_first, multi_head),
    "einsum of three operands": Form(ThreeOperands, reference=ThreeOperands.reference),
    "one map cut in two": Form(Joined),
    "rows with a key alone": of(as_function_of_masked_rows, rows_with_a_key),
}
