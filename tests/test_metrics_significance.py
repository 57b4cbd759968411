"""Intervals, bands and diagrams: is their coverage nominal, also where cases depend on one another?"""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from stochattn_core.metrics import (
    Statistics,
    association,
    binned_spread_error,
    by_event,
    correlation,
    coverage_curve,
    default_bins,
    deviation,
    intervals,
    pit_histogram,
    scores,
    w1_floor,
)
from tests.operations import Operations


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread: on a busy machine, threads that wait for one another make thousands of small operations 30 times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def perfect(
    n: int = 600, *event: int, m: int = 19, n_block: int = 60, shared: float = 0.0, seed: int = 0, width: float = 1.0
) -> Statistics:
    """Members and target from one law; `shared` is the correlation of targets within a block, unknown to the members."""
    generator = torch.Generator().manual_seed(seed)
    block = torch.arange(n) * n_block // n
    own = torch.randn(n, *event, generator=generator)
    common = torch.randn(n_block, *event, generator=generator)[block]
    target = math.sqrt(1 - shared) * own + math.sqrt(shared) * common
    members = width * torch.randn(m, n, *event, generator=generator)
    return Statistics.of(members, target, torch.zeros_like(target), block, n_block)


def test_the_interval_of_a_mean_over_independent_blocks_is_the_textbook_one():
    """Its centre is exact; its width is that of Student's t, times an estimate of the dependence that is 1 on average up to a few percent."""
    widths = []
    for seed in range(40):
        statistics = perfect(2000, n_block=200, seed=seed)
        low, high = intervals(statistics, scores)["bias"]
        block_means = (statistics.error / statistics.n).numpy()
        reach = stats.t.ppf(0.95, 199) * block_means.std(ddof=1) / math.sqrt(200)
        assert (low + high) / 2 == pytest.approx(block_means.mean(), abs=1e-12)
        widths.append((high - low) / 2 / reach)
    assert 1 <= np.median(widths) <= 1.1 and min(widths) > 0.9


def test_a_function_called_once_a_block_gives_the_same_as_all_blocks_together():
    statistics = perfect(300, 3)
    together = intervals(statistics, scores)
    one_by_one = intervals(statistics, lambda sums: scores(sums))
    for name, ends in together.items():
        assert ends == pytest.approx(one_by_one[name], rel=1e-9, nan_ok=True), name
    low, high = intervals(statistics, by_event)["rmse"]
    assert low.shape == high.shape == (3,)
    slow = intervals(statistics, lambda sums: {"rmse": by_event(sums)["rmse"]})["rmse"]
    torch.testing.assert_close(torch.stack([low, high]), torch.stack(slow))
    low, high = intervals(statistics, deviation)["member"]
    assert low.shape == (19,)
    assert bool((low < high).all())


def test_a_function_without_a_name_has_its_interval_on_the_linear_scale():
    statistics = perfect(300)
    alone, named = intervals(statistics, lambda sums: scores(sums)["rmse"]), intervals(statistics, scores)["rmse"]
    rmse = scores(statistics)["rmse"]
    assert alone[1] - rmse == pytest.approx(rmse - alone[0], rel=1e-9)
    assert named[1] / rmse == pytest.approx(rmse / named[0], rel=1e-9)  # the scale of this score is the logarithm


def test_more_blocks_than_calls_are_joined_by_neighbours():
    statistics = perfect(1200, n_block=600)
    few = intervals(statistics.merged(256), lambda sums: scores(sums)["bias"])
    assert intervals(statistics, lambda sums: scores(sums)["bias"]) == pytest.approx(few, rel=1e-9)


def test_intervals_leave_the_global_stream_alone_and_name_a_level_in_percent():
    statistics = perfect()
    before = torch.random.get_rng_state()
    assert intervals(statistics, scores)["rmse"] == intervals(statistics, scores)["rmse"]
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match=r"write 90% as 0\.9"):
        intervals(statistics, scores, level=90)


def test_one_block_has_no_interval_and_empty_blocks_do_not_count():
    single = perfect(100, n_block=1)
    assert all(math.isnan(end) for end in intervals(single, scores)["rmse"])
    assert np.isnan(pit_histogram(single).low).all()
    assert np.isfinite(pit_histogram(single).density).all()
    assert math.isnan(w1_floor(single).expected)
    assert all(math.isnan(end) for end in intervals(single, lambda sums: scores(sums)["rmse"]))
    full = perfect(100, n_block=10)
    arrays = {name: np.repeat(value, 2, axis=0) if name != "spread_bin" else value for name, value in full.to_arrays().items()}
    for name, value in arrays.items():
        if name != "spread_bin":
            value[1::2] = 0
    with_empty = Statistics.from_arrays(arrays)
    assert intervals(with_empty, scores)["rmse"] == intervals(full, scores)["rmse"]
    assert w1_floor(with_empty) == w1_floor(full)
    assert np.array_equal(pit_histogram(with_empty).high, pit_histogram(full).high)


def test_intervals_of_all_scores_leave_all_blocks_out_together():
    few_blocks, many_blocks, few, many = perfect(640, 24, m=49, n_block=16), perfect(640, 24, m=49, n_block=160), Operations(), Operations()
    with few:
        intervals(few_blocks, scores)
    with many:
        intervals(many_blocks, scores)
    assert many.n == few.n and many.n_number <= 12 * few.n_number


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_the_pit_band_contains_a_calibrated_ensemble_with_its_nominal_probability(shared):
    inside = {True: [], False: []}
    for seed in range(150):
        statistics = perfect(400, m=9, n_block=40, shared=shared, seed=seed)
        for simultaneous in inside:
            histogram = pit_histogram(statistics, simultaneous=simultaneous)
            within = (histogram.low <= histogram.density) & (histogram.density <= histogram.high)
            inside[simultaneous].append(within.all() if simultaneous else within.mean())
    assert np.mean(inside[True]) == pytest.approx(0.9, abs=0.06)
    assert np.mean(inside[False]) == pytest.approx(0.9, abs=0.04)


def test_dependence_widens_the_band_and_a_narrow_ensemble_leaves_it():
    independent, dependent = pit_histogram(perfect(2000)), pit_histogram(perfect(2000, shared=0.5))
    assert (dependent.high - 1).mean() > 1.25 * (independent.high - 1).mean()
    assert dependent.n_effective < independent.n_effective / 2
    narrow = pit_histogram(perfect(2000, width=0.5))
    assert narrow.density[0] > narrow.high[0]
    assert narrow.density[-1] > narrow.high[-1]
    assert narrow.density[4] < narrow.low[4]
    assert (narrow.n, narrow.n_case, narrow.n_member) == (2000, 2000, 19)


def test_pit_density_is_the_pooled_histogram_with_mean_one_for_any_bins():
    statistics = perfect(500, 4, m=32)
    assert [default_bins(m) for m in (1, 2, 19, 32, 39, 49, 50, 99)] == [2, 3, 10, 11, 10, 10, 17, 10]
    for n_bin in (None, 3, 10, 33):
        histogram = pit_histogram(statistics, n_bin)
        assert histogram.density.mean() == pytest.approx(1, abs=1e-12)
        assert len(histogram.edges) == len(histogram.density) + 1
    rank = statistics.rank.sum((0, 2))
    np.testing.assert_allclose(pit_histogram(statistics, 11).density, (rank.view(11, 3).sum(1) / rank.sum() * 11).numpy())
    with pytest.raises(ValueError, match="between 1 and 33 bins, got 40"):
        pit_histogram(statistics, 40)


def test_the_w1_floor_is_the_w1_of_perfect_ensembles_and_grows_with_dependence():
    for shared in (0.0, 0.4):
        distances = [scores(perfect(400, n_block=40, shared=shared, seed=seed))["w1"] for seed in range(400)]
        floors = [w1_floor(perfect(400, n_block=40, shared=shared, seed=seed), 200) for seed in range(0, 100, 5)]
        assert np.mean([floor.expected for floor in floors]) == pytest.approx(np.mean(distances), rel=0.15)
        assert np.mean([floor.upper for floor in floors]) == pytest.approx(np.quantile(distances, 0.9), rel=0.2)


def test_coverage_curve_lies_on_the_diagonal_within_its_band():
    curve = coverage_curve(perfect(4000, m=39))
    assert np.abs(curve.observed - curve.attainable).max() < 0.025
    assert np.mean((curve.low <= curve.nominal) & (curve.nominal <= curve.high)) > 0.7
    assert (np.diff(curve.width) > 0).all()
    assert (coverage_curve(perfect(2000, width=0.5)).observed < curve.nominal).all()


def test_binned_spread_error_follows_the_diagonal_and_keeps_every_element():
    generator = torch.Generator().manual_seed(0)
    scale = torch.exp(torch.randn(8000, generator=generator))
    values = scale * torch.randn(50, 8000, generator=generator)
    statistics = Statistics.of(values[1:], values[0], torch.zeros(8000), torch.arange(8000) // 100, 80)
    bins = binned_spread_error(statistics)
    assert len(bins.n) == 10
    assert bins.n.sum() == 8000
    assert bins.n.min() > 500
    np.testing.assert_allclose(bins.error, bins.spread, rtol=0.12)
    assert np.mean((bins.low <= bins.spread) & (bins.spread <= bins.high)) >= 0.7
    ratio = math.sqrt((bins.n * bins.spread**2).sum() / (bins.n * bins.error**2).sum())
    assert ratio == pytest.approx(scores(statistics)["spread_skill_ratio"], rel=1e-9)
    assert len(binned_spread_error(perfect(m=1)).n) == 0


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_bins_of_spread_do_not_depend_on_the_unit(unit):
    generator = torch.Generator().manual_seed(0)
    values = unit * torch.linspace(1, 9, 600) * torch.randn(10, 600, generator=generator)
    bins = binned_spread_error(Statistics.of(values[1:], values[0], values[0], torch.arange(600) // 10, 60), 5)
    assert len(bins.n) == 5
    assert bins.n.max() < 200


def test_association_is_pearson_over_cells_and_includes_that_of_climatology_alone():
    generator = torch.Generator().manual_seed(0)
    climate = 1 + 3 * torch.rand(8, 16, generator=generator)
    values = climate * torch.randn(20, 200, 8, 16, generator=generator)
    statistics = Statistics.of(values[1:], values[0], torch.zeros(200, 8, 16), torch.arange(200) // 10, 20, clim_sd=climate)
    correlations, cells = association(statistics), by_event(statistics)
    assert correlations.spread == pytest.approx(np.corrcoef(cells["rmse"].ravel(), cells["spread"].ravel())[0, 1], abs=1e-12)
    assert correlations.climatology > 0.95
    assert correlations.n == 128
    assert math.isnan(association(perfect()).spread)
    weights = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    left, right = torch.tensor([1.0, 2.0, 4.0, 9.0]).double(), torch.tensor([2.0, 1.0, 5.0, -7.0]).double()
    assert float(correlation(left, right, weights)) == pytest.approx(np.corrcoef(left[:3], right[:3])[0, 1])
