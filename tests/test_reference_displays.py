"""Where the best reference forecast is shown: tuned.json, commands, tiles, tables and pages say the same, and only where it is so."""

import json
import math

import numpy as np
import pytest

from stochattn_core import Setting, TunedSetting, evaluate, tune
from stochattn_core import __main__ as command_line
from stochattn_core.panels import View
from stochattn_core.panels.provenance import reference_rows, score_rows
from stochattn_core.panels.tiles import conclusion, score_tiles
from stochattn_core.references import paired
from stochattn_core.verdict import Verdict, words
from tests.app import html, opened
from tests.reference_data import a_table
from tests.test_reference_results import Constant, own, result

CASE = ("--model", "ft_transformer", "--dataset", "diabetes", "--members", "9")


@pytest.fixture(scope="module")
def losing():
    """A tuning of a network that loses to every regression on its table."""
    return tune(own(Constant), a_table(), n_member=9, n_pass=2)


def printed(capsys, *arguments):
    assert command_line.main([str(each) for each in arguments]) == 0
    return capsys.readouterr().out


def test_a_tuned_setting_holds_the_best_reference_and_older_files_hold_none(losing):
    back, best = TunedSetting.loads(losing.setting.dumps()), losing.after.best_reference
    saved = back.references
    assert (saved.name, saved.rmse, saved.ratio, saved.low, saved.high) == (best.name, best.rmse, best.ratio, best.low, best.high)
    assert saved.sentence == best.sentence and saved.all_rmse == pytest.approx(dict(losing.after.references))
    older = json.loads(losing.setting.dumps())
    del older["references"]
    assert TunedSetting.loads(json.dumps(older)).references is None


def test_the_tile_and_the_table_of_scores_are_never_good_where_the_model_loses(losing):
    view = View(dataset=a_table(), evaluation=losing.after)
    tile = next(tile for tile in score_tiles(view.summary, "", view.reference) if tile.name == "RMSE of the mean")
    best = losing.after.best_reference
    assert view.reference == best and best.loses and tile.judgement.grade == "bad" and f"worse than {best.name}" in tile.judgement.word
    assert tile.beside.endswith(f"{best.name} {best.rmse:.3g}")
    rows = score_rows(view).set_index("score")
    assert rows.loc["rmse", "judgement"] == tile.judgement.word


def test_a_model_that_wins_keeps_the_judgement_on_its_drift():
    class Exact(Constant):
        def forward(self, x):
            return x @ x.new_tensor([1.0, 0.2, 5.0]) + super().forward(x) * 0.001

    data = a_table(4000)
    view = View(dataset=data, evaluation=evaluate(own(Exact), data, Setting(64, 9)))
    tile = next(tile for tile in score_tiles(view.summary, "", view.reference) if tile.name == "RMSE of the mean")
    outcome = view.reference.sentence
    assert not view.reference.loses and ("cannot be told apart" in outcome) == (tile.judgement.grade != "good")


def test_the_table_of_references_holds_every_forecast(losing):
    best, rows = reference_rows(View(dataset=a_table(), evaluation=losing.after))
    assert best == losing.after.best_reference
    assert list(rows["forecast"]) == ["ensemble mean", "plain model", *losing.after.references]


def test_evaluate_prints_the_best_reference_and_the_skill_with_its_interval(capsys):
    document = json.loads(printed(capsys, "evaluate", *CASE, "--concentration", 64, "--json"))
    best, skill = document["best_reference"], document["crps_skill_climatology_interval"]
    assert best["name"] in document["references"] and best["rmse"] == min(document["references"].values())
    assert best["ratio"] == pytest.approx(document["rmse"] / best["rmse"]) and best["low"] < best["ratio"] < best["high"]
    assert skill["low"] < document["crps_skill_climatology"] < skill["high"] and 1 < skill["n_effective"] <= document["n_case"]
    text = printed(capsys, "evaluate", *CASE, "--concentration", 64)
    assert best["sentence"] in text and "CRPS skill over climatology" in text and f"rmse of {best['name']}" in text


def test_the_skill_of_the_climatology_itself_is_exactly_zero():
    values = np.random.default_rng(0).exponential(size=400)
    assert paired.paired_ratio(values, values)[:3] == pytest.approx((1, 1, 1))


def test_tune_and_compare_print_the_sentence(capsys, tmp_path):
    tuned = printed(capsys, "tune", *CASE, "--out", tmp_path / "tuned.json")
    saved = json.loads((tmp_path / "tuned.json").read_text())["references"]
    assert saved["sentence"] in tuned
    compared = json.loads(printed(capsys, "compare", *CASE, "--corrections", "shared", "--json"))
    assert compared["best_reference"]["sentence"] == saved["sentence"] and set(compared["references"]) == set(saved["all_rmse"])


def test_explore_says_that_the_model_loses_where_it_does():
    assert "loses to the best of 4 reference forecasts, ridge regression" in html(opened("explore", task="series", dataset="co2", nu="64"))
    page = html(opened("explore", nu="64"))
    assert "loses to" not in page and "gradient boosting" in page, "the tile names the best reference"


def test_a_page_of_one_lead_time_compares_it_with_the_reference_at_this_lead_time():
    test = opened("explore", task="series", dataset="co2", nu="64", lead="12")
    assert not test.exception and "ridge regression" in html(test)


def test_infinity_and_missing_numbers_are_valid_json(losing):
    part = losing.setting.references.model_copy(update={"ratio": math.inf, "high": math.inf})
    text = losing.setting.model_copy(update={"references": part}).dumps()
    assert json.loads(text)["references"]["ratio"] is None and TunedSetting.loads(text).references.ratio is None


def test_the_sentence_over_the_tiles_sends_nobody_to_a_calibrated_ensemble_that_loses(losing):
    calibrated = Verdict(words.CALIBRATED, "the spread matches the error", {}, 0.9)
    loses, none = conclusion(calibrated, losing.after.best_reference), conclusion(calibrated, None)
    assert loses.grade == "doubtful" and losing.after.best_reference.sentence in loses.sentence and not loses.then
    assert none.grade == "good" and "use this setting" in none.then
    assert conclusion(calibrated, result()) == none, "a reference that is beaten changes nothing"
