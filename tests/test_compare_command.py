"""stochattn compare: what it prints is what the comparison holds, as text and as JSON, and nothing of it contradicts tune."""

import json

import pytest

from stochattn_core import __main__ as command_line
from stochattn_core import tune
from stochattn_core.compare.comparison import compare

CASE = ("compare", "--model", "ft_transformer", "--dataset", "diabetes", "--members", "9", "--corrections", "noise,conformal")


@pytest.fixture(scope="module")
def comparison(model, diabetes):
    tuning = tune(model, diabetes, n_member=9)
    return tuning, compare(model, diabetes, tuning, corrections=("noise", "conformal"))


def test_the_document_has_the_evidence_of_every_row(comparison, capsys):
    tuning, wanted = comparison
    assert command_line.main([*CASE, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sentence"] == wanted.sentence and document["attention"] == wanted.attention.name
    assert document["recommended"] == (wanted.recommended.name if wanted.recommended else None)
    assert document["optimum"]["concentration"] == tuning.optimum and document["n_effective"] == pytest.approx(wanted.n_effective)
    for row, entry in zip(wanted.rows, document["rows"], strict=True):
        assert entry["attention_share"] == row.attention_share and (entry["association"] is None) == (row.association is None)
        if row.association:
            assert entry["association"]["estimate"] == pytest.approx(row.association.estimate)
        assert (entry["price"] is None) == (row.price is None)
        if row.price:
            assert entry["price"]["coverage"]["low"] == pytest.approx(row.price.coverage.low)
    shares = {row.name: row.attention_share for row in wanted.rows}
    assert shares["nu alone"] == shares["conformal"] == 1 and 0 < shares["noise"] < 1 and shares["gaussian-dressing"] == 0
    without = {row.name for row in wanted.rows if row.association is None}
    assert without == {"gaussian-dressing", "residual-dressing", "split-conformal"}


def test_the_text_names_the_optimum_its_interval_and_the_value_of_the_correction(comparison, capsys):
    tuning, wanted = comparison
    assert command_line.main([*CASE]) == 0
    text = capsys.readouterr().out
    first, *rest = text.splitlines()
    level, low, high = tuning.interval
    assert first == f"ν* = {tuning.optimum:.4g} ({level:.0%} interval {low:.3g} to {high:.3g}); used: {tuning.concentration:,}"
    noise = next(row for row in wanted.rows if row.name == "noise")
    factor, size = noise.setting.correction.split()[1:]
    assert f"× {factor}, noise {size}" in text and wanted.sentence in rest
    (line,) = [line for line in text.splitlines() if line.startswith("Gaussian dressing") and "none" in line]
    assert line.split("none")[0].split() == ["Gaussian", "dressing", "0%"]


def test_the_share_of_attention_is_its_part_of_the_variance_of_the_members(comparison, model, diabetes):
    from stochattn_core import Setting, evaluate

    row = next(row for row in comparison[1].rows if row.name == "noise")
    factor, size = map(float, row.setting.correction.split()[1:])
    members = evaluate(model, diabetes, Setting(64, 9), part="calibration").ensemble.members
    attention = factor**2 * members.var(0, ddof=1).mean()
    assert row.attention_share == pytest.approx(attention / (attention + size**2), rel=1e-4)
