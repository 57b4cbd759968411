"""Contract of DATASETS: parts that never overlap, gaps in time, reference forecasts, units, and the same numbers at every load."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core import __main__ as command_line
from stochattn_core.datasets import DATASETS, Entry, ett, load_dataset, planet, uci
from stochattn_core.datasets.base import PARTS, Dataset, Split, blocks_at_random, thinned
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.datasets.synthetic import SERIES_SIGMA, TABLE_SIGMA
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.references.errors import forecasts_of

EMBEDDED = [name for name, entry in DATASETS.items() if entry.embedded]
SERIES = [name for name in EMBEDDED if DATASETS[name].task == "series"]
TABLES = [name for name in EMBEDDED if DATASETS[name].task == "table"]
REAL_FILES = Path(__file__).parents[2] / "shared" / "data"


def test_the_error_for_an_unknown_name_lists_the_known_names():
    with pytest.raises(ValueError, match=r"one of diabetes, .*got 'diabetis'"):
        load_dataset("diabetis")


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_parts_fit_the_description(name):
    dataset, entry = load_dataset(name), DATASETS[name]
    event = {"table": [], "series": [len(dataset.lead_time)], "grid": [len(dataset.latitude), len(dataset.longitude)]}[dataset.task]
    assert dataset.name == name and dataset.task == entry.task and dataset.title and dataset.source and dataset.licence
    for part in PARTS:
        split = dataset.part(part)
        assert split.inputs.dtype == split.target.dtype == torch.float32
        assert split.inputs.isfinite().all() and split.target.isfinite().all()
        assert split.target.shape == (len(split), *event)
        assert set(split.block) == set(range(split.n_block)) and split.n_block >= 3
        assert split.target.std() > 0
        for reference in forecasts_of(dataset).values():
            assert reference(split).shape == split.target.shape
    if dataset.task in ("table", "grid"):
        assert len(dataset.feature_names) == dataset.train.inputs.shape[1]


@pytest.mark.parametrize("name", EMBEDDED)
def test_loading_twice_gives_the_same_numbers(name):
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert load_dataset(name).sha256 == load_dataset(name).sha256
    assert before == (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002


@pytest.mark.parametrize("name", TABLES)
def test_no_row_of_a_table_is_in_two_parts(name):
    dataset = load_dataset(name)
    rows = [row for part in PARTS for row in dataset.part(part).index]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("name", SERIES)
def test_targets_of_a_series_never_overlap_and_keep_a_gap(name):
    """Counted on the time axis: between the last target of a part and the first of the next lie at least `horizon` steps."""
    dataset = load_dataset(name)
    horizon = len(dataset.lead_time)
    every = pd.date_range(dataset.train.index[0], dataset.test.index[-1], freq={"month": "MS", "year": "YS", "h": "h"}[dataset.lead_unit])
    for earlier, later in (("train", "calibration"), ("calibration", "test")):
        last = every.get_loc(dataset.part(earlier).index[-1]) + horizon
        first = every.get_loc(dataset.part(later).index[0]) + 1
        assert first - last > horizon
    for part in ("calibration", "test"):
        assert len(dataset.part(part)) <= 300
        assert dataset.part(part).index.is_monotonic_increasing


def test_the_target_of_a_window_follows_its_context():
    """The slow definition, on the numbers 0, 1, 2, ...: each target follows its context, init_time is the last value seen."""
    values = np.arange(400.0)
    dataset = series_dataset(values, pd.RangeIndex(400), context=10, horizon=3, period=4, **about())
    for part in PARTS:
        split = dataset.part(part)
        for inputs, target, init in zip(split.inputs.tolist(), split.target.tolist(), split.index, strict=True):
            assert inputs == [init - 9 + i for i in range(10)] and target == [init + 1, init + 2, init + 3]
    assert dataset.train.target.max() == 239 and dataset.calibration.target.min() == 243
    assert dataset.calibration.target.max() == 319 and dataset.test.target.min() == 323
    error = forecasts_of(dataset)["seasonal naive"](dataset.test) - dataset.test.target
    assert torch.equal(error, torch.full_like(error, -4.0))  # the value of one season before is 4 smaller
    error = forecasts_of(dataset)["persistence"](dataset.test) - dataset.test.target
    assert torch.equal(error, torch.tensor([[-1.0, -2.0, -3.0]]).expand_as(error))


def test_windows_fall_on_every_phase_of_the_season():
    dataset = series_dataset(
        np.random.default_rng(0).normal(size=20_000), pd.RangeIndex(20_000), context=24, horizon=6, period=24, **about()
    )
    for part in PARTS:
        assert len(set(dataset.part(part).index % 24)) == 24


def about() -> dict:
    return {"name": "n", "title": "t", "target_name": "y", "units": "", "source": "s", "licence": "l"}


def test_references_are_fitted_on_train_alone():
    x = np.random.default_rng(0).normal(size=(300, 2))
    dataset = table_dataset(x, 3 + x @ [1.0, -2.0], **about())
    assert torch.allclose(forecasts_of(dataset)["linear regression"](dataset.test), dataset.test.target, atol=1e-5)
    assert torch.allclose(forecasts_of(dataset)["training mean"](dataset.test), dataset.train.target.mean().expand(len(dataset.test)))


@pytest.mark.parametrize(("name", "sigma"), [("synthetic-table", TABLE_SIGMA), ("synthetic-series", SERIES_SIGMA)])
def test_the_noise_of_the_synthetic_datasets_has_their_true_spread(name, sigma):
    """Target minus g, computed here, has the standard deviation true_spread within its sampling error."""
    dataset = load_dataset(name)
    assert dataset.true_spread == sigma
    if name == "synthetic-table":
        x = dataset.test.inputs.double()
        truth = torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3] ** 2 / 2 + x[:, 4]
        noise = dataset.test.target - truth
    else:
        hours = (dataset.test.index - pd.Timestamp("2000-01-01")) // pd.Timedelta("1h")
        t = torch.tensor(np.asarray(hours), dtype=torch.float64)[:, None] + torch.arange(1, 13)
        noise = dataset.test.target - (20 + 5 * torch.sin(2 * torch.pi * t / 12) + 2 * torch.cos(2 * torch.pi * t / 6))
    tolerance = 4 / np.sqrt(2 * len(dataset.test)) if name == "synthetic-table" else 4 / np.sqrt(2 * 1200)
    assert abs(float(noise.std()) / sigma - 1) < tolerance and abs(float(noise.mean())) < 0.1 * sigma


def openml_frame(source: uci.Source) -> pd.DataFrame:
    x = np.random.default_rng(0).normal(size=(source.n_row, source.n_feature + 1 + len(source.excluded)))
    return pd.DataFrame(x, columns=[f"f{i}" for i in range(source.n_feature)] + [source.target, *source.excluded])


@pytest.mark.parametrize("name", uci.SOURCES)
def test_a_table_of_openml_is_requested_by_its_number(name, monkeypatch):
    source = uci.SOURCES[name]
    request = {}

    def fetch_openml(**options):
        request.update(options)
        return SimpleNamespace(frame=openml_frame(source))

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    dataset = load_dataset(name)
    assert request["data_id"] == source.data_id
    assert dataset.train.inputs.shape[1] == source.n_feature and not set(source.excluded) & set(dataset.feature_names)
    assert sum(len(dataset.part(part)) for part in PARTS) == source.n_row


def test_a_table_of_openml_that_changed_is_refused(monkeypatch):
    source = uci.SOURCES["yacht"]
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: SimpleNamespace(frame=openml_frame(source)[:100]))
    with pytest.raises(ValueError, match=r"expected 308 rows and 6 features in 'yacht' from openml.org, got 100 and 6"):
        load_dataset("yacht")


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if not entry.embedded])
def test_without_a_network_the_error_is_one_sentence(name, monkeypatch, tmp_path):
    def fails(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fails)
    monkeypatch.setattr("pooch.retrieve", fails)
    monkeypatch.setattr("stochattn_core.readers.grid.address.urlopen", fails)
    with pytest.raises(
        ValueError, match=r"expected to fetch .* got ConnectionError; connect to the internet once, or pick an embedded"
    ) as caught:
        load_dataset(name)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not (REAL_FILES / "ett" / "ETTh1.csv").exists(), reason="ETTh1.csv is not on this machine and may not be shipped")
def test_etth1_has_the_parts_of_the_literature():
    import hashlib

    path = REAL_FILES / "ett" / "ETTh1.csv"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ett.SHA256["ETTh1"]
    dataset = ett.dataset_of(path, "ETTh1")
    assert dataset.train.index[-1] <= pd.Timestamp("2017-06-25") and dataset.test.index[-1] < pd.Timestamp("2018-02-21")
    assert dataset.calibration.target.shape[1] == 24 and len(dataset.test) <= 300


def test_importing_the_table_imports_no_dataset_and_no_heavy_package():
    import subprocess

    code = "import sys; import stochattn_core.datasets; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    modules = set(imported.stdout.split())
    assert not {"sklearn", "statsmodels", "pooch", "transformers", "xarray", "zarr", "stochattn_core.readers"} & modules
    assert {name for name in modules if name.startswith("stochattn_core.datasets.")} == {
        f"stochattn_core.datasets.{name}" for name in ("base", "split", "time_step")
    }


def test_every_table_of_openml_and_every_transformer_has_its_line():
    assert {name for name, entry in DATASETS.items() if "openml" in entry.needs} == set(uci.SOURCES)
    assert {name for name, entry in DATASETS.items() if "github" in entry.needs} == set(ett.SHA256)
    assert {name: DATASETS[name].title for name in uci.SOURCES} == {name: source.title for name, source in uci.SOURCES.items()}
    assert all(entry.availability == (entry.needs or "embedded") for entry in DATASETS.values())


def rows(first: int, n_case: int = 60) -> Split:
    x = torch.randn(n_case, 3, generator=torch.Generator().manual_seed(first))
    noise = torch.randn(n_case, generator=torch.Generator().manual_seed(first + 1))
    return Split(x, x.sum(1) + noise, pd.RangeIndex(first, first + n_case), blocks_at_random(n_case))


def mine() -> Dataset:
    parts = {part: rows(100 * i) for i, part in enumerate(PARTS)}
    return Dataset(
        name="mine", task="table", title="Mine", target_name="sum", units="m", source="made here", licence="none",
        feature_names=("a", "b", "c"), **parts,
    )  # fmt: skip


def test_a_dataset_is_one_function_and_one_line_in_the_table(monkeypatch, capsys, empty_cache):
    """A line added on the fly is listed, loaded by its name and evaluated; no other file is touched."""
    monkeypatch.setattr("stochattn_core.models.table_training._n_step", lambda *_: 30)
    monkeypatch.setitem(DATASETS, "mine", Entry("Mine", "table", mine))
    assert command_line.main(["list", "--json"]) in (None, 0)
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["datasets"]}
    assert listed["mine"] == {"name": "mine", "task": "table", "title": "Mine", "availability": "embedded"}
    options = ["--model", "ft_transformer", "--dataset", "mine", "--concentration", "8", "--members", "9", "--json"]
    assert command_line.main(["evaluate", *options]) in (None, 0)
    scores = json.loads(capsys.readouterr().out)
    assert scores["dataset"] == "mine" and scores["n_case"] == 60 and scores["spread"] > 0
    test_the_parts_fit_the_description("mine")
    test_no_row_of_a_table_is_in_two_parts("mine")


def test_a_thinned_dataset_has_evenly_spaced_cases_of_calibration_and_test():
    whole = load_dataset("planet")
    few = thinned(whole, 20)
    for part in ("calibration", "test"):
        chosen, complete = few.part(part), whole.part(part)
        position = complete.index.get_indexer(chosen.index)
        assert len(chosen) == 20 and position[0] == 0 and position[-1] == len(complete) - 1 and set(np.diff(position)) <= {8, 9}
        assert torch.equal(chosen.inputs, complete.inputs[position]) and torch.equal(chosen.target, complete.target[position])
        assert set(chosen.block) == set(range(chosen.n_block))  # numbered without a gap
        same_block = lambda block: block[:, None] == block[None]  # noqa: E731
        assert np.array_equal(same_block(chosen.block), same_block(complete.block[position]))
    assert few.train is whole.train and few.sha256 != whole.sha256 and "20 of 170" in few.notes[-1]


def test_thinning_to_all_cases_changes_nothing_and_to_0_cases_is_refused():
    whole = load_dataset("planet")
    assert thinned(whole, 170) is whole
    with pytest.raises(ValueError, match="positive whole number, got 0"):
        thinned(whole, 0)


def test_every_variable_and_lead_time_of_the_planet_has_a_name_that_loads():
    assert load_dataset("planet-temperature_650-48h").name == "planet-temperature_650-48h"
    assert planet.choice_of("planet") == ("geopotential_500", 24)
    assert planet.choice_of("planet-7h") is None
    with pytest.raises(ValueError, match="expected the name of a dataset"):
        load_dataset("planet-7h")
