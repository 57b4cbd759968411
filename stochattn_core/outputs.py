"""The output of a model: which of its fields is the forecast, and along which of its dims the members are folded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

Pick = str | int | Callable[[Any], Any]

# Fields of transformers' outputs, the first that is there counts. A forecast comes before the scores of classes, and both come before
# hidden states, from which a head computes them; among forecasts, the point forecast is the one that other fields add to.
HUGGING_FACE_FIELDS = (
    "prediction_outputs",  # PatchTST, PatchTSMixer
    "regression_outputs",
    "mean_predictions",  # TimesFM; full_predictions holds the quantiles beside it
    "predictions",
    "prediction",
    "prediction_logits",
    "logits",
    "last_hidden_state",  # before pooler_output, which is one of its tokens
)
LOSS = "loss"


def forecast_in(output: Any, pick: Pick | None, n_case: int, batch_dim: int = 0) -> Tensor:
    """Return the tensor of an output that is the forecast.

    pick: a key, the name of an attribute, an index, or a function of the output; None finds the only tensor of floating numbers that has
    n_case entries along dim 0 or batch_dim, or the field in HUGGING_FACE_FIELDS that comes first. A loss is never found, only picked.
    Raises ValueError, with the fields and their shapes, where nothing or more than one field can be the forecast.
    """
    if pick is not None:
        return _picked(output, pick)
    if isinstance(output, Tensor):
        return output
    fields = fields_of(output)
    if any(base.__name__ == "ModelOutput" for base in type(output).__mro__):
        for name in HUGGING_FACE_FIELDS:
            if isinstance(fields.get(name), Tensor):
                return fields[name]
    numbers = {name: x for name, x in fields.items() if isinstance(x, Tensor) and x.is_floating_point() and name != LOSS}
    with_cases = {name: x for name, x in numbers.items() if n_case in (*x.shape[:1], *x.shape[batch_dim : batch_dim + 1])}
    possible = with_cases or numbers
    if len(possible) == 1:
        return next(iter(possible.values()))
    how_many = "several fields of it can" if possible else "no field of it can"
    raise ValueError(
        f"expected one forecast, got {_described(output)}, and {how_many} be the forecast; "
        f"pass pick= with the name or index of a field, or with a function that takes the output and returns a tensor"
    )


def fields_of(output: Any) -> dict[Any, Any]:
    """Return what an output holds by key, name or index; {} for an object of another kind."""
    if isinstance(output, Mapping):
        return dict(output)
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return dict(zip(output._fields, output, strict=True))
    if isinstance(output, list | tuple):
        return dict(enumerate(output))
    return dict(vars(output)) if hasattr(output, "__dict__") and not isinstance(output, Tensor) else {}


def folded_dim(together: Tensor, alone: Tensor, n_fold: int, batch_dim: int = 0) -> int | None:
    """Return the dim of a folded output that holds n_fold times the entries of a single one; None where not exactly this dim does.

    >>> folded_dim(Tensor(5, 12, 2), Tensor(5, 3, 2), 4)
    1
    """
    if together.ndim != alone.ndim:
        return None
    dims = [dim for dim, (n, n_alone) in enumerate(zip(together.shape, alone.shape, strict=True)) if n != n_alone]
    if not dims and 0 in alone.shape:  # no entry at all, whatever the dim
        dims = [batch_dim]
    return dims[0] if len(dims) == 1 and together.shape[dims[0]] == n_fold * alone.shape[dims[0]] else None


def like_target(forecast: Tensor, n_dim: int) -> Tensor:
    """Return a forecast without a last axis of one entry, where the target it is compared with has n_dim axes and not that one.

    Regression heads return (case, 1) for a target (case,), and forecasters of several variables (case, lead_time, 1) for one of them.
    """
    return forecast.squeeze(-1) if forecast.ndim == n_dim + 1 and forecast.shape[-1] == 1 else forecast


def unfolded(output: Tensor, n_fold: int, dim: int) -> Tensor:
    """Return (member, *output) for an output whose dim holds the members one after another."""
    return output.unflatten(dim, (n_fold, -1)).movedim(dim, 0)


def _picked(output: Any, pick: Pick) -> Tensor:
    if callable(pick):
        forecast = pick(output)
    elif isinstance(output, Mapping) and pick in output:
        forecast = output[pick]
    elif isinstance(pick, str) and hasattr(output, pick):
        forecast = getattr(output, pick)
    elif isinstance(pick, int) and isinstance(output, list | tuple | Mapping) and -len(output) <= pick < len(output):
        forecast = list(output.values())[pick] if isinstance(output, Mapping) else output[pick]
    else:
        raise ValueError(f"pick={pick!r} names no field of the output, which is {_described(output)}; pass one of these fields")
    if isinstance(forecast, Tensor):
        return forecast
    raise ValueError(f"expected pick={pick!r} to give a tensor, got {type(forecast).__name__}; the output is {_described(output)}")


def _described(output: Any) -> str:
    """Return an output in words: its type, and its fields with shapes."""
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    fields = [f"{name!r}: {_short(value)}" for name, value in fields_of(output).items() if value is not None]
    return f"{type(output).__name__} with {', '.join(fields) or 'no fields'}"


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
