"""Contract of the table of models: shapes, honest forecasts, independent rows, reproducible training, safe files."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import TimesFm2_5ModelForPrediction

from stochattn_core import stochastic_attention
from stochattn_core.datasets import DATASETS, load_dataset
from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.models import MODELS, load_model, table_training, timesfm, train, weights, weights_sha256
from stochattn_core.models.ft_transformer import TableNetwork, cached_path
from stochattn_core.models.timesfm_training import made_up_series, train_series, untrained

EMBEDDED_DATASETS = [name for name, entry in DATASETS.items() if entry.availability == "embedded"]
PAIRS = [
    (model.name, dataset)
    for model in MODELS.values()
    if model.need == "embedded"
    for dataset in EMBEDDED_DATASETS
    if DATASETS[dataset].task == model.task
]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "cache"))


def rmse(forecast: torch.Tensor, target: torch.Tensor) -> float:
    return float((forecast - target).double().square().mean().sqrt())


def small_table(name: str = "small", n_row: int = 120, n_feature: int = 3) -> Dataset:
    x = np.random.default_rng(len(name)).normal(size=(n_row, n_feature))
    y = 5 + x[:, 0] + 0.1 * np.random.default_rng(2).normal(size=n_row)
    return table_dataset(x, y, name=name, title="t", target_name="y", units="", source="s", licence="l")


def small_series(context: int = 30, horizon: int = 30) -> Dataset:
    values = np.random.default_rng(3).normal(size=600).cumsum()
    about = {"name": "walk", "title": "t", "target_name": "y", "units": "", "source": "s", "licence": "l"}
    return series_dataset(values, pd.RangeIndex(600), context=context, horizon=horizon, **about)


def fast(monkeypatch) -> None:
    monkeypatch.setattr(table_training, "_n_step", lambda *_: 30)


def tiny_timesfm(folder: Path, **changes: object) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained(hidden_size=16, intermediate_size=16, head_dim=4, num_hidden_layers=2, horizon_length=8, **changes).save_pretrained(
            folder
        )
    return folder


def test_an_unknown_name_is_answered_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"one of ft_transformer, .*got 'resnet'"):
        load_model("resnet")


def test_every_dataset_has_a_model_and_every_model_a_dataset():
    assert {DATASETS[dataset].task for _, dataset in PAIRS} == {model.task for model in MODELS.values()}
    assert {dataset for _, dataset in PAIRS} == set(EMBEDDED_DATASETS)


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_the_forecast_beats_what_needs_no_network(model, dataset):
    """On the test part: smaller RMSE than the training mean (tables), than persistence and the seasonal naive (series)."""
    dataset = load_dataset(dataset)
    network = load_model(model).on(dataset, device="cpu")
    assert not network.training
    with torch.no_grad():
        forecast = network(dataset.test.inputs)
    assert forecast.shape == dataset.test.target.shape and forecast.dtype == torch.float32 and forecast.isfinite().all()
    error = rmse(forecast, dataset.test.target)
    for name in ("training mean", "persistence", "seasonal naive"):
        if name in dataset.references:
            assert error < rmse(dataset.references[name](dataset.test), dataset.test.target), name
    if dataset.true_spread:
        assert error < 1.06 * dataset.true_spread  # the noise is nearly all that is wrong


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_rows_do_not_see_one_another(model, dataset):
    """Members are folded into the cases: a case alone, among others, and upside down among others gives the same forecast."""
    dataset = load_dataset(dataset)
    network = load_model(model).on(dataset, device="cpu")
    x = dataset.test.inputs[:6]
    with torch.no_grad():
        alone, together = network(x[:2]), network(torch.cat([x[:2], -100 * x[2:]]))[:2]
    assert torch.allclose(alone, together, rtol=1e-5, atol=1e-5 * float(alone.abs().max()))


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_loading_leaves_no_trace_and_gives_the_same_weights(model, dataset):
    dataset = load_dataset(dataset)
    before = torch.get_rng_state().tolist(), random.getstate(), torch.get_num_threads()
    first, second = (load_model(model).on(dataset, device="cpu") for _ in range(2))
    assert before == (torch.get_rng_state().tolist(), random.getstate(), torch.get_num_threads())
    assert weights_sha256(first) == weights_sha256(second)
    assert not weights.cache_folder().exists()  # embedded: nothing was trained


@pytest.mark.parametrize("model", MODELS)
def test_the_layers_that_are_sampled_have_a_name_and_so_has_everything(model):
    groups = MODELS[model].layer_groups
    assert MODELS[model].layers in groups.values() and groups["All attention"] == "*"


@pytest.mark.parametrize(("model", "dataset"), [("ft_transformer", "diabetes"), ("timesfm", "elnino"), ("climax", "planet")])
def test_every_group_of_layers_samples_some_and_the_last_all(model, dataset):
    data = load_dataset(dataset)
    network, sampled = MODELS[model].on(data), {}
    for title, glob in MODELS[model].layer_groups.items():
        with torch.no_grad(), stochastic_attention(network, 8, layers=glob) as run:
            network(data.test.inputs[:1])
        sampled[title] = set(run.calls)
        assert sampled[title]
    everything = sampled["All attention"]
    assert all(names <= everything for names in sampled.values())
    if model == "climax":
        assert everything - sampled["Blocks only"] == {"network.var_agg"}


@pytest.mark.parametrize("model", MODELS)
def test_a_dataset_of_another_task_is_refused(model):
    other = {"table": "elnino", "series": "diabetes", "grid": "diabetes"}[MODELS[model].task]
    with pytest.raises(ValueError, match="pick a dataset of the same task"):
        load_model(model).on(load_dataset(other))


def test_a_table_of_your_own_is_trained_once_and_kept(monkeypatch):
    fast(monkeypatch)
    dataset, calls = small_table(), []
    before = torch.get_rng_state().tolist(), torch.get_num_threads()
    network = load_model("ft_transformer").on(dataset, device="cpu", progress=lambda *call: calls.append(call))
    assert calls[-1][:2] == (30, 30) and before == (torch.get_rng_state().tolist(), torch.get_num_threads())
    with torch.no_grad():
        assert rmse(network(dataset.test.inputs), dataset.test.target) < rmse(
            dataset.references["training mean"](dataset.test), dataset.test.target
        )
    again = load_model("ft_transformer").on(dataset, device="cpu", progress=lambda *_: pytest.fail("trained twice"))
    assert weights_sha256(again) == weights_sha256(network)
    cached_path(dataset).write_bytes(cached_path(dataset).read_bytes()[:1000])  # a damaged file is no file
    assert weights_sha256(load_model("ft_transformer").on(dataset, device="cpu")) == weights_sha256(network)


def test_weights_of_another_dataset_are_never_served(monkeypatch):
    fast(monkeypatch)
    dataset, other = small_table(), small_table("another one")
    load_model("ft_transformer").on(other, device="cpu")
    cached_path(dataset).write_bytes(cached_path(other).read_bytes())
    network = load_model("ft_transformer").on(dataset, device="cpu")
    assert torch.allclose(network.target_mean, dataset.train.target.mean(), atol=1e-5)


def test_a_stopped_training_leaves_nothing_behind(monkeypatch):
    fast(monkeypatch)

    class Stopped(Exception):
        pass

    def stop(done: int, *_: object) -> None:
        if done >= 10:
            raise Stopped

    threads = torch.get_num_threads()
    with pytest.raises(Stopped):
        load_model("ft_transformer").on(small_table(), device="cpu", progress=stop)
    assert torch.get_num_threads() == threads and not list(weights.cache_folder().rglob("*"))


def test_a_folder_that_cannot_be_written_costs_a_warning_only(monkeypatch, tmp_path):
    fast(monkeypatch)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="could not be kept"):
        load_model("ft_transformer").on(small_table(), device="cpu")


def test_too_many_columns_are_refused():
    with pytest.raises(ValueError, match="at most 256 columns, 'wide' has 300"):
        load_model("ft_transformer").on(small_table("wide", n_feature=300))


def test_standardisation_is_part_of_the_network():
    """Other units of a column, the same forecasts after the same training: raw numbers go in."""
    dataset = small_table()
    scaled = table_dataset(*(np.concatenate([getattr(dataset.part(p), k).numpy() for p in ("train", "calibration", "test")]) for k in ("inputs", "target")),
                           name="n", title="t", target_name="y", units="", source="s", licence="l")  # fmt: skip
    network = TableNetwork.for_train(scaled.train)
    x = (scaled.train.inputs - network.feature_mean) / network.feature_scale
    assert torch.allclose(x.mean(0), torch.zeros(3), atol=1e-5) and torch.allclose(x.std(0), torch.ones(3), atol=1e-5)
    assert torch.allclose(network.target_scale, scaled.train.target.std())


def test_the_training_command_gives_the_same_weights_twice(monkeypatch, tmp_path, capsys):
    fast(monkeypatch)
    for folder in ("one", "two"):
        assert train.main(["ft_transformer-diabetes", "--folder", str(tmp_path / folder)]) == 0
    one, two = (path.read_bytes() for path in sorted(tmp_path.glob("*/ft_transformer_diabetes.safetensors")))
    assert one == two
    out, err = capsys.readouterr()
    assert "100%" in err and out.count("ft_transformer_diabetes.safetensors") == 2
    assert train.main(["ft_transformer-other"]) == 2 and "got ft_transformer-other" in capsys.readouterr().err


def test_the_training_of_timesfm_gives_the_same_weights_twice():
    small = {"hidden_size": 16, "intermediate_size": 16, "head_dim": 4, "num_hidden_layers": 1}
    before = torch.get_rng_state().tolist()
    real = [load_dataset("sunspots").train]
    one, two, other = (weights_sha256(train_series(real, n_step=4, batch=8, seed=seed, **small)) for seed in (0, 0, 1))
    assert one == two != other and before == torch.get_rng_state().tolist()


def test_made_up_series_are_finite_and_varied():
    rows = made_up_series(np.random.default_rng(0), 200, 152)
    assert rows.shape == (200, 152) and np.isfinite(rows).all() and (rows.std(1) > 0).all()
    assert np.abs(np.corrcoef(rows) - np.eye(200)).mean() < 0.35


def test_a_checkpoint_saved_and_loaded_gives_the_same_forecasts(monkeypatch, tmp_path):
    """The path of the real checkpoint, walked with a tiny one."""
    folder = tiny_timesfm(tmp_path / "tiny")
    monkeypatch.setattr(timesfm.TimesFmCheckpoint, "place", folder)
    dataset = small_series()
    network = load_model("timesfm-2.5-200m").on(dataset, device="cpu")
    saved = TimesFm2_5ModelForPrediction.from_pretrained(folder).eval()
    assert weights_sha256(network.network) == weights_sha256(saved) and network.network.config._attn_implementation == "sdpa"
    x = dataset.test.inputs  # 30 values: the two oldest do not fill a patch of 4
    with torch.no_grad():
        ahead = saved(past_values=list(x[:, -28:]), forecast_context_len=28, truncate_negative=False).mean_predictions
        forecast = network(x)
    assert torch.allclose(forecast[:, :8], ahead, atol=1e-6) and forecast.shape == (len(x), 30)


def test_a_horizon_beyond_the_model_is_reached_by_its_own_forecasts(tmp_path):
    network = timesfm.load_pretrained(tiny_timesfm(tmp_path / "tiny"))
    x = torch.randn(3, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        near, far = timesfm.SeriesNetwork(network, 8)(x), timesfm.SeriesNetwork(network, 20)(x)
        then = timesfm.SeriesNetwork(network, 8)(torch.cat([x, near], 1))
    assert torch.equal(far[:, :8], near) and torch.allclose(far[:, 8:16], then, atol=1e-6)


def test_nothing_is_clamped_at_zero(tmp_path):
    """A checkpoint that says infer_is_positive clamps by the smallest value of ALL rows; forecasts must not depend on it."""
    network = timesfm.SeriesNetwork(timesfm.load_pretrained(tiny_timesfm(tmp_path / "tiny", infer_is_positive=True)), 8)
    falling = torch.linspace(10, 0.1, 40)[None]
    with torch.no_grad():
        assert torch.equal(network(falling), network(torch.cat([falling, -falling]))[:1])


def test_a_context_shorter_than_a_patch_is_refused():
    with pytest.raises(ValueError, match="context of at least 4 values, 'walk' gives 3; choose a longer context"):
        load_model("timesfm").on(small_series(context=3))


def test_a_folder_without_a_checkpoint_or_with_a_pickle_only_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected config.json and model.safetensors .* save it there with save_pretrained"):
        timesfm.load_pretrained(tmp_path / "empty")
    folder = tiny_timesfm(tmp_path / "pickled")
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"expected config.json and model.safetensors"):
        timesfm.load_pretrained(folder)


def test_without_a_network_one_sentence_says_so(monkeypatch, tmp_path):
    def fails(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", fails)
    monkeypatch.setattr(
        TimesFm2_5ModelForPrediction,
        "from_pretrained",
        lambda *_, **options: fails() if not options.get("local_files_only") else no_cache(),
    )
    with pytest.raises(
        ValueError, match=r"expected to fetch google/timesfm-2.5-200m-transformers at 5a9806b9b291 .* got ConnectionError; connect"
    ) as caught:
        load_model("timesfm-2.5-200m").on(load_dataset("elnino"))
    assert "\n" not in str(caught.value)


def no_cache() -> None:
    raise OSError("not in the cache")


def test_weights_are_small_and_say_what_they_are_for():
    files = [path for path in weights.EMBEDDED.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert max(path.stat().st_size for path in files) < 5_000_000
    named = {weights.about(path).get("dataset"): weights.about(path).get("dataset_sha256") for path in files if path.name.startswith("ft_")}
    assert named == {name: load_dataset(name).sha256 for name in named}
    about = json.loads((weights.EMBEDDED / "timesfm-synthetic-series" / "about.json").read_text())
    assert about["dataset_sha256"] == load_dataset("synthetic-series").sha256


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device"):
        load_model("timesfm").on(load_dataset("elnino"), device="abacus")


def test_the_tables_load_without_transformers():
    import subprocess

    code = "import sys; import stochattn_core.models; print('transformers' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert found.stdout.strip() == "False"
