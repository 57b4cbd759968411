"""There is one plain forecast: the same under grad, no_grad and inference_mode, and the limit of the ensemble at large concentrations."""

import math
import threading

import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import Setting, evaluate, sample_ensemble, tune
from stochattn_core.datasets.base import Dataset, Split, blocks_at_random
from stochattn_core.forecasts import fingerprint
from stochattn_core.plain_forecast import plain_forecast, without_fast_path
from stochattn_core.tuning import Budget
from tests.zoo import ZOO, make

MODES = {"grad": torch.enable_grad, "no_grad": torch.no_grad, "inference_mode": torch.inference_mode}


class Padded(nn.Module):
    """An encoder whose output is averaged over all places, padded ones too: torch's fused path gives zeros there, its slow path does not."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.lift, self.encoder, self.head = nn.Linear(1, 16), nn.TransformerEncoder(layer, 2), nn.Linear(16, 1)

    def forward(self, x):
        is_padding = (x > 1).cummax(1).values  # from the first large value to the end, as torch's nested tensors need it
        is_padding[:, 0] = False
        y = self.encoder(self.lift(x[..., None]), src_key_padding_mask=is_padding)
        return self.head(y.mean(1))[:, 0]


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def dataset_of(network, n=60):
    parts = []
    for part in range(3):
        x = numbers(n, 8, seed=part)
        target = sample_ensemble(network, x, concentration=6, n_member=1, seed=99)[0]
        parts.append(Split(x, target, pd.RangeIndex(n), blocks_at_random(n)))
    return Dataset("padded", "table", "Padded", "y", "", "made here", "none", *parts)


def test_torchs_fused_path_gives_another_forecast_for_a_padded_encoder():
    """The trap that the tests below would fall into."""
    network, x = Padded().eval(), numbers(20, 8)
    with torch.no_grad():
        fused = network(x)
    assert not torch.allclose(network(x), fused, atol=1e-2)


def test_the_plain_forecast_of_a_padded_encoder_is_the_limit_of_its_ensemble_in_every_grad_mode():
    network, x = Padded().eval(), numbers(20, 8)
    wanted, fingerprints = network(x).detach(), set()  # with gradients, torch takes its slow path
    for mode in MODES.values():
        with mode():
            assert torch.allclose(plain_forecast(network, x), wanted, atol=1e-6)
            assert torch.allclose(sample_ensemble(network, x, concentration=math.inf, n_member=2), wanted, atol=1e-6)
            assert torch.allclose(sample_ensemble(network, x, concentration=10**9, n_member=2), wanted, atol=1e-4)
            fingerprints.add(fingerprint(network, ((x,), {})))
    assert len(fingerprints) == 1


def test_tuning_and_scores_of_a_padded_encoder_agree_between_grad_modes(tmp_path, monkeypatch):
    network = Padded().eval()
    dataset = dataset_of(network)
    results = {}
    for name, mode in MODES.items():
        monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / name))  # nothing is read back from another mode
        with mode():
            scores = evaluate(network, dataset, Setting(6, 10)).scores
            grid = tune(network, dataset, n_member=10, grid=(2, 8, 32))
            single = tune(network, dataset, n_member=10, grid=(2, 8, 32), search="thompson", budget=Budget(passes=45))
            limit = evaluate(network, dataset, Setting(10**9, 10)).scores
        assert limit["drift"] < 1e-4  # relative to the RMSE of the plain forecast
        results[name] = [grid.optimum, single.optimum, scores["rmse_plain"], scores["drift"], limit["rmse"]]
    assert all(values == pytest.approx(results["grad"], rel=1e-6) for values in results.values()), results


class OneOutput(Padded):
    """The same forecast as a regression head gives it: (case, 1)."""

    def forward(self, x):
        return super().forward(x)[:, None]


def test_a_last_axis_of_one_entry_is_dropped_where_the_target_has_none():
    network, other = Padded().eval(), OneOutput().eval()
    dataset = dataset_of(network)
    assert evaluate(other, dataset, Setting(6, 5)).scores == evaluate(network, dataset, Setting(6, 5)).scores
    a, b = (tune(each, dataset, n_member=5, grid=(2, 8, 32), search="thompson", budget=Budget(passes=25)) for each in (network, other))
    assert (a.optimum, a.interval) == (b.optimum, b.interval)


def test_a_hugging_face_forecaster_is_tuned_as_it_is(empty_cache):
    transformers = pytest.importorskip("transformers")
    config = transformers.PatchTSTConfig(
        num_input_channels=1, context_length=16, patch_length=4, patch_stride=4, d_model=16, num_attention_heads=2, num_hidden_layers=1,
        ffn_dim=32, prediction_length=3, init_std=0.5,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.PatchTSTForPrediction(config).eval()
    parts = [Split({"past_values": numbers(30, 16, 1, seed=part)}, numbers(30, 3, seed=9 + part)) for part in range(3)]
    dataset = Dataset("own", train=parts[0], calibration=parts[1], test=parts[2])
    tuning = tune(model, dataset, n_member=5, grid=(1, 4, 16))
    with torch.no_grad():
        plain = model(past_values=parts[2].inputs["past_values"]).prediction_outputs[..., 0]
    rmse = float((plain - parts[2].target).square().mean().sqrt())
    assert tuning.before.scores["rmse_plain"] == pytest.approx(rmse, rel=1e-5)


@pytest.mark.parametrize("name", ZOO)
def test_the_plain_forecast_is_what_the_model_gives(name):
    model, inputs = make(name)
    with torch.no_grad():
        wanted = model(*inputs)
    for mode in MODES.values():
        with mode():
            assert torch.allclose(plain_forecast(model, *inputs), wanted, atol=1e-5)


def test_the_switch_of_the_fused_path_is_restored_by_the_last_of_several_threads():
    seen = []

    def inside():
        with without_fast_path():
            barrier.wait()
            seen.append(torch.backends.mha.get_fastpath_enabled())
            barrier.wait()

    barrier = threading.Barrier(2)
    thread = threading.Thread(target=inside)
    thread.start()
    with without_fast_path():
        barrier.wait()
    seen.append(torch.backends.mha.get_fastpath_enabled())
    barrier.wait()
    thread.join()
    assert seen[-2:] == [False, False] and torch.backends.mha.get_fastpath_enabled()


def test_the_switch_of_the_fused_path_is_restored_after_an_error():
    with pytest.raises(RuntimeError, match="stop"), without_fast_path():
        raise RuntimeError("stop")
    assert torch.backends.mha.get_fastpath_enabled()
