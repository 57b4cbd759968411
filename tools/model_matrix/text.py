"""Encoders and encoder-decoders of text."""

from __future__ import annotations

from tools.model_matrix.entry import N_CASE, Entry, normal, tokens
from tools.model_matrix.hugging_face import PAIR, PAIR_OF_TWO, SIZES, TWO_LAYERS, hugging_face

WORDS = {"vocab_size": 50}
TEXT = {"input_ids": tokens(9)}
BOTH = {"input_ids": tokens(9), "decoder_input_ids": tokens(7)}
CONFIG = {**SIZES, **WORDS}

MODELS: dict[str, Entry] = {
    "AlbertModel": hugging_face("AlbertModel", 2, "one layer run twice", {**CONFIG, "embedding_size": 8}, TEXT),
    "BartModel": hugging_face("BartModel", 6, PAIR_OF_TWO, {**PAIR, **WORDS}, BOTH),
    "BertModel": hugging_face("BertModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "BertModel, eager": hugging_face("BertModel", 2, TWO_LAYERS, {**CONFIG, "attn_implementation": "eager"}, TEXT),
    "CanineModel": hugging_face(
        "CanineModel",
        4,
        "2 layers on the downsampled characters, and one layer of local attention before and one after, each over one block of 32 characters",
        {**SIZES, "num_hash_buckets": 64, "num_hash_functions": 2, "downsampling_rate": 4, "local_transformer_stride": 32},
        {"input_ids": tokens(32)},
    ),
    "ConvBertModel": hugging_face(
        "ConvBertModel",
        2,
        TWO_LAYERS,
        {**CONFIG, "embedding_size": 16, "conv_kernel_size": 3, "head_ratio": 2},
        TEXT,
        n_other=2,
        other="the kernels of the span-based convolution, normalised over the places in a kernel",
    ),
    "Data2VecTextModel": hugging_face("Data2VecTextModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "DebertaModel": hugging_face(
        "DebertaModel", 2, TWO_LAYERS, {**CONFIG, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, TEXT
    ),
    "DebertaV2Model": hugging_face(
        "DebertaV2Model", 2, TWO_LAYERS, {**CONFIG, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, TEXT
    ),
    "DistilBertModel": hugging_face(
        "DistilBertModel", 2, TWO_LAYERS, {**WORDS, "dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 4}, TEXT
    ),
    "EsmModel": hugging_face("EsmModel", 2, TWO_LAYERS, {**CONFIG, "pad_token_id": 1, "mask_token_id": 2}, TEXT),
    "FNetModel": hugging_face(
        "FNetModel", 0, "Fourier transforms mix the tokens", {**CONFIG, "type_vocab_size": 2}, TEXT, refused="it holds no attention"
    ),
    "FunnelModel": hugging_face(
        "FunnelModel",
        4,
        "2 encoder blocks of one layer and 2 decoder layers",
        {"vocab_size": 50, "block_sizes": [1, 1], "num_decoder_layers": 2, "d_model": 16, "n_head": 4, "d_head": 4, "d_inner": 32},
        {"input_ids": tokens(8)},
    ),
    "IBertModel": hugging_face("IBertModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "LayoutLMModel": hugging_face("LayoutLMModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "LukeModel": hugging_face("LukeModel", 2, TWO_LAYERS, {**CONFIG, "entity_vocab_size": 10, "entity_emb_size": 8}, TEXT),
    "MPNetModel": hugging_face("MPNetModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "MobileBertModel": hugging_face(
        "MobileBertModel",
        2,
        TWO_LAYERS,
        {**CONFIG, "embedding_size": 8, "intra_bottleneck_size": 8, "true_hidden_size": 8},
        TEXT,
    ),
    "ModernBertModel": hugging_face("ModernBertModel", 2, TWO_LAYERS, {**CONFIG, "pad_token_id": 0, "local_attention": 4}, TEXT),
    "MraModel": hugging_face(
        "MraModel",
        2,
        TWO_LAYERS,
        CONFIG,
        {"input_ids": tokens(32)},
        attention_modules=("MraSelfAttention",),
        refused="its kernels are written for GPUs, and on a CPU the class returns zeros",
    ),
    "NystromformerModel": hugging_face(
        "NystromformerModel",
        4,
        "2 layers, each of two softmaxes: tokens over landmarks, and landmarks over tokens",
        {**CONFIG, "num_landmarks": 4, "segment_means_seq_len": 16, "conv_kernel_size": 3},
        {"input_ids": tokens(16)},
        n_other=2,
        other="the matrix between landmarks, of which the inverse is used",
    ),
    "PegasusXModel": hugging_face(
        "PegasusXModel",
        8,
        "2 encoder layers with one softmax for the global and one for the local tokens, and 2 decoder layers with self- and cross-attention each",
        {**PAIR, **WORDS, "num_global_tokens": 4, "block_size": 8},
        {"input_ids": tokens(16), "decoder_input_ids": tokens(7)},
    ),
    "PerceiverModel": hugging_face(
        "PerceiverModel",
        3,
        "one cross-attention of the latents over the inputs and 2 layers of self-attention",
        {
            **{"num_latents": 6, "d_latents": 16, "d_model": 12, "num_blocks": 1, "num_self_attends_per_block": 2},
            **{"num_self_attention_heads": 4, "num_cross_attention_heads": 4, "qk_channels": 16, "v_channels": 16},
        },
        {"inputs": normal(N_CASE, 5, 12)},
    ),
    "ProphetNetModel": hugging_face(
        "ProphetNetModel",
        8,
        "2 encoder layers, and 2 decoder layers with one softmax for the main stream, one for both streams of n-grams, and cross-attention",
        {
            **{"vocab_size": 50, "hidden_size": 16, "encoder_ffn_dim": 32, "num_encoder_layers": 2, "num_encoder_attention_heads": 4},
            **{"decoder_ffn_dim": 32, "num_decoder_layers": 2, "num_decoder_attention_heads": 4, "ngram": 2},
        },
        BOTH,
    ),
    "RoFormerModel": hugging_face("RoFormerModel", 2, TWO_LAYERS, {**CONFIG, "embedding_size": 16}, TEXT),
    "SplinterModel": hugging_face("SplinterModel", 2, TWO_LAYERS, CONFIG, TEXT),
    "SqueezeBertModel": hugging_face(
        "SqueezeBertModel",
        2,
        TWO_LAYERS,
        {**CONFIG, "embedding_size": 16, **{f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention", "intermediate", "output")}},
        TEXT,
    ),
    "SwitchTransformersModel": hugging_face(
        "SwitchTransformersModel",
        6,
        PAIR_OF_TWO,
        {**WORDS, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4, "num_experts": 2}
        | {"num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1},
        BOTH,
        n_other=2,
        other="the routers of the two sparse layers, normalised over experts",
    ),
    "T5Model": hugging_face(
        "T5Model", 6, PAIR_OF_TWO, {**WORDS, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}, BOTH
    ),
    "XLNetModel": hugging_face("XLNetModel", 2, TWO_LAYERS, {**WORDS, "d_model": 16, "n_layer": 2, "n_head": 4, "d_inner": 32}, TEXT),
    "YosoModel": hugging_face(
        "YosoModel",
        2,
        TWO_LAYERS,
        CONFIG,
        TEXT,
        attention_modules=("YosoSelfAttention",),
        refused="its weights are Bernoulli probabilities of a hash that do not sum to one",
    ),
}
