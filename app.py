"""The router: one line for each page. `streamlit run app.py`."""

import streamlit as st

page = st.navigation(
    [
        st.Page("pages/explore.py", title="Explore", default=True),
        st.Page("pages/tune.py", title="Tune"),
        st.Page("pages/bring.py", title="Bring your own", url_path="bring"),
        st.Page("pages/method.py", title="Method"),
    ]
)

from pages.ui import cached, streamlit_private  # noqa: E402, the browser has the navigation while this is read

with cached.prefetcher().drawing(streamlit_private.session_id()):
    page.run()
