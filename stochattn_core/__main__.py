"""The command line: everything the app does, for scripts and clusters. `stochattn` and `python -m stochattn_core` are the same."""

from __future__ import annotations

from stochattn_core.commands.program import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
