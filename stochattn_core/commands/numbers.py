"""Numbers in options: text in, number out, ValueError with our sentence for anything else."""

from __future__ import annotations

import contextlib
import math
import re

from stochattn_core.draw import LARGEST, check_concentration

MOST_DIGITS = 19  # of 2**63 - 1; Python itself refuses to convert more than 4,300


def whole_number(text: str, option: str) -> int:
    """Return the number of an option that takes a whole number, 0 or more."""
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        raise ValueError(f"{option} must be a whole number, got {shortened(text)}; try 49")
    return int(text)


def seed_number(text: str) -> int:
    """Return the number of --seed; the sampler checks its range."""
    if not re.fullmatch(r"-?[0-9]{1,40}", text):
        raise ValueError(f"seed must be a whole number, 0 or more, got {shortened(text)}; try 0")
    return int(text)


def seconds(text: str) -> float:
    """Return the number of --max-seconds."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--max-seconds must be a number, got {shortened(text)}; try 60") from None


def concentration_number(text: str) -> int | float:
    """Return the concentration as check_concentration gives it: an int, or math.inf for the text "inf"."""
    value = math.nan
    with contextlib.suppress(ValueError):
        value = float(text)
    if value != value:
        raise ValueError(f"concentration must be a positive whole number or inf, got {shortened(text)}; try 64")
    if value == math.inf and "inf" not in text.lower():  # digits beyond the largest float
        raise ValueError(f"concentration must be at most {LARGEST:,}, got {shortened(text)}; inf is the plain model")
    return check_concentration(int(text) if re.fullmatch(r"[+-]?[0-9]{1,40}", text.strip()) else value)


def shortened(text: str) -> str:
    """Return the text as an error quotes it, without most of a very long one."""
    return repr(text if len(text) <= 40 else f"{text[:30]}... ({len(text):,} characters)")
