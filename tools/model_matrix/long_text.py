"""Models of long texts, whose attention is banded, blocked or hashed."""

from __future__ import annotations

from tools.model_matrix.entry import Entry, tokens
from tools.model_matrix.hugging_face import PAIR, SIZES, TWO_LAYERS, hugging_face

CONFIG = {**SIZES, "vocab_size": 50, "pad_token_id": 0}
BLOCKS = "five softmaxes in each of 2 layers: the first two, the middle and the last two blocks of queries"
BIG_BIRD = {**CONFIG, "block_size": 4, "num_random_blocks": 1}


def _global_first(n_token: int) -> dict:
    ids = tokens(n_token)
    first = ids.new_zeros(ids.shape)
    first[:, 0] = 1
    return {"input_ids": ids, "global_attention_mask": first}


MODELS: dict[str, Entry] = {
    "BigBirdModel, sparse": hugging_face(
        "BigBirdModel", 10, BLOCKS, {**BIG_BIRD, "attention_type": "block_sparse"}, {"input_ids": tokens(64)}
    ),
    "BigBirdModel, full": hugging_face(
        "BigBirdModel", 2, TWO_LAYERS, {**BIG_BIRD, "attention_type": "original_full"}, {"input_ids": tokens(64)}
    ),
    "BigBirdPegasusModel, full": hugging_face(
        "BigBirdPegasusModel",
        6,
        "2 encoder layers, and 2 decoder layers with self- and cross-attention each",
        {**PAIR, "vocab_size": 50, "attention_type": "original_full"},
        {"input_ids": tokens(16), "decoder_input_ids": tokens(7)},
    ),
    "LEDModel": hugging_face(
        "LEDModel",
        6,
        "2 encoder layers of banded attention, and 2 decoder layers with self- and cross-attention each",
        {**PAIR, "vocab_size": 50, "attention_window": [4, 4]},
        {"input_ids": tokens(16), "decoder_input_ids": tokens(7)},
    ),
    "LEDModel, global first token": hugging_face(
        "LEDModel",
        8,
        "2 encoder layers of banded attention with a further softmax for the global token, and 2 decoder layers with self- and cross-attention each",
        {**PAIR, "vocab_size": 50, "attention_window": [4, 4]},
        {**_global_first(16), "decoder_input_ids": tokens(7)},
    ),
    "LongT5Model, local": hugging_face(
        "LongT5Model",
        6,
        "2 encoder layers of local attention, and 2 decoder layers with self- and cross-attention each",
        {"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4, "local_radius": 3},
        {"input_ids": tokens(16), "decoder_input_ids": tokens(7)},
    ),
    "LongT5Model, transient global": hugging_face(
        "LongT5Model",
        6,
        "2 encoder layers whose softmax runs over local and global keys together, and 2 decoder layers with self- and cross-attention each",
        {"vocab_size": 50, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4, "local_radius": 3}
        | {"encoder_attention_type": "transient-global", "global_block_size": 4},
        {"input_ids": tokens(16), "decoder_input_ids": tokens(7)},
    ),
    "LongformerModel": hugging_face(
        "LongformerModel", 2, "2 layers of banded attention", {**CONFIG, "attention_window": [4, 4]}, {"input_ids": tokens(16)}
    ),
    "LongformerModel, global first token": hugging_face(
        "LongformerModel",
        4,
        "2 layers of banded attention, with a further softmax for the global token",
        {**CONFIG, "attention_window": [4, 4]},
        _global_first(16),
    ),
    "ReformerModel, local": hugging_face(
        "ReformerModel",
        2,
        "2 layers of local attention, whose weights are exp(scores - logsumexp)",
        {
            **{"vocab_size": 50, "hidden_size": 16, "attn_layers": ["local", "local"], "num_attention_heads": 4, "attention_head_size": 4},
            **{"feed_forward_size": 32, "axial_pos_embds": False, "local_attn_chunk_length": 4, "is_decoder": False},
        },
        {"input_ids": tokens(16)},
        attention_modules=("LocalSelfAttention",),
    ),
    "ReformerModel, hashed": hugging_face(
        "ReformerModel",
        2,
        "2 layers of hashed attention, whose weights are exp(scores - logsumexp)",
        {
            **{"vocab_size": 50, "hidden_size": 16, "attn_layers": ["lsh", "lsh"], "num_attention_heads": 4, "attention_head_size": 4},
            **{"feed_forward_size": 32, "axial_pos_embds": False, "lsh_attn_chunk_length": 4, "num_buckets": 4, "hash_seed": 0},
        },
        {"input_ids": tokens(16)},
        attention_modules=("LSHSelfAttention",),
    ),
}
