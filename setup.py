"""Which folders the wheel carries: the core, and inside it the data and the dashboard, which lie beside the core in a clone.

Everything else about the package is in pyproject.toml. Setuptools cannot both find packages and move folders from there.
"""

from setuptools import find_namespace_packages, find_packages, setup

# Inside the core, because a top-level package called pages or data would be in the way of other projects.
MOVED = {
    "stochattn_core.data": "data",
    "stochattn_core.dashboard": ".",  # app.py and .streamlit/config.toml
    **{f"stochattn_core.dashboard.{name}": name.replace(".", "/") for name in find_namespace_packages(include=["pages", "pages.*"])},
}

setup(
    script_name="setup.py",  # this file, which is then left out of the folder "."
    packages=[*find_packages(include=["stochattn_core", "stochattn_core.*"]), *MOVED],
    package_dir=MOVED,
)
