"""The page Bring your own: data from a file or an address, a saved setting, a model."""

import streamlit as st

from pages.ui import own_data, own_model, own_setting, sidebar, widgets

sidebar.begin("bring")
widgets.title("Bring your own", "Your files are read on this server and kept for this session only; they are not sent anywhere else.")

data, setting, model = st.tabs(["Your data", "A saved setting", "Your model"])
with data:
    own_data.data_form()
with setting:
    own_setting.saved_setting()
with model:
    own_model.model_guide()
