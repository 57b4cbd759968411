"""The table of scores: every entry is complete, a new one is shown everywhere, and one rule judges on every page."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from stochattn_core import Setting, evaluate, load_dataset, load_model, report
from stochattn_core import __main__ as command_line
from stochattn_core.figures.theme import LIGHT, Palette
from stochattn_core.forecasts import Ensemble
from stochattn_core.metrics import Statistics, compiled_sums
from stochattn_core.metrics.scores import SCORES, Curve, Evidence, Rule, Score, headlines, rules, scores, tiles
from stochattn_core.metrics.sum_definitions import SUMS
from stochattn_core.panels import PANELS, View
from stochattn_core.panels.score_lines import ScoresAt, lines_of
from stochattn_core.panels.tiles import score_tiles
from stochattn_core.verdict import judge, words
from stochattn_core.verdict.quantities import QUANTITIES
from stochattn_core.verdict.summary import summarise
from tests.app import html, opened
from tests.test_reference_results import result


def statistics(n=200, event=(3,), spread=1.0, shift=0.0, seed=0, m=19, n_block=40):
    """Sums of an ensemble about a plain forecast of 0; perfect with spread 1 and shift 0."""
    generator = torch.Generator().manual_seed(seed)
    members = shift + spread * torch.randn(m, n, *event, generator=generator)
    target = torch.randn(n, *event, generator=generator)
    return members, target, Statistics.of(members, target, torch.zeros_like(target), torch.arange(n) % n_block, n_block)


@pytest.mark.parametrize("key", SCORES)
def test_every_score_has_names_a_sentence_and_a_value_for_each_block_and_element(key):
    score, (_, _, sums) = SCORES[key], statistics()
    assert score.key == key and score.title and score.short and score.description.endswith(".")
    assert (score.ideal is not None) == (score.direction == "ideal")
    assert score.reference in ("", "range", "chance", *SCORES)
    value = score.formula(sums)
    assert value.shape == ((40, 3) if score.of_event else (40,))
    assert score.curve is None or score.curve.role in Palette.__dataclass_fields__
    assert (score.rule is None) == (score.tested is None)


def test_scores_and_tests_have_their_keys_once():
    tests = [score.rule.test for score in SCORES.values() if score.rule]
    assert len(set(tests)) == len(tests) and {"ratio", "bias", "coverage_90", "cost"} <= {*tests} & QUANTITIES.keys()
    assert [score.key for score in tiles()] == ["spread_skill_ratio", "w1", "crps_fair", "coverage_90", "rmse"]
    assert {score.key for score in tiles()} <= {score.key for score in headlines()}


def test_the_plain_model_s_tiles_say_that_it_has_no_spread():
    _, _, sums = statistics(spread=0.0)
    shown = {tile.name: tile for tile in score_tiles(summarise(sums), "degC", result("persistence", 2.0))}
    assert shown["Spread-skill ratio"].judgement.word == "no spread" and shown["Spread-skill ratio"].beside == "no spread"
    assert "persistence 2.00" in shown["RMSE of the mean"].beside and shown["RMSE of the mean"].units == "°C"


# ---- one rule


def test_a_rule_needs_a_difference_that_is_material_and_beyond_chance():
    rule = SCORES["spread_skill_ratio"].rule
    grade = lambda *numbers: rule.judge(Evidence(*numbers, "")).grade  # noqa: E731
    assert grade(1.05, 0.95, 1.09) == "good"
    assert grade(1.05, 0.95, 1.15) == "doubtful", "an interval that reaches beyond the limits is no proof of a match"
    assert grade(1.02, 0.3, 1.4) == "doubtful", "an interval that holds nearly everything supports no claim"
    assert grade(0.8, 0.6, 1.1) == "doubtful" and grade(0.8, 0.7, 0.9) == "bad" and grade(1.3, 1.2, 1.4) == "bad"
    assert grade(math.nan, math.nan, math.nan) == "none"
    assert len({rule.judge(Evidence(value, value, value, "")).word for value in (0.5, 1.0, 1.5)}) == 3


def test_few_members_are_held_to_the_coverage_that_they_can_reach():
    many, few = rules(49)["coverage_90"], rules(9)["coverage_90"]
    assert (many.ideal, many.limits) == (0.9, "85% to 95%") and (few.ideal, few.limits) == (pytest.approx(0.8), "75% to 85%")
    assert few.judge(Evidence(0.8, 0.75, 0.85, "")).word == "holds"
    assert many.judge(Evidence(0.8, 0.75, 0.85, "")).word == "10 points short"
    assert SCORES["coverage_90"].titled(9) == "80% coverage"


@pytest.mark.parametrize(("spread", "shift", "is_calibrated"), [(1.0, 0.0, True), (0.6, 0.0, False), (1.6, 0.0, False), (1.0, 0.6, False)])
def test_the_verdict_is_calibrated_where_the_tiles_are_good_and_only_there(spread, shift, is_calibrated):
    members, target, sums = statistics(n=2000, event=(), spread=spread, shift=shift, n_block=2000, seed=1)
    ensemble = Ensemble(members.numpy(), target.numpy(), np.zeros(2000), pd.RangeIndex(2000), np.arange(2000), ("case",))
    judged, summary = judge(ensemble), summarise(sums)
    assert (judged.word == words.CALIBRATED) is is_calibrated, judged.sentence
    grades = {score.key: summary.judgements[score.key].grade for score in tiles()}
    assert (set(grades.values()) == {"good"}) is is_calibrated, grades
    for key in ("ratio", "bias", "cost"):  # the tiles and the verdict rest on the same tests
        assert summary.verdict.evidence[key][:3] == pytest.approx(judged.evidence[key][:3], rel=1e-4), key


# ---- a new score, and a new sum, without editing any other file

SKILL = Score(
    "rmse_skill",
    "RMSE skill over the plain model",
    "RMSE skill",
    "1 minus the RMSE of the mean over that of the plain model: above 0 the mean is better.",
    "none",
    "larger",
    lambda sums: 1 - (sums.error_sq / sums.plain_error_sq).sqrt(),
    rule=Rule("skill", ideal=0.0, low=-0.05, within="no loss", below="a loss"),
    tested=lambda sums, w1_by_chance: 1 - (sums.error_sq / sums.plain_error_sq).sqrt(),
    tile=True,
    headline=True,
    curve=Curve("RMSE skill", by_region=True),
)


@pytest.fixture
def skill(monkeypatch):
    monkeypatch.setitem(SCORES, SKILL.key, SKILL)


def test_a_new_score_is_seen_in_tiles_and_tables_of_the_page(skill):
    test = opened("explore", seed="77")
    assert not test.exception and not test.error
    assert "RMSE skill over the plain model" in html(test) and "the mean is better" in html(test)


def test_a_new_score_is_in_the_json_of_the_command_line_and_in_the_tuned_file(skill, capsys, tmp_path):
    arguments = ["--model", "ft_transformer", "--dataset", "diabetes", "--members", "9", "--seed", "77"]
    assert command_line.main(["evaluate", *arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["rmse_skill"] == pytest.approx(1 - values["rmse"] / values["rmse_plain"])
    assert command_line.main(["tune", *arguments, "--json"]) == 0
    after = json.loads(capsys.readouterr().out)["scores"]["after"]
    assert after["rmse_skill"] == pytest.approx(1 - after["rmse"] / after["rmse_plain"])


def test_a_new_score_is_in_the_report(skill, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(report.N_CASE, "table", 40)
    out = tmp_path / "report.html"
    assert report.main(["--out", str(out), "--only", "diabetes"]) == 0
    assert "RMSE skill over the plain model" in out.read_text() and "RMSE skill</th>" in out.read_text()


def test_a_new_score_has_a_curve_by_lead_time_and_by_region(skill):
    dataset = load_dataset("sunspots")
    evaluation = evaluate(load_model("timesfm"), dataset, Setting(4, 9))
    panel, view = PANELS["lead-time"], View(dataset=dataset, evaluation=evaluation)
    figure = panel.draw(view, LIGHT).figure
    assert "RMSE skill" in [note.text for note in figure.layout.annotations]
    values = panel.rows(view)["rmse_skill"]
    drawn = next(trace for trace in figure.data if trace.mode == "lines+markers" and "RMSE skill" in trace.hovertemplate)
    np.testing.assert_allclose(drawn.y, values)
    *_, sums = statistics()
    assert "RMSE skill" in [line.axes for line in lines_of(ScoresAt.of_event(sums), "", by_region=True)]


def test_a_new_sum_is_carried_by_its_definition_beside_the_compiled_ones(monkeypatch):
    monkeypatch.setitem(SUMS, "mean_error_abs", lambda cases: cases.error.abs())
    mae = Score(
        "mae", "MAE of the mean", "MAE", "The mean absolute error of the ensemble mean.", "target", "smaller",
        lambda sums: sums["mean_error_abs"] / sums.n,
    )  # fmt: skip
    monkeypatch.setitem(SCORES, "mae", mae)
    compiled_sums.wait()
    members, target, sums = statistics()
    expected = (members.double().mean(0) - target.double()).abs().mean()
    assert scores(sums)["mae"] == pytest.approx(float(expected), rel=1e-12)
    with monkeypatch.context() as patch:
        patch.setattr(compiled_sums, "takes", lambda members: False)
        *_, in_torch = statistics()
    torch.testing.assert_close(in_torch["mean_error_abs"], sums["mean_error_abs"], rtol=1e-12, atol=0)
    both = sums + in_torch
    torch.testing.assert_close(both["mean_error_abs"], 2 * sums["mean_error_abs"], rtol=1e-12, atol=0)
    again = Statistics.from_arrays(sums.to_arrays())
    assert torch.equal(again["mean_error_abs"], sums["mean_error_abs"])
    assert sums.select(1)["mean_error_abs"].shape == (40,) and summarise(sums).ranges["mae"][0] < float(expected)


@pytest.mark.parametrize("name", SUMS)
def test_every_sum_of_the_table_is_the_same_compiled_and_by_its_definition(name, monkeypatch):
    assert compiled_sums.wait()
    *_, fast = statistics()
    monkeypatch.setattr(compiled_sums, "takes", lambda members: False)
    *_, slow = statistics()
    torch.testing.assert_close(fast[name], slow[name], rtol=1e-12, atol=1e-12, equal_nan=True)
