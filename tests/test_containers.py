"""Dataset and Split refuse what is malformed when they are made: each is one sentence of what was expected, what came and what to do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core.datasets.base import PARTS, Dataset, Split

N_CASE = 6
ABOUT = {"name": "n", "title": "t", "target_name": "y", "units": "", "source": "s", "licence": "l"}


def split(input_shape=(4,), event=(), n_case=N_CASE, **changes) -> Split:
    fields = {
        "inputs": torch.zeros(n_case, *input_shape),
        "target": torch.zeros(n_case, *event),
        "index": pd.RangeIndex(n_case),
        "block": np.arange(n_case) // 2,
    }
    return Split(**(fields | changes))


def table(**changes) -> Dataset:
    return Dataset(**({**ABOUT, "task": "table", "feature_names": tuple("abcd")} | {part: split() for part in PARTS} | changes))


def series(**changes) -> Dataset:
    fields = {**ABOUT, "task": "series", "lead_time": (1, 2, 3)} | {part: split((8,), (3,)) for part in PARTS}
    return Dataset(**(fields | changes))


def grid(**changes) -> Dataset:
    fields = {**ABOUT, "task": "grid", "lead_time": (24,), "latitude": (-30.0, 0.0, 30.0), "longitude": (0.0, 90.0, 180.0, 270.0)}
    fields |= {"feature_names": ("t", "z"), "constants": {"orography": np.zeros((3, 4), dtype=np.float32)}}
    return Dataset(**(fields | {part: split((2, 3, 4), (3, 4)) for part in PARTS} | changes))


def test_well_formed_datasets_of_every_task_are_made():
    assert [make().task for make in (table, series, grid)] == ["table", "series", "grid"]
    assert len(table(test=split(n_case=0, block=np.zeros(0, dtype=int))).test) == 0  # an empty part is filled later or refused by name
    assert split(target=torch.full((N_CASE,), torch.nan)).target.isnan().all()  # NaN is a missing target
    assert split(inputs=torch.full((N_CASE, 4), 3e38)).inputs.sum().isinf()  # large values are finite, though their sum is not
    across_greenwich = grid(longitude=(350.0, 355.0, 360.0, 365.0))
    assert across_greenwich.longitude[-1] == 365


BAD_SPLITS = {
    "another dtype": (
        {"inputs": torch.zeros(6, 4, dtype=torch.float64)},
        "expected inputs as a float32 torch tensor, got a tensor of torch.float64",
    ),
    "NumPy": ({"target": np.zeros(6)}, "expected target as a float32 torch tensor, got ndarray; convert it"),
    "a case too few": ({"index": pd.RangeIndex(5)}, "must have the same number of cases, got 6, 6, 5, 6; give every case"),
    "NaN in inputs": (
        {"inputs": torch.tensor([[0.0, torch.nan]] * 6)},
        "expected finite inputs, got 6 of 12 values that are NaN or infinite; fill",
    ),
    "infinite inputs": ({"inputs": torch.tensor([[torch.inf, -torch.inf]] * 6)}, "expected finite inputs, got 12 of 12 values"),
    "infinite target": (
        {"target": torch.tensor([torch.inf, torch.nan, 0, 0, 0, 0])},
        "expected targets without infinity, got 1 of 6 values",
    ),
    "both infinities": (
        {"target": torch.tensor([torch.inf, -torch.inf, 0, 0, 0, 0])},
        "expected targets without infinity, got 2 of 6 values",
    ),
    "blocks from 1": (
        {"block": np.arange(6) + 1},
        "expected blocks numbered 0, 1, 2, ... without a gap, got 6 blocks with numbers from 1 to 6",
    ),
    "a gap in blocks": ({"block": np.array([0, 0, 2, 2, 3, 3])}, "got 3 blocks with numbers from 0 to 3; number them with"),
    "negative blocks": ({"block": np.arange(6) - 1}, "got 6 blocks with numbers from -1 to 4"),
    "blocks of floats": ({"block": np.zeros(6)}, "expected block as a NumPy array of integers, one for each case, got an array of float64"),
    "a list of blocks": ({"block": [0] * 6}, "expected block as a NumPy array of integers, one for each case, got list"),
}


@pytest.mark.parametrize("kind", BAD_SPLITS)
def test_a_malformed_split_is_refused(kind):
    changes, message = BAD_SPLITS[kind]
    refused(lambda: split(**changes), message)


BAD_DATASETS = {
    "unknown task": (lambda: table(task="tables"), "expected a task, one of table, series, grid, got 'tables'; pick"),
    "no name": (lambda: table(name=" "), "expected a name of the dataset ' ' that is not empty"),
    "no target name": (lambda: table(target_name=""), "expected a target_name of the dataset 'n' that is not empty, got ''"),
    "empty feature name": (
        lambda: table(feature_names=("a", "", "c", "d")),
        "expected a feature name of the dataset 'n' that is not empty",
    ),
    "two lead times, three outputs": (
        lambda: series(lead_time=(1, 2)),
        r"expected a target \(case, lead_time\) of shape \(6, 2\) .*, got \(6, 3\); make",
    ),
    "lead times that fall": (lambda: series(lead_time=(3, 2, 1)), "expected positive whole lead times that rise in 'n', got 3, 2, 1; sort"),
    "a lead time twice": (lambda: series(lead_time=(1, 2, 2)), "expected positive whole lead times that rise in 'n', got 1, 2, 2"),
    "lead time 0": (lambda: series(lead_time=(0, 1, 2)), "expected positive whole lead times"),
    "half a lead time": (lambda: series(lead_time=(0.5, 1, 2)), "expected positive whole lead times that rise in 'n', got 0.5, 1, 2"),
    "a series without lead time": (
        lambda: series(lead_time=()),
        "expected at least 1 lead time for the series 'n', got 0; change lead_time",
    ),
    "a table with lead times": (lambda: table(lead_time=(1,)), "expected no lead time for the table 'n', got 1"),
    "a grid with two": (lambda: grid(lead_time=(6, 12)), "expected 1 lead time for the grid 'n', got 2"),
    "period 0": (lambda: series(period=0), "expected a period of 1 or more whole steps in 'n', got 0; write 1"),
    "a table with places": (
        lambda: table(latitude=(0.0,)),
        "expected latitude, longitude and constants for grids alone, got them in the table 'n'",
    ),
    "a grid without places": (lambda: grid(latitude=()), "expected latitudes from south to north within 90 degrees in 'n', got none"),
    "north first": (lambda: grid(latitude=(30.0, 0.0, -30.0)), "expected latitudes from south to north .* got 30.0, 0.0, -30.0; sort them"),
    "latitude 91": (lambda: grid(latitude=(-91.0, 0.0, 1.0)), "expected latitudes from south to north within 90 degrees"),
    "latitude NaN": (lambda: grid(latitude=(-9.0, float("nan"), 1.0)), "expected latitudes from south to north within 90 degrees"),
    "westward": (
        lambda: grid(longitude=(3.0, 2.0, 1.0, 0.0)),
        "expected longitudes that rise eastward by less than 360 degrees in 'n', got 3.0",
    ),
    "a meridian twice": (
        lambda: grid(longitude=(0.0, 90.0, 180.0, 360.0)),
        "expected longitudes that rise eastward by less than 360 degrees",
    ),
    "a latitude too many": (
        lambda: grid(latitude=(0.0, 1.0, 2.0, 3.0)),
        "make latitude and longitude as long as the fields|on the grid of the fields",
    ),
    "constants elsewhere": (
        lambda: grid(constants={"orography": np.zeros((4, 3), dtype=np.float32)}),
        r"float32 of shape \(3, 4\), got float32 of shape \(4, 3\)",
    ),
    "a map as target of a table": (
        lambda: table(test=split(event=(3, 4))),
        r"expected a target \(case\) of shape \(6\) in the test part of 'n', got \(6, 3, 4\)",
    ),
    "parts unlike": (
        lambda: table(feature_names=(), calibration=split((5,))),
        r"the same shape in every part of 'n', got \(4,\) a case in train and \(5,\) in calib",
    ),
    "three names, four inputs": (
        lambda: table(feature_names=tuple("abc")),
        "expected as many inputs as feature names in 'n', 3, got 4; name every input",
    ),
    "maps without variables": (
        lambda: grid(train=split((3, 4), (3, 4))),
        r"expected inputs \(case, variable, latitude, longitude\) of shape .*, got \(6, 3, 4\)",
    ),
}


@pytest.mark.parametrize("kind", BAD_DATASETS)
def test_a_malformed_dataset_is_refused(kind):
    make, message = BAD_DATASETS[kind]
    refused(make, message)


def refused(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value) and "; " in str(caught.value)


def test_a_dataset_that_is_changed_is_checked_again():
    with pytest.raises(ValueError, match="expected a task"):
        replace(table(), task="map")
