"""stochattn app: the dashboard, from a clone or from an installed wheel."""

from __future__ import annotations

from pathlib import Path

from stochattn_core.commands.base import PassingCommand

_PACKAGE = Path(__file__).resolve().parents[1]


def dashboard() -> Path:
    """Return the path of the dashboard's app.py: stochattn_core/dashboard/app.py in an installed wheel, app.py of the clone otherwise.

    Streamlit puts its folder on the path of imports, so `pages` is found there, and reads .streamlit/config.toml beside it.
    """
    installed = _PACKAGE / "dashboard" / "app.py"
    return installed if installed.is_file() else _PACKAGE.parent / "app.py"


def _run(arguments: list[str]) -> int:
    from streamlit.web import cli

    try:
        cli.main(["run", str(dashboard()), *arguments], standalone_mode=False)
    except cli.click.ClickException as error:
        raise ValueError(f"expected options of streamlit run, got: {error.format_message()} See streamlit run --help") from None
    return 0


APP = PassingCommand("app", "The dashboard in a browser; takes the options of `streamlit run`, such as --server.port 8502.", _run)
