"""JSON as every program here writes it: no NaN and no infinity, which the format does not have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import numpy as np

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def plain_json(value: object) -> Json:
    """Return a copy of nested mappings, sequences and numbers that JSON can hold.

    NaN and minus infinity become null (not known); plus infinity becomes "inf", which is how the plain model's concentration is written.
    NumPy's scalars become Python's; keys become text. Values of any other type are returned as they are.

    >>> plain_json({"rmse": math.nan, "concentration": math.inf, 8: (1.5, np.float32(2))})
    {'rmse': None, 'concentration': 'inf', '8': [1.5, 2.0]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else None
    return value  # type: ignore[return-value]  # another type is left to json.dumps, which names it in its error


def json_text(value: object, indent: int = 2) -> str:
    """Return one JSON document as text, cleaned by plain_json; TypeError for a type that JSON cannot hold."""
    return json.dumps(plain_json(value), indent=indent, allow_nan=False)
