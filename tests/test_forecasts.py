"""Forecasts of all cases, and of one at once, from the same network and the same draws."""

import math

import numpy as np
import pytest

from stochattn_core import Setting, load_dataset, load_model, store
from stochattn_core.forecasts import Experiment, ensemble_of, ensemble_of_case


@pytest.mark.parametrize(("name", "data"), (("ft_transformer", "diabetes"), ("timesfm", "elnino")))
@pytest.mark.parametrize("correction", ("", "inflation 2.5", "noise 2 0.5", "fractional 2.5", "shared"))
def test_one_case_alone_has_the_members_that_it_has_among_all(name, data, correction):
    dataset = load_dataset(data)
    network, setting = load_model(name).on(dataset, device="cpu"), Setting(2, 6, seed=5, correction=correction)
    experiment = Experiment(network, dataset, setting)
    whole = ensemble_of(experiment)
    for case in (0, 4):
        alone, only = ensemble_of_case(experiment, case), slice(case, case + 1)
        assert (
            alone.members.shape == (6, 1, *dataset.test.target.shape[1:])
            and alone.dims == whole.dims
            and alone.lead_time == whole.lead_time
        )
        for values, known in ((alone.members, whole.members[:, only]), (alone.plain, whole.plain[only])):
            np.testing.assert_allclose(values, known, rtol=1e-4, atol=1e-4 * np.abs(known).max())
        assert np.array_equal(alone.target, whole.target[only]) and alone.index.equals(whole.index[only])
    assert np.abs(alone.members - alone.plain).max() > 0


def test_the_plain_model_of_one_case_and_a_case_that_there_is_not():
    dataset = load_dataset("diabetes")
    network, n = load_model("ft_transformer").on(dataset, device="cpu"), len(dataset.test)
    alone = ensemble_of_case(Experiment(network, dataset, Setting(math.inf, 3, correction="inflation 2")), n - 1)
    assert np.array_equal(alone.members, np.stack([alone.plain] * 3))
    for case in (-1, n):
        with pytest.raises(ValueError, match=rf"expected a case from 0 to {n - 1} of the test part of 'diabetes', got {case}"):
            ensemble_of_case(Experiment(network, dataset, Setting(2, 3)), case)


def test_an_experiment_is_equal_to_its_copy_and_not_to_one_with_another_setting(model, diabetes):
    network = model.on(diabetes, device="cpu")
    first, copy = (Experiment(network, diabetes, Setting(4, 9), default_layers="*0*") for _ in range(2))
    assert first == copy and len({first, copy, first.with_setting(Setting(5, 9)), first.with_setting(first.setting, "calibration")}) == 3
    assert first.layers == "*0*" and first.with_setting(Setting(4, 9, layers="*1*")).layers == "*1*"


def test_the_key_of_a_stored_ensemble_names_all_that_decides_it_and_nothing_else(model, diabetes, empty_cache, monkeypatch):
    keys, key_of = [], store.key_of
    monkeypatch.setattr(store, "key_of", lambda kind, **parts: keys.append((kind, parts)) or key_of(kind, **parts))
    ensemble_of(Experiment(model.on(diabetes, device="cpu"), diabetes, Setting(4, 3, seed=7, correction="shared"), model_name="any"))
    ((kind, parts),) = keys
    assert kind == "ensemble" and parts.keys() == {
        "weights", "network", "ignore", "dataset", "part", "concentration", "n_member", "seed", "layers", "device", "case_per_pass",
        "torch", "shared",
    }  # fmt: skip
    decided = {"part": "test", "concentration": 4, "n_member": 3, "seed": 7, "layers": "*", "shared": True, "ignore": ""}
    assert {name: parts[name] for name in decided} == decided
