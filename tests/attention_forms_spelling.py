"""The same attention over all tokens, spelled in the ways in which code spells softmax, masks and the product with the values."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_TOKEN, WIDTH, Form, heads, merged, multi_head, of, scores

SCALE = WIDTH**-0.5
EARLIER = torch.ones(N_TOKEN, N_TOKEN, dtype=torch.bool).tril()
FIRST_HALF = torch.arange(N_TOKEN) < N_TOKEN // 2


def attention(query, key, value, **arguments):
    return F.scaled_dot_product_attention(query, key, value, **arguments)


def causal(query, key, value):
    return attention(query, key, value, is_causal=True)


def first_half(query, key, value):
    return attention(query, key, value, attn_mask=FIRST_HALF.expand(N_TOKEN, N_TOKEN))


def without_the_first_row(query, key, value):
    """The first row has no key, and torch's function gives zeros for it."""
    return attention(query, key, value, attn_mask=EARLIER.tril(-1))


class SoftmaxModule(nn.Module):
    """nn.Softmax, nn.Dropout and three projections, as in many first implementations of a transformer."""

    def __init__(self, dim=-1):
        super().__init__()
        self.to_query, self.to_key, self.to_value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.softmax, self.dropout = nn.Softmax(dim=dim), nn.Dropout(0.1)

    def forward(self, x):
        weights = self.dropout(self.softmax(scores(self.to_query(x), self.to_key(x))))
        return torch.matmul(weights, self.to_value(x))

    def reference(self, x):
        return attention(self.to_query(x), self.to_key(x), self.to_value(x))


def folded_heads(query, key, value):
    """Heads in dim 0, as in fairseq."""
    folded = [heads(x).flatten(0, 1) for x in (query * (WIDTH / 2) ** -0.5, key, value)]
    out = torch.bmm(F.softmax(torch.bmm(folded[0], folded[1].transpose(1, 2)), dim=-1), folded[2])
    return merged(out.unflatten(0, (len(query), -1)))


def scores_by_baddbmm(query, key, value):
    """As in GPT-NeoX and BLOOM: the scores are added to an empty matrix with beta=0."""
    empty = torch.empty(len(query), N_TOKEN, N_TOKEN)
    return torch.bmm(torch.baddbmm(empty, query, key.transpose(1, 2), beta=0.0, alpha=SCALE).softmax(-1), value)


def multi_query(query, key, value):
    """Two query heads read one head of keys and values."""
    key, value = key[..., None, : WIDTH // 2].transpose(1, 2), value[..., None, : WIDTH // 2].transpose(1, 2)
    return merged(scores(heads(query), key).softmax(-1) @ value)


def multi_query_reference(query, key, value):
    return torch.cat([attention(part, key[..., : WIDTH // 2], value[..., : WIDTH // 2]) for part in query.chunk(2, -1)], -1)


def grouped_query(query, key, value):
    """Four query heads read two heads, which are expanded as in Hugging Face's repeat_kv."""
    key, value = (heads(x[..., : WIDTH // 2])[:, :, None].expand(-1, -1, 2, -1, -1).reshape(len(x), 4, N_TOKEN, -1) for x in (key, value))
    return merged(scores(heads(query, 4), key).softmax(-1) @ value)


def grouped_query_reference(query, key, value):
    key, value = (heads(x[..., : WIDTH // 2]) for x in (key, value))
    return merged(F.scaled_dot_product_attention(heads(query, 4), key, value, enable_gqa=True))


def cast_to_bfloat16(query, key, value):
    """As in Llama: softmax in float32, weights and values in bfloat16."""
    return (scores(query, key).softmax(-1, dtype=torch.float32).to(torch.bfloat16) @ value.to(torch.bfloat16)).float()


def cast_to_float16(query, key, value):
    weights = F.softmax(scores(query.half(), key.half()).float(), dim=-1).type_as(value.half())
    return torch.matmul(weights, value.half()).float()


def masked_and_filled(query, key, value):
    """As in Graphormer and many others: -inf before, zeros after, so that a row without keys is zero."""
    mask = ~EARLIER.tril(-1)
    return scores(query, key).masked_fill(mask, -math.inf).softmax(-1).masked_fill(mask, 0.0) @ value


def exponential_over_sum(query, key, value):
    weights = torch.exp(s := scores(query, key) - scores(query, key).amax(-1, keepdim=True))
    return weights / s.exp().sum(-1, keepdim=True) @ value


def masked_exponentials(query, key, value):
    """As in older code for padded sequences: exp, times the mask, divided by the sum."""
    weights = torch.exp(scores(query, key)) * FIRST_HALF
    weights = weights / (weights.sum(dim=2, keepdim=True) + 1e-13)
    return torch.bmm(weights, value)


def in_place(query, key, value):
    s = torch.bmm(query, key.transpose(1, 2)).mul_(SCALE)
    s.sub_(s.amax(-1, keepdim=True)).exp_()
    return torch.bmm(s.div_(s.sum(-1, keepdim=True)), value)


def keys_first(query, key, value):
    return (torch.einsum("bkd,bqd->bkq", key, query) * SCALE).softmax(-2).mT @ value


def values_first(query, key, value):
    """As in convolutional code, where features stand before tokens: (feature, key) @ (key, query)."""
    query, key, value = query.mT, key.mT, value.mT
    return (value @ torch.softmax(key.mT @ query * SCALE, 1)).mT


def heads_stay_third(query, key, value):
    query, key, value = (x.unflatten(-1, (2, -1)) for x in (query, key, value))
    weights = torch.einsum("bqhd,bkhd->bhqk", query, key).mul((WIDTH / 2) ** -0.5).softmax(dim=-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value).flatten(2)


def softmax_over_the_third_of_four_dims(query, key, value):
    """(case, query, key, head), as in AlphaFold-like code."""
    query, key, value = (x.unflatten(-1, (2, -1)) for x in (query, key, value))
    weights = torch.softmax(torch.einsum("bihc,bjhc->bijh", query, key) * (WIDTH / 2) ** -0.5, dim=2)
    return torch.einsum("bijh,bjhc->bihc", weights, value).flatten(2)


def weighted_and_summed(query, key, value):
    return (scores(query, key).softmax(-1).unsqueeze(-1) * value.unsqueeze(1)).sum(2)


def vector_products(query, key, value):
    return torch.linalg.vecdot(scores(query, key).softmax(-1).unsqueeze(-2), value.mT.unsqueeze(1))


def values_in_two_parts(query, key, value):
    """The keys are split, and each part of the weights meets its part of the values."""
    first, second = scores(query, key).softmax(-1).split(N_TOKEN // 2, -1)
    return first @ value[:, : N_TOKEN // 2] + second @ value[:, N_TOKEN // 2 :]


def padded(query, key, value):
    """Weights are padded with zeros to a multiple of the block size, and so are the values."""
    return F.pad(scores(query, key).softmax(-1), (0, 4)) @ F.pad(value, (0, 0, 0, 4))


FORMS: dict[str, Form] = {
    "torch.softmax, @": of(lambda q, k, v: torch.softmax(scores(q, k), -1) @ v, attention),
    "F.softmax, torch.matmul": of(lambda q, k, v: torch.matmul(F.softmax(scores(q, k), dim=-1), v), attention),
    "F.softmax, torch.bmm": of(lambda q, k, v: torch.bmm(F.softmax(torch.bmm(q, k.transpose(1, 2)) * SCALE, 2), v), attention),
    "torch.special.softmax, einsum": of(
        lambda q, k, v: torch.einsum("bts,bsd->btd", torch.special.softmax(scores(q, k), dim=-1), v), attention
    ),
    "einsum with an ellipsis": of(
        lambda q, k, v: torch.einsum("...qk,...kd->...qd", (torch.einsum("...qd,...kd->...qk", q, k) * SCALE).softmax(-1), v), attention
    ),
    "einsum over heads": of(
        lambda q, k, v: merged(
            torch.einsum("bhij,bhjd->bhid", torch.einsum("bhid,bhjd->bhij", heads(q) / 2, heads(k)).softmax(-1), heads(v))
        ),
        multi_head,
    ),
    "nn.Softmax and nn.Dropout": Form(SoftmaxModule, reference=SoftmaxModule.reference),
    "nn.Softmax, dim 2": Form(lambda: SoftmaxModule(2), reference=SoftmaxModule.reference),
    "heads folded into dim 0": of(folded_heads, multi_head),
    "scores by baddbmm": of(scores_by_baddbmm, attention),
    "multi-query": of(multi_query, multi_query_reference),
    "grouped queries, expanded keys": of(grouped_query, grouped_query_reference),
    "keys before queries, dim -2": of(keys_first, attention),
    "values before weights, dim 1": of(values_first, attention),
    "heads stay third": of(heads_stay_third, multi_head),
    "softmax over the third of four dims": of(softmax_over_the_third_of_four_dims, multi_head),
    "causal float mask": of(
        lambda q, k, v: (scores(q, k) + torch.full((N_TOKEN, N_TOKEN), -math.inf).triu(1)).softmax(-1) @ v, causal
    ),
    "-1e9 where a key is masked": of(lambda q, k, v: scores(q, k).masked_fill(~FIRST_HALF, -1e9).softmax(-1) @ v, first_half),
    "torch.where and the smallest float": of(
        lambda q, k, v: torch.where(EARLIER, scores(q, k), torch.finfo(q.dtype).min).softmax(-1) @ v, causal
    ),
    "bool mask, -inf": of(lambda q, k, v: scores(q, k).masked_fill(~EARLIER, -math.inf).softmax(-1) @ v, causal),
    "F.dropout, not training": of(lambda q, k, v: F.dropout(scores(q, k).softmax(-1), 0.1, training=False) @ v, attention),
    "scaled after the product": of(lambda q, k, v: (scores(q, k).softmax(-1) @ v) * 0.5, lambda q, k, v: attention(q, k, v) * 0.5),
    "weights cast to bfloat16": of(cast_to_bfloat16, close=0.05),
    "weights cast to float16": of(cast_to_float16, close=0.01),
    "nan_to_num of a row without keys": of(
        lambda q, k, v: scores(q, k).masked_fill(~EARLIER.tril(-1), -math.inf).softmax(-1).nan_to_num(0.0) @ v, without_the_first_row
    ),
    "-inf before, zeros after": of(masked_and_filled, without_the_first_row),
    "exp of log_softmax": of(lambda q, k, v: F.log_softmax(scores(q, k), dim=-1).exp() @ v, attention),
    "exp of scores less logsumexp": of(
        lambda q, k, v: torch.exp(scores(q, k) - torch.logsumexp(scores(q, k), -1, keepdim=True)) @ v, attention
    ),
    "exp over its sum": of(exponential_over_sum, attention),
    "exp times a mask over its sum": of(masked_exponentials, first_half),
    "exp over its sum in place": of(in_place, attention),
    "softmin of distances": of(
        lambda q, k, v: F.softmin(-scores(q, k), dim=-1) @ v, attention
    ),
    "weighted and summed": of(weighted_and_summed, attention),
    "products of vectors": of(vector_products, attention),
    "values in two parts": of(values_in_two_parts, attention),
    "padded weights and values": of(padded, attention),
    "F.linear with the values as weight": of(
        lambda q, k, v: torch.stack([F.linear(w, x.T) for w, x in zip(scores(q, k).softmax(-1), v, strict=True)]), attention
    ),
    "torch.linalg.matmul": of(lambda q, k, v: torch.linalg.matmul(torch.special.softmax(scores(q, k), -1), v), attention),
}  # fmt: skip
