"""Attention with positions: relative biases, windows, bands, neighbourhoods, blocks, axes."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_HEAD, N_TOKEN, WIDTH, Form, Projected, heads, merged, of, scores

SIDE = 4  # the tokens are a square image
WINDOW = 2
DISTANCE = torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)  # query less key


class LearnedBias(Projected):
    """A learned number for each head and distance is added to the scores, as in T5 (without its buckets)."""

    def __init__(self):
        super().__init__(self.attend_with_bias)
        self.bias = nn.Embedding(2 * N_TOKEN, N_HEAD)

    def attend_with_bias(self, query, key, value):
        bias = self.bias(DISTANCE + N_TOKEN).permute(2, 0, 1).unsqueeze(0)
        weights = torch.matmul(heads(query), heads(key).transpose(3, 2)) + bias
        return merged(torch.matmul(F.softmax(weights.float(), dim=-1).type_as(weights), heads(value)))

    def reference(self, x):
        query, key, value = map(heads, self.project(x).chunk(3, -1))
        bias = self.bias.weight[DISTANCE + N_TOKEN].permute(2, 0, 1)
        return merged(F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0))


class RelativeKeysAndValues(Projected):
    """Shaw, Uszkoreit, Vaswani (2018): learned vectors of the distance are added to the keys and to the values."""

    def __init__(self):
        super().__init__(self.attend_relative)
        self.relative_key, self.relative_value = nn.Embedding(2 * N_TOKEN, WIDTH), nn.Embedding(2 * N_TOKEN, WIDTH)

    def attend_relative(self, query, key, value):
        relative_key, relative_value = self.relative_key(DISTANCE + N_TOKEN), self.relative_value(DISTANCE + N_TOKEN)
        weights = ((query @ key.mT + torch.einsum("bqd,qkd->bqk", query, relative_key)) / WIDTH**0.5).softmax(-1)
        return weights @ value + torch.einsum("bqk,qkd->bqd", weights, relative_value)

    def reference(self, x):
        query, key, value = self.project(x).chunk(3, -1)
        keys = key[:, None] + self.relative_key.weight[DISTANCE + N_TOKEN]
        values = value[:, None] + self.relative_value.weight[DISTANCE + N_TOKEN]
        return F.scaled_dot_product_attention(query[:, :, None], keys, values)[:, :, 0]


class RelativeShift(Projected):
    """Transformer-XL: scores of all distances are computed at once and shifted into place by padding and a view."""

    def __init__(self):
        super().__init__(self.attend_shifted)
        self.relative = nn.Linear(WIDTH, WIDTH, bias=False)
        self.content_bias, self.position_bias = nn.Parameter(torch.randn(WIDTH)), nn.Parameter(torch.randn(WIDTH))

    def attend_shifted(self, query, key, value):
        angle = torch.arange(N_TOKEN - 1, -1, -1.0)[:, None] / 10 ** torch.linspace(0, 2, WIDTH // 2)
        relative = self.relative(torch.cat([angle.sin(), angle.cos()], -1))
        by_distance = (query + self.position_bias) @ relative.T
        padded = torch.cat([by_distance.new_zeros(len(query), N_TOKEN, 1), by_distance], -1)
        shifted = padded.view(len(query), N_TOKEN + 1, N_TOKEN)[:, 1:]
        weights = ((query + self.content_bias) @ key.mT + shifted) / WIDTH**0.5
        return weights.masked_fill(DISTANCE < 0, -math.inf).softmax(-1) @ value


class Disentangled(Projected):
    """DeBERTa: content to position and position to content, gathered by distance, then a masked softmax as its own function."""

    def __init__(self):
        super().__init__(self.attend_disentangled)
        self.position = nn.Parameter(torch.randn(2 * N_TOKEN, WIDTH))

    def attend_disentangled(self, query, key, value):
        index = (DISTANCE + N_TOKEN).expand(len(query), -1, -1)
        content_to_position = torch.gather(query @ self.position.T, -1, index)
        position_to_content = torch.gather(key @ self.position.T, -1, index.mT).mT
        weights = (query @ key.mT + content_to_position + position_to_content) / (3 * WIDTH) ** 0.5
        return torch.bmm(torch.softmax(weights, dim=-1), value)


def rotated(query, key, value):
    angle = torch.arange(N_TOKEN)[:, None] / 10 ** torch.linspace(0, 2, WIDTH // 2)
    query, key = ((x.unflatten(-1, (-1, 2)).mT.flatten(-2)) for x in (query, key))
    turn = lambda x: x * angle.cos().repeat(1, 2) + torch.cat([-x[..., WIDTH // 2 :], x[..., : WIDTH // 2]], -1) * angle.sin().repeat(1, 2)  # noqa: E731
    return scores(turn(query), turn(key)).softmax(-1) @ value


def linear_biases(query, key, value):
    """ALiBi: a slope for each head, times the distance."""
    slope = 2.0 ** -torch.arange(1, N_HEAD + 1)[:, None, None]
    weights = (scores(heads(query), heads(key)) - slope * DISTANCE.abs()).masked_fill(DISTANCE < 0, torch.finfo(query.dtype).min)
    return merged(weights.softmax(-1) @ heads(value))


def linear_biases_reference(query, key, value):
    slope = 2.0 ** -torch.arange(1, N_HEAD + 1)[:, None, None]
    mask = (-slope * DISTANCE.abs()).masked_fill(DISTANCE < 0, -math.inf)
    return merged(F.scaled_dot_product_attention(heads(query), heads(key), heads(value), attn_mask=mask))


def partitioned(image):
    """(case, height, width, feature) -> (case * window, token, feature)."""
    tiles = image.view(len(image), SIDE // WINDOW, WINDOW, SIDE // WINDOW, WINDOW, -1)
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, WINDOW * WINDOW, image.shape[-1])


def joined(windows):
    tiles = windows.view(-1, SIDE // WINDOW, SIDE // WINDOW, WINDOW, WINDOW, windows.shape[-1])
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, SIDE, SIDE, windows.shape[-1])


class ShiftedWindows(Projected):
    """Swin: the image is rolled and cut into windows, with a learned bias in each and a mask where the roll joined two borders."""

    def __init__(self):
        super().__init__(self.attend_in_windows)
        self.bias = nn.Parameter(torch.randn(N_HEAD, WINDOW**2, WINDOW**2))

    def mask(self):
        region = torch.zeros(1, SIDE, SIDE, 1)
        for number, (i, j) in enumerate((i, j) for i in (slice(-1), slice(-1, None)) for j in (slice(-1), slice(-1, None))):
            region[:, i, j] = number
        region = partitioned(region)[..., 0]
        return torch.zeros(len(region), WINDOW**2, WINDOW**2).masked_fill(region[:, None] != region[:, :, None], -100.0)

    def attend_in_windows(self, *parts):
        images = [torch.roll(x.view(-1, SIDE, SIDE, WIDTH), (-1, -1), (1, 2)) for x in parts]
        query, key, value = (heads(partitioned(x)) for x in images)
        weights = scores(query, key) + self.bias
        weights = weights.view(-1, 4, N_HEAD, WINDOW**2, WINDOW**2) + self.mask()[None, :, None]
        windows = merged(weights.view(-1, N_HEAD, WINDOW**2, WINDOW**2).softmax(-1) @ value)
        return torch.roll(joined(windows), (1, 1), (1, 2)).flatten(1, 2)


def neighbourhood(query, key, value):
    """Each pixel attends the 3 x 3 pixels around it, gathered by unfold; pixels beyond the border are masked."""
    image = lambda x: x.mT.unflatten(-1, (SIDE, SIDE))  # noqa: E731
    keys, values = (F.unfold(image(x), 3, padding=1).view(len(x), WIDTH, 9, N_TOKEN) for x in (key, value))
    is_inside = F.unfold(torch.ones(1, 1, SIDE, SIDE), 3, padding=1).view(1, 9, N_TOKEN) > 0
    weights = (query.mT[:, :, None] * keys).sum(1) / WIDTH**0.5
    weights = weights.masked_fill(~is_inside, -math.inf).softmax(1)
    return (weights[:, None] * values).sum(2).mT


def neighbourhood_reference(query, key, value):
    row, column = torch.arange(N_TOKEN) // SIDE, torch.arange(N_TOKEN) % SIDE
    is_near = ((row[:, None] - row).abs() <= 1) & ((column[:, None] - column).abs() <= 1)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=is_near)


RADIUS = 2
IS_IN_BAND = DISTANCE.abs() <= RADIUS


def band_by_unfold(query, key, value):
    """Sliding windows: keys are padded and unfolded, and so are values."""
    keys, values = (F.pad(x, (0, 0, RADIUS, RADIUS)).unfold(1, 2 * RADIUS + 1, 1) for x in (key, value))
    weights = torch.einsum("bqd,bqdk->bqk", query, keys) / WIDTH**0.5
    is_inside = F.pad(torch.ones(N_TOKEN), (RADIUS, RADIUS)).unfold(0, 2 * RADIUS + 1, 1) > 0
    return torch.einsum("bqk,bqdk->bqd", weights.masked_fill(~is_inside, -1e9).softmax(-1), values)


def band_by_strides(query, key, value):
    """Longformer: the weights lie along diagonals and are moved to a matrix of blocks by padding and strides, before the product."""
    size = 2 * RADIUS + 1
    padded_key, padded_value = (F.pad(x, (0, 0, RADIUS, RADIUS)).contiguous() for x in (key, value))
    strided = lambda x: x.as_strided((len(x), N_TOKEN, size, WIDTH), (x.stride(0), WIDTH, WIDTH, 1))  # noqa: E731
    weights = torch.einsum("bqd,bqkd->bqk", query, strided(padded_key)) / WIDTH**0.5
    inside = F.pad(torch.ones(N_TOKEN), (RADIUS, RADIUS)).as_strided((N_TOKEN, size), (1, 1)) > 0
    weights = weights.masked_fill(~inside, -math.inf).softmax(-1)
    # Row q of the padded matrix begins at column q: pad each row, drop the tail, and view with one column less.
    wide = F.pad(weights, (0, N_TOKEN)).flatten(1)[:, : N_TOKEN * (N_TOKEN + 2 * RADIUS)]
    return wide.view(len(query), N_TOKEN, N_TOKEN + 2 * RADIUS) @ padded_value


def in_band(query, key, value):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=IS_IN_BAND)


BLOCK = 4


def blocks_gathered(query, key, value):
    """BigBird: each block of queries attends its own block, the first, and one that a fixed table names."""
    table = torch.tensor([[0, 0, 2], [1, 0, 3], [2, 0, 1], [3, 0, 2]])
    query, key, value = (x.unflatten(1, (-1, BLOCK)) for x in (query, key, value))
    keys, values = (x[:, table].flatten(2, 3) for x in (key, value))
    return (scores(query, keys).softmax(-1) @ values).flatten(1, 2)


def local_blocks_with_neighbours(query, key, value):
    """Local attention as in Reformer and lucidrains' local-attention: the block before is concatenated to each block of keys."""
    query, key, value = (x.unflatten(1, (-1, BLOCK)) for x in (query, key, value))
    keys, values = (torch.cat([F.pad(x, (0, 0, 0, 0, 1, 0))[:, :-1], x], 2) for x in (key, value))
    is_padding = torch.zeros(N_TOKEN // BLOCK, 1, 2 * BLOCK, dtype=torch.bool)
    is_padding[0, :, :BLOCK] = True
    weights = torch.einsum("bwid,bwjd->bwij", query, keys).div(WIDTH**0.5).masked_fill(is_padding, -math.inf)
    return torch.einsum("bwij,bwjd->bwid", weights.softmax(dim=-1), values).flatten(1, 2)


def local_blocks_reference(query, key, value):
    block = torch.arange(N_TOKEN) // BLOCK
    is_near = (block[:, None] == block) | (block[:, None] - 1 == block)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=is_near)


def blocks_reference(query, key, value):
    near = torch.zeros(4, 4).scatter_add(1, torch.tensor([[0, 0, 2], [1, 0, 3], [2, 0, 1], [3, 0, 2]]), torch.ones(4, 3))
    times = near.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)  # the first block is there twice for itself
    return F.scaled_dot_product_attention(query, key, value, attn_mask=times.log())


def rows_then_columns(query, key, value):
    """Axial attention, the two axes added: each axis in turn goes to the front and is folded into the batch."""
    images = [x.unflatten(1, (SIDE, SIDE)) for x in (query, key, value)]
    across = [x.flatten(0, 1) for x in images]
    down = [x.transpose(1, 2).flatten(0, 1) for x in images]
    across = (scores(*across[:2]).softmax(-1) @ across[2]).unflatten(0, (-1, SIDE))
    down = (scores(*down[:2]).softmax(-1) @ down[2]).unflatten(0, (-1, SIDE)).transpose(1, 2)
    return (across + down).flatten(1, 2)


def criss_cross(query, key, value):
    """CCNet: scores along the row and along the column share one softmax, and its two parts weigh their own values."""
    query, key, value = (x.unflatten(1, (SIDE, SIDE)) for x in (query, key, value))
    down = torch.einsum("bijd,bkjd->bijk", query, key).masked_fill(torch.eye(SIDE, dtype=torch.bool)[:, None], -math.inf)
    across = torch.einsum("bijd,bikd->bijk", query, key)
    down, across = torch.cat([down, across], -1).softmax(-1).split(SIDE, -1)
    return (torch.einsum("bijk,bkjd->bijd", down, value) + torch.einsum("bijk,bikd->bijd", across, value)).flatten(1, 2)


def nearest_keys(query, key, value):
    """Each query attends the five keys with the largest scores, whose values are gathered."""
    best, index = scores(query, key).topk(5, -1)
    rows = torch.arange(len(query))[:, None, None]
    return (best.softmax(-1)[..., None] * value[rows, index]).sum(-2)


def nearest_keys_reference(query, key, value):
    s = scores(query, key)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=s >= s.topk(5, -1).values[..., -1:])


FORMS: dict[str, Form] = {
    "T5's learned bias": Form(LearnedBias, reference=LearnedBias.reference),
    "Shaw's relative keys and values": Form(RelativeKeysAndValues, reference=RelativeKeysAndValues.reference),
    "Transformer-XL's shift": Form(RelativeShift),
    "DeBERTa's gathered scores": Form(Disentangled),
    "rotary positions": of(rotated),
    "ALiBi": of(linear_biases, linear_biases_reference),
    "Swin's shifted windows": Form(ShiftedWindows),
    "neighbourhood by unfold": of(neighbourhood, neighbourhood_reference),
    "band by Tensor.unfold": of(band_by_unfold, in_band),
    "Longformer's band by strides": of(band_by_strides, in_band),
    "BigBird's gathered blocks": of(blocks_gathered, blocks_reference),
    "blocks with the block before": of(local_blocks_with_neighbours, local_blocks_reference),
    "rows and columns": of(rows_then_columns, calls={"by_hand": 2}),
    "criss-cross": of(criss_cross),
    "nearest keys": of(nearest_keys, nearest_keys_reference),
}
