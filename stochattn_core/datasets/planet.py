"""A simulated planet: 175 days to calibrate and 175 to test on, six-hourly, from a three-level quasi-geostrophic atmosphere.

The planet has Earth's size, rotation and coastlines, invented mountains, and a perpetual northern winter. It has no moisture, no
seasons and no day, and none of its weather was ever observed. The training years are not shipped;
`python -m stochattn_core.datasets.quasi_geostrophic.simulate` makes them. The training part of the Dataset holds 64 init times out of
them, enough for scales and a climatology but too few to train a network.
Source of the equations: Marshall and Molteni (1993), J. Atmos. Sci. 50, 1792.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from stochattn_core.data_files import data_file
from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.datasets.geography import land_sea_mask, orography
from stochattn_core.datasets.quasi_geostrophic.archive import HOURS
from stochattn_core.datasets.quasi_geostrophic.archive import load as load_archive
from stochattn_core.datasets.quasi_geostrophic.fields import LATITUDE, LONGITUDE, UNITS, VARIABLES, decode

LEAD_TIMES = (6, 12, 24, 48, 72, 96, 120)  # h
SHA256 = {
    "train": "f95f5f35fe28eb108b5b5e021f2ff885e002c7b8d476e6c47a1b17eec4c7a3c7",
    "calibration": "641ee448cd7cd776dc97d176596ce2d6f05a7915eb260b28165e6e6a004a1aaa",
    "test": "e5c2f4895f60592e2093a275249a29efe609374e60e8f9e026df792547511d12",
}
# The calendar of the simulation is arbitrary: it only tells which part a time is from and how far apart two times are.
FIRST_TIME = {"train": "2001-01-01", "calibration": "2031-01-01", "test": "2041-01-01"}
TITLES = {
    "geopotential": "geopotential at {} hPa",
    "u_component_of_wind": "eastward wind at {} hPa",
    "v_component_of_wind": "northward wind at {} hPa",
    "temperature": "temperature at {} hPa",
}


def load(variable: str = "geopotential_500", lead_time: int = 24) -> Dataset:
    """Return the Dataset of one variable at one lead time in hours, forecast from all eleven variables on the 32 x 64 grid.

    variable: one of VARIABLES; lead_time: one of LEAD_TIMES. The init times, a day apart, are the same for every lead time.
    """
    if variable not in VARIABLES:
        raise ValueError(f"expected a variable of the simulated planet, one of {', '.join(VARIABLES)}, got {variable!r}; pick one of these")
    if lead_time not in LEAD_TIMES:
        raise ValueError(f"expected a lead time among {', '.join(map(str, LEAD_TIMES))} h, got {lead_time!r}; pick one of these")
    climatology = decode(_archive("train")[1]["climate"][None], (variable,))[0, 0]
    position = VARIABLES.index(variable)
    years = float(_archive("train")[1]["years"])
    return Dataset(
        name=name_of(variable, lead_time),
        task="grid",
        title=f"Simulated planet: {variable_title(variable)}, {lead_time} h ahead",
        target_name=variable,
        units=UNITS[variable],
        source="simulated by this project: quasi-geostrophic model of Marshall and Molteni (1993), J. Atmos. Sci. 50, 1792",
        licence="Apache-2.0",
        train=_training_part(variable, lead_time),
        calibration=_evaluation_part("calibration", variable, lead_time),
        test=_evaluation_part("test", variable, lead_time),
        feature_names=VARIABLES,
        lead_time=(lead_time,),
        lead_unit="h",
        references={
            "persistence": lambda split: split.inputs[:, position],
            "climatology": lambda split: climatology.expand(len(split), -1, -1),
        },
        notes=(
            f"simulated, not observed: the weather of a planet with Earth's coastlines and invented mountains; climatology is the mean of {years:.0f} "
            "training years, of which 64 init times are shipped",
        ),
        latitude=tuple(LATITUDE.tolist()),
        longitude=tuple(LONGITUDE.tolist()),
        constants=constants(),
    )


def name_of(variable: str = "geopotential_500", lead_time: int = 24) -> str:
    """Return the name of the dataset: planet, planet-72h, planet-temperature_650-48h. It leaves out geopotential_500 and 24 h.

    >>> choice_of(name_of("geopotential_200", 6))
    ('geopotential_200', 6)
    """
    suffix = "" if variable == "geopotential_500" else f"-{variable}"
    return f"planet{suffix}" if lead_time == 24 else f"planet{suffix}-{lead_time}h"


def choice_of(name: str) -> tuple[str, int] | None:
    """Return the variable and the lead time (h) of a name that name_of returns; None for every other name."""
    return _choices().get(name)


@cache
def _choices() -> dict[str, tuple[str, int]]:
    return {name_of(variable, lead_time): (variable, lead_time) for variable in VARIABLES for lead_time in LEAD_TIMES}


def variable_title(variable: str) -> str:
    kind, number = variable.rsplit("_", 1)
    return TITLES[kind].format(number)


@cache
def constants() -> dict[str, np.ndarray]:
    """Return land_sea_mask (0 to 1) and orography (m), each (latitude, longitude) float32."""
    return {"land_sea_mask": land_sea_mask(LATITUDE, LONGITUDE), "orography": orography(LATITUDE, LONGITUDE)}


@cache
def _archive(part: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the streamfunctions of a part, (..., level, coefficient) float32, and the other arrays of its file."""
    path = data_file(f"planet_{part}.npz")
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if digest != SHA256[part]:
        raise ValueError(
            f"expected {path.name} of SHA-256 {SHA256[part][:12]}... in {str(Path(path.parent))!r}, got {digest[:12]}; take the file from the project "
            "again (data/README.md says how it was made)"
        )
    packing, arrays = load_archive(path)
    return packing.unpack(arrays.pop("streamfunction")), arrays


@cache
def _inputs(part: str) -> torch.Tensor:
    """Return all variables at the init times of a part. Every Dataset of the planet shares this tensor: do not write to it."""
    rows, _ = _archive(part)
    return decode(rows[:, 0] if part == "train" else rows[_init_positions(len(rows))])


def _init_positions(n_time: int) -> np.ndarray:
    return np.arange(0, n_time - max(LEAD_TIMES) // HOURS, 24 // HOURS)


def _evaluation_part(part: str, variable: str, lead_time: int) -> Split:
    rows, _ = _archive(part)
    position = _init_positions(len(rows))
    return Split(
        inputs=_inputs(part),
        target=decode(rows[position + lead_time // HOURS], (variable,))[:, 0],
        index=pd.DatetimeIndex(pd.Timestamp(FIRST_TIME[part]) + pd.to_timedelta(position * HOURS, unit="h"), name="init_time"),
        block=np.arange(len(position)),
    )


def _training_part(variable: str, lead_time: int) -> Split:
    rows, arrays = _archive("train")  # (start, lead, level, coefficient)
    lead = int(np.flatnonzero(arrays["lead_time"] == lead_time)[0])
    first = pd.DatetimeIndex([pd.Timestamp(FIRST_TIME["train"]) + pd.DateOffset(years=int(member)) for member in arrays["member"]])
    return Split(
        inputs=_inputs("train"),
        target=decode(rows[:, lead], (variable,))[:, 0],
        index=pd.DatetimeIndex(first + pd.to_timedelta(arrays["hour"], unit="h"), name="init_time"),
        block=np.arange(len(rows)),  # weeks apart
    )
