"""Progress of a part of the work as progress of the whole."""

from __future__ import annotations

from stochattn_core.datasets.base import Progress


def share(progress: Progress | None, part: int, n_part: int, what: str = "") -> Progress | None:
    """Progress of one part of the work as progress of the whole, in thousandths; under a name of its own where one is given."""
    if progress is None:
        return None
    return lambda done, total, inner: progress(int(1000 * (part + done / max(total, 1))), 1000 * n_part, what or inner)
