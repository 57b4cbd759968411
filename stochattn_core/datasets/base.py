"""A Dataset: named data in three parts that never overlap, each a Split, with what is known about its target, its times and its places.

It checks itself when it is made, so that no model, metric or page has to check it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict, get_args

import numpy as np
import torch

from stochattn_core.datasets.split import Split as Split
from stochattn_core.datasets.time_step import TimeStep

Task = Literal["table", "series", "grid"]
Progress = Callable[[int, int, str], None]  # (done, total, what); may raise to stop the work
PARTS = ("train", "calibration", "test")
_LEFT_OUT: Any = None  # the default of a field that is filled when the container is made, and is never None afterwards


class Description(TypedDict):
    """The fields of a Dataset that describe it, for functions that cut the parts themselves and pass these on."""

    name: str
    title: str
    target_name: str
    units: str
    source: str
    licence: str
    feature_names: NotRequired[tuple[str, ...]]
    lead_unit: NotRequired[str]
    true_spread: NotRequired[float]
    notes: NotRequired[tuple[str, ...]]
    recipe: NotRequired[str]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Named data with its three parts, ready for a model of the same task.

    Data of your own need a name and the three parts. The task follows from the target: (case,) is a table, (case, lead_time) a series with
    lead times 1, 2, ...; a grid says where it lies. The fields from title to licence only describe the data, and may be left out.
    units is "" when the target has none. lead_time (series and grids) is in steps of lead_unit ("h", "16 h", "month", ..., as in TimeStep;
    "step" where the rows of a series are counted, "" where nothing is known).
    period is the length of the season in steps, 1 when there is none. references are reference forecasts that the dataset knows
    better than its training part does (a climatology of more years), by name: each takes a Split and returns (case, *event).
    true_spread is known for synthetic sets only.
    notes are sentences for the user that say what was done to the data when it was read (rows dropped, values taken as missing).
    recipe is the Python call that makes a dataset of the user's own again, with names of `stochattn_core.readers`.
    A grid has one target variable at one lead time; latitude (south to north) and longitude (0 to 360, eastward; a region across
    Greenwich goes on above 360) are in degrees; constants are fields that never change, (latitude, longitude) float32 by name:
    land_sea_mask (0 to 1), orography (m).

    Raises ValueError where the fields do not fit the task or one another.
    """

    name: str
    task: Task = _LEFT_OUT
    title: str = ""
    target_name: str = "target"
    units: str = ""
    source: str = "own data"
    licence: str = "not stated"
    train: Split = _LEFT_OUT
    calibration: Split = _LEFT_OUT
    test: Split = _LEFT_OUT
    feature_names: tuple[str, ...] = ()
    lead_time: tuple[int, ...] = _LEFT_OUT
    lead_unit: str = ""
    period: int = 1
    references: Mapping[str, Callable[[Split], torch.Tensor]] = field(default_factory=dict)
    true_spread: float | None = None
    notes: tuple[str, ...] = ()
    recipe: str = ""
    latitude: tuple[float, ...] = ()
    longitude: tuple[float, ...] = ()
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fill()
        if self.task not in get_args(Task):
            raise ValueError(f"expected a task, one of {', '.join(get_args(Task))}, got {self.task!r}; pick one of these")
        for what, name in (
            ("name", self.name),
            ("target_name", self.target_name),
            *(("feature name", name) for name in self.feature_names),
        ):
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"expected a {what} of the dataset {self.name!r} that is not empty, got {name!r}; give it one")
        self._check_times()
        self._check_places()
        self._check_shapes()

    def _fill(self) -> None:
        """Set what was left out: the task and the lead times follow from the target, the title from the name."""
        for part in PARTS:
            split = getattr(self, part)
            if not isinstance(split, Split):
                came = type(split).__name__
                raise ValueError(f"expected the {part} part of {self.name!r} as a Split, got {came}; pass {part}=Split(inputs, target)")
        shape = self.train.target.shape[1:]
        if self.task is None:
            if len(shape) > 1:
                raise ValueError(
                    f"expected a target (case,) or (case, lead_time) of {self.name!r} without a task, got {tuple(self.train.target.shape)}; "
                    'pass task="grid" with latitude and longitude'
                )
            object.__setattr__(self, "task", "series" if shape else "table")
        if self.lead_time is None:
            object.__setattr__(self, "lead_time", tuple(range(1, shape[0] + 1)) if self.task == "series" and len(shape) == 1 else ())
        object.__setattr__(self, "title", self.title or self.name)

    def _check_times(self) -> None:
        leads = self.lead_time
        integers = all(isinstance(lead, int) and not isinstance(lead, bool) for lead in leads)
        if not integers or any(later <= earlier for earlier, later in zip((0, *leads), leads, strict=False)):
            raise ValueError(
                f"expected positive whole lead times that rise in {self.name!r}, got {_shown(leads)}; sort them and name each once"
            )
        wanted = {"table": "no lead time", "series": "at least 1 lead time", "grid": "1 lead time"}[self.task]
        if {"table": len(leads) != 0, "series": len(leads) == 0, "grid": len(leads) != 1}[self.task]:
            raise ValueError(f"expected {wanted} for the {self.task} {self.name!r}, got {len(leads)}; change lead_time")
        if isinstance(self.period, bool) or not isinstance(self.period, int) or self.period < 1:
            raise ValueError(
                f"expected a period of 1 or more whole steps in {self.name!r}, got {self.period!r}; write 1 where there is no season"
            )

    def _check_places(self) -> None:
        if self.task != "grid":
            if self.latitude or self.longitude or self.constants:
                raise ValueError(
                    f"expected latitude, longitude and constants for grids alone, got them in the {self.task} {self.name!r}; leave them out"
                )
            return
        latitude, longitude = np.asarray(self.latitude, dtype=np.float64), np.asarray(self.longitude, dtype=np.float64)
        if not len(latitude) or not np.all(np.abs(latitude) <= 90) or np.any(np.diff(latitude) <= 0):
            raise ValueError(
                f"expected latitudes from south to north within 90 degrees in {self.name!r}, got {_shown(self.latitude)}; sort them and the fields with them"
            )
        if (
            not len(longitude)
            or not np.all(np.isfinite(longitude))
            or np.any(np.diff(longitude) <= 0)
            or longitude[-1] - longitude[0] >= 360
        ):
            raise ValueError(
                f"expected longitudes that rise eastward by less than 360 degrees in {self.name!r}, got {_shown(self.longitude)}; sort them and the "
                "fields with them"
            )
        for name, values in self.constants.items():
            if values.shape != (len(latitude), len(longitude)) or values.dtype != np.float32:
                raise ValueError(
                    f"expected the constant {name!r} of {self.name!r} as float32 of shape {(len(latitude), len(longitude))}, got {values.dtype} of "
                    f"shape {values.shape}; put it on the grid of the fields"
                )

    def _check_shapes(self) -> None:
        """Targets must have the shape that the task says, inputs the same shape in every part."""
        event = {"table": (), "series": (len(self.lead_time),), "grid": (len(self.latitude), len(self.longitude))}[self.task]
        axes = {"table": "(case)", "series": "(case, lead_time)", "grid": "(case, latitude, longitude)"}[self.task]
        wanted_inputs = _shapes(self.train)
        fields = self.train.inputs.shape if isinstance(self.train.inputs, torch.Tensor) else None
        if self.task == "grid" and fields is not None and (len(fields) != 4 or fields[2:] != event):
            raise ValueError(
                f"expected inputs (case, variable, latitude, longitude) of shape (case, variable, {event[0]}, {event[1]}) in {self.name!r}, got "
                f"{tuple(fields)}; make latitude and longitude as long as the fields"
            )
        if self.task != "series" and self.feature_names and fields is not None and fields[1:2] != (len(self.feature_names),):
            came = fields[1] if len(fields) > 1 else 1
            raise ValueError(
                f"expected as many inputs as feature names in {self.name!r}, {len(self.feature_names)}, got {came}; name every input"
            )
        for name in PARTS:
            split = self.part(name)
            if tuple(split.target.shape[1:]) != event:
                raise ValueError(
                    f"expected a target {axes} of shape ({', '.join(map(str, (len(split), *event)))}) in the {name} part of {self.name!r}, got "
                    f"{tuple(split.target.shape)}; make the target and the axes of the dataset agree"
                )
            if _shapes(split) != wanted_inputs:
                raise ValueError(
                    f"expected inputs of the same shape in every part of {self.name!r}, got {_shapes_text(wanted_inputs)} a case in train and "
                    f"{_shapes_text(_shapes(split))} in {name}; make the parts alike"
                )

    def part(self, name: str) -> Split:
        """Return the part with this name, one of PARTS."""
        parts = {"train": self.train, "calibration": self.calibration, "test": self.test}
        if name not in parts:
            raise ValueError(f"expected one of {', '.join(PARTS)}, got {name!r}")
        return parts[name]

    def filled(self, name: str) -> Split:
        """Return the part with this name; ValueError where it holds no case."""
        split = self.part(name)
        if not len(split):
            raise ValueError(f"expected cases in the {name} part of {self.name!r}, found none; give more data")
        return split

    @property
    def step(self) -> TimeStep:
        """The unit of the lead times, which is the time step of a series."""
        return TimeStep.of(self.lead_unit)

    def valid_times(self, split: Split) -> np.ndarray | None:
        """Return the times of the targets of these cases, (case, lead_time): as the split holds them, else init time plus lead time.

        (case,) for a table that is split in time. None for any other table, and where the times cannot be known (see TimeStep.times).
        """
        if split.valid_time is not None or not self.lead_time:
            return split.valid_time
        return self.step.times(split.index, self.lead_time)

    def past_times(self, split: Split) -> np.ndarray | None:
        """Return the times of the inputs of these cases of a series, (case, input), the last one the init time; None as in valid_times."""
        if split.input_time is not None or self.task != "series":
            return split.input_time
        return None if split.past_values is None else self.step.times(split.index, range(1 - split.past_values.shape[1], 1))

    @cached_property
    def sha256(self) -> str:
        """Digest of every number in every part: two datasets with the same digest give the same scores."""
        digest = hashlib.sha256(self.task.encode())
        for part in PARTS:
            split = self.part(part)
            is_named = isinstance(split.inputs, Mapping)
            for name, values in (*sorted(split.tensors.items()), ("target", split.target)):
                digest.update(f"{name}{values.dtype}".encode() if is_named else b"")
                digest.update(str(tuple(values.shape)).encode())
                digest.update(values.contiguous().numpy().tobytes())
        return digest.hexdigest()


def _shapes(split: Split) -> Mapping[str, tuple[int, ...]]:
    return {name: tuple(values.shape[1:]) for name, values in split.tensors.items()}


def _shapes_text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return str(shapes["inputs"]) if set(shapes) == {"inputs"} else ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _shown(values: tuple[float, ...]) -> str:
    few = ", ".join(map(str, values[:6]))
    return f"{few}, ... ({len(values)} values)" if len(values) > 6 else few or "none"


def blocks_in_time(n_case: int, case_per_block: int) -> np.ndarray:
    """Return contiguous blocks of at least case_per_block cases, (case,) int; a short rest joins the last block.

    Cases in the order of time need no such blocks: how far neighbouring cases depend on one another is estimated.
    """
    block = np.arange(n_case) // max(case_per_block, 1)
    last = n_case // max(case_per_block, 1) - 1
    return np.minimum(block, max(last, 0))


def blocks_at_random(n_case: int) -> np.ndarray:
    """Return a block for each of these exchangeable cases, in random order, so that neighbouring blocks do not depend: (case,) int."""
    return np.random.default_rng(0).permutation(n_case)


def thinned(dataset: Dataset, n_case: int) -> Dataset:
    """Return the same dataset with n_case cases, evenly spaced, in each of calibration and test; unchanged where neither has more.

    Meant for a quick look: fewer cases stand behind every score, and its interval is wider. The training part stays whole.

    >>> import pandas as pd
    >>> split = Split(torch.arange(9.0), torch.arange(9.0), pd.RangeIndex(9), np.arange(9) // 3)
    >>> few = thinned(Dataset("d", "table", "D", "y", "", "", "", train=split, calibration=split, test=split), 3)
    >>> few.test.target.tolist(), few.test.block.tolist(), len(few.train)
    ([0.0, 4.0, 8.0], [0, 1, 2], 9)
    """
    if isinstance(n_case, bool) or not isinstance(n_case, int) or n_case < 1:
        raise ValueError(f"expected how many cases to keep, a positive whole number, got {n_case!r}; try 20")
    calibration, test = _evenly_spaced(dataset.calibration, n_case), _evenly_spaced(dataset.test, n_case)
    if calibration is dataset.calibration and test is dataset.test:
        return dataset
    note = f"a part of the cases is used: {len(test)} of {len(dataset.test)} of the test part, evenly spaced, and as many of the calibration part"
    return replace(dataset, calibration=calibration, test=test, notes=(*dataset.notes, note))


def _evenly_spaced(split: Split, n_case: int) -> Split:
    if n_case >= len(split):
        return split
    return split.of_cases(np.linspace(0, len(split) - 1, n_case).round().astype(int))
