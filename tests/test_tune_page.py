"""The Tune page says what the core found, offers what follows from it, and takes no wrong turn without a sentence."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import cached, corrections_panel, export, search
from pages.ui.choices import Job, Settings, correction_text
from pages.ui.work import duration
from stochattn_core import TunedSetting, evaluate, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.compare.row_export import tuned_setting_of_row
from stochattn_core.figures.theme import number
from stochattn_core.settings import Setting
from stochattn_core.tuning import preview
from stochattn_core.tuning.groups import by_dataset, calibration_ensembles, estimate, shrunk
from stochattn_core.tuning.setting_export import with_groups
from tests.app import Silent, html, opened
from tests.test_tuning import a_draw_at, dataset_of, own

SEED = 7  # no other test tunes with it: what is on the server's result_cache is of this file


@pytest.fixture(scope="module")
def tuned(model, diabetes):
    return tune(model, diabetes, n_member=9, seed=SEED)


def page(**query: str) -> AppTest:
    return opened("tune", seed=str(SEED), **query)


def started(test: AppTest) -> AppTest:
    return test.button(key="start-tuning").click().run(timeout=300)


def test_before_tuning_a_preview_says_what_to_expect(model, diabetes):
    test = page(members="19")
    assert not test.exception and not test.error
    said = preview(model, diabetes, seed=SEED).sentence
    assert said[1:] in html(test).replace("&#x27;", "'") and "Before you tune" in html(test)
    assert test.button(key="start-tuning").label == "Start tuning"


def test_the_page_says_what_the_core_found(tuned):
    test = started(page())
    test.session_state["numbers-optima"] = True
    test.run(timeout=60)
    assert not test.exception and not test.error
    shown = html(test)
    assert tuned.judged.finding[1:] in shown and tuned.judged.next in shown
    assert f"{number(tuned.interval[1])} to {number(tuned.interval[2])}" in shown
    for one in tuned.judged.evidence.values():
        assert one.rule.split(":")[0] in shown
    for optimum in tuned.optima.values():
        assert f"<td>{number(optimum.value)}</td><td>{number(optimum.low)}</td><td>{number(optimum.high)}</td>" in shown
    assert tuned.used_because in shown and f"{math.floor(tuned.n_effective):,} independent calibration cases" in shown
    for name in ("per-sample", "fair CRPS", "W1"):
        assert name in shown
    assert number(tuned.after.scores["crps_fair"]) in shown and f'<div class="sa-value">{tuned.passes:,}</div>' in shown


def test_a_budget_ends_the_search_and_it_goes_on_from_there():
    test = page(members="19")
    test.selectbox(key="tune-passes-0").set_value(30).run(timeout=60)
    started(test)
    assert not test.exception and not test.error
    assert any("ended the search after 30 passes" in element.value for element in test.markdown)
    test.button(key="continue").click().run(timeout=120)
    assert any("ended the search after 60 passes" in element.value for element in test.markdown)
    test.button(key="continue-unbounded").click().run(timeout=120)
    assert not test.exception and not any("ended the search" in element.value for element in test.markdown)
    assert '<div class="sa-value">70</div>' in html(test)


def test_single_passes_seek_the_pooled_dispersion_whatever_was_chosen():
    test = page(members="19")
    test.selectbox(key="tune-objective-0").set_value("crps").run(timeout=60)
    next(group for group in test.get("button_group") if group.key == "tune-search-0").set_value("thompson").run(timeout=60)
    assert any("pooled dispersion alone" in element.value for element in test.caption)
    started(test)
    assert not test.exception and not test.error
    assert "Single passes" in [tab.label for tab in test.tabs] and "single passes scatter" in html(test)


def test_another_objective_has_its_own_optimum_and_interval(model, diabetes):
    test = page()
    test.selectbox(key="tune-objective-0").set_value("crps").run(timeout=60)
    found = tune(model, diabetes, objective="crps", n_member=9, seed=SEED)
    started(test)
    assert not test.exception
    level, low, high = found.interval
    assert found.interval[1:] == (found.optima["crps"].low, found.optima["crps"].high)
    assert f"ν* is {number(found.optimum)} ({level:.0%} interval {number(low)} to {number(high)})" in html(test)


def test_a_pattern_that_matches_no_layer_is_one_sentence_and_can_be_left():
    test = page(layers="no.such.layer")
    assert not test.exception and len(test.error) == 1
    started(test)
    assert not test.exception and len(test.error) == 1
    assert test.button(key="start-tuning")
    test.text_input(key="layers").set_value("").run(timeout=120)
    assert not test.exception and not test.error


def test_corrections_are_compared_used_and_exported(model, diabetes, tuned):
    found = compare(model, diabetes, tuned)
    test = started(page())
    test.button(key="compare-corrections").click().run(timeout=300)
    assert not test.exception and not test.error
    shown = html(test)
    assert found.sentence in shown
    for row in found.rows:
        assert row.title in shown
        if row.price:
            assert f"{100 * row.price.crps.estimate:+.1f} (".replace("-", "−") in shown and f"<td>{row.attention_share:.0%}</td>" in shown
    test.selectbox(key="correction-row").set_value("inflation").run(timeout=60)
    test.button(key="export-correction").click().run(timeout=60)
    assert not test.exception
    inflation = next(row for row in found.rows if row.name == "inflation")
    code = test.code[0].value
    assert correction_text(inflation.setting.correction) in code
    compile(code, "snippet", "exec")
    test.button(key="take-alone").click().run(timeout=60)
    assert "inflation" not in test.code[0].value


@pytest.fixture(scope="module")
def compared(model, diabetes, tuned):
    return compare(model, diabetes, tuned)


def test_the_file_of_a_correction_has_its_own_setting_scores_and_verdict(model, diabetes, tuned, compared):
    row = next(row for row in compared.rows if row.name == "inflation")
    saved = TunedSetting.loads(tuned_setting_of_row(model, diabetes, tuned, row).dumps())
    assert saved.setting == row.setting and saved.scores.after["crps_fair"] == row.scores["crps_fair"]
    narrow = evaluate(model, diabetes, Setting(row.setting.concentration, 9, SEED)).ensemble
    factor = float(row.setting.correction.split()[1])
    by_hand = narrow.plain + factor * (np.asarray(narrow.members) - narrow.plain)
    ratio = math.sqrt(10 / 9 * by_hand.var(0, ddof=1).mean() / ((by_hand.mean(0) - narrow.target) ** 2).mean())
    assert saved.scores.after["spread_skill_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert saved.interval.low == saved.interval.high == row.setting.concentration and not saved.at_bound


def test_the_file_of_a_fractional_concentration_has_the_interval_of_the_optimum_that_it_is(model, diabetes, tuned, compared):
    best = tuned.optima["ratio"]
    value = float(f"{best.value:.3g}")
    row = replace(compared.rows[0], name="fractional", setting=replace(compared.rows[0].setting, correction=f"fractional {value}"))
    saved = tuned_setting_of_row(model, diabetes, tuned, row)
    assert saved.objective == "ratio" and (saved.interval.low, saved.interval.high) == (best.low, best.high)
    assert saved.interval.low <= value <= saved.interval.high and not saved.at_bound


@pytest.mark.parametrize("name", ("inflation", "noise"))
def test_the_file_of_a_given_concentration_names_no_search_that_found_another(model, diabetes, tuned, compared, name):
    row = next(row for row in compared.rows if row.name == name)
    saved = tuned_setting_of_row(
        model, diabetes, replace(tuned, thompson=tune(model, diabetes, n_member=9, seed=SEED, search="thompson").thompson), row
    )
    assert saved.search == "grid" and saved.optimum == row.setting.concentration and not saved.at_bound
    assert saved.interval.low == saved.interval.high == row.setting.concentration


def test_the_file_of_shared_draws_has_the_interval_of_its_own_search(model, diabetes, tuned, compared):
    row = next(row for row in compared.rows if row.name == "shared")
    saved = tuned_setting_of_row(model, diabetes, tuned, row)
    alone = tune(model, diabetes, n_member=9, seed=SEED, correction="shared").setting
    assert (saved.concentration, saved.correction, saved.interval, saved.verdict) == (
        alone.concentration,
        "shared",
        alone.interval,
        alone.verdict,
    )


def test_the_file_of_conformal_intervals_holds_how_far_they_are_moved(model, diabetes, tuned, compared):
    row = next(row for row in compared.rows if row.name == "conformal")
    saved = tuned_setting_of_row(model, diabetes, tuned, row).conformal
    level = saved.level.index(0.9)
    test = evaluate(model, diabetes, row.setting).ensemble
    low, high = np.quantile(np.asarray(test.members), [0.05, 0.95], axis=0)
    offset = saved.offset[level][0]
    held = ((test.target >= low - offset) & (test.target <= high + offset)).mean()
    assert held == pytest.approx(row.scores["coverage_90"], abs=0.06)  # the core's quantiles lie on members, these between them


def test_a_reference_has_no_file(model, diabetes, tuned, compared):
    with pytest.raises(ValueError, match="a method with a setting to export"):
        tuned_setting_of_row(model, diabetes, tuned, compared.rows[-1])


def test_every_snippet_is_python(tuned):
    for correction in ("", "inflation 3.2", "fractional 2.5", "shared"):
        compile(export.snippet(tuned.setting.model_copy(update={"correction": correction})), "snippet", "exec")


@pytest.mark.parametrize("correction", ["inflation 3", "fractional 5.4", "shared"])
def test_a_link_with_a_correction_shows_the_numbers_of_the_core(model, diabetes, correction):
    test = opened("explore", nu="8", correction=correction)
    assert not test.exception and not test.warning and not test.error
    found = evaluate(model, diabetes, Setting(8, 9, 0, "", correction))
    assert number(found.scores["spread_skill_ratio"]) in html(test) and number(found.scores["crps_fair"]) in html(test)
    assert correction_text(correction) in html(test) and test.query_params["correction"] == correction
    assert f"ν = {found.setting.concentration}" in html(test)
    test.button(key="remove-correction").click().run(timeout=60)
    assert not test.exception and "correction" not in test.query_params and correction_text(correction) not in html(test)


def test_moving_the_slider_leaves_a_fractional_concentration_and_keeps_an_inflation():
    for correction, kept in (("fractional 5.4", False), ("inflation 3", True)):
        test = opened("explore", nu="5", correction=correction)
        test.select_slider(key="nu").set_value(16.0).run(timeout=60)
        assert not test.exception and test.query_params["nu"] == "16"
        assert ("correction" in test.query_params) == kept


@pytest.mark.parametrize("correction", ["inflation 3", "noise 2 5", "fractional 5.4", "shared"])
def test_the_first_answer_of_a_corrected_setting_is_what_its_evaluation_holds(correction):
    data, setting = cached.dataset("sunspots"), Setting(5, 9, 0, "", correction)
    members, plain = cached.one_forecast(Job("timesfm", data, setting), 2, Silent())
    ensemble = cached.evaluation(Job("timesfm", data, setting), Silent()).ensemble
    np.testing.assert_allclose(members, ensemble.members[:, 2], rtol=1e-3)
    np.testing.assert_allclose(plain, ensemble.plain[2], rtol=1e-4)


def test_what_is_known_of_a_correction_is_no_point_of_the_curve_without_one(diabetes):
    for correction in ("", "inflation 3"):
        cached.evaluation(Job("ft_transformer", diabetes, Setting(4, 9, SEED, "", correction)), Silent())
    known = cached.evaluations_known(Job("ft_transformer", diabetes, Setting(64, 9, SEED, "", "inflation 3")))
    assert list(known) == [4] and known[4].setting.correction == "inflation 3"


def test_a_correction_in_the_settings_is_left_aside_by_the_search():
    data = cached.dataset("diabetes")
    plain, inflated = Settings(task="table", correction="").setting, Settings(task="table", correction="inflation 3").setting
    shared = Settings(task="table", correction="shared").setting
    keys = [cached.tuning_key(Job("ft_transformer", data, setting)) for setting in (plain, inflated, shared)]
    assert keys[0] == keys[1] != keys[2]
    assert search.requested(Settings(task="table")) is None


def test_the_passes_of_a_search_are_read_back_by_concentration():
    network = own()
    data = dataset_of(network, a_draw_at(8), n=60)
    found = tune(network, data, n_member=9, n_pass=3)
    ensembles = calibration_ensembles(network, data, found, found.setting.setting)
    assert list(ensembles) == found.grid.tolist()
    for deviation, one in zip(found.deviation, ensembles.values(), strict=True):
        np.testing.assert_allclose(deviation, np.sqrt(((one.members - one.plain) ** 2).mean(1)), rtol=1e-5)


def test_groups_that_are_datasets_are_searched_one_by_one_and_go_into_the_file():
    network = own()
    data = {f"{nu}": dataset_of(network, a_draw_at(nu), n=200) for nu in (4, 64)}
    setting = Setting(2, 9)
    found = by_dataset("variable", network, data, setting)
    alone = []
    for name, one in data.items():
        points = tune(network, one, n_member=9).points
        alone.append(estimate(name, list(points), [point.statistics for point in points.values()]))
    assert found == shrunk("variable", alone)
    assert found[0].concentration < 8 and found[1].concentration > 32
    saved = with_groups(tune(network, data["4"], n_member=9).setting, found)
    assert [one["own"] for one in json.loads(saved.dumps())["groups"]] == [one.own for one in found]


def test_a_duration_is_said_as_a_person_says_it():
    assert [duration(seconds) for seconds in (0.2, 45, 100, 600)] == ["1 s", "45 s", "2 min", "10 min"]


def test_a_row_says_all_that_its_setting_changes(compared):
    said = {row.name: corrections_panel.setting_text(row.setting) for row in compared.rows if row.setting}
    assert "output inflation" in said["inflation"] and "shared draws" in said["shared"]
    assert any("layers" in text for name, text in said.items() if name.startswith("layers"))
