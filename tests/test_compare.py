"""The comparison of corrections: paired gains, cross-fitting, and a recommendation that never sees the test part."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from benchmarks import planet
from stochattn_core import Setting, load_dataset, load_model, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.compare.gain import ScoredPart, paired_gain
from stochattn_core.corrections import CORRECTIONS, SearchedConcentration, inflation
from stochattn_core.datasets.base import thinned
from stochattn_core.evaluate import evaluate
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.metrics import Statistics, crps, scores

SETTING = Setting(n_member=9)


def at(concentration, optimum=None):
    """A search that has found its answer before it begins."""
    return lambda setting, progress: SearchedConcentration(concentration, optimum or float(concentration), 70)


@pytest.fixture(scope="module")
def table():
    return thinned(load_dataset("synthetic-table"), 150)


@pytest.fixture(scope="module")
def model():
    """A module, so that it is the same whatever is done to the targets of the dataset."""
    return load_model("ft_transformer").on(load_dataset("synthetic-table"), device="cpu")


@pytest.fixture(scope="module")
def too_narrow(model, table):
    """All methods, where the concentration alone leaves an ensemble far too narrow."""
    return compare(model, table, SETTING, search=at(1000, 5.5))


def row(comparison, name):
    (match,) = [entry for entry in comparison.rows if entry.name == name]
    return match


# ---- gains


def scored(values, block):
    """CRPS of single members without spread: the errors themselves."""
    target = torch.zeros(len(values), dtype=torch.float64)
    statistics = Statistics.of(torch.stack([values, values]), target, target, block, int(block.max()) + 1)
    return ScoredPart(statistics, statistics.crps_fair)


def test_a_paired_gain_of_independent_cases_has_the_interval_of_a_paired_t_test():
    generator = torch.Generator().manual_seed(0)
    block = np.arange(400)
    first = torch.rand(400, generator=generator, dtype=torch.float64)
    second = (first + 0.1 * torch.randn(400, generator=generator, dtype=torch.float64) - 0.02).abs()
    gain = paired_gain(scored(first, block), scored(second, block), level=0.8)
    low, high = stats.ttest_rel(first, second).confidence_interval(0.8)
    assert gain.estimate == pytest.approx(float((first - second).mean()))
    assert (gain.low, gain.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_a_gain_on_one_block_has_no_interval_and_on_other_cases_is_refused():
    single_block = scored(torch.ones(4, dtype=torch.float64), np.zeros(4, dtype=int))
    assert math.isnan(paired_gain(single_block, single_block).low) and paired_gain(single_block, single_block).estimate == 0
    with pytest.raises(ValueError, match="the same cases"):
        paired_gain(single_block, scored(torch.ones(5, dtype=torch.float64), np.zeros(5, dtype=int)))


# ---- the table


def test_every_method_has_a_row_with_its_scores_on_the_test_part(too_narrow, model, table):
    kinds = [entry.kind for entry in too_narrow.rows]
    assert kinds == sorted(kinds, key=("method", "correction", "reference").index) and kinds[0] == "method"
    assert {entry.name.split()[0] for entry in too_narrow.rows if entry.kind == "correction"} == set(CORRECTIONS)
    alone = too_narrow.rows[0]
    for entry in too_narrow.rows:
        assert not entry.problem and entry.scores["n_case"] == len(table.test)
        assert (entry.setting is None) == (entry.kind == "reference")
        if entry is not alone:
            assert entry.gain.estimate == pytest.approx(alone.scores["crps_fair"] - entry.scores["crps_fair"], abs=1e-9)
            assert entry.gain.low <= entry.gain.estimate <= entry.gain.high
        if entry.setting and entry.name != "conformal":
            assert evaluate(model, table, entry.setting).scores == entry.scores  # a row can be taken away as its setting


@pytest.mark.parametrize("name", planet.DRESSINGS)
def test_the_ensemble_that_a_benchmark_shows_of_a_dressing_is_the_one_that_is_compared(model, table, name):
    setting = replace(SETTING, seed=3)
    compared = row(compare(model, table, setting, search=at(74), corrections=()), name)
    assert scores(planet.dressed(name, model, table, setting).pooled) == compared.scores


def test_where_the_concentration_is_too_narrow_a_correction_is_recommended_and_its_ratio_is_right(too_narrow):
    assert too_narrow.rows[0].scores["spread_skill_ratio"] < 0.5
    inflation = row(too_narrow, "inflation")
    assert inflation.gain_calibration.low > 0 and inflation.scores["spread_skill_ratio"] == pytest.approx(1, abs=0.1)
    best = max((entry for entry in too_narrow.rows if entry.kind == "correction"), key=lambda entry: entry.gain_calibration.estimate)
    assert too_narrow.recommended is best and best.title in too_narrow.sentence


def test_where_the_concentration_is_right_no_correction_is_recommended(model, table):
    comparison = compare(model, table, SETTING, search=at(74), corrections=("inflation",))
    assert comparison.recommended is None and comparison.sentence.startswith(
        "No correction is recommended: of 1 tried, none is clearly better"
    )
    assert [entry.name for entry in comparison.rows if entry.kind == "correction"] == ["inflation"]


@pytest.mark.parametrize("corrections", ((), ("conformal",)))
def test_where_no_correction_changes_the_members_there_is_none_to_recommend(model, table, corrections):
    comparison = compare(model, table, SETTING, search=at(74), corrections=corrections)
    assert comparison.recommended is None and comparison.sentence.startswith("No correction that changes the members was fitted")


def test_the_recommendation_never_looks_at_the_test_targets(too_narrow, model, table):
    for target in (
        torch.randn(table.test.target.shape, generator=torch.Generator().manual_seed(1)) * 100,
        torch.full_like(table.test.target, torch.nan),
    ):
        other = compare(model, replace(table, test=replace(table.test, target=target)), SETTING, search=at(1000, 5.5))
        assert (other.recommended.name, other.sentence, other.level) == (too_narrow.recommended.name, too_narrow.sentence, too_narrow.level)
        for known, again in zip(too_narrow.rows, other.rows, strict=True):
            assert (known.setting, known.passes) == (again.setting, again.passes)
            assert np.array_equal(known.gain_calibration, again.gain_calibration, equal_nan=True)
            assert known is too_narrow.rows[0] or known.name == "conformal" or known.gain != again.gain


def test_the_gain_that_decides_is_scored_on_blocks_that_were_not_fitted_on(too_narrow, model, table):
    part = table.calibration
    wide, narrow = (ensemble_of(Experiment(model, table, Setting(nu, 9), "calibration")) for nu in (64, 1000))
    first = part.block % 2 == 0  # every block holds cases
    mean = []
    for fitted, others in ((first, ~first), (~first, first)):
        of = Statistics.of(wide.members[:, fitted], wide.target[fitted], wide.plain[fitted], np.zeros(fitted.sum(), dtype=int), 1)
        members = wide.plain[others] + inflation.fit_factor(of) * (wide.members[:, others] - wide.plain[others])
        mean.append(crps(torch.tensor(members), torch.tensor(wide.target[others])))
    plain = crps(torch.tensor(np.array(narrow.members)), torch.tensor(narrow.target)).double().mean()
    assert row(too_narrow, "inflation").gain_calibration.estimate == pytest.approx(float(plain - torch.cat(mean).double().mean()), rel=1e-4)


def test_a_tuning_is_taken_as_it_is(model, table):
    tuning = tune(model, table, n_member=9, n_pass=3)
    comparison = compare(model, table, tuning, corrections=("conformal",), search=lambda *_: pytest.fail("searched again"))
    alone = comparison.rows[0]
    assert alone.setting.concentration == tuning.concentration and alone.passes == tuning.passes
    assert alone.scores == tuning.after.scores
    tuning = tune(model, table, n_member=9, n_pass=3, correction="shared")
    comparison = compare(model, table, tuning, corrections=("shared",), search=at(33))
    assert comparison.rows[0].setting.concentration == 33 and comparison.rows[1].setting == tuning.setting.setting


def test_a_search_of_its_own_is_that_of_tune(model, table):
    tuning = tune(model, table, n_member=9)
    alone = compare(model, table, SETTING, corrections=()).rows[0]
    assert (alone.setting.concentration, alone.passes) == (tuning.concentration, tuning.passes)


def test_progress_never_goes_back_and_a_stop_is_a_stop(model, table):
    seen = []
    compare(model, table, SETTING, search=at(200), corrections=("inflation",), progress=lambda *x: seen.append(x))
    shares = [done / total for done, total, what in seen if not what.startswith("load")]
    assert shares == sorted(shares) and shares[-1] <= 1

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(model, table, SETTING, search=at(201), progress=stop)
    with pytest.raises(ValueError, match="expected corrections among inflation, noise"):
        compare(model, table, SETTING, corrections=("magic",))


def test_arguments_of_another_kind_are_one_sentence(model, table):
    for setting in ("x", None, {"concentration": 4}):
        with pytest.raises(ValueError, match=r"expected a Setting, or what tune\(\) gives"):
            compare(model, table, setting)
    for layers in (["a"], None, 3):
        with pytest.raises(ValueError, match="layers must be a text"):
            Setting(layers=layers)


# ---- degenerate inputs end in sentences


def with_calibration(dataset, **changes):
    return replace(dataset, calibration=replace(dataset.calibration, **changes))


def test_one_calibration_case_recommends_nothing(model, table):
    part = table.calibration
    single = replace(table, calibration=type(part)(part.inputs[:1], part.target[:1], part.index[:1], np.zeros(1, dtype=int)))
    comparison = compare(model, single, SETTING, search=at(1000))
    assert comparison.recommended is None and "about 1 independent case in the calibration part" in comparison.sentence
    assert "at least 2 blocks" in row(comparison, "inflation").problem and comparison.rows[0].scores


def test_errors_of_zero_and_missing_targets_are_problems_of_rows(model, table):
    plain = ensemble_of(Experiment(model, table, Setting(math.inf, 2), "calibration")).plain
    exact = compare(model, with_calibration(table, target=torch.tensor(plain)), SETTING, search=at(64), corrections=("inflation", "shared"))
    assert "errors of the plain model above 0" in row(exact, "inflation").problem and exact.recommended is None
    missing = compare(model, with_calibration(table, target=torch.full_like(table.calibration.target, torch.nan)), SETTING, search=at(64))
    assert missing.recommended is None and all(row(missing, name).problem for name in ("inflation", "conformal", "gaussian-dressing"))
    for entry in (*exact.rows, *missing.rows):
        assert "\n" not in entry.problem


def test_an_ensemble_without_spread_leaves_the_references():
    class Stiff(nn.Module):
        """Attention over equal values: sampling changes nothing."""

        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            tokens = x.mean(1)[:, None, None].expand(-1, 5, 8)
            return x.mean(1) + 0 * self.attention(tokens, tokens, tokens, need_weights=False)[0].mean((1, 2))

    diabetes = load_dataset("diabetes")
    with pytest.warns(UserWarning, match="members of Stiff are equal"):
        comparison = compare(Stiff().eval(), diabetes, SETTING)
    assert "a spread of exactly zero" in comparison.rows[0].problem and comparison.rows[0].problem in comparison.sentence
    assert "members that differ" in row(comparison, "inflation").problem
    assert row(comparison, "gaussian-dressing").scores["spread"] > 0 and comparison.recommended is None
