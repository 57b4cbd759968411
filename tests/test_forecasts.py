"""Forecasts of all cases, and of one at once, from the same network and the same draws."""

import math

import numpy as np
import pytest

from stochattn_core import Setting, load_dataset, load_model
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
