"""Language models that decode, and the recurrent ones that are to be refused."""

from __future__ import annotations

from typing import Any

from tools.model_matrix.entry import Entry, tokens
from tools.model_matrix.hugging_face import SIZES, TWO_LAYERS, hugging_face

WORDS = {"vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
TEXT = {"input_ids": tokens(9)}
CONFIG: dict[str, Any] = {**SIZES, **WORDS}
GROUPED = {**CONFIG, "num_key_value_heads": 2}  # two query heads share each key head
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}


def decoder(cls: str, config: dict[str, Any], n_call: int = 2, because: str = TWO_LAYERS, **entry: Any) -> Entry:
    """Return the entry of a class whose only argument is the text."""
    return hugging_face(cls, n_call, because, config, TEXT, **entry)


MODELS: dict[str, Entry] = {
    "BambaModel": decoder(
        "BambaModel",
        {**GROUPED, "attn_layer_indices": [1], "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 4, "mamba_n_groups": 1},
        1,
        "one attention layer after one Mamba-2 layer",
    ),
    "BloomModel": decoder("BloomModel", {**WORDS, "hidden_size": 16, "n_layer": 2, "n_head": 4}),
    "CohereModel": decoder("CohereModel", GROUPED),
    "DeepseekV3Model": decoder(
        "DeepseekV3Model",
        {
            **CONFIG,
            **{
                "num_key_value_heads": 4,
                "q_lora_rank": 8,
                "kv_lora_rank": 8,
                "qk_rope_head_dim": 4,
                "qk_nope_head_dim": 4,
                "v_head_dim": 4,
            },
            **{"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
            **{"n_shared_experts": 1, "first_k_dense_replace": 1},
        },
    ),
    "FalconModel, alibi": decoder("FalconModel", {**CONFIG, "alibi": True, "new_decoder_architecture": False}),
    "GPT2Model": decoder("GPT2Model", {**WORDS, "n_embd": 16, "n_layer": 2, "n_head": 4}),
    "GPTJModel": decoder("GPTJModel", {**WORDS, "n_embd": 16, "n_layer": 2, "n_head": 4, "rotary_dim": 4}),
    "GPTNeoModel": decoder(
        "GPTNeoModel",
        {**WORDS, "hidden_size": 16, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 4},
    ),
    "GPTNeoXModel": decoder("GPTNeoXModel", CONFIG),
    "Gemma2Model": decoder("Gemma2Model", {**GROUPED, "head_dim": 4, "sliding_window": 4}),
    "Gemma2Model, flex": decoder(
        "Gemma2Model",
        {**GROUPED, "head_dim": 4, "sliding_window": 4, "attn_implementation": "flex_attention"},
        plain_attention="eager",
    ),
    "Gemma3TextModel": decoder("Gemma3TextModel", {**GROUPED, "head_dim": 4, "sliding_window": 4}),
    "GptOssModel": decoder(
        "GptOssModel",
        {**GROUPED, "head_dim": 4, "sliding_window": 4, "num_local_experts": 4},
        n_other=2,
        other="the routers of the two layers, normalised over experts",
    ),
    "GptOssModel, flex": decoder(
        "GptOssModel",
        {**GROUPED, "head_dim": 4, "sliding_window": 4, "num_local_experts": 4, "attn_implementation": "flex_attention"},
        plain_attention="eager",
        n_other=2,
        other="the routers of the two layers, normalised over experts",
    ),
    "JambaModel": decoder(
        "JambaModel",
        {
            **GROUPED,
            **{"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
            **{"num_experts": 2, "mamba_d_state": 4, "mamba_expand": 2, "use_mamba_kernels": False},
        },
        1,
        "one attention layer after one Mamba layer",
        n_other=1,
        other="the router of the sparse layer, normalised over experts",
    ),
    "LlamaModel": decoder("LlamaModel", GROUPED),
    "LlamaModel, eager": decoder("LlamaModel", {**GROUPED, "attn_implementation": "eager"}),
    "MambaModel": decoder(
        "MambaModel",
        {**WORDS, "hidden_size": 16, "num_hidden_layers": 2, "state_size": 4},
        0,
        "state spaces",
        refused="it holds no attention",
    ),
    "MistralModel": decoder("MistralModel", {**GROUPED, "sliding_window": 4}),
    "MixtralModel": decoder(
        "MixtralModel", {**GROUPED, "num_local_experts": 4}, n_other=2, other="the routers of the two layers, normalised over experts"
    ),
    "MptModel": decoder("MptModel", {**WORDS, "d_model": 16, "n_layers": 2, "n_heads": 4}),
    "OPTModel": decoder(
        "OPTModel", {**WORDS, "hidden_size": 16, "word_embed_proj_dim": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 32}
    ),
    "PhiModel": decoder("PhiModel", CONFIG),
    "Qwen3NextModel": decoder(
        "Qwen3NextModel",
        {
            **GROUPED,
            **EXPERTS,
            **{
                "head_dim": 4,
                "layer_types": ["linear_attention", "full_attention"],
                "linear_num_key_heads": 2,
                "linear_num_value_heads": 2,
            },
            **{"linear_key_head_dim": 4, "linear_value_head_dim": 4, "shared_expert_intermediate_size": 16, "decoder_sparse_step": 1},
        },
        1,
        "one full attention layer after one gated delta-rule layer, which has no rows",
        n_other=2,
        other="the routers of the two layers, normalised over experts",
    ),
    "RwkvModel": decoder(
        "RwkvModel",
        {**WORDS, "hidden_size": 16, "num_hidden_layers": 2, "attention_hidden_size": 16},
        0,
        "recurrence",
        refused="it holds no softmax attention",
    ),
    "XLMModel": hugging_face("XLMModel", 2, TWO_LAYERS, {"vocab_size": 50, "emb_dim": 16, "n_layers": 2, "n_heads": 4}, TEXT),
}
