"""The verdict: right where the answer is known, every word is possible, and degenerate inputs give a sentence, not a traceback."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.simulated import OneAttention, dataset, even, part, uneven
from benchmarks.verdicts import KINDS, tuned
from stochattn_core import Setting, TunedSetting, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.datasets.base import Split
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.metrics import scores
from stochattn_core.metrics.association import within_by_block
from stochattn_core.metrics.significance import bootstrap
from stochattn_core.tuning import verdict
from stochattn_core.tuning.verdict import WORDS, judge
from tests.operations import Operations


@pytest.mark.parametrize("name", KINDS)
def test_cases_built_to_have_a_verdict_get_it(name, empty_cache):
    assert [tuned(name, seed).verdict for seed in range(3)] == [KINDS[name].word] * 3


# ---- every word, from simulated ensembles


def ensemble_of(n=2000, spread=1.0, drift=0.0, error=1.0, shape=None, seed=0, m=20, n_block=64):
    """Members and truth about a plain forecast of 0. spread, error: standard deviations, a number or one for each case."""
    rng = np.random.default_rng(seed)
    draw = shape or (lambda size: rng.standard_normal(size))
    return Ensemble(
        members=drift + spread * rng.standard_normal((m, n)),
        target=error * draw(n),
        plain=np.zeros(n),
        index=pd.RangeIndex(n),
        block=np.arange(n) % n_block,
        dims=("case",),
    )


def log_normal(width, n=2000):
    return np.exp(width * np.random.default_rng(9).standard_normal(n) - width**2)


CASES = {
    verdict.CALIBRATED: (ensemble_of(), False, False),
    verdict.UNDER: (ensemble_of(spread=0.4), True, False),
    verdict.OVER: (ensemble_of(spread=2.0), False, True),
    verdict.DRIFTED: (ensemble_of(drift=0.5), False, False),
    verdict.MISPLACED: (ensemble_of(spread=log_normal(0.8)), False, False),
    verdict.MISSED: (ensemble_of(spread=0.6), False, False),
    verdict.FEW: (ensemble_of(n=6, n_block=6), False, False),
}


def test_every_word_can_be_reached():
    assert tuple(CASES) == WORDS and set(verdict.NEXT) == set(WORDS)
    for word, (ensemble, at_low, at_high) in CASES.items():
        judged = judge(ensemble, at_low=at_low, at_high=at_high)
        assert judged.word == word and verdict.NEXT[word] in judged.sentence and "\n" not in judged.sentence, (word, judged.sentence)


def test_a_spread_in_the_wrong_places_is_distinguished_from_one_of_the_wrong_amount():
    """One huge spread in a thousand makes the ratio too wide, while most intervals are too narrow."""
    spread = np.where(np.arange(2000) % 100 < 97, 0.5, 9.0)
    judged = judge(ensemble_of(spread=spread), at_low=False, at_high=False)
    assert judged.evidence["ratio"].low > 1 and judged.evidence["coverage_90"].high < 0.9
    assert judged.word == verdict.MISPLACED
    wide = judge(ensemble_of(spread=1.6), at_low=False, at_high=False)
    assert wide.word == verdict.MISSED and "too wide" in wide.sentence


def test_a_spread_that_follows_the_error_is_associated_with_it_and_a_spread_at_random_is_not():
    width = log_normal(0.8)
    with_it = judge(ensemble_of(spread=width, error=width), at_low=False, at_high=False)
    assert with_it.word == verdict.CALIBRATED and with_it.evidence["association"].low > 0.1
    few = [ensemble_of(spread=width, m=3, seed=seed) for seed in range(30)]
    associations = [judge(ensemble, at_low=False, at_high=False).evidence["association"] for ensemble in few]
    # The mean of 3 members errs more where they spread more: with its error, the estimates would be about 0.3.
    estimates = [association.estimate for association in associations]
    assert abs(np.mean(estimates)) < 3 * np.std(estimates) / math.sqrt(30)
    assert sum(association.low > 0 for association in associations) <= 2


def test_the_association_over_cases_reads_one_member_at_a_time():
    class OneByOne:
        """Members that do not fit into memory together."""

        def __init__(self, members):
            self.members = members

        def __len__(self):
            return len(self.members)

        def __iter__(self):
            return iter(self.members)

        def __array__(self, *_, **__):
            raise MemoryError

    rng = np.random.default_rng(0)
    members, target, plain = np.float32(1000 + rng.standard_normal((7, 30, 4))), rng.standard_normal((30, 4)), rng.standard_normal((30, 4))
    target[3, 1] = np.nan
    by_block = within_by_block(OneByOne(members), target, plain, np.arange(30) % 5)
    spread, error = (np.where(np.isnan(target), np.nan, x) for x in (members.std(0, ddof=1, dtype=np.float64), abs(plain - target)))
    spread, error = (np.nan_to_num(x - np.nanmean(x, 0)) for x in (spread, error))
    for sums, product in zip(by_block, (spread * error, spread**2, error**2), strict=True):
        assert sums.numpy() == pytest.approx([product[place::5].sum() for place in range(5)], rel=1e-9)


@pytest.mark.parametrize("m", (2, 5, 49))
def test_few_members_are_not_judged_as_a_drifted_mean_or_as_narrow_intervals(m):
    """The mean of M perfect members errs sqrt(1 + 1 / M) times as much as the plain forecast, and they cover (M - 1) / (M + 1) of the truth."""
    judged = judge(ensemble_of(m=m, n=4000), at_low=False, at_high=False)
    cost, coverage = judged.evidence["cost"], judged.evidence["coverage_90"]
    assert cost.low < 1 < cost.high and abs(cost.estimate - 1) < 0.05
    assert coverage.estimate == pytest.approx(min(0.9, (m - 1) / (m + 1)), abs=0.02)
    assert judged.word == verdict.CALIBRATED, judged.sentence


def test_no_evidence_of_an_association_is_not_called_one():
    """The correlation of a spread at random is near 0, above or below: neither is good news."""
    for estimate in (0.02, 0.0, -0.02):
        judged = verdict.ASSOCIATION.judge(verdict.Evidence(estimate, estimate - 0.1, estimate + 0.1, ""))
        assert judged.grade == "doubtful"
    assert verdict.ASSOCIATION.judge(verdict.Evidence(0.3, 0.1, 0.5, "")).grade == "good"
    assert verdict.ASSOCIATION.judge(verdict.Evidence(-0.3, -0.5, -0.1, "")).grade == "bad"


# ---- intervals


def test_intervals_are_corrected_for_the_number_of_tests():
    ensemble = ensemble_of(n=400)
    judged = judge(ensemble, at_low=False, at_high=False)
    assert judged.level == pytest.approx(1 - 0.1 / len(judged.evidence)) and len(judged.evidence) == 6
    other = bootstrap(ensemble.pooled, scores, n_replicate=4000, level=judged.level, seed=5)
    names = {"ratio": "spread_skill_ratio", "coverage_90": "coverage_90"}
    for name, theirs in names.items():
        low, high = other[theirs]
        assert judged.evidence[name][1:3] == pytest.approx((low, high), abs=0.12 * (high - low))
    narrow = bootstrap(ensemble.pooled, scores, n_replicate=4000, level=0.9, seed=5)["spread_skill_ratio"]
    ratio = judged.evidence["ratio"]
    assert ratio.high - ratio.low > 1.25 * (narrow[1] - narrow[0])  # 2.33 / 1.645 is 1.41


def test_all_intervals_contain_the_true_values_jointly_nine_times_in_ten():
    """A perfect ensemble has ratio 1, coverage 0.9, association 0 and cost 1."""
    n_covered = 0
    for seed in range(60):
        evidence = judge(ensemble_of(n=600, seed=seed, m=19), at_low=False, at_high=False).evidence
        truth = {"ratio": 1.0, "coverage_90": 0.9, "association": 0.0, "cost": 1.0}
        n_covered += all(evidence[name].low <= value <= evidence[name].high for name, value in truth.items())
    assert n_covered >= 48  # of 60 with 90% each: fewer happen one time in a hundred


# ---- degenerate inputs end in a word of the verdict or in an error of one sentence


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


def test_a_million_cases_are_judged_in_as_many_operations_as_ten_thousand():
    few, many = Operations(), Operations()
    with few:
        judge(ensemble_of(n=10_000, m=4), at_low=False, at_high=False)
    with many:
        judged = judge(ensemble_of(n=1_000_000, m=4), at_low=False, at_high=False)
    assert judged.word == verdict.CALIBRATED and "1,000,000 test cases" in judged.sentence
    assert many.n == few.n and many.n_number <= 100 * few.n_number


def test_a_biased_forecast_is_distinguished_from_a_spread_in_the_wrong_places():
    rng = np.random.default_rng(0)
    n, m = 2000, 49
    members = rng.standard_normal((m, n))
    biased = 0.8 + 0.6 * rng.standard_normal(n)
    judged = judge(ensemble_from(members, biased), at_low=False, at_high=False)
    assert judged.word == verdict.MISSED and "too low throughout" in judged.sentence
    skewed = rng.exponential(1, n) - 1
    judged = judge(ensemble_from(members, skewed), at_low=False, at_high=False)
    assert judged.word != verdict.MISPLACED  # the spread is the same in every case, as it should be
    exact = judge(ensemble_from(members, 1e-5 * rng.standard_normal(n)), at_low=True, at_high=False)
    assert "%" not in exact.finding.split("times as much")[0].split(":")[-1]


def ensemble_from(members, target):
    """Members and target about a plain forecast of 0, in 64 blocks."""
    n = len(target)
    return Ensemble(members, target, np.zeros(n), pd.RangeIndex(n), np.arange(n) % 64, ("case",))
