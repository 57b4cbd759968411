"""Detection and segmentation models of transformers, with deformable attention among them."""

from __future__ import annotations

from typing import Any

from tools.model_matrix.entry import N_CASE, Entry, normal
from tools.model_matrix.hugging_face import PAIR, PAIR_OF_TWO, hugging_face

IMAGES = {"pixel_values": normal(N_CASE, 3, 64, 64)}
NAMES = ("stage1", "stage2", "stage3", "stage4")
SAMPLED_VALUES = "deformable attention weighs values that are sampled at learned places, which are no keys"


def _config(name: str) -> Any:
    """Return the configuration class with this name."""
    import transformers

    return getattr(transformers, name)


def resnet() -> Any:
    """Return the configuration of a convolutional backbone with strides 4, 8, 16 and 32."""
    return _config("ResNetConfig")(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic", out_features=list(NAMES[1:])
    )


def _detr(config_class: str, **further: Any) -> Any:
    return lambda: _config(config_class)(
        use_timm_backbone=False,
        backbone_config=resnet(),
        num_queries=5,
        use_pretrained_backbone=False,
        backbone=None,
        **{**PAIR, **further},
    )


def _mask2former() -> Any:
    swin = _config("SwinConfig")(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[2, 2, 2, 2], window_size=4, out_features=list(NAMES)
    )
    return _config("Mask2FormerConfig")(
        backbone_config=swin, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32, encoder_layers=1,
        decoder_layers=4, num_attention_heads=4, dim_feedforward=32, num_queries=5,
    )  # fmt: skip


def _rt_detr(config_class: str) -> Any:
    def make() -> Any:
        backbone = _config("RTDetrResNetConfig")(
            embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic", out_features=list(NAMES[1:])
        )
        return _config(config_class)(
            backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[8, 16, 16], encoder_ffn_dim=32, encoder_attention_heads=4,
            d_model=16, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=32, decoder_layers=2, decoder_attention_heads=4, num_queries=5,
            decoder_n_points=2, anchor_image_size=None,
        )  # fmt: skip

    return make


MODELS: dict[str, Entry] = {
    "ConditionalDetrModel": hugging_face("ConditionalDetrModel", 6, PAIR_OF_TWO, _detr("ConditionalDetrConfig"), IMAGES),
    "DeformableDetrModel": hugging_face(
        "DeformableDetrModel",
        6,
        "2 encoder layers of deformable attention, and 2 decoder layers with self-attention and deformable cross-attention each",
        _detr("DeformableDetrConfig", d_model=32, num_feature_levels=3, encoder_n_points=2, decoder_n_points=2),
        IMAGES,
        refusable=SAMPLED_VALUES,
    ),
    "DetrModel": hugging_face("DetrModel", 6, PAIR_OF_TWO, _detr("DetrConfig"), IMAGES),
    "Mask2FormerModel": hugging_face(
        "Mask2FormerModel",
        11,
        "4 layers of the Swin backbone, 1 layer of the pixel decoder with deformable attention, and 3 decoder layers with self- and "
        "cross-attention each",
        _mask2former,
        IMAGES,
        pick="transformer_decoder_last_hidden_state",
        jumps="a query attends to the places where the mask predicted before it is above one half",
        refusable=SAMPLED_VALUES,
    ),
    "RTDetrModel": hugging_face(
        "RTDetrModel",
        5,
        "1 encoder layer, and 2 decoder layers with self-attention and deformable cross-attention",
        _rt_detr("RTDetrConfig"),
        IMAGES,
        refusable=SAMPLED_VALUES,
    ),
    "RTDetrV2Model": hugging_face(
        "RTDetrV2Model",
        5,
        "1 encoder layer, and 2 decoder layers with self-attention and deformable cross-attention",
        _rt_detr("RTDetrV2Config"),
        IMAGES,
        refusable=SAMPLED_VALUES,
    ),
    "TableTransformerModel": hugging_face("TableTransformerModel", 6, PAIR_OF_TWO, _detr("TableTransformerConfig"), IMAGES),
}
