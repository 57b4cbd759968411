"""The best reference forecast beside an ensemble: the ratio and its interval, and sentences that are true in each state."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import Setting, evaluate
from stochattn_core.datasets.base import Dataset, Split
from stochattn_core.metrics.scores import Judgement
from stochattn_core.metrics.significance import Estimate
from stochattn_core.panels.provenance import read_references
from stochattn_core.references.paired import UNKNOWN, paired_ratio
from stochattn_core.references.result import NO_REFERENCE, ReferenceResult
from tests.reference_data import a_series, a_table

BETTER, WORSE, UNDECIDED = Estimate(0.9, 0.85, 0.95, 80.4), Estimate(1.25, 1.1, 1.4, 80.4), Estimate(1.02, 0.95, 1.1, 80.4)
NO_INTERVAL = Estimate(1.3, math.nan, math.nan, 1.0)


def result(name="ridge regression", rmse=2.0, mean=BETTER, plain=BETTER, crps_ratio=UNKNOWN, is_single=False):
    return ReferenceResult(name, rmse, mean, plain, 1.0, crps_ratio, 0.975, 4, is_single)


# ---- the ratio


def test_the_ratio_is_that_of_two_means_and_its_interval_that_of_the_delta_method():
    rng = np.random.default_rng(0)
    error = rng.normal(size=(2000, 2)) @ [[1.0, 0.8], [0.0, 0.6]]  # correlated, as errors on the same cases are
    method, reference = (1.2 * error[:, 0]) ** 2, error[:, 1] ** 2
    ratio = paired_ratio(method, reference, root=True)
    assert ratio.estimate == pytest.approx(math.sqrt(method.mean() / reference.mean()))
    gradient = np.array([0.5 / method.mean(), -0.5 / reference.mean()])  # of the logarithm of the ratio
    error_of_log = math.sqrt(gradient @ np.cov(method, reference) @ gradient / 2000)
    assert math.log(ratio.high / ratio.estimate) == pytest.approx(1.645 * error_of_log, rel=0.15)
    assert math.log(ratio.estimate / ratio.low) == pytest.approx(1.645 * error_of_log, rel=0.15)
    assert 1000 < ratio.n_effective <= 2000


def test_the_interval_of_the_ratio_holds_the_true_ratio_as_often_as_it_says():
    rng, held = np.random.default_rng(1), 0
    for _ in range(300):
        shared = rng.normal(size=60)
        method, reference = (shared + 0.5 * rng.normal(size=(2, 60))) ** 2
        ratio = paired_ratio(method, 0.8 * reference)
        held += ratio.low < 1 / 0.8 < ratio.high
    assert 0.85 <= held / 300 <= 0.95


def test_a_ratio_to_no_error_is_infinite_and_of_two_zeros_unknown():
    some, none = np.array([1.0, 4.0]), np.zeros(2)
    assert paired_ratio(some, none)[:3] == (math.inf, math.inf, math.inf) and paired_ratio(none, some)[:3] == (0, 0, 0)
    assert math.isnan(paired_ratio(none, none).estimate) and math.isnan(paired_ratio(some * math.nan, some).estimate)
    one = paired_ratio(some[:1], some[1:])
    assert one.estimate == 0.25 and math.isnan(one.low) and math.isnan(one.high)


# ---- the sentence and the judgement


@pytest.mark.parametrize(
    ("mean", "plain", "said", "not_said"),
    [
        (
            BETTER,
            BETTER,
            "The ensemble mean beats the best of 4 reference forecasts, ridge regression, by 10% in RMSE (97.5% interval 5 to 15%, about 80 ",
            "loses",
        ),
        (UNDECIDED, BETTER, "cannot be told apart in RMSE on about 80 independent cases", "no difference"),
        (WORSE, WORSE, "and so does the plain model, by 25%: use ridge regression, or train the model longer", "larger ν"),
        (WORSE, UNDECIDED, "but the plain model cannot be told apart from it: use ridge regression, or a larger ν", "train the model"),
        (WORSE, BETTER, "but the plain model beats it: use the plain forecast, or a larger ν", "train the model"),
        (NO_INTERVAL, NO_INTERVAL, "has a 30% larger RMSE than", "beats"),
        (UNKNOWN, UNKNOWN, "makes no error on these cases beyond rounding, and neither does", "beats"),
    ],
)
def test_the_sentence_says_what_the_interval_shows_and_no_more(mean, plain, said, not_said):
    sentence = result(mean=mean, plain=plain).sentence
    assert said in sentence and not_said not in sentence and sentence.endswith(".")
    assert ("use ridge regression" in sentence) == (mean is WORSE and plain is not BETTER)


def test_without_spread_the_sentence_is_about_the_model():
    alone = result(mean=WORSE, plain=WORSE, is_single=True).sentence
    assert alone.startswith("The model loses to") and alone.endswith("use ridge regression, or train the model longer.")
    assert result(is_single=True).sentence.startswith("The model beats")


def test_the_only_reference_is_not_called_the_best():
    only = replace(result(), n_reference=1).sentence
    assert "beats the only reference forecast, ridge regression, by" in only and "best" not in only and "best" in result().sentence


def test_a_reference_without_error_is_named_and_gives_no_percentage():
    infinite = Estimate(math.inf, math.inf, math.inf, 50)
    said = result(rmse=0.0, mean=infinite, plain=infinite).sentence
    assert "makes no error on these cases beyond rounding: use ridge regression" in said and "%" not in said and "inf" not in said
    few = result(rmse=0.0, mean=Estimate(math.inf, math.nan, math.nan, 1)).sentence
    assert "has a larger RMSE than" in few and "inf" not in few and "too few independent cases" in few


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (BETTER, "the fair CRPS of the ensemble is 10% below it (ratio 0.9, 97.5% interval 0.85 to 0.95)"),
        (WORSE, "is 25% above it"),
        (UNDECIDED, "cannot be told apart from it on about 80 independent cases"),
        (NO_INTERVAL, "is 30% above it, with too few independent cases for an interval"),
        (UNKNOWN, ""),
    ],
)
def test_the_sentence_on_the_distribution_says_what_its_interval_shows(ratio, said):
    sentence = result(crps_ratio=ratio).crps_sentence
    assert said in sentence and bool(sentence) == bool(said)
    assert read_references(result(crps_ratio=ratio)).endswith(sentence or result().sentence)


def test_without_a_reference_the_sentence_says_so():
    assert read_references(None) == NO_REFERENCE


@pytest.mark.parametrize(
    ("mean", "before", "after"),
    [
        (BETTER, "good", "good"),
        (UNDECIDED, "good", "doubtful"),
        (WORSE, "good", "bad"),
        (NO_INTERVAL, "good", "good"),
        (UNDECIDED, "bad", "bad"),
    ],
)
def test_the_rmse_is_good_only_where_the_mean_beats_the_best_reference(mean, before, after):
    judged = result(mean=mean).judged(Judgement(before, "no drift"))
    assert judged.grade == after and ("ridge regression" in judged.word) == (after != before)


# ---- an evaluation


def own(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind().eval()


class Constant(nn.Module):
    """A network with an attention layer whose forecast hardly depends on its inputs."""

    def __init__(self):
        super().__init__()
        self.lift, self.attention, self.head = nn.Linear(1, 8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        tokens = self.lift(x[..., None] / 100)
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))[:, 0]


def test_a_model_that_loses_is_told_so_with_the_reference_that_beats_it():
    evaluation = evaluate(own(Constant), a_table(), Setting(16, 9))
    best = evaluation.best_reference
    smallest = min(evaluation.references, key=evaluation.references.get)
    assert best.name == smallest and best.rmse == pytest.approx(evaluation.references[smallest]) and best.loses
    assert best.ratio == pytest.approx(evaluation.scores["rmse"] / best.rmse) and 1 < best.low < best.ratio < best.high
    assert best.n_reference == 4 and best.level == pytest.approx(0.975)
    assert f"use {smallest}, or train the model longer" in best.sentence
    assert best.crps_ratio.estimate == pytest.approx(evaluation.scores["crps_fair"] / best.crps)


class Seasonal(Constant):
    """Maps 8 values to the next 4; the head may know that they are the last 4 again."""

    def __init__(self, is_exact):
        super().__init__()
        self.is_exact = is_exact

    def forward(self, x):
        tokens = self.lift(x[..., None] / 100)
        attended = self.attention(tokens, tokens, tokens, need_weights=False)[0].mean((1, 2))
        return x[:, -4:] + (0.0 if self.is_exact else 1.0) * attended[:, None]


@pytest.mark.parametrize(("is_exact", "said"), [(False, "loses to"), (True, "makes no error on these cases beyond rounding, and neither")])
def test_a_season_that_repeats_itself_leaves_nothing_to_beat(is_exact, said):
    data = a_series(np.tile([1.0, 5.0, 2.0, 7.0], 300), context=8, horizon=4, period=4)
    evaluation = evaluate(own(lambda: Seasonal(is_exact)), data, Setting(math.inf, 2))
    assert evaluation.best_reference.rmse == 0 and said in evaluation.best_reference.sentence


def test_at_one_lead_time_the_best_reference_is_that_of_the_lead_time():
    data = a_series(np.cumsum(np.random.default_rng(0).normal(size=3000)) % 7, context=8, horizon=4, period=4)
    evaluation = evaluate(own(lambda: Seasonal(False)), data, Setting(8, 5))
    for place, lead in enumerate(data.lead_time):
        best = evaluation.best_reference_at(lead)
        by_name = evaluation.reference_errors.rmse_at(place)
        assert best.rmse == pytest.approx(min(by_name.values())) and by_name[best.name] == min(by_name.values())
        error = evaluation.ensemble.mean[:, place] - data.test.target[:, place].numpy()
        assert best.ratio == pytest.approx(math.sqrt(np.square(error, dtype=float).mean()) / best.rmse, rel=1e-5)
        assert math.isfinite(best.crps)


def test_targets_that_are_all_missing_leave_no_reference_and_some_leave_the_pairs():
    data = a_table()
    nothing = replace(data, test=replace(data.test, target=torch.full_like(data.test.target, torch.nan)))
    assert evaluate(own(Constant), nothing, Setting(16, 5)).best_reference is None
    target = data.test.target.clone()
    target[::3] = torch.nan
    some = evaluate(own(Constant), replace(data, test=replace(data.test, target=target)), Setting(16, 5))
    assert some.best_reference.ratio == pytest.approx(some.scores["rmse"] / some.best_reference.rmse)


def test_a_dataset_without_any_reference_has_none():
    split = lambda seed: Split(  # noqa: E731
        {"codes": torch.arange(3).repeat(8, 1)}, torch.randn(8, generator=torch.Generator().manual_seed(seed)), pd.RangeIndex(8)
    )
    missing = replace(split(0), target=torch.full((8,), torch.nan))
    data = Dataset("codes", train=missing, calibration=split(1), test=split(2))

    class Named(Constant):
        def forward(self, codes):
            return super().forward(codes.float())

    evaluation = evaluate(own(Named), data, Setting(16, 5))
    assert evaluation.references == {} and evaluation.best_reference is None
