"""Image models of timm with random weights, on images smaller than those they were published for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tools.model_matrix.entry import N_CASE, Entry, Example, normal, randomise


def timm_model(
    name: str, n_call: int, because: str, image: int = 64, *, is_convolutional: bool = False, is_normalised: bool = False, **entry: Any
) -> Entry:
    """Return the entry of a model of timm. image: height and width; models without positions of their own take any.

    is_normalised: batch norms take their statistics from the images, as in a trained model. Without them, activations may grow from layer to layer
    until each row of attention has one key, and the output jumps.
    """

    def build() -> Example:
        from tools.model_matrix import operators  # noqa: F401, I001  makes timm importable
        import timm

        sizes = {} if is_convolutional else {"img_size": image}
        model, images = randomise(timm.create_model(name, num_classes=10, **sizes), 0.01), normal(N_CASE, 3, image, image)
        if is_normalised:
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = None  # the mean of all passes, of which there is one
            with torch.no_grad():
                model.train()(images)
        return Example(model.eval(), (images,))

    return Entry(build, n_call, because, package="timm", **entry)


MODELS: dict[str, Entry] = {
    "beit_base_patch16_224": timm_model("beit_base_patch16_224", 12, "12 layers"),
    "botnet26t_256": timm_model("botnet26t_256", 3, "3 attention blocks", 128),
    "cait_xxs24_224": timm_model("cait_xxs24_224", 26, "24 layers with talking heads and 2 layers of class attention"),
    "coat_lite_tiny": timm_model("coat_lite_tiny", 8, "4 stages of 2 layers; the softmax of the keys runs over the tokens"),
    "coat_tiny": timm_model(
        "coat_tiny", 26, "4 stages of 2 layers, and 6 parallel blocks of 3 layers; the softmax of the keys runs over the tokens"
    ),
    "convit_tiny": timm_model(
        "convit_tiny",
        12,
        "12 layers",
        n_other=10,
        other="the positional rows of the first 10 layers, which depend on no input",
        refusable="10 layers mix content rows with positional rows by a gate",
    ),
    "crossvit_tiny_240": timm_model(
        "crossvit_tiny_240", 21, "3 blocks, each with 1 layer on small patches, 4 layers on large ones and 2 cross-attentions", 240
    ),
    "davit_tiny": timm_model("davit_tiny", 12, "6 layers over windows and 6 layers over channels", 112, is_convolutional=True),
    "edgenext_xx_small": timm_model("edgenext_xx_small", 3, "3 layers of cross-covariance attention", is_convolutional=True),
    "efficientformer_l1": timm_model("efficientformer_l1", 1, "1 layer in the last stage", 224, is_convolutional=True),
    "efficientformerv2_s0": timm_model(
        "efficientformerv2_s0", 5, "4 layers with talking heads, and 1 layer that reduces the number of queries"
    ),
    "efficientvit_m0": timm_model("efficientvit_m0", 24, "6 layers, each with 4 heads one after the other", 224),
    "eva02_tiny_patch14_224": timm_model("eva02_tiny_patch14_224", 12, "12 layers", 56),
    "gcresnet33ts": timm_model(
        "gcresnet33ts",
        10,
        "10 blocks, each with a pooling of all places by a learned query",
        is_convolutional=True,
        refusable="the softmax weighs one context vector, which gates channels",
    ),
    "gcvit_xxtiny": timm_model("gcvit_xxtiny", 12, "12 layers of window attention"),
    "halonet26t": timm_model("halonet26t", 3, "3 attention blocks", 256, is_convolutional=True),
    "lambda_resnet26t": timm_model(
        "lambda_resnet26t",
        3,
        "3 lambda layers; the softmax of the keys runs over the places",
        128,
        refusable="a lambda layer makes of its rows a linear function, not an output",
    ),
    "levit_128s": timm_model("levit_128s", 11, "9 layers, and 2 layers that reduce the number of queries", 128),
    "maxvit_tiny_tf_224": timm_model("maxvit_tiny_tf_224", 22, "11 blocks, each over windows and over a grid"),
    "mobilevitv2_050": timm_model(
        "mobilevitv2_050",
        9,
        "3 stages of 2, 4 and 3 layers, whose softmax over the patches weighs a sum of keys",
        128,
        is_convolutional=True,
    ),
    "mvitv2_tiny": timm_model("mvitv2_tiny", 10, "10 layers", is_convolutional=True),
    "nest_tiny": timm_model("nest_tiny", 12, "12 layers"),
    "pit_ti_224": timm_model("pit_ti_224", 12, "12 layers"),
    "skresnet18": timm_model(
        "skresnet18",
        0,
        "convolutions",
        n_other=8,
        other="the choice between two kernels",
        is_convolutional=True,
        refused="it holds no attention",
    ),
    "swin_tiny_patch4_window7_224": timm_model("swin_tiny_patch4_window7_224", 12, "12 layers", 112),
    "swinv2_tiny_window8_256": timm_model("swinv2_tiny_window8_256", 12, "12 layers", 128),
    "tnt_s_patch16_224": timm_model("tnt_s_patch16_224", 24, "12 layers, each over pixels and over patches"),
    "twins_svt_small": timm_model("twins_svt_small", 18, "18 layers, over windows and over reduced keys in turn", is_convolutional=True),
    "visformer_tiny": timm_model("visformer_tiny", 8, "8 layers", is_normalised=True),
    "vit_tiny_patch16_224": timm_model("vit_tiny_patch16_224", 12, "12 layers"),
    "volo_d1_224": timm_model("volo_d1_224", 20, "4 layers of outlook attention, 14 layers, and 2 layers of class attention"),
    "xcit_nano_12_p16_224": timm_model(
        "xcit_nano_12_p16_224", 14, "12 layers of cross-covariance attention and 2 layers of class attention"
    ),
}
