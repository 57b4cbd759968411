"""TimesFM: checkpoints, horizons beyond the model, reproducible training."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import TimesFm2_5ModelForPrediction

from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import series_dataset
from stochattn_core.models import load_model, timesfm, weights_sha256
from tools.timesfm_training import made_up_series, train_series, untrained

pytestmark = pytest.mark.usefixtures("empty_cache")


def small_series(context: int = 30, horizon: int = 30) -> Dataset:
    values = np.random.default_rng(3).normal(size=600).cumsum()
    about = {"name": "walk", "title": "t", "target_name": "y", "units": "", "source": "s", "licence": "l"}
    return series_dataset(values, pd.RangeIndex(600), context=context, horizon=horizon, **about)


def tiny_timesfm(folder: Path, **changes: object) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained(hidden_size=16, intermediate_size=16, head_dim=4, num_hidden_layers=2, horizon_length=8, **changes).save_pretrained(
            folder
        )
    return folder


def test_the_training_of_timesfm_gives_the_same_weights_twice():
    small = {"hidden_size": 16, "intermediate_size": 16, "head_dim": 4, "num_hidden_layers": 1}
    before = torch.get_rng_state().tolist()
    real = [load_dataset("sunspots").train]
    first, second, other = (weights_sha256(train_series(real, n_step=4, batch=8, seed=seed, **small)) for seed in (0, 0, 1))
    assert first == second != other and before == torch.get_rng_state().tolist()


def test_made_up_series_are_finite_and_varied():
    rows = made_up_series(np.random.default_rng(0), 200, 152)
    assert rows.shape == (200, 152) and np.isfinite(rows).all() and (rows.std(1) > 0).all()
    assert np.abs(np.corrcoef(rows) - np.eye(200)).mean() < 0.35


def test_a_checkpoint_saved_and_loaded_gives_the_same_forecasts(monkeypatch, tmp_path):
    """The code that loads the public checkpoint loads a tiny one."""
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
