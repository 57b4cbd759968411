"""The page Method: stochastic attention on one row of weights, with sliders."""

import streamlit as st

from pages.ui import attention_row, sidebar, widgets

sidebar.begin("method")
widgets.title(
    "Stochastic attention, on one row",
    "Move the sliders to see how one row of attention weights is sampled. The row is an example; the sidebar does not change it.",
)

controls = st.columns(4, gap="large")
n_key = controls[0].slider("Keys in the row", 4, 24, 12, key="row-keys", help="Number of positions to which this row attends.")
temperature = controls[1].slider(
    "Temperature of the logits",
    0.2,
    4.0,
    1.0,
    0.1,
    key="row-temperature",
    help="A low temperature gives one key nearly all the weight; a high one makes all weights alike.",
)
nu = controls[2].select_slider(
    "Concentration ν",
    attention_row.CONCENTRATIONS,
    16,
    key="row-nu",
    help="Number of keys that are drawn for this row. Fewer draws spread the output wider.",
)
seed = controls[3].number_input(
    "Draw", 0, 9999, 0, key="row-draw", help="Number of the random draw. Each number stands for another member of the ensemble."
)

figures = attention_row.figures(n_key, temperature, nu, seed)
columns = st.columns(3, gap="medium")
for column, (name, figure, sentence) in zip(columns, figures, strict=True):
    with column:
        widgets.plot(figure, sentence, key=f"row-{name}")

st.subheader("What happens")
st.markdown(attention_row.STORY)
st.subheader("What it can and cannot do")
st.markdown(attention_row.LIMITS)
