"""Inputs by name: a Split of several tensors is the same data as one tensor with all of them, and own data need few fields."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import Dataset, Setting, Split, evaluate, load_model, sample_ensemble, tune
from stochattn_core.datasets.base import PARTS
from stochattn_core.evaluate import experiment_of
from stochattn_core.forecasts import ensemble_of_case
from tests.zoo import make, normal


class Named(nn.Module):
    """Attention over 4 numeric columns and 1 categorical one: from (numeric, kind), or from one tensor that holds both."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.numbers, self.kinds = nn.Linear(1, 8), nn.Embedding(3, 8)
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.head = nn.Linear(8, 1)

    def forward(self, numeric, kind=None):
        if kind is None:
            numeric, kind = numeric[:, :4], numeric[:, 4].long()
        tokens = torch.cat([self.numbers(numeric[..., None]), self.kinds(kind)[:, None]], 1)
        return self.head(self.layer(tokens).mean(1))[:, 0]


def parts(n_case=60):
    """The same three parts with inputs by name and in one tensor."""
    named, single = {}, {}
    for seed, part in enumerate(PARTS):
        numeric, kind = normal(n_case, 4, seed=seed), torch.arange(n_case) % 3
        target = numeric.sum(1) + kind + normal(n_case, seed=seed + 10)
        named[part] = Split({"numeric": numeric, "kind": kind}, target)
        single[part] = Split(torch.cat([numeric, kind[:, None].float()], 1), target)
    return Dataset("named", **named), Dataset("single", **single)


def test_inputs_by_name_give_the_ensemble_of_one_tensor_with_all_of_them():
    network, (named, single) = Named().eval(), parts()
    a, b = (evaluate(network, data, Setting(4, 8)) for data in (named, single))
    assert np.array_equal(a.ensemble.members, b.ensemble.members) and np.array_equal(a.ensemble.plain, b.ensemble.plain)
    assert a.scores == b.scores and a.calls == b.calls


@pytest.mark.parametrize("search", ("grid", "thompson"))
def test_tuning_with_inputs_by_name_finds_what_one_tensor_gives(search):
    network, (named, single) = Named().eval(), parts()
    a, b = (tune(network, data, search=search, n_member=8) for data in (named, single))
    assert (a.concentration, a.interval) == (b.concentration, b.interval)


def test_one_case_alone_has_the_members_of_all_cases():
    network, (named, _) = Named().eval(), parts()
    experiment = experiment_of(network, named, Setting(4, 8))
    alone = ensemble_of_case(experiment, 7).members
    assert np.allclose(alone[:, 0], evaluate(network, named, Setting(4, 8)).ensemble.members[:, 7], atol=1e-6)


def test_cases_are_chosen_in_every_tensor():
    split = parts()[0].test
    few = split.of_cases(np.array([5, 2]))
    assert all(torch.equal(few.inputs[name], split.inputs[name][[5, 2]]) for name in ("numeric", "kind")) and len(few) == 2
    (args, kwargs) = split.arguments(slice(3), torch.device("cpu"))
    assert args == () and kwargs["kind"].tolist() == [0, 1, 2] and split.largest is split.inputs["numeric"]
    assert [len(x) for x in parts()[1].test.arguments(slice(3), torch.device("cpu"))[0]] == [3]


def test_the_digest_of_one_tensor_is_that_of_its_numbers_and_names_count_where_there_are_some():
    named, single = parts()
    digest = hashlib.sha256(b"table")
    for part in PARTS:
        for values in (single.part(part).inputs, single.part(part).target):
            digest.update(str(tuple(values.shape)).encode() + values.numpy().tobytes())
    assert single.sha256 == digest.hexdigest()
    test = named.test
    others = (
        {"numeric": test.inputs["numeric"], "colour": test.inputs["kind"]},
        {**test.inputs, "kind": test.inputs["kind"].int()},
        {**test.inputs, "kind": test.inputs["kind"].roll(1)},
    )
    digests = {named.sha256}
    for inputs in others:
        changed = {part: Split(inputs, named.part(part).target) for part in PARTS}
        digests.add(replace(named, **changed).sha256)
    assert len(digests) == 4
    backwards = {part: Split(dict(reversed(named.part(part).inputs.items())), named.part(part).target) for part in PARTS}
    assert replace(named, **backwards).sha256 == named.sha256


BAD_INPUTS = {
    "no tensor": ({}, r"expected inputs by the names of the model's arguments, got the names \[\]"),
    "a number as name": ({0: torch.zeros(6)}, r"got the names \[0\]"),
    "float64": ({"x": torch.zeros(6, dtype=torch.float64)}, "expected x as a float32 torch tensor, got a tensor of torch.float64"),
    "complex": ({"x": torch.zeros(6, dtype=torch.complex64)}, "expected x as a float32 torch tensor, got a tensor of torch.complex64"),
    "NumPy": ({"x": np.zeros(6)}, "expected x as a float32 torch tensor, got ndarray"),
    "NaN": ({"x": torch.zeros(6, 2), "y": torch.full((6, 2), torch.nan)}, "expected finite y, got 12 of 12 values"),
    "a case too few": ({"x": torch.zeros(6, 2), "y": torch.zeros(5)}, "x, y, target, index and block must have .*, got 6, 5, 6, 6, 6"),
    "a number for all": ({"x": torch.zeros(6), "y": torch.tensor(1.0)}, "got 6, 0, 6, 6, 6"),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_malformed_inputs_by_name_are_refused(kind):
    inputs, message = BAD_INPUTS[kind]
    with pytest.raises(ValueError, match=message):
        Split(inputs, torch.zeros(6))


def test_parts_with_other_names_or_shapes_are_refused():
    named, single = parts()
    with pytest.raises(ValueError, match=r"got numeric \(4,\), kind \(\) a case in train and \(5,\) in test; make the parts alike"):
        replace(named, test=single.test)
    with pytest.raises(ValueError, match=r"reads one tensor of inputs, dataset 'named' has inputs by name; pass a torch.nn.Module"):
        evaluate(load_model("ft_transformer"), named)


def test_own_data_need_a_name_and_three_parts():
    table = parts()[1]
    assert (table.task, table.title, table.lead_time, table.units) == ("table", "single", (), "")
    assert table.test.index.equals(pd.RangeIndex(60)) and table.test.block.tolist() == list(range(60))
    split = Split({"past_values": torch.zeros(6, 8, 1)}, torch.zeros(6, 3))
    series = Dataset("own", train=split, calibration=split, test=split)
    assert (series.task, series.lead_time) == ("series", (1, 2, 3)) and split.past_values.shape == (6, 8)
    with pytest.raises(ValueError, match="expected the calibration part of 'own' as a Split, got NoneType; pass calibration=Split"):
        Dataset("own", train=split)
    maps = Split(torch.zeros(6, 1, 2, 2), torch.zeros(6, 2, 2))
    with pytest.raises(ValueError, match=r'without a task, got \(6, 2, 2\); pass task="grid" with latitude and longitude'):
        Dataset("own", train=maps, calibration=maps, test=maps)


def test_a_plain_regressor_gets_a_tuned_ensemble_in_six_lines():
    regressor, (x, y) = make("FT-Transformer")[0], (normal(300, 5), normal(300, 1, seed=1))
    regressor = nn.Sequential(regressor, nn.Flatten(0)).eval()
    y = y[:, 0]
    # The six lines, after the imports:
    train, calibration, test = (Split(x[i : i + 100], y[i : i + 100]) for i in (0, 100, 200))
    dataset = Dataset("mine", train=train, calibration=calibration, test=test)
    tuning = tune(regressor, dataset)
    print(tuning.concentration, tuning.interval, tuning.verdict)
    members = sample_ensemble(regressor, x[:8], concentration=tuning.concentration, n_member=49)
    print(members.mean(0), members.std(0))
    assert members.shape == (49, 8) and tuning.concentration >= 1


def test_a_hugging_face_forecaster_gets_a_tuned_ensemble_in_five_lines():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = make("TimesFM 2.5")[0].model

        def forward(self, past_values):
            return self.model(past_values, truncate_negative=False, forecast_context_len=32).mean_predictions

    model, past, future = Forecaster().eval(), normal(90, 32), normal(90, 8, seed=1)
    # The five lines, after the imports:
    parts = [Split({"past_values": past[i : i + 30]}, future[i : i + 30]) for i in (0, 30, 60)]
    dataset = Dataset("mine", train=parts[0], calibration=parts[1], test=parts[2])
    tuning = tune(model, dataset)
    print(tuning.concentration, tuning.interval, tuning.verdict)
    members = sample_ensemble(model, past_values=past[-1:], concentration=tuning.concentration, n_member=49)
    assert members.shape == (49, 1, 8) and dataset.lead_time == tuple(range(1, 9))
