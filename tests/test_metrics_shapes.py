"""The shapes in the signatures of the metrics hold for arguments and results, and a wrong shape is refused.

beartype checks the annotations here and nowhere else, so that it costs users nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError, jaxtyped

from stochattn_core import metrics
from stochattn_core.metrics import ranks

REFUSED = (TypeCheckError, BeartypeCallHintViolation)
MEMBERS, TARGET = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(7, 3)
RANK = torch.ones(6, 7, 3)
LEVELS = [0.5, 0.9]


@dataclass(frozen=True)
class Door:
    """A public function with tensors that fit, the shape of each result, other arguments, and tensors that do not fit, by what is wrong."""

    function: Callable
    fitting: tuple
    shapes: tuple
    wrong: dict
    others: dict = field(default_factory=dict)


EVENTS = {
    "fewer cases in the target": (MEMBERS, TARGET[:6]),
    "another event in the target": (MEMBERS, TARGET[:, :2]),
    "a target with a member axis": (MEMBERS, MEMBERS),
    "whole numbers": (MEMBERS.long(), TARGET),
}
CASES = EVENTS | {"no case axis": (MEMBERS[:, 0, 0], TARGET[0, 0])}
DOORS = {
    "crps": Door(metrics.crps, (MEMBERS, TARGET), ((7, 3),), EVENTS),
    "decompose_crps": Door(metrics.decompose_crps, (MEMBERS, TARGET), ((3,),) * 5, CASES),
    "rmse": Door(metrics.rmse, (MEMBERS[0], TARGET), ((),), {"members in the place of their mean": (MEMBERS, TARGET)}),
    "spread": Door(metrics.spread, (MEMBERS,), ((),), {"no case axis": (MEMBERS[:, 0, 0],)}),
    "spread_skill_ratio": Door(metrics.spread_skill_ratio, (MEMBERS, TARGET), ((),), CASES),
    "energy_score": Door(metrics.energy_score, (MEMBERS, TARGET), ((7,),), CASES),
    "variogram_score": Door(metrics.variogram_score, (MEMBERS, TARGET), ((7,),), CASES),
    "quantiles": Door(metrics.quantiles, (MEMBERS,), ((2, 7, 3),), {"one number": (MEMBERS[0, 0, 0],)}, {"probability": LEVELS}),
    "central_intervals": Door(
        metrics.central_intervals, (MEMBERS,), ((2, 7, 3),) * 2, {"whole numbers": (MEMBERS.long(),)}, {"level": LEVELS}
    ),
    "coverage": Door(metrics.coverage, (MEMBERS, TARGET), ((2, 7, 3),), EVENTS, {"level": LEVELS}),
    "rank_weights": Door(metrics.rank_weights, (MEMBERS, TARGET), ((6, 7, 3),), EVENTS),
    "pit": Door(metrics.pit, (MEMBERS, TARGET), ((7, 3),), EVENTS),
    "w1": Door(metrics.w1, (RANK,), ((7, 3),), {"whole numbers": (RANK.long(),), "one number": (RANK[0, 0, 0],)}),
    "cell_area_weights": Door(metrics.cell_area_weights, (torch.linspace(-80, 80, 9),), ((9,),), {"a grid": (torch.zeros(9, 18),)}),
}


def checked(function):
    """The function with its annotations checked."""
    return jaxtyped(typechecker=beartype)(function)


@pytest.mark.parametrize("name", DOORS)
def test_arguments_and_results_have_the_shapes_of_the_signature(name):
    door = DOORS[name]
    results = checked(door.function)(*door.fitting, **door.others)
    results = results if isinstance(results, tuple) else (results,)
    assert tuple(tuple(result.shape) for result in results) == door.shapes


@pytest.mark.parametrize(("name", "wrong"), [(name, wrong) for name, door in DOORS.items() for wrong in door.wrong])
def test_a_wrong_shape_is_refused(name, wrong):
    door = DOORS[name]
    with pytest.raises(REFUSED):
        checked(door.function)(*door.wrong[wrong], **door.others)


def test_a_result_of_the_wrong_shape_is_refused(monkeypatch):
    monkeypatch.setattr(ranks, "_missing", lambda members, target: torch.zeros(2, *target.shape, dtype=torch.bool))
    with pytest.raises(REFUSED):
        checked(metrics.pit)(MEMBERS, TARGET)
