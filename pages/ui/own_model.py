"""How to use a model of your own: in a script, or as an entry of the table of models."""

from __future__ import annotations

import streamlit as st


def model_guide() -> None:
    st.markdown(
        "Any `torch.nn.Module` with attention can be sampled, without training and without changing it. The output has the member axis first. "
        "Code is not uploaded here: run these lines where your model is."
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**In your own script**")
        st.code(SCRIPT, language="python")
    with right:
        st.markdown("**As a model of this app**: one new file in `stochattn_core/models/` and one line in its table")
        st.code(ENTRY, language="python")
    st.caption(
        "A model whose attention cannot be sampled is refused with NoAttentionError or UnansweredAttentionError, so a deterministic ensemble is never "
        "returned as a stochastic one."
    )


SCRIPT = """import torch
from stochattn_core import sample_ensemble

network = torch.nn.TransformerEncoder(
    torch.nn.TransformerEncoderLayer(32, 4, batch_first=True), 2
).eval()
x = torch.randn(8, 16, 32)

members = sample_ensemble(
    network, x, concentration=64, n_member=49
)
print(members.shape)          # member first: 49, 8, 16, 32
print(members.std(0).mean())  # how far the members differ
"""

ENTRY = '''from stochattn_core.models.model import Model

class Mine(Model):
    """One line that describes the model."""

    name = "mine"
    task = "series"
    title = "My transformer"
    source = "where it comes from"
    licence = "Apache-2.0"

    def on(self, dataset, *, device="auto", progress=None):
        self.check(dataset)
        # a module: (case, context) -> (case, lead_time)
        return load_my_network().eval()
'''
