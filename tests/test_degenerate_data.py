"""Degenerate data sets from the tuning to the comparison: each ends in a word of the verdict or in an error of one sentence."""

import numpy as np
import pytest
import torch

from benchmarks.simulated import OneAttention, dataset, even, part, uneven
from stochattn_core import Setting, TunedSetting, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.datasets.base import Split
from stochattn_core.verdict import WORDS


def missing(split):
    return Split(split.inputs, torch.full_like(split.target, torch.nan), split.index, split.block)


def exact(rng, x1, block):
    return np.zeros(len(x1))


def normal(rng, x1, block):
    return 0.2 * rng.standard_normal(len(x1))


def still(rng, n):
    """A forecast whose attention does not reach the output."""
    return np.zeros(n)


def parts(n=60, spread=even, noise=normal, n_test=None):
    rng = np.random.default_rng(0)
    return part(rng, n, spread, noise), part(rng, n_test or n, spread, noise)


def half_missing(split):
    target = split.target.clone()
    target[::2] = torch.nan
    return Split(split.inputs, target, split.index, split.block)


def constant(split):
    return Split(torch.ones_like(split.inputs), torch.ones_like(split.target), split.index, split.block)


DEGENERATE = {
    "one case": parts(1),
    "one calibration case": parts(1, n_test=60),
    "one test case": parts(60, n_test=1),
    "two cases": parts(2),
    "no error at all": parts(noise=exact),
    "one forecast for all": tuple(map(constant, parts())),
    "members that do not differ": parts(spread=still),
    "neither error nor spread": parts(spread=still, noise=exact),
    "no calibration target": (missing(parts()[0]), parts()[1]),
    "no test target": (parts()[0], missing(parts()[1])),
    "half of the targets": tuple(map(half_missing, parts())),
    "huge errors": parts(noise=lambda rng, x1, block: 1e18 * rng.standard_normal(len(x1))),
    "tiny errors": parts(noise=lambda rng, x1, block: 1e-18 * rng.standard_normal(len(x1))),
    "one huge error": parts(noise=lambda rng, x1, block: np.where(np.arange(len(x1)) == 7, 1e6, 0.1)),
    "spreads over ten decades": parts(spread=uneven(5.0)),
}


@pytest.mark.filterwarnings("ignore:all .* members of OneAttention are equal")
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_inputs_end_in_a_word_or_in_a_sentence(name):
    data, network, setting, said = dataset(*DEGENERATE[name]), OneAttention().eval(), Setting(n_member=9), []
    try:
        setting = tune(network, data, n_member=9, n_pass=4)
        said.append(setting.sentence)
        assert setting.verdict in WORDS and setting.interval[1] <= setting.optimum <= setting.interval[2]
        assert TunedSetting.loads(setting.setting.dumps()) == setting.setting
    except ValueError as error:
        said.append(str(error))
    try:
        said.append(compare(network, data, setting).sentence)
    except ValueError as error:
        said.append(str(error))
    assert all(text and "\n" not in text and "nan" not in text for text in said), said
