"""A progress bar on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tqdm import tqdm


class ProgressBar:
    """A bar that follows the progress protocol, progress(done, total, what), and clears itself at the end.

    Nothing is shown where stderr is not a terminal.
    """

    def __enter__(self) -> Callable[[int, int, str], None]:
        self.bar = tqdm(
            total=1, file=sys.stderr, leave=False, disable=None, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        )
        return self.show

    def show(self, done: int, total: int, what: str) -> None:
        self.bar.total = total
        self.bar.set_description_str(what, refresh=False)
        self.bar.n = min(done, total)
        self.bar.refresh()

    def __exit__(self, *_: object) -> None:
        self.bar.close()
