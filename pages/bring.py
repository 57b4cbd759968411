"""Bring your own: data from a CSV file, a saved setting, a model."""

import streamlit as st

from pages.ui import look, own, state

state.begin("bring")
look.title("Bring your own", "Files stay on this server, in this session; nothing is sent anywhere else.")

data, setting, model = st.tabs(["Your data", "A saved setting", "Your model"])
with data:
    own.data_form()
with setting:
    own.saved_setting()
with model:
    own.model_guide()
