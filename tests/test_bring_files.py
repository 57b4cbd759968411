"""Small files on the page Bring your own: a saved setting and a CSV open, and what is neither is one sentence."""

from __future__ import annotations

import io
import json

import pytest

from pages.ui import own_model
from stochattn_core.tuned_setting import TunedSetting
from tests.app import opened, refusal, upload


def saved(**changes: object) -> bytes:
    setting = {
        "schema_version": 1,
        "concentration": 4,
        "interval": {"level": 0.9, "low": 3, "high": 6},
        "objective": "pooled dispersion",
        "verdict": "calibrated",
        "n_member": 9,
        "seed": 0,
        "model": {"name": "ft_transformer", "weights_sha256": "0" * 64, "attention_calls": {}},
        "dataset": {
            "name": "diabetes",
            "sha256": "0" * 64,
            "calibration": {"n_case": 1, "first": "0", "last": "0"},
            "test": {"n_case": 1, "first": "0", "last": "0"},
        },
        "scores": {"before": {}, "after": {}},
        "at_bound": False,
    }
    return json.dumps(setting | changes).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (saved()[:100], "not whole"),
        (b"\x89PNG\r\n", "not whole or not JSON"),
        (b"[1, 2]", "another JSON file"),
        (saved(schema_version=99), "schema 99"),
        (saved(concentration=0), "concentration"),
        (saved(), "other weights"),
        (saved(model={"name": "mine", "weights_sha256": "0", "attention_calls": {}}), "'mine'"),
        (saved(dataset=json.loads(saved())["dataset"] | {"name": "own-sales"}), "own-sales"),
    ],
)
def test_a_saved_setting_that_does_not_fit_is_refused_in_one_sentence(content, said):
    test = opened("bring")
    upload(test, "tuned-file", "tuned.json", content)
    assert said in refusal(test)


def test_the_setting_that_is_exported_is_the_one_that_is_loaded():
    setting = TunedSetting.load(io.BytesIO(saved()))
    assert TunedSetting.loads(setting.dumps()) == setting


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "0 bytes"), (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"), (b"\x80\x04\x95pickle", "pickle"), (b"\n\n\n", "blank")],
)
def test_a_file_that_is_no_csv_is_refused_in_one_sentence(content, said):
    test = opened("bring")
    upload(test, "own-file", "data.csv", content)
    assert said in refusal(test)


def test_a_csv_shows_its_columns_and_guesses_what_they_are():
    rows = "when,sales,shop\n" + "\n".join(f"20{i // 12:02d}-{i % 12 + 1:02d}-01,{i},a" for i in range(100))
    test = opened("bring")
    upload(test, "own-file", "sales.csv", rows.encode())
    assert not test.exception and not test.error
    labels = {box.label: box.value for box in test.main.selectbox}
    assert labels["Times"] == "when"


def test_the_script_that_the_page_shows_runs(capsys):
    exec(compile(own_model.SCRIPT, "script", "exec"), {})
    assert "49, 8, 16, 32" in capsys.readouterr().out
