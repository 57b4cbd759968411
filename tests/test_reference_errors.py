"""Reference forecasts read the training part alone, are there where the data allow them, and are scored once."""

import gc
import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.references import REFERENCES
from stochattn_core.references import errors as reference_errors
from stochattn_core.references.base import features, fitted_rows
from stochattn_core.references.errors import errors_of, forecasts_of
from tests.reference_data import a_grid, a_series, a_table, an_autoregression


def rmse(forecast, target):
    return float(np.sqrt(np.nanmean((np.asarray(forecast, float) - np.asarray(target, float)) ** 2)))


@pytest.mark.parametrize(
    "make", [a_table, lambda: a_series(an_autoregression(900), context=24, period=12), a_grid], ids=["table", "series", "grid"]
)
def test_references_read_the_training_part_alone(make):
    data = make()
    changed = replace(
        data,
        calibration=replace(data.calibration, target=data.calibration.target + 100, inputs=data.calibration.inputs - 7),
        test=replace(data.test, target=data.test.target + 100),
    )
    assert list(forecasts_of(data)) == [name for name, reference in REFERENCES.items() if data.task in reference.tasks]
    for name, forecast in forecasts_of(data).items():
        assert torch.equal(forecast(data.test), forecasts_of(changed)[name](data.test)), name


def test_missing_targets_are_left_out_of_fit_and_score():
    data = a_series(an_autoregression(2000), period=12)
    holes = lambda split, seed: replace(  # noqa: E731
        split, target=split.target.where(torch.rand(split.target.shape, generator=torch.Generator().manual_seed(seed)) > 0.2, torch.nan)
    )
    parts = {part: holes(data.part(part), seed) for seed, part in enumerate(("train", "calibration", "test"))}
    data = replace(data, **parts)
    errors = errors_of(data, "test")
    for name, forecast in forecasts_of(data).items():
        assert errors.rmse[name] == pytest.approx(rmse(forecast(data.test), data.test.target)), name
        assert math.isfinite(float(errors.crps.get(name, np.zeros(1)).sum()))
    assert errors.n.sum() == data.test.target.isfinite().sum()


def test_inputs_by_name_give_the_references_that_have_what_they_need():
    def split(seed, names):
        generator = torch.Generator().manual_seed(seed)
        values = {
            "past_values": torch.randn(30, 8, generator=generator),
            "numbers": torch.randn(30, 2, generator=generator),
            "codes": torch.randint(0, 3, (30, 2), generator=generator),
        }
        return Split({name: values[name] for name in names}, torch.randn(30, 2, generator=generator))

    def of_names(*names, period=1):
        parts = {part: split(seed, names) for seed, part in enumerate(("train", "calibration", "test"))}
        return set(forecasts_of(Dataset("named", period=period, **parts)))

    assert of_names("past_values", period=4) == {"climatology", "persistence", "seasonal naive", "ridge regression"}
    assert of_names("past_values", period=9) == {"climatology", "persistence", "ridge regression"}, "the past is shorter than a season"
    assert of_names("numbers") == {"climatology"}

    def table(*names):
        parts = enumerate(("train", "calibration", "test"))
        return {part: replace(split(seed, names), target=torch.randn(30)) for seed, part in parts}

    assert set(forecasts_of(Dataset("named", **table("codes")))) == {"training mean"}
    by_number = Dataset("named", **table("codes", "numbers"))
    assert set(forecasts_of(by_number)) == {"training mean", "linear regression", "ridge regression", "gradient boosting"}
    assert features(by_number.test, "table").shape == (30, 2)


def test_without_training_targets_there_is_what_needs_no_fit():
    data = a_series(an_autoregression(900), period=12)
    data = replace(data, train=replace(data.train, target=torch.full_like(data.train.target, torch.nan)))
    assert set(forecasts_of(data)) == {"persistence", "seasonal naive"}


def test_a_dataset_that_brings_a_reference_keeps_it():
    grid = a_grid(references={"climatology": lambda split: torch.full_like(split.target, 3.0), "mine": lambda split: split.target})
    assert torch.equal(forecasts_of(grid)["climatology"](grid.test), torch.full((60, 3, 4), 3.0))
    errors = errors_of(grid, "test")
    assert errors.best() == "mine" and errors.rmse["mine"] == 0


def test_a_map_is_scored_with_its_cells_by_their_area():
    grid = a_grid()
    edges = np.sin(np.deg2rad([-90.0, -30.0, 30.0, 90.0]))
    area = np.diff(edges) / np.diff(edges).mean()
    error = (forecasts_of(grid)["climatology"](grid.test) - grid.test.target).double().numpy()
    assert errors_of(grid, "test").rmse["climatology"] == pytest.approx(np.sqrt((error**2 * area[:, None]).mean()), rel=1e-6)


def test_a_reference_that_gives_no_number_is_never_the_best():
    grid = a_grid(references={"mine": lambda split: torch.full_like(split.target, torch.nan)})
    errors = errors_of(grid, "test")
    assert math.isnan(errors.rmse["mine"]) and errors.best() == "damped persistence"


def test_references_are_fitted_and_scored_once_for_a_dataset(monkeypatch):
    data, calls = a_table(), []
    monkeypatch.setitem(
        reference_errors.REFERENCES, "training mean", replace(REFERENCES["training mean"], fit=lambda dataset: calls.append(1) or constant)
    )
    first = errors_of(data, "test")
    assert errors_of(data, "test") is first and errors_of(data, "calibration") is not first and len(calls) == 1
    assert errors_of(replace(data), "test") is not first and len(calls) == 2, "another dataset is fitted by itself"


@pytest.mark.parametrize(
    "make", [a_table, lambda: a_series(an_autoregression(900), period=12), lambda: a_series(an_autoregression(900)), a_grid]
)
def test_what_was_fitted_does_not_keep_a_dataset_in_memory(make):
    data = make()
    errors_of(data, "test")
    alive = weakref.ref(data)
    del data
    gc.collect()
    assert alive() is None


def constant(split):
    return torch.zeros(split.target.shape)


def test_a_large_training_part_is_thinned_evenly():
    assert fitted_rows(5, 10).tolist() == [0, 1, 2, 3, 4] and fitted_rows(100, 3).tolist() == [0, 50, 99]
