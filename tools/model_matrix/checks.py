"""What is measured of one model: the calls, the plain output, the fall of the spread with nu, and members in folds."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from stochattn_core.audit import audit
from stochattn_core.draw import Draw
from stochattn_core.ensemble import sample_ensemble
from stochattn_core.patching import Plan, answering
from stochattn_core.recognition.refusals import NoAttentionError, UnansweredAttentionError
from tools.model_matrix.counting import count, without_fast_path
from tools.model_matrix.entry import Entry, Example

CONCENTRATIONS = (16, 64, 256)
# Where a model bends the noise of few draws, the law is checked again in the limit of little noise.
LARGE_CONCENTRATIONS = (256, 1024, 4096)
FOLDS = (1, 3, 8)
N_MEMBER = {"folds": 8, "spread": 24}
LARGEST_DIFFERENCE = 1e-4  # float rounding of small float32 models
# Rounding that moves a probability across a random number changes one draw, and with it one forecast of one member. A wrong fold changes most.
LARGEST_SHARE = 0.25
EXPONENTS = (-0.6, -0.4)
EXPONENTS_OF_JUMPS = (-0.6, -0.2)

Row = dict[str, Any]


def measure(entry: Entry) -> Row:
    """Return the row of one entry as JSON values. What fails is said in the row under "problem"; this function does not raise."""
    row: Row = {"expected": entry.n_call}
    try:
        torch.manual_seed(0)
        example = entry.build()
        _seeded(example)  # lazily made buffers and caches are made here
        _measure_plain(entry, example, row)
        _measure_answered(example, row)
        if entry.further:
            row["further"] = _measure_further(entry.further(), row)
    except (UnansweredAttentionError, NoAttentionError) as error:
        row["refused"] = f"{type(error).__name__}: {error}"
    except Exception as error:
        row["problem"] = f"{type(error).__name__}: {error}"[:500]
    row["verdict"] = verdict(entry, row)
    return row


def verdict(entry: Entry, row: Row) -> str:
    """Return "right", or in words what is not."""
    if "problem" in row:
        return row["problem"]
    if "counted" in row and row["counted"] != entry.n_call:
        return f"the plain pass holds {row['counted']} attention operations and the source says {entry.n_call}"
    if "refused" in row:
        return "right" if entry.refused or entry.refusable else f"refused: {row['refused']}"
    if entry.refused:
        return f"answered {row['answered']} calls, though {entry.refused}"
    faults = [
        (row["answered"] != entry.n_call, f"answered {row['answered']} of {entry.n_call} calls"),
        (row["off"] > LARGEST_DIFFERENCE, f"off differs from plain by {row['off']:.0e}"),
        (
            not _is_law(row.get("exponent_of_little_noise", row["exponent"]), EXPONENTS_OF_JUMPS if entry.jumps else EXPONENTS),
            f"spread falls as nu^{row['exponent']}",
        ),
        (row["n_apart"] > LARGEST_SHARE * row["n_forecast"], f"{row['n_apart']} of {row['n_forecast']} forecasts differ by fold"),
        (bool(row.get("further", {}).get("wrong")), f"wrong in {row.get('further', {}).get('wrong')}"),
    ]
    return "; ".join(text for is_wrong, text in faults if is_wrong) or "right"


def _measure_plain(entry: Entry, example: Example, row: Row) -> None:
    counts = count(example.plain or example.model, lambda: _seeded(example))
    row["counted"] = counts.n_attention(entry.attention_modules, entry.n_other)
    row["way"] = counts.way()
    first, second = (_seeded(example, seed) for seed in (0, 1))
    row["own_randomness"] = not torch.equal(first, second)


def _measure_answered(example: Example, row: Row) -> None:
    torch.manual_seed(0)
    checked = audit(example.model, *example.inputs, **example.kwargs)
    row["answered"] = sum(checked.calls.values())
    row["recognised"] = _recognised(checked) or row["way"]
    plain = _seeded(example)
    scale = float(plain.abs().nan_to_num(0.0).max())
    row["off"] = max(checked.relative_error, float((_exact(example) - plain).abs().nan_to_num(0.0).max()) / scale)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folds = [_ensemble(example, CONCENTRATIONS[0], N_MEMBER["folds"], fold) for fold in FOLDS]
    row |= fold_differences(folds, scale)
    messages = {str(warning.message) for warning in caught if warning.filename == __file__ or "stochattn_core" in warning.filename}
    row["warnings"] = sorted(messages)
    row["one_by_one"] = any("one by one" in message for message in messages)
    row["exponent"], row["spread"] = _fall(example, CONCENTRATIONS)
    row["spread"] /= max(float(plain.std()), 1e-30)
    if not _is_law(row["exponent"]):
        row["exponent_of_little_noise"], _ = _fall(example, LARGE_CONCENTRATIONS)


def fold_differences(folds: list[Tensor], scale: float) -> Row:
    """Compare ensembles (member, case, ...) that differ only in how many members shared a pass.

    folds: the largest difference over scale, among the forecasts (member, case) that agree to rounding. n_apart of n_forecast forecasts do not;
    apart: their largest difference.
    """
    first = folds[0].reshape(*folds[0].shape[:2], -1)
    differences = torch.stack([(other.reshape(first.shape) - first).abs().nan_to_num(0.0).amax(-1) / scale for other in folds[1:]]).amax(0)
    is_apart = differences > LARGEST_DIFFERENCE
    return {
        "folds": float(differences[~is_apart].max()) if not bool(is_apart.all()) else None,
        "n_apart": int(is_apart.sum()),
        "n_forecast": is_apart.numel(),
        "apart": float(differences.max()),
    }


def _fall(example: Example, concentrations: tuple[int, ...]) -> tuple[float | None, float]:
    """Return the exponent with which the spread falls, None where there is no spread, and the spread at the first concentration."""
    spreads = [spread(_ensemble(example, nu, N_MEMBER["spread"], None)) for nu in concentrations]
    return exponent(concentrations, spreads) if min(spreads) > 0 else None, spreads[0]


def _is_law(slope: float | None, limits: tuple[float, float] = EXPONENTS) -> bool:
    return slope is not None and limits[0] < slope < limits[1]


def _measure_further(examples: dict[str, Example], row: Row) -> dict[str, Any]:
    """Return how many of the further passes have the same calls, equal the plain output with sampling off, and agree across folds."""
    wrong = {}
    for name, example in examples.items():
        try:
            checked = audit(example.model, *example.inputs, **example.kwargs)
            answered = sum(checked.calls.values())
            alone, together = (_ensemble(example, CONCENTRATIONS[0], 3, fold) for fold in (1, 3))
            difference = float((alone - together).abs().max() / alone.abs().max())
            if answered != row["answered"] or max(difference, checked.relative_error) > LARGEST_DIFFERENCE:
                wrong[name] = f"{answered} calls, off {checked.relative_error:.0e}, folds {difference:.0e}"
        except Exception as error:
            wrong[name] = f"{type(error).__name__}: {error}"[:200]
    return {"n": len(examples), "n_right": len(examples) - len(wrong), "wrong": wrong}


def _seeded(example: Example, seed: int = 0) -> Tensor:
    """Return the plain output on torch's unfused path, with torch's global generator seeded for models that draw from it."""
    torch.manual_seed(seed)
    with torch.no_grad(), without_fast_path():
        return (example.plain or example.model)(*example.inputs, **example.kwargs)


def _exact(example: Example) -> Tensor:
    """Return the output of a pass in which every attention call is answered by its exact rows."""
    torch.manual_seed(0)
    with torch.no_grad(), answering(example.model, Plan(Draw(math.inf))):
        return example.model(*example.inputs, **example.kwargs)


def _ensemble(example: Example, concentration: int, n_member: int, fold: int | None) -> Tensor:
    torch.manual_seed(0)
    return sample_ensemble(
        example.model, *example.inputs, concentration=concentration, n_member=n_member, fold=fold, **example.kwargs
    ).double()


def spread(ensemble: Tensor) -> float:
    """Return the root mean square over all outputs of the standard deviation over members, of an ensemble (member, ...)."""
    return float(ensemble.nan_to_num(0.0, 0.0, 0.0).var(0).mean().sqrt())


def exponent(concentrations: tuple[int, ...], spreads: list[float]) -> float:
    """Return the slope of log(spread) over log(nu), by least squares.

    >>> exponent((16, 64, 256), [1.0, 0.5, 0.25])
    -0.5
    """
    x, y = ([math.log(value) for value in values] for values in (concentrations, spreads))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    return round(slope, 3)


def _recognised(checked: Any) -> str:
    """Return how the audit says that it recognised the attention; empty where it does not say."""
    sampled = [finding for finding in getattr(checked, "findings", ()) if finding.is_sampled]
    return "; ".join(dict.fromkeys(finding.how for finding in sampled))
