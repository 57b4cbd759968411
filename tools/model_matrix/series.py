"""Forecasters of time series in transformers."""

from __future__ import annotations

import torch

from tools.model_matrix.entry import N_CASE, Entry, normal
from tools.model_matrix.hugging_face import PAIR, PAIR_OF_TWO, SIZES, TWO_LAYERS, hugging_face

LAGGED = {**PAIR, "prediction_length": 4, "context_length": 8, "lags_sequence": [1, 2], "num_time_features": 1}
SERIES = {
    **{"past_values": normal(N_CASE, 10), "past_time_features": normal(N_CASE, 10, 1), "past_observed_mask": torch.ones(N_CASE, 10)},
    **{"future_values": normal(N_CASE, 4, seed=1), "future_time_features": normal(N_CASE, 4, 1, seed=2)},
}
N_LONG = 64  # with few queries, few rank close to the last that attends, and at some concentration none of them jumps any more
LONG_SERIES = {
    **{"past_values": normal(N_CASE, N_LONG + 2), "past_time_features": normal(N_CASE, N_LONG + 2, 1)},
    **{"past_observed_mask": torch.ones(N_CASE, N_LONG + 2)},
    **{name: SERIES[name] for name in ("future_values", "future_time_features")},
}
PATCHED = {"num_input_channels": 2, "context_length": 32, "patch_length": 8, "patch_stride": 8, "d_model": 16, "prediction_length": 8}
CONTEXT = {"past_values": normal(N_CASE, 32, 2)}

MODELS: dict[str, Entry] = {
    "AutoformerModel": hugging_face(
        "AutoformerModel",
        6,
        PAIR_OF_TWO,
        {**LAGGED, "moving_average": 3, "label_length": 4, "autocorrelation_factor": 2},
        SERIES,
        attention_modules=("AutoformerAttention",),
        refused="its weights are a softmax over the strongest delays, which weigh shifted copies of the series",
    ),
    "InformerModel": hugging_face(
        "InformerModel",
        6,
        PAIR_OF_TWO,
        {**LAGGED, "attention_type": "full", "distil": False},
        SERIES,
    ),
    "InformerModel, sparse": hugging_face(
        "InformerModel",
        6,
        f"{PAIR_OF_TWO}; the encoder's keys are chosen at random",
        {**LAGGED, "context_length": N_LONG, "attention_type": "prob", "sampling_factor": 1, "distil": False},
        LONG_SERIES,
        jumps="only the queries that rank highest attend",
    ),
    "PatchTSMixerForPrediction": hugging_face(
        "PatchTSMixerForPrediction",
        0,
        "linear layers mix the patches; the softmax of its gates is normalised over features",
        {**PATCHED, "num_layers": 2, "gated_attn": True, "expansion_factor": 2},
        CONTEXT,
        pick="prediction_outputs",
        n_other=4,
        other="gates",
        refused="it holds no attention",
    ),
    "PatchTSTForPrediction": hugging_face(
        "PatchTSTForPrediction",
        2,
        TWO_LAYERS,
        {**PATCHED, "num_attention_heads": 4, "num_hidden_layers": 2, "ffn_dim": 32},
        CONTEXT,
        pick="prediction_outputs",
    ),
    "PatchTSTForPrediction, channels attend": hugging_face(
        "PatchTSTForPrediction",
        4,
        "2 layers, each over patches and over channels",
        {**PATCHED, "num_attention_heads": 4, "num_hidden_layers": 2, "ffn_dim": 32, "channel_attention": True},
        CONTEXT,
        pick="prediction_outputs",
    ),
    "TimeSeriesTransformerModel": hugging_face("TimeSeriesTransformerModel", 6, PAIR_OF_TWO, LAGGED, SERIES),
    "TimesFm2_5ModelForPrediction": hugging_face(
        "TimesFm2_5ModelForPrediction",
        4,
        "2 layers, each once for the series and once for its negative",
        {
            **SIZES,
            **{
                "patch_length": 4,
                "context_length": 32,
                "horizon_length": 8,
                "head_dim": 4,
                "num_key_value_heads": 4,
                "output_quantile_len": 8,
            },
        },
        {"past_values": normal(N_CASE, 32), "truncate_negative": False, "forecast_context_len": 32},
        pick="mean_predictions",
    ),
    "TimesFmModelForPrediction": hugging_face(
        "TimesFmModelForPrediction",
        2,
        TWO_LAYERS,
        {**SIZES, "patch_length": 4, "context_length": 32, "horizon_length": 8, "head_dim": 4},
        {"past_values": list(normal(N_CASE, 32)), "freq": [0] * N_CASE},
        pick="mean_predictions",
    ),
}
