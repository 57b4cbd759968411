"""Speech and audio models of transformers."""

from __future__ import annotations

from tools.model_matrix.entry import N_CASE, Entry, normal, tokens
from tools.model_matrix.hugging_face import PAIR, PAIR_OF_TWO, SIZES, TWO_LAYERS, hugging_face

WAVE = {"input_values": normal(N_CASE, 400)}
CONVOLUTIONS = {
    **SIZES,
    **{"conv_dim": [8, 8], "conv_stride": [5, 4], "conv_kernel": [10, 8], "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 4},
    **{"num_conv_pos_embedding_groups": 2, "vocab_size": 50},
}

MODELS: dict[str, Entry] = {
    "ASTModel": hugging_face(
        "ASTModel",
        2,
        TWO_LAYERS,
        {**SIZES, "patch_size": 4, "max_length": 16, "num_mel_bins": 8, "frequency_stride": 4, "time_stride": 4},
        {"input_values": normal(N_CASE, 16, 8)},
    ),
    "Data2VecAudioModel": hugging_face("Data2VecAudioModel", 2, TWO_LAYERS, {**CONVOLUTIONS, "conv_pos_kernel_size": 3}, WAVE),
    "HubertModel": hugging_face("HubertModel", 2, TWO_LAYERS, CONVOLUTIONS, WAVE),
    "SEWDModel": hugging_face(
        "SEWDModel", 2, TWO_LAYERS, {**CONVOLUTIONS, "squeeze_factor": 1, "position_buckets": 8, "max_position_embeddings": 64}, WAVE
    ),
    "Speech2TextModel": hugging_face(
        "Speech2TextModel",
        6,
        PAIR_OF_TWO,
        {**PAIR, "vocab_size": 50, "input_feat_per_channel": 8, "conv_channels": 16, "num_conv_layers": 1, "conv_kernel_sizes": [3]},
        {"input_features": normal(N_CASE, 20, 8), "decoder_input_ids": tokens(7)},
    ),
    "Wav2Vec2BertModel": hugging_face(
        "Wav2Vec2BertModel",
        2,
        TWO_LAYERS,
        {**SIZES, "feature_projection_input_dim": 8, "conv_depthwise_kernel_size": 3},
        {"input_features": normal(N_CASE, 20, 8)},
    ),
    "Wav2Vec2ConformerModel": hugging_face(
        "Wav2Vec2ConformerModel", 2, TWO_LAYERS, {**CONVOLUTIONS, "conv_depthwise_kernel_size": 3}, WAVE
    ),
    "Wav2Vec2Model": hugging_face("Wav2Vec2Model", 2, TWO_LAYERS, CONVOLUTIONS, WAVE),
    "WavLMModel": hugging_face("WavLMModel", 2, TWO_LAYERS, CONVOLUTIONS, WAVE),
    "WhisperModel": hugging_face(
        "WhisperModel",
        6,
        PAIR_OF_TWO,
        {**PAIR, "vocab_size": 50, "num_mel_bins": 8, "max_source_positions": 10, "max_target_positions": 20, "pad_token_id": 0},
        {"input_features": normal(N_CASE, 8, 20), "decoder_input_ids": tokens(7)},
    ),
}
