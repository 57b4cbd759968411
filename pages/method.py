"""The idea on one attention row that you can touch."""

import streamlit as st

from pages.ui import row, sidebar, widgets

sidebar.begin("method")
widgets.title(
    "Stochastic attention, on one row",
    "Slide the numbers: everything below answers. Nothing here is a picture of the model; it is the mechanism itself.",
)

controls = st.columns(4, gap="large")
n_key = controls[0].slider("Keys in the row", 4, 24, 12, key="row-keys")
temperature = controls[1].slider(
    "Temperature of the logits", 0.2, 4.0, 1.0, 0.1, key="row-temperature", help="Low: one key takes all. High: all alike."
)
nu = controls[2].select_slider("Concentration ν", row.CONCENTRATIONS, 16, key="row-nu", help="How often keys are drawn for this row.")
seed = controls[3].number_input("Draw", 0, 9999, 0, key="row-draw", help="Another number, another member.")

shown = row.touch(n_key, temperature, nu, seed)
columns = st.columns(3, gap="medium")
for column, (name, figure, sentence) in zip(columns, shown, strict=True):
    with column:
        widgets.plot(figure, sentence, key=f"row-{name}")

st.subheader("What happens")
st.markdown(row.STORY)
st.subheader("What it can and cannot do")
st.markdown(row.LIMITS)
