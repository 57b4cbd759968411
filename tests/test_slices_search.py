"""The search names the slice that was planted, in its simplest form, and names nothing in a perfect ensemble."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sliced_ensembles import series, zonal
from benchmarks.slices import KINDS
from stochattn_core.slices import search_slices, sliced
from stochattn_core.slices.search import MOST


def in_lead(place):
    return lambda values: np.broadcast_to(np.arange(values.sd.shape[1]) == place, values.sd.shape)


def names(result):
    return [each.slice.name for each in result.failures]


@pytest.mark.parametrize("make", [series, zonal])
@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_in_a_perfect_ensemble_a_slice_is_named_as_rarely_as_the_rate_of_false_discoveries_says(make, rho):
    """At a rate of 5%, two or more of six ensembles have a false alarm with a probability of 3%; benchmarks.slices counts 100."""
    results = [search_slices(make(seed, rho=rho)) for seed in range(6)]
    assert sum(bool(result.failures) for result in results) <= 1
    assert all(result.n_slice > 100 and not result.problem for result in results)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.is_right])
def test_a_planted_slice_is_named_first(kind):
    result = search_slices(KINDS[kind].make(0, n_member=49))
    assert KINDS[kind].is_right(result.failures[0].slice), names(result)
    ratio = result.failures[0].estimates["ratio"]
    assert ratio.low < ratio.here < ratio.high < 1 and abs(ratio.elsewhere - 1) < 0.1
    assert "ratio" in result.failures[0].tests


def test_a_lead_time_that_fails_in_every_season_is_named_once_and_without_a_season():
    result = search_slices(series(0, planted=in_lead(2), n_case=2000))
    assert names(result) == ["lead 3 days"]
    assert result.failures[0].share == pytest.approx(0.2) and result.failures[0].slice.leads == (3,)
    assert result.failures[0].estimates["ratio"].here == pytest.approx(0.6, abs=0.05)


def test_two_slices_that_fail_are_both_named():
    def both(values):
        winter = np.isin(values.month, (12, 1, 2))
        return in_lead(0)(values) | (in_lead(4)(values) & winter)

    result = search_slices(series(1, planted=both, n_case=2000, ratio=0.5))
    assert names(result)[:2] == ["lead 1 day", "lead 5 days, December to February"]


def test_an_ensemble_that_fails_alike_everywhere_has_no_slice_that_is_worse():
    result = search_slices(series(2, planted=lambda values: np.ones(values.sd.shape, dtype=bool)))
    assert not result.failures and result.whole["ratio"].high < 0.7


def test_leads_from_too_wide_to_too_narrow_are_named_on_both_sides():
    factor = np.array([0.4, 1.0, 1.0, 1.0, 1.8])
    base = series(3, n_case=2000)
    changed = replace(base, target=base.plain + (base.target - base.plain) * factor)
    result = search_slices(changed)
    ratios = {name: each.estimates["ratio"].here for name, each in zip(names(result), result.failures, strict=True)}
    assert ratios["lead 1 day"] > 2 and ratios["lead 5 days"] < 0.7


def test_a_bias_in_one_region_is_named_with_its_sign():
    base = zonal(4)
    target = base.target.copy()
    target[:, 2] -= 1.0  # the forecast is too high by 1
    failure = search_slices(replace(base, target=target)).failures[0]
    assert failure.slice.name == "Tropics" and failure.slice.region.box == "-20,20,-180,180"
    assert failure.estimates["bias"].here > 0.4 and "bias" in failure.tests


def test_the_names_of_the_members_do_not_matter():
    """Members in ascending order are split at random, so that the halves are alike."""
    base = series(5, n_member=19)
    ordered = replace(base, members=np.sort(base.members, axis=0))
    assert names(search_slices(ordered)) == []


def test_the_list_is_ranked_and_bounded():
    rng = np.random.default_rng(0)
    base = series(6, n_case=2000, leads=tuple(range(1, 13)))
    factor = np.where(rng.uniform(size=(4, 12)) < 0.5, 2.5, 0.5)
    season = np.asarray(base.index.month) % 12 // 3
    result = search_slices(replace(base, target=base.plain + (base.target - base.plain) * factor[season]))
    weights = [abs(each.z) * each.size for each in result.failures]
    assert len(result.failures) == MOST and weights == sorted(weights, reverse=True)


def test_problems_are_said():
    one, flat = series(n_member=1, n_case=50), series(n_case=50)
    assert "One member" in search_slices(one).problem
    flat = replace(flat, members=np.repeat(flat.plain[None], 9, axis=0))
    assert "no spread" in search_slices(flat).problem
    few = search_slices(series(n_case=20))
    assert "too few cases" in few.problem and few.n_slice == 0 and few.n_too_few > 0
    assert sliced(flat).whole.n_case == 50
