"""Intervals, bands and diagrams: is their coverage nominal, also where cases depend on one another?"""

import math

import numpy as np
import pytest
import torch

from stochattn_core.metrics import (
    Statistics,
    association,
    binned_spread_error,
    bootstrap,
    by_event,
    correlation,
    coverage_curve,
    default_bins,
    deviation,
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


def test_bootstrap_of_a_mean_is_the_textbook_interval():
    statistics = perfect(2000, n_block=200)
    low, high = bootstrap(statistics, scores, n_replicate=2000)["bias"]
    mean = statistics.error.sum(0) / statistics.n.sum(0)
    sd = float((statistics.error / statistics.n).std() / math.sqrt(200))
    assert float(mean) - 1.645 * sd == pytest.approx(low, abs=0.15 * sd)
    assert float(mean) + 1.645 * sd == pytest.approx(high, abs=0.15 * sd)


def test_a_function_called_once_a_replicate_gives_the_same_as_all_replicates_together():
    statistics = perfect(300, 3)
    together = bootstrap(statistics, scores, n_replicate=20)
    one_by_one = bootstrap(statistics, lambda resampled: scores(resampled), n_replicate=20)
    for name, ends in together.items():
        assert ends == pytest.approx(one_by_one[name], rel=1e-9, nan_ok=True), name
    alone = bootstrap(statistics, lambda resampled: scores(resampled)["rmse"], n_replicate=20)
    assert alone == pytest.approx(together["rmse"], rel=1e-9)
    low, high = bootstrap(statistics, by_event, n_replicate=20)["rmse"]
    assert low.shape == high.shape == (3,)
    slow = bootstrap(statistics, lambda resampled: by_event(resampled)["rmse"], n_replicate=20)
    torch.testing.assert_close(torch.stack([low, high]), torch.stack(slow))
    low, high = bootstrap(statistics, deviation, n_replicate=20)["member"]
    assert low.shape == (19,)
    assert bool((low < high).all())


def test_bootstrap_is_seeded_and_leaves_the_global_stream_alone():
    statistics = perfect()
    before = torch.random.get_rng_state()
    assert bootstrap(statistics, scores, 50, seed=1)["rmse"] == bootstrap(statistics, scores, 50, seed=1)["rmse"]
    assert bootstrap(statistics, scores, 50, seed=1)["rmse"] != bootstrap(statistics, scores, 50, seed=2)["rmse"]
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match=r"write 90% as 0\.9"):
        bootstrap(statistics, scores, level=90)


def test_one_block_has_no_interval_and_empty_blocks_do_not_count():
    single = perfect(100, n_block=1)
    assert all(math.isnan(end) for end in bootstrap(single, scores)["rmse"])
    assert np.isnan(pit_histogram(single).low).all()
    assert np.isfinite(pit_histogram(single).density).all()
    assert math.isnan(w1_floor(single).expected)
    full = perfect(100, n_block=10)
    arrays = {name: np.repeat(value, 2, axis=0) if name != "spread_bin" else value for name, value in full.to_arrays().items()}
    for name, value in arrays.items():
        if name != "spread_bin":
            value[1::2] = 0
    assert bootstrap(Statistics.from_arrays(arrays), scores)["rmse"] == bootstrap(full, scores)["rmse"]


def test_bootstrap_of_all_scores_computes_all_replicates_together():
    statistics, few, many = perfect(640, 24, m=49, n_block=64), Operations(), Operations()
    with few:
        bootstrap(statistics, scores, 10)
    with many:
        bootstrap(statistics, scores, 500)
    assert many.n == few.n and many.n_number <= 50 * few.n_number


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_the_pit_band_contains_a_calibrated_ensemble_with_its_nominal_probability(shared):
    inside = {True: [], False: []}
    for seed in range(150):
        statistics = perfect(400, m=9, n_block=40, shared=shared, seed=seed)
        for simultaneous in inside:
            histogram = pit_histogram(statistics, simultaneous=simultaneous, seed=seed, n_replicate=200)
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
        distances = [scores(perfect(400, n_block=40, shared=shared, seed=seed))["w1"] for seed in range(100)]
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
