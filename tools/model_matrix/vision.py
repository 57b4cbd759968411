"""Image models of transformers."""

from __future__ import annotations

from tools.model_matrix.entry import N_CASE, Entry, normal, tokens
from tools.model_matrix.hugging_face import SIZES, TWO_LAYERS, hugging_face

PATCHES = {**SIZES, "image_size": 16, "patch_size": 4}
SMALL = {"pixel_values": normal(N_CASE, 3, 16, 16)}
MEDIUM = {"pixel_values": normal(N_CASE, 3, 32, 32)}
LARGE = {"pixel_values": normal(N_CASE, 3, 128, 128)}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
PYRAMID = {
    **{"num_encoder_blocks": 2, "depths": [1, 1], "hidden_sizes": [8, 16], "num_attention_heads": [2, 4], "sr_ratios": [2, 1]},
    **{"patch_sizes": [7, 3], "strides": [4, 2], "mlp_ratios": [2, 2], "decoder_hidden_size": 8},
}
TWO_STAGES = "2 stages of one layer"
TWO_BY_TWO = "2 stages of 2 layers"

MODELS: dict[str, Entry] = {
    "BeitModel": hugging_face("BeitModel", 2, TWO_LAYERS, {**PATCHES, "use_relative_position_bias": True}, SMALL),
    "CLIPModel": hugging_face(
        "CLIPModel",
        4,
        "2 layers for the image and 2 for the text",
        {"text_config": {**SIZES, "vocab_size": 50}, "vision_config": PATCHES, "projection_dim": 8},
        {**SMALL, "input_ids": tokens(9)},
        pick=lambda output: output.vision_model_output.last_hidden_state + output.text_embeds[:, None, :1],
    ),
    "CvtModel": hugging_face(
        "CvtModel",
        3,
        "2 stages, the first of one layer and the second of 2",
        {
            **{
                "patch_sizes": [7, 3],
                "patch_stride": [4, 2],
                "patch_padding": [2, 1],
                "embed_dim": [8, 16],
                "num_heads": [2, 4],
                "depth": [1, 2],
            },
            **{"mlp_ratio": [2.0, 2.0], "cls_token": [False, True], "qkv_projection_method": ["dw_bn", "dw_bn"], "qkv_bias": [True, True]},
            **{"kernel_qkv": [3, 3], "padding_kv": [1, 1], "stride_kv": [2, 2], "padding_q": [1, 1], "stride_q": [1, 1]},
            **{"attention_drop_rate": [0.0, 0.0], "drop_rate": [0.0, 0.0], "drop_path_rate": [0.0, 0.0]},
        },
        MEDIUM,
    ),
    "DPTModel": hugging_face("DPTModel", 2, TWO_LAYERS, {**PATCHES, "backbone_out_indices": [0, 1]}, SMALL),
    "Data2VecVisionModel": hugging_face("Data2VecVisionModel", 2, TWO_LAYERS, PATCHES, SMALL),
    "DeiTModel": hugging_face("DeiTModel", 2, TWO_LAYERS, PATCHES, SMALL),
    "Dinov2Model": hugging_face("Dinov2Model", 2, TWO_LAYERS, PATCHES, SMALL),
    "GLPNModel": hugging_face("GLPNModel", 2, TWO_STAGES, PYRAMID, MEDIUM),
    "GroupViTVisionModel": hugging_face(
        "GroupViTVisionModel",
        4,
        "3 layers, and one cross-attention of the 4 group tokens over the patches",
        {**PATCHES, "depths": [1, 2], "num_group_tokens": [4, 0], "num_output_groups": [4, 0], "num_hidden_layers": 3},
        SMALL,
        n_other=2,
        other="the assignment of patches to groups, normalised over groups, made one-hot, and computed once more for the output",
        refusable="the assignment is a choice of one group for each patch, whose one-hot rows weigh values",
    ),
    "HieraModel": hugging_face(
        "HieraModel",
        2,
        TWO_STAGES,
        {
            **{
                "image_size": [32, 32],
                "patch_size": [7, 7],
                "patch_stride": [4, 4],
                "patch_padding": [3, 3],
                "embed_dim": 8,
                "depths": [1, 1],
            },
            **{"num_heads": [2, 4], "mlp_ratio": 2.0, "num_query_pool": 1, "query_stride": [2, 2], "masked_unit_size": [4, 4]},
            **{"masked_unit_attention": [True, False]},
        },
        MEDIUM,
    ),
    "LevitModel": hugging_face(
        "LevitModel",
        5,
        "3 stages of one layer, and 2 layers between them that reduce the number of queries",
        {
            **{
                "image_size": 128,
                "hidden_sizes": [16, 24, 32],
                "num_attention_heads": [2, 2, 2],
                "depths": [1, 1, 1],
                "key_dim": [4, 4, 4],
            },
            **{"drop_path_rate": 0, "mlp_ratio": [2, 2, 2], "attention_ratio": [2, 2, 2]},
            **{"down_ops": [["Subsample", 4, 4, 4, 2, 2], ["Subsample", 4, 6, 4, 2, 2]]},
        },
        LARGE,
    ),
    "MaskFormerSwinModel": hugging_face("MaskFormerSwinModel", 4, TWO_BY_TWO, SWIN, MEDIUM),
    "MobileViTModel": hugging_face(
        "MobileViTModel",
        9,
        "3 stages of 2, 4 and 3 layers",
        {
            **{"image_size": 128, "hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 8], "num_attention_heads": 4},
            **{"mlp_ratio": 2.0, "patch_size": 2},
        },
        LARGE,
        noise=0.3,
    ),
    "MobileViTV2Model": hugging_face(
        "MobileViTV2Model",
        3,
        "3 stages of one layer, whose softmax over the patches weighs a sum of keys",
        {"image_size": 128, "n_attn_blocks": [1, 1, 1], "base_attn_unit_dims": [8, 16, 16], "width_multiplier": 0.25},
        LARGE,
    ),
    "PvtModel": hugging_face(
        "PvtModel",
        2,
        TWO_STAGES,
        {
            **{"image_size": 32, "num_encoder_blocks": 2, "depths": [1, 1], "hidden_sizes": [8, 16], "num_attention_heads": [2, 4]},
            **{"sequence_reduction_ratios": [2, 1], "patch_sizes": [4, 2], "strides": [4, 2], "mlp_ratios": [2, 2]},
        },
        MEDIUM,
    ),
    "PvtV2Model": hugging_face("PvtV2Model", 2, TWO_STAGES, {**PYRAMID, "image_size": 32}, MEDIUM),
    "SegformerModel": hugging_face("SegformerModel", 2, TWO_STAGES, PYRAMID, MEDIUM),
    "SegGptModel": hugging_face(
        "SegGptModel",
        2,
        TWO_LAYERS,
        {**PATCHES, "image_size": [32, 16], "pretrain_image_size": 16, "intermediate_hidden_state_indices": [0, 1], "merge_index": 0},
        {**SMALL, "prompt_pixel_values": normal(N_CASE, 3, 16, 16, seed=1), "prompt_masks": normal(N_CASE, 3, 16, 16, seed=2)},
    ),
    "SwinModel": hugging_face("SwinModel", 4, TWO_BY_TWO, SWIN, MEDIUM),
    "Swin2SRModel": hugging_face(
        "Swin2SRModel",
        4,
        TWO_BY_TWO,
        {"image_size": 16, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4, "patch_size": 1},
        SMALL,
    ),
    "Swinv2Model": hugging_face("Swinv2Model", 4, TWO_BY_TWO, SWIN, MEDIUM),
    "TimesformerModel": hugging_face(
        "TimesformerModel",
        4,
        "2 layers of attention over time and over space",
        {**PATCHES, "num_frames": 2},
        {"pixel_values": normal(N_CASE, 2, 3, 16, 16)},
    ),
    "ViTModel": hugging_face("ViTModel", 2, TWO_LAYERS, PATCHES, SMALL),
    "ViTMAEModel": hugging_face("ViTMAEModel", 2, TWO_LAYERS, PATCHES, SMALL),
    "ViltModel": hugging_face(
        "ViltModel", 2, TWO_LAYERS, {**PATCHES, "vocab_size": 50, "max_image_length": -1}, {"input_ids": tokens(9), **SMALL}
    ),
    "VideoMAEModel": hugging_face(
        "VideoMAEModel", 2, TWO_LAYERS, {**PATCHES, "num_frames": 4}, {"pixel_values": normal(N_CASE, 4, 3, 16, 16)}
    ),
    "VitDetModel": hugging_face(
        "VitDetModel",
        2,
        "2 layers, one of them in windows",
        {**SIZES, "image_size": 16, "pretrain_image_size": 16, "patch_size": 4, "window_size": 2, "window_block_indices": [0]}
        | {"use_relative_position_embeddings": True, "residual_block_indices": []},
        SMALL,
    ),
}
