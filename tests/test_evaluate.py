"""From a model and a dataset to scores."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import Setting, evaluate, load_dataset, sample_ensemble, tune
from stochattn_core.datasets.base import Dataset, Split, blocks_in_time
from stochattn_core.ensemble_file import read_ensemble, write_ensemble
from stochattn_core.metrics import scores
from tests.test_tuning import own
from tests.zoo import ByHand


def test_scores_are_those_of_the_ensemble_written_out(model, diabetes):
    evaluation = evaluate(model, diabetes, Setting(8, 19))
    members, target = np.asarray(evaluation.ensemble.members, float), diabetes.test.target.double().numpy()
    mean = members.mean(0)
    assert evaluation.scores["rmse"] == pytest.approx(np.sqrt(np.mean((mean - target) ** 2)))
    assert evaluation.scores["spread"] == pytest.approx(np.sqrt(members.var(0, ddof=1).mean()))
    assert evaluation.scores["spread_skill_ratio"] == pytest.approx(
        math.sqrt(20 / 19) * evaluation.scores["spread"] / evaluation.scores["rmse"]
    )
    assert evaluation.plain["rmse"] == pytest.approx(np.sqrt(np.mean((evaluation.ensemble.plain - target) ** 2)), rel=1e-6)
    assert evaluation.scores["n_case"] == len(diabetes.test)


def test_members_do_not_depend_on_the_chunks_they_were_computed_in(model, diabetes):
    evaluation = evaluate(model, diabetes, Setting(8, 19))
    whole = sample_ensemble(model.on(diabetes, device="cpu"), diabetes.test.inputs, concentration=8, n_member=19)
    assert np.allclose(evaluation.ensemble.members, whole.numpy(), rtol=1e-5)


def test_the_plain_model_has_no_spread_and_its_crps_is_its_mean_absolute_error(model, diabetes):
    evaluation = evaluate(model, diabetes, Setting(math.inf, 5))
    assert evaluation.scores["spread"] == 0 and evaluation.scores["coverage_90"] == 0
    assert evaluation.scores["crps_fair"] == pytest.approx(evaluation.plain["mae"])
    assert evaluation.scores["rmse"] == pytest.approx(evaluation.plain["rmse"])


def test_progress_ends_at_its_total(model, diabetes, empty_cache):
    seen = []
    evaluate(model, diabetes, Setting(8, 19), progress=lambda *x: seen.append(x))
    assert seen[-1][0] == seen[-1][1] and all(a[0] <= b[0] for a, b in pairwise(seen) if a[2] == b[2])


def test_a_network_of_ones_own_is_evaluated_as_it_is(diabetes):
    evaluation = evaluate(own(unit=100), diabetes, Setting(4, 9))
    assert evaluation.model == "Own" and evaluation.calls == {"attention": 1} and evaluation.scores["spread"] > 0
    with pytest.raises(ValueError, match="expected a forecast of shape"):
        evaluate(nn.Sequential(own(unit=100), nn.Unflatten(0, (1, -1))).eval(), diabetes, Setting(4, 9))


def test_a_network_that_calls_its_parts_layers_is_sampled_whole(diabetes):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.head = nn.Linear(1, 8), nn.Linear(8, 1)
            self.layers = nn.ModuleList(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2))

        def forward(self, x):
            x = self.lift(x[..., None] / 100)
            for layer in self.layers:
                x = layer(x)
            return self.head(x.mean(1))[:, 0]

    network = own(kind=Own)
    evaluation = evaluate(network, diabetes, Setting(4, 5))
    assert evaluation.layers == "*" and len(evaluation.calls) == 2 and evaluation.scores["spread"] > 0
    assert tune(network, diabetes, n_member=5, n_pass=2).grid.size


def test_model_and_dataset_of_different_tasks_are_refused(model):
    with pytest.raises(ValueError, match="forecasts a table, dataset 'sunspots' is a series"):
        evaluate(model, load_dataset("sunspots"))
    with pytest.raises(ValueError, match=r"model must be an entry of MODELS or a torch.nn.Module, got str"):
        evaluate("ft_transformer", load_dataset("diabetes"))


def test_layers_of_the_setting_reach_the_model(model, diabetes):
    everything = evaluate(model, diabetes, Setting(2, 9))
    first = next(iter(everything.calls))
    some = evaluate(model, diabetes, Setting(2, 9, layers=first))
    assert some.layers == first and some.scores["spread"] < everything.scores["spread"]


def a_grid(n_case=24):
    """Fields of which the network sees all, on a coarse globe: the target is the first variable."""
    latitude, longitude = (-67.5, -22.5, 22.5, 67.5), tuple(range(0, 360, 60))

    def part(seed):
        x = torch.randn(n_case, 2, 4, 6, generator=torch.Generator().manual_seed(seed))
        return Split(x, x[:, 0] + 0.3 * x[:, 1], pd.date_range("2000-01-01", periods=n_case), blocks_in_time(n_case, 2))

    references = {"persistence": lambda split: split.inputs[:, 0]}
    return Dataset(
        "a-grid", "grid", "A grid", "height", "m", "made here", "none", part(0), part(1), part(2),
        lead_time=(24,), lead_unit="h", references=references, latitude=latitude, longitude=longitude,
    )  # fmt: skip


class GridNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.attention, self.head = nn.Linear(2, 8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        tokens = self.lift(x.flatten(2).mT)
        return self.head(tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0])[..., 0].unflatten(1, (4, 6))


def test_a_grid_is_scored_with_its_cells_by_their_area(tmp_path):
    network, grid = own(kind=GridNetwork), a_grid()
    evaluation = evaluate(network, grid, Setting(4, 9))
    area = np.cos(np.deg2rad(grid.latitude))  # cells of equal height: the exact area is proportional to it
    weights = np.broadcast_to((area / area.mean())[:, None], (4, 6))
    members, target = np.asarray(evaluation.ensemble.members, float), grid.test.target.numpy()
    assert evaluation.ensemble.dims == ("init_time", "latitude", "longitude")
    assert evaluation.scores["rmse"] == pytest.approx(np.sqrt(np.mean(weights * (members.mean(0) - target) ** 2)), rel=1e-6)
    assert evaluation.scores["spread"] == pytest.approx(np.sqrt(np.mean(weights * members.var(0, ddof=1))), rel=1e-6)
    assert evaluation.references["persistence"] == pytest.approx(
        np.sqrt(np.mean(weights * (grid.test.inputs[:, 0].numpy() - target) ** 2)), rel=1e-6
    )
    write_ensemble(evaluation, tmp_path / "e.nc")
    back = read_ensemble(tmp_path / "e.nc")
    assert back.latitude == grid.latitude and scores(back.pooled)["rmse"] == pytest.approx(evaluation.scores["rmse"])
    assert tune(network, grid, n_member=9, n_pass=3).grid.size


def test_a_network_with_attention_by_hand_is_evaluated_and_what_is_ignored_stays_plain(diabetes):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.first, self.second, self.head = nn.Linear(1, 16), ByHand(), ByHand(), nn.Linear(16, 1)

        def forward(self, x):
            return self.head(self.second(self.first(self.lift(x[..., None] / 100))).mean(1))[:, 0]

    evaluations = [evaluate(own(kind=Own), diabetes, Setting(4, 5), ignore=ignore) for ignore in ("", "second")]
    assert [evaluation.calls for evaluation in evaluations] == [{"first": 1, "second": 1}, {"first": 1}]
    assert all(evaluation.scores["spread"] > 0 for evaluation in evaluations)
    first_alone = evaluate(own(kind=Own), diabetes, Setting(4, 5, layers="first"))
    assert evaluations[1].scores == first_alone.scores
