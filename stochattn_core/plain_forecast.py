"""The plain forecast of a model: one pass without sampling, on the same path through torch as the passes of the members."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stochattn_core.arguments import Arguments, changed, explaining_mismatch, merged
from stochattn_core.outputs import Pick, forecast_in
from stochattn_core.own_randomness import without_own_randomness
from stochattn_core.recognition.implementations import through_torch_functions


def plain_forecast(
    model: nn.Module,
    *inputs: Any,
    pick: Pick | None = None,
    batch_dim: int = 0,
    model_kwargs: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Tensor:
    """Return the plain forecast, to which an ensemble of `sample_ensemble` with the same arguments tends as the concentration grows.

    The pass records no gradients, does not use torch's fused encoder, holds random numbers of the model's own fixed, and leaves the arguments
    as they are. Arguments and errors as in `sample_ensemble`.

    >>> model = nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
    >>> plain_forecast(model, torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """
    arguments = Arguments.of(model, inputs, merged(kwargs, model_kwargs), batch_dim)
    output = plain_output(model, arguments.positional, arguments.named)
    return forecast_in(output, pick, arguments.n_case, batch_dim)


def plain_output(model: nn.Module, positional: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """Return the whole output of the plain pass, see `plain_forecast`."""

    def run() -> Any:
        args, kwargs = changed((positional, named), Tensor.clone)
        with explaining_mismatch(model, positional, named):
            return model(*args, **kwargs)

    with torch.no_grad(), without_fast_path(), through_torch_functions(model):
        return without_own_randomness(model, run)


_lock = threading.Lock()
_n_block = 0
_was_enabled = True


@contextlib.contextmanager
def without_fast_path() -> Iterator[None]:
    """Keep torch's fused encoder off: it gives zeros at padded positions, where torch's own slow path and answered passes give numbers.

    The switch is one for all threads: the first block turns it off, and the last one that ends restores it.
    """
    global _n_block, _was_enabled
    with _lock:
        if not _n_block:
            _was_enabled = torch.backends.mha.get_fastpath_enabled()
            torch.backends.mha.set_fastpath_enabled(False)
        _n_block += 1
    try:
        yield
    finally:
        with _lock:
            _n_block -= 1
            if not _n_block:
                torch.backends.mha.set_fastpath_enabled(_was_enabled)
