"""FT-Transformer: trained once on a table of the user, stored, and never used for another table."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.models import load_model, table_training, weight_files, weights_sha256
from stochattn_core.models.table_network import TableNetwork
from stochattn_core.models.table_training import cached_path
from stochattn_core.references.errors import forecasts_of
from tools import train_weights

pytestmark = pytest.mark.usefixtures("empty_cache")


def small_table(name: str = "small", n_row: int = 120, n_feature: int = 3) -> Dataset:
    x = np.random.default_rng(len(name)).normal(size=(n_row, n_feature))
    y = 5 + x[:, 0] + 0.1 * np.random.default_rng(2).normal(size=n_row)
    return table_dataset(x, y, name=name, title="t", target_name="y", units="", source="s", licence="l")


def fast(monkeypatch) -> None:
    monkeypatch.setattr(table_training, "_n_step", lambda *_: 30)


def test_the_network_of_a_users_table_is_trained_once_and_stored(monkeypatch):
    fast(monkeypatch)
    dataset, calls = small_table(), []
    before = torch.get_rng_state().tolist(), torch.get_num_threads()
    network = load_model("ft_transformer").on(dataset, device="cpu", progress=lambda *call: calls.append(call))
    assert calls[-1][:2] == (30, 30) and before == (torch.get_rng_state().tolist(), torch.get_num_threads())
    target, mean = dataset.test.target, forecasts_of(dataset)["training mean"](dataset.test)
    with torch.no_grad():
        assert (network(dataset.test.inputs) - target).square().mean() < (mean - target).square().mean()
    again = load_model("ft_transformer").on(dataset, device="cpu", progress=lambda *_: pytest.fail("trained twice"))
    assert weights_sha256(again) == weights_sha256(network)
    cached_path(dataset).write_bytes(cached_path(dataset).read_bytes()[:1000])  # a damaged file counts as missing
    assert weights_sha256(load_model("ft_transformer").on(dataset, device="cpu")) == weights_sha256(network)


def test_weights_of_another_dataset_are_never_used(monkeypatch):
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
    assert torch.get_num_threads() == threads and not list(weight_files.cache_folder().rglob("*"))


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
    """Other units of the columns and of the target change only the units of the forecast: inputs and forecasts are raw numbers."""
    train = small_table().train
    other = replace(train, inputs=train.inputs * torch.tensor([1000.0, 0.01, 1.0]) + 7, target=1000 * train.target - 3)
    first, second = (TableNetwork.for_train(split).eval() for split in (train, other))
    x = (train.inputs - first.feature_mean) / first.feature_scale
    assert torch.allclose(x.mean(0), torch.zeros(3), atol=1e-5) and torch.allclose(x.std(0), torch.ones(3), atol=1e-5)
    assert torch.allclose(first.target_scale, train.target.std())
    second.load_state_dict({**first.state_dict(), **dict(second.named_buffers())})
    with torch.no_grad():
        assert torch.allclose(second(other.inputs), 1000 * first(train.inputs) - 3, rtol=1e-3, atol=0.1)


def test_the_training_command_gives_the_same_weights_twice(monkeypatch, tmp_path, capsys):
    fast(monkeypatch)
    for folder in ("first", "second"):
        assert train_weights.main(["ft_transformer-diabetes", "--folder", str(tmp_path / folder)]) == 0
    first, second = (path.read_bytes() for path in sorted(tmp_path.glob("*/ft_transformer_diabetes.safetensors")))
    assert first == second
    out, err = capsys.readouterr()
    assert "100%" in err and out.count("ft_transformer_diabetes.safetensors") == 2
    assert train_weights.main(["ft_transformer-other"]) == 2 and "got ft_transformer-other" in capsys.readouterr().err
