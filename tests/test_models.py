"""Contract of the table of models: cheap entries, shapes, forecasts better than the references, independent rows, small files."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from stochattn_core import Setting, __main__, evaluate, stochastic_attention
from stochattn_core.datasets import DATASETS, load_dataset
from stochattn_core.models import MODELS, Model, load_model, weight_files, weights_sha256
from stochattn_core.references.errors import forecasts_of

EMBEDDED_DATASETS = [name for name, entry in DATASETS.items() if entry.availability == "embedded"]
PAIRS = [
    (model.name, dataset)
    for model in MODELS.values()
    if model.need == "embedded"
    for dataset in EMBEDDED_DATASETS
    if DATASETS[dataset].task == model.task
]
pytestmark = pytest.mark.usefixtures("empty_cache")


def rmse(forecast: torch.Tensor, target: torch.Tensor) -> float:
    return float((forecast - target).double().square().mean().sqrt())


def test_an_unknown_name_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"one of ft_transformer, .*got 'resnet'"):
        load_model("resnet")


def test_every_dataset_has_a_model_and_every_model_a_dataset():
    assert {DATASETS[dataset].task for _, dataset in PAIRS} == {model.task for model in MODELS.values()}
    assert {dataset for _, dataset in PAIRS} == set(EMBEDDED_DATASETS)


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_the_forecast_beats_the_reference_forecasts(model, dataset):
    """On the test part: smaller RMSE than the training mean (tables), than persistence and the seasonal naive (series)."""
    dataset = load_dataset(dataset)
    network = load_model(model).on(dataset, device="cpu")
    assert not network.training
    with torch.no_grad():
        forecast = network(dataset.test.inputs)
    assert forecast.shape == dataset.test.target.shape and forecast.dtype == torch.float32 and forecast.isfinite().all()
    error = rmse(forecast, dataset.test.target)
    for name in ("training mean", "persistence", "seasonal naive"):
        if name in forecasts_of(dataset):
            assert error < rmse(forecasts_of(dataset)[name](dataset.test), dataset.test.target), name
    if dataset.true_spread:
        assert error < 1.06 * dataset.true_spread  # nearly all of the error is noise


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_cases_are_independent(model, dataset):
    """Members are folded into the cases, so a case must have the same forecast alone and among others."""
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
    assert not weight_files.cache_folder().exists()  # embedded: nothing was trained


@pytest.mark.parametrize("model", MODELS)
def test_the_sampled_layers_and_all_layers_are_groups_with_a_title(model):
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


def test_weights_are_small_and_name_their_dataset():
    files = [path for path in weight_files.EMBEDDED.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert max(path.stat().st_size for path in files) < 5_000_000
    named = {
        weight_files.about(path).get("dataset"): weight_files.about(path).get("dataset_sha256")
        for path in files
        if path.name.startswith("ft_")
    }
    assert named == {name: load_dataset(name).sha256 for name in named}
    about = json.loads((weight_files.EMBEDDED / "timesfm-synthetic-series" / "about.json").read_text())
    assert about["dataset_sha256"] == load_dataset("synthetic-series").sha256


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device"):
        load_model("timesfm").on(load_dataset("elnino"), device="abacus")


class Mixed(nn.Module):
    """Columns as tokens, one attention layer, the mean of the tokens as the forecast."""

    def __init__(self):
        super().__init__()
        self.embed, self.attention, self.head = nn.Linear(1, 8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 1)

    def forward(self, inputs):
        tokens = self.embed(inputs[..., None])
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))[:, 0]


class Mine(Model):
    name = "mine"
    task = "table"
    title = "A model of a user"
    source = "this test"
    licence = "none"

    def on(self, dataset, *, device="auto", progress=None):
        self.check(dataset)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Mixed().eval()


def test_a_model_added_to_the_table_is_loaded_evaluated_and_listed(monkeypatch, capsys, diabetes):
    """One line in MODELS is all that a new model needs."""
    monkeypatch.setitem(MODELS, "mine", Mine())
    assert load_model("mine") is MODELS["mine"]
    evaluation = evaluate(load_model("mine"), diabetes, Setting(8, 5), device="cpu")
    assert evaluation.model == "mine" and dict(evaluation.calls) == {"attention": 1} and evaluation.scores["spread"] > 0
    assert __main__.main(["list", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["models"]}
    assert listed["mine"] == {"name": "mine", "task": "table", "title": "A model of a user", "availability": "embedded"}
    options = ["--concentration", "8", "--members", "5", "--device", "cpu", "--json"]
    assert __main__.main(["evaluate", "--model", "mine", "--dataset", "diabetes", *options]) == 0
    assert json.loads(capsys.readouterr().out)["crps_fair"] == evaluation.scores["crps_fair"]


def test_the_table_is_known_without_the_libraries_and_the_training_of_its_models():
    heavy = ("transformers", "huggingface_hub", "rtdl_revisiting_models", "tools")
    training = ("table_training", "climax_training", "climax_own_grid")
    names = (*heavy, *(f"stochattn_core.models.{name}" for name in training))
    code = f"""import sys
from stochattn_core.models import MODELS
assert all(model.title and model.task and model.need and model.layers for model in MODELS.values())
print([name for name in {names} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "[]"
