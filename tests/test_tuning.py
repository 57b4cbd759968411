"""Tuning against cases whose right answer is known."""

import errno
import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stochattn_core import TunedSetting, evaluate, load_dataset, load_model, sample_ensemble, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.datasets.base import Dataset, Split, blocks_at_random
from stochattn_core.settings import Setting
from stochattn_core.tuning import GRID, Budget, power_law, search_concentration
from stochattn_core.tuning.points import points_about
from stochattn_core.verdict import words


class Own(nn.Module):
    """A small network with random weights whose output hangs on its attention. unit: of the columns.   scale: of the output."""

    def __init__(self, unit=1.0, n_head=2, scale=1.0):
        super().__init__()
        self.lift, self.attention, self.head = nn.Linear(1, 16), nn.MultiheadAttention(16, n_head, batch_first=True), nn.Linear(16, 1)
        self.unit = unit
        self.register_buffer("scale", torch.tensor(scale), persistent=False)

    def forward(self, x):
        x = self.lift(x[..., None] / self.unit)
        return self.scale * self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))[:, 0]


def own(seed=0, kind=Own, **given):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(**given).eval()


def dataset_of(network, make_target, n=400):
    """Inputs at random, and targets made of them and of the network."""
    parts = []
    for part in range(3):
        x = torch.randn(n, 12, generator=torch.Generator().manual_seed(part))
        parts.append(Split(x, make_target(network, x, part), pd.RangeIndex(n), blocks_at_random(n)))
    return Dataset("known", "table", "Known", "y", "", "made here", "none", *parts)


def a_draw_at(concentration):
    """The truth is one more stochastic pass: an ensemble of that concentration is perfectly calibrated."""

    def make(network, x, part):
        return sample_ensemble(network, x, concentration=concentration, n_member=1, seed=1000 + part)[0]

    return make


@pytest.mark.parametrize("concentration", (6, 40, 300))
def test_the_concentration_that_made_the_truth_is_found(concentration):
    network = own()
    tuning = tune(network, dataset_of(network, a_draw_at(concentration)))
    level, low, high = tuning.interval
    assert level == 0.9 and low <= concentration <= high and high / low < 2
    assert abs(math.log(tuning.concentration / concentration)) < 0.25
    assert tuning.verdict in (words.CALIBRATED, words.NEARLY) and not tuning.at_bound
    assert 0.9 < tuning.after.scores["spread_skill_ratio"] < 1.1
    assert abs(tuning.after.scores["coverage_90"] - 0.9) < 0.05


@pytest.mark.parametrize(("name", "data"), (("ft_transformer", "synthetic-table"), ("timesfm", "synthetic-series")))
def test_the_known_spread_of_the_synthetic_sets_is_recovered_on_cases_that_were_not_tuned_on(name, data):
    dataset = load_dataset(data)
    tuning = tune(load_model(name), dataset, n_member=19, n_pass=3)
    assert tuning.after.scores["spread"] == pytest.approx(dataset.true_spread, rel=0.1)
    # The noise is as large in every case, and the spread is not: with 19 members the slices by spread may depart or may not.
    assert tuning.verdict in (words.MISPLACED, words.CALIBRATED) and not tuning.at_bound
    largest = tuning.after.ensemble.spread >= np.quantile(tuning.after.ensemble.spread, 0.8)
    assert tuning.after.ensemble.spread[largest].mean() > 1.2 * dataset.true_spread


def test_noise_that_no_concentration_reaches_is_said():
    network = own()

    def far_off(network, x, part):
        noise = torch.randn(len(x), generator=torch.Generator().manual_seed(part))
        return network(x).detach() + 10 * noise

    tuning = tune(network, dataset_of(network, far_off))
    assert tuning.concentration == 1 and tuning.at_bound and tuning.setting.at_bound
    assert tuning.verdict == words.UNREACHED and "the largest noise there is" in tuning.sentence and words.COMPARE in tuning.sentence


def test_a_model_that_is_nearly_exact_ends_at_the_other_bound():
    network = own()
    tuning = tune(network, dataset_of(network, lambda network, x, part: network(x).detach() + 1e-6 * torch.sin(100 * x[:, 0])))
    assert tuning.concentration == GRID[-1] and tuning.at_bound
    assert tuning.verdict == words.OVER


def test_few_cases_are_too_few_to_tell():
    network = own()
    tuning = tune(network, dataset_of(network, a_draw_at(20), n=6))
    assert tuning.verdict == words.FEW


def test_the_slope_is_minus_one_half():
    for name, data in (("ft_transformer", "diabetes"), ("timesfm", "sunspots")):
        dataset = load_dataset(data)
        network = load_model(name).on(dataset, device="cpu")
        x = dataset.calibration.inputs[:40]
        with torch.no_grad():
            plain = network(x)
        grid = np.array([16, 32, 64, 128, 256, 512, 1024])
        members = [sample_ensemble(network, x, concentration=int(nu), n_member=12) for nu in grid]
        deviation = [float((m - plain).square().mean().sqrt()) for m in members]
        slope = np.polyfit(np.log(grid), np.log(deviation), 1)[0]
        assert -0.53 <= slope <= -0.47, (name, slope)


def test_the_law_recovers_a_line_it_was_given():
    rng, grid = np.random.default_rng(0), np.array(GRID)
    deviation = 3 * grid[:, None] ** -0.5 * np.exp(0.02 * rng.standard_normal((len(grid), 10)))
    law = power_law.fit_power_law(grid, deviation, error=0.5)
    assert law.slope == pytest.approx(-0.5, abs=0.03)
    assert law.minimiser(0.5) == pytest.approx(36, rel=0.05)


def test_the_closed_form_is_the_minimum_of_the_expected_cost():
    slope, intercept, noise, error = -0.5, 1.0, 0.4, 0.3
    law = power_law.PowerLaw(np.full(4, slope), np.full(4, intercept), noise)
    log_nu = np.linspace(0, 8, 4001)
    log_mean = intercept + slope * log_nu
    # E[(d - d0)^2] of a log-normal d, with the mean of log d moving along the line.
    cost = np.exp(2 * log_mean + 2 * noise**2) - 2 * error * np.exp(log_mean + noise**2 / 2) + error**2
    assert math.log(law.minimiser(error)) == pytest.approx(log_nu[cost.argmin()], abs=0.01)


def test_the_search_looks_only_near_the_optimum_and_stops_at_its_budget():
    asked = []

    def passes_at(concentration, n_done):
        asked.append(concentration)
        return concentration

    find = lambda budget: points_about(lambda points: math.log(5), passes_at, np.array(GRID), 10, budget, time.monotonic())  # noqa: E731
    points, ended = find(Budget())
    assert list(points) == [1, 2, 4, 8, 16, 32, 64] and asked[0] == 64 and max(asked) == 64 and not ended
    few, ended = find(Budget(passes=45))
    assert len(few) == 4 and ended and set(few) < set(points)
    least, ended = find(Budget(seconds=1e-9))
    assert len(least) == 3 and ended


@pytest.fixture(scope="module")
def tuned():
    return tune(load_model("ft_transformer"), load_dataset("diabetes"), n_member=19)


def test_the_file_gives_back_the_setting_and_the_numbers(tuned, tmp_path, empty_cache):
    tuned.setting.save(tmp_path / "tuned.json")
    back = TunedSetting.load(tmp_path / "tuned.json")
    assert back == tuned.setting and tuned.verdict in words.WORDS
    again = evaluate(load_model("ft_transformer"), load_dataset("diabetes"), back.setting)
    assert {name: value for name, value in again.scores.items() if value == value} == back.scores.after


def test_what_is_exported_names_everything_it_hangs_on(tuned):
    setting = tuned.setting
    assert setting.schema_version == 3 and setting.model.name == "ft_transformer" and len(setting.model.weights_sha256) == 64
    assert sum(setting.model.attention_calls.values()) > 0 and setting.software["torch"].startswith("2.13")
    assert setting.dataset.calibration.n_case and setting.dataset.test.n_case and len(setting.dataset.sha256) == 64
    for name, level in itertools.product(("coverage", "width"), (50, 80, 90, 95)):
        assert f"{name}_{level}" in setting.scores.after
    assert {"rmse", "spread_skill_ratio", "crps_fair", "w1"} <= setting.scores.after.keys()
    assert setting.scores.before["rmse"] == pytest.approx(tuned.after.scores["rmse_plain"])


def text(tuned, **changes):
    return json.dumps({**json.loads(tuned.setting.dumps()), **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    (
        (lambda t: text(t)[:200], "the file is not whole or not JSON"),
        (lambda t: "", "the file is empty"),
        (lambda t: "{}", "another JSON file"),
        (lambda t: "[1]", "another JSON file"),
        (lambda t: b"\x89PNG\xff\xfe", "not whole or not JSON"),
        (lambda t: text(t, schema_version=4), "expected a tuned setting of schema 3 or older, the file has schema 4; update"),
        (lambda t: text(t, schema_version="x"), "has schema 'x'"),
        (lambda t: text(t, concentration=0), "a problem at concentration"),
        (lambda t: text(t, concentration="64 draws"), "a problem at concentration"),
        (lambda t: text(t, model={"name": "x"}), "a problem at model.weights_sha256"),
    ),
)
def test_a_file_that_is_not_a_whole_tuned_setting_is_refused(tuned, change, message):
    with pytest.raises(ValueError, match=message):
        TunedSetting.loads(change(tuned))


def test_a_setting_of_another_model_other_weights_or_other_data_is_refused_by_name(tuned):
    s = tuned.setting
    s.check(s.model.name, s.model.weights_sha256, s.dataset.sha256)
    with pytest.raises(ValueError, match="tuned for model 'ft_transformer', not 'timesfm'"):
        s.check("timesfm", s.model.weights_sha256, s.dataset.sha256)
    with pytest.raises(ValueError, match="tuned for other weights of 'ft_transformer'"):
        s.check(s.model.name, "0" * 64, s.dataset.sha256)
    with pytest.raises(ValueError, match="tuned on 'diabetes', and the data here are others"):
        s.check(s.model.name, s.model.weights_sha256, "0" * 64)


def test_saving_where_nothing_can_be_written_is_one_sentence_and_keeps_the_old_file(tuned, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"expected to write .*none"):
        tuned.setting.save(tmp_path / "none" / "tuned.json")
    (tmp_path / "tuned.json").write_text("old")
    write = Path.write_text

    def full(path, content, **options):
        write(path, content[: len(content) // 2], **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ValueError, match=r"expected to write .*No space left on device") as error:
        tuned.setting.save(tmp_path / "tuned.json")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["tuned.json"] and (tmp_path / "tuned.json").read_text() == "old"


def test_nothing_of_the_test_part_reaches_the_tuned_value():
    network = own()
    known = dataset_of(network, a_draw_at(40))
    other = Split(known.test.inputs, known.test.target * 5, known.test.index, known.test.block)
    changed = Dataset("known", "table", "Known", "y", "", "made here", "none", known.train, known.calibration, other)
    a, b = tune(network, known), tune(network, changed)
    assert (a.concentration, a.optimum, a.interval) == (b.concentration, b.optimum, b.interval)


def test_a_search_needs_the_calibration_part_and_a_tuning_the_test_part_too():
    network = own()
    known = dataset_of(network, a_draw_at(40), n=40)
    nothing = Split(known.test.inputs[:0], known.test.target[:0], known.test.index[:0], known.test.block[:0])
    untested, uncalibrated = replace(known, test=nothing), replace(known, calibration=nothing)
    result, whole = (search_concentration(network, data, Setting()) for data in (untested, known))
    assert (result.concentration, result.interval) == (whole.concentration, whole.interval)
    for data, part, work in (
        (untested, "test", lambda data: tune(network, data)),
        (untested, "test", lambda data: compare(network, data, Setting(n_member=9))),
        (uncalibrated, "calibration", lambda data: tune(network, data)),
        (uncalibrated, "calibration", lambda data: search_concentration(network, data, Setting())),
    ):
        with pytest.raises(ValueError, match=f"expected cases in the {part} part of 'known', found none"):
            work(data)


def test_calibration_targets_that_are_all_missing_are_refused():
    network = own()
    known = dataset_of(network, a_draw_at(40))
    missing = Split(known.test.inputs, torch.full_like(known.test.target, torch.nan), known.test.index, known.test.block)
    changed = Dataset("known", "table", "Known", "y", "", "made here", "none", known.train, missing, known.test)
    with pytest.raises(ValueError, match="expected calibration targets in 'known', found none"):
        tune(network, changed)
