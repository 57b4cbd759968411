"""The table of corrections: one entry is enough for a correction to be parsed, evaluated, compared and exported."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pages.ui.choices import correction_text
from stochattn_core import Setting, TunedSetting, evaluate, tune
from stochattn_core.compare.comparison import compare
from stochattn_core.compare.row_export import tuned_setting_of_row
from stochattn_core.corrections import CORRECTIONS, Correction, Fitted, Recipe, SearchedConcentration, in_words, parse
from stochattn_core.corrections.base import four_digits, number_text, one_number
from tests.import_graph import imports_by_module


@dataclass(frozen=True)
class Shift(Recipe):
    """Members moved by one number."""

    by: float
    example = "shift 0.5"
    concentration_is_given = True

    @classmethod
    def of(cls, values, text):
        return cls(one_number(values, text, cls.example))

    @property
    def text(self):
        return f"shift {number_text(self.by)}"

    @property
    def value(self):
        return f"by {number_text(self.by)}"

    def ensemble(self, sample, request):
        unmoved = sample(request)
        return replace(unmoved, members=unmoved.members + np.float32(self.by))


def fit_shift(workbench, variant):
    """The mean error of the ensemble at concentration 32."""
    calibration = workbench.calibration(32)
    by = float(np.mean(calibration.target - calibration.mean))
    return Fitted(32, workbench.n_member, recipe=Shift(four_digits(by)))


@pytest.fixture
def shift(monkeypatch):
    """A correction that no other file knows."""
    entry = Correction(
        key="shift",
        title="Shift",
        description="Members are moved by one number.",
        cost="one ensemble",
        source="this test",
        fit=fit_shift,
        recipe=Shift,
        tasks=("table",),
    )
    monkeypatch.setitem(CORRECTIONS, "shift", entry)
    return entry


def test_a_new_entry_has_a_text_in_settings_and_words_on_the_page(shift):
    assert parse(" shift 0.50").text == Setting(correction="shift 0.50").correction == "shift 0.5"
    assert in_words("shift 0.5") == correction_text("shift 0.5") == "shift by 0.5"
    with pytest.raises(ValueError, match=r"correction must be one of .*'shift 0.5'"):
        parse("move 1")


def test_a_new_entry_is_evaluated_compared_and_exported(shift, model, diabetes):
    tuning = tune(model, diabetes, n_member=9, n_pass=3)
    row = next(row for row in compare(model, diabetes, tuning, corrections=("shift",)).rows if row.name == "shift")
    assert (row.title, row.kind, row.problem, row.passes) == ("Shift", "correction", "", 9)
    recipe, unmoved = parse(row.setting.correction), evaluate(model, diabetes, Setting(32, 9)).ensemble
    evaluation = evaluate(model, diabetes, row.setting)
    assert np.array_equal(evaluation.ensemble.members, unmoved.members + np.float32(recipe.by)) and evaluation.scores == row.scores
    exported = tuned_setting_of_row(model, diabetes, tuning, row)
    assert TunedSetting.loads(exported.dumps()).setting == row.setting
    assert exported.interval.low == exported.interval.high == exported.concentration == 32


def test_a_new_entry_is_left_out_for_tasks_that_it_does_not_serve(shift, monkeypatch, model, diabetes):
    monkeypatch.setitem(CORRECTIONS, "shift", replace(shift, tasks=("grid",)))
    search = lambda *_: SearchedConcentration(50, 50.0, 1)  # noqa: E731
    comparison = compare(model, diabetes, Setting(n_member=9), search=search, corrections=("shift",))
    assert [row.kind for row in comparison.rows if row.kind == "correction"] == []


def test_entries_stand_under_their_key_and_their_text_begins_with_it():
    for key, entry in CORRECTIONS.items():
        assert entry.key == key and entry.title and entry.cost and entry.source and entry.description.endswith(".")
        if entry.recipe:
            assert entry.recipe.example.split()[0] == key and parse(entry.recipe.example).text == entry.recipe.example


def test_the_comparison_knows_no_correction_by_name():
    modules = imports_by_module()
    known = {name for module, names in modules.items() if module.startswith("stochattn_core.compare") for name in names}
    assert {name for name in known if ".corrections" in name} == {"stochattn_core.corrections", "stochattn_core.corrections.cross_fitting"}
