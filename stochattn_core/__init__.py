"""Stochastic attention: calibrated ensembles from a trained transformer, with one number to tune."""

from stochattn_core.attention import stochastic_scaled_dot_product_attention
from stochattn_core.ensemble import sample_ensemble
from stochattn_core.patching import NoAttentionError, audit, stochastic_attention
from stochattn_core.watch import UnansweredAttentionError
