"""The command line, run as a user runs it; and as a user gets it wrong."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from stochattn_core import __main__ as command_line
from stochattn_core import report
from stochattn_core.commands import COMMANDS, app, base, program
from stochattn_core.json_text import json_text


def run(capsys, *arguments):
    """(exit code, stdout, stderr), in this process."""
    try:
        code = command_line.main([str(a) for a in arguments])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    return code, out, err


CASE = ("--model", "ft_transformer", "--dataset", "diabetes")


def test_list_names_everything_there_is(capsys):
    code, out, _ = run(capsys, "list", "--json")
    tables = json.loads(out)
    assert code == 0 and {"models", "datasets", "baselines"} == tables.keys()
    assert "timesfm" in {m["name"] for m in tables["models"]} and all(d["task"] and d["availability"] for d in tables["datasets"])
    assert "ft_transformer" in run(capsys, "list")[1]


def test_sample_then_score_equals_evaluate(capsys, tmp_path):
    options = ("--concentration", 8, "--members", 9, "--seed", 3, "--json")
    code, out, _ = run(capsys, "sample", *CASE, *options, "--out", tmp_path / "e.nc")
    assert code == 0 and json.loads(out)["shape"]["member"] == 9
    scored = json.loads(run(capsys, "score", tmp_path / "e.nc", "--json")[1])
    evaluated = json.loads(run(capsys, "evaluate", *CASE, *options)[1])
    names = ("rmse", "spread", "spread_skill_ratio", "crps_fair", "w1", "coverage_90", "width_90", "n_member", "n_case")
    assert {name: scored[name] for name in names} == {name: evaluated[name] for name in names}


def test_tune_writes_a_setting_that_evaluate_takes_back(capsys, tmp_path):
    code, out, _ = run(capsys, "tune", *CASE, "--members", 19, "--out", tmp_path / "tuned.json", "--json")
    assert code == 0
    printed, saved = json.loads(out), json.loads((tmp_path / "tuned.json").read_text())
    assert printed == saved
    again = json.loads(run(capsys, "evaluate", *CASE, "--setting", tmp_path / "tuned.json", "--json")[1])
    assert again["concentration"] == saved["concentration"]
    assert {name: again[name] for name in saved["scores"]["after"]} == saved["scores"]["after"]
    refused = run(capsys, "evaluate", "--model", "ft_transformer", "--dataset", "synthetic-table", "--setting", tmp_path / "tuned.json")
    assert refused[0] == 2 and "tuned" in refused[2]


def test_evaluate_at_infinity_is_the_plain_model_and_valid_json(capsys):
    code, out, _ = run(capsys, "evaluate", *CASE, "--concentration", "inf", "--members", 3, "--json")
    document = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert code == 0 and document["concentration"] == "inf" and document["spread"] == 0


def test_evaluate_names_the_layers_that_were_sampled(capsys):
    named = json.loads(run(capsys, "evaluate", *CASE, "--members", 3, "--layers", "*attention*", "--json")[1])
    assert named["layers"] == "*attention*"
    assert json.loads(run(capsys, "evaluate", *CASE, "--members", 3, "--json")[1])["layers"]


def test_a_budget_may_be_a_part_of_a_second(capsys, monkeypatch):
    budgets = []

    def stopped(*_, budget, **__):
        budgets.append(budget.seconds)
        raise ValueError("enough")

    monkeypatch.setattr("stochattn_core.tuning.tune", stopped)
    code, _, err = run(capsys, "tune", *CASE, "--max-seconds", 0.5)
    assert code == 2 and "enough" in err and budgets == [0.5]


def test_older_names_of_options_still_work_and_are_not_shown(capsys):
    def parsed(*arguments):
        return program._parser().parse_args([str(a) for a in arguments])

    assert (
        parsed("evaluate", *CASE, "--mend", "shared").correction
        == parsed("evaluate", *CASE, "--correction", "shared").correction
        == "shared"
    )
    assert parsed("compare", *CASE, "--mends", "shared").corrections == "shared"
    assert parsed("evaluate", *CASE).correction == "" and parsed("compare", *CASE).corrections is None
    for command in ("evaluate", "compare"):
        assert "--mend" not in run(capsys, command, "--help")[1]


def test_an_unknown_correction_is_refused_before_hours_of_tuning(capsys, monkeypatch):
    monkeypatch.setattr("stochattn_core.tuning.tune", lambda *_, **__: pytest.fail("tuned first"))
    code, _, err = run(capsys, "compare", *CASE, "--corrections", "typo")
    assert code == 2 and "expected corrections among inflation" in err


def test_a_table_of_ones_own(capsys, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    rows = np.column_stack([x, x @ [1, 2, 3] + rng.normal(size=120)])
    np.savetxt(tmp_path / "own.csv", rows, delimiter=",", header="a,b,c,y", comments="")
    case = ("--model", "ft_transformer", "--csv", tmp_path / "own.csv", "--target", "y")
    code, out, _ = run(capsys, "evaluate", *case, "--members", 5, "--json")
    assert code == 0 and json.loads(out)["n_case"] == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        (("evaluate", *CASE, "--concentration", "0"), "concentration must be a positive whole number or inf, got 0"),
        (("evaluate", *CASE, "--concentration", "-1"), "got -1"),
        (("evaluate", *CASE, "--concentration", "2.5"), "got 2.5"),
        (("evaluate", *CASE, "--concentration", "abc"), "got 'abc'"),
        (("evaluate", *CASE, "--concentration", "nan"), "got 'nan'"),
        (("evaluate", *CASE, "--concentration", "9" * 5000), "concentration must be at most 1,000,000,000, got '999999"),
        (("evaluate", *CASE, "--members", "9" * 5000), "... (5,000 characters)'; try 49"),
        (("evaluate", *CASE, "--seed", "9" * 5000), "... (5,000 characters)'; try 0"),
        (("evaluate", *CASE, "--seed", "1.5"), "seed must be a whole number, 0 or more, got '1.5'"),
        (("evaluate", *CASE, "--seed", "-1"), "seed must be a whole number, 0 or more, got -1"),
        (("tune", *CASE, "--max-passes", "9" * 5000), "--max-passes must be a whole number, got '9999"),
        (("evaluate", *CASE, "--colour", "red"), "unrecognized arguments: --colour red"),
        (("evaluate", *CASE, "--members", "many"), "--members must be a whole number, got 'many'"),
        (("evaluate", *CASE, "--members", "1"), "n_member must be a whole number, 2 or more, got 1"),
        (("evaluate", *CASE, "--device", "tpu"), "device must be one of auto, cpu, cuda, mps, got 'tpu'"),
        (("evaluate", *CASE, "--layers", "nothing"), "matches layers='nothing'; its attention layers are"),
        (("evaluate", "--model", "gpt", "--dataset", "diabetes"), "ft_transformer"),
        (("evaluate", "--model", "ft_transformer", "--dataset", "iris"), "diabetes"),
        (("evaluate", "--model", "ft_transformer"), "expected --dataset NAME, --csv FILE or --grid FILE, got none"),
        (("evaluate", *CASE, "--csv", "x.csv"), "expected --dataset or --csv, got both"),
        (("evaluate", "--model", "timesfm", "--dataset", "diabetes"), "forecasts a series, dataset 'diabetes' is a table"),
        (("evaluate", "--model", "ft_transformer", "--csv", "none.csv", "--target", "y"), "none.csv"),
        (("evaluate", "--model", "ft_transformer", "--csv", "none.csv"), "expected --target COLUMN"),
        (("evaluate", *CASE, "--setting", "none.json"), "none.json"),
        (("sample", *CASE, "--members", "3", "--out", "no/such/folder/e.nc"), "folder does not exist"),
        (("sample", *CASE, "--part", "all", "--out", "e.nc"), "'all'"),
        (("sample", *CASE, "--members", "3", "--out", "."), "it is a folder"),
        (("tune", *CASE, "--out", "no/such/folder/t.json"), "folder does not exist"),
        (("evaluate", *CASE, "--concentration", "1e30"), "concentration must be at most 1,000,000,000"),
        (("evaluate", *CASE, "--seed", "99999999999999999999"), "seed must be a whole number"),
        (("evaluate", *CASE, "--time", "t"), "expected --target and --time beside --csv alone"),
        (("evaluate", "--model", "climax", "--grid", "none.nc"), "expected --variable NAME beside --grid none.nc"),
        (("evaluate", "--model", "climax", "--grid", "none.nc", "--variable", "air"), "none.nc"),
        (("tune", *CASE, "--max-seconds", "soon"), "--max-seconds must be a number, got 'soon'"),
        (("tune", *CASE, "--max-seconds", "nan"), "expected a budget of seconds above 0"),
        (("compare", *CASE, "--corrections", "inflation,typo"), "expected corrections among inflation, noise"),
        (("score", "none.nc"), "expected a NetCDF file or a Zarr folder at 'none.nc'"),
        (("tune",), "--model"),
        (("fly",), "fly"),
        ((), "COMMAND"),
    ),
)
def test_a_users_mistake_is_one_line_and_exit_code_two(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and not out
    lines = [line for line in err.splitlines() if line.strip() and "\r" not in line and "%|" not in line]
    assert len(lines) == 1 and message in lines[0] and "Traceback" not in err


def test_the_module_runs_as_a_program_and_prints_one_json_document():
    done = subprocess.run([sys.executable, "-m", "stochattn_core", "list", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["models"] and not done.stderr


def test_a_reader_that_leaves_early_is_no_error():
    """As `stochattn list | head`: the other end of the pipe is closed before anything is written."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "stochattn_core", "list"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 141 and not done.stderr


def test_every_command_is_in_the_table_and_explains_itself(capsys):
    for name, command in COMMANDS.items():
        if isinstance(command, base.Command):
            code, out, _ = run(capsys, name, "--help")
            assert code == 0 and out.startswith(f"usage: stochattn {name} ") and "--seed" in out and "--device" in out
    assert all(name in run(capsys, "--help")[1] for name in COMMANDS)


def test_the_dashboard_takes_the_options_of_streamlit(capsys, monkeypatch):
    started = []
    monkeypatch.setattr("streamlit.web.cli.main", lambda arguments, **_: started.append(arguments))
    assert run(capsys, "app", "--server.port", 8502, "--server.headless=true")[0] == 0
    assert started == [["run", str(app.dashboard()), "--server.port", "8502", "--server.headless=true"]]


def test_an_option_that_streamlit_does_not_have_is_one_sentence(capsys):
    code, out, err = run(capsys, "app", "--nonsense")
    assert code == 2 and not out and err.count("\n") == 1 and "No such option" in err


def test_without_streamlit_the_dashboard_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    monkeypatch.setitem(sys.modules, "streamlit.web", None)
    code, _, err = run(capsys, "app")
    assert code == 2 and err == "stochattn app: expected the package streamlit, which is not installed; pip install 'stochattn[app]'\n"


def test_the_report_takes_its_own_options(capsys, monkeypatch):
    given = []
    monkeypatch.setattr(report, "main", lambda arguments: given.append(arguments) or 3)
    assert run(capsys, "report", "--only", "diabetes", "--help")[0] == 3
    assert given == [["--only", "diabetes", "--help"]]


def test_json_holds_no_nan_and_no_infinity_and_numpy_is_written_as_python():
    document = {"a": float("nan"), "b": float("inf"), "c": -float("inf"), 1: (np.float32(0.5), np.int64(3), None, True, "text")}
    assert json.loads(json_text(document)) == {"a": None, "b": "inf", "c": None, "1": [0.5, 3, None, True, "text"]}
    with pytest.raises(TypeError, match="not JSON serializable"):
        json_text({"a": object()})


def test_lead_times_are_printed_as_physical_times(capsys, tmp_path):
    """Every 16 hours, two steps ahead: 16 and 32 h, not 1 and 2 of something."""
    dates = pd.date_range("2020-01-01", periods=300, freq="16h").strftime("%Y-%m-%d %H:%M")
    pd.DataFrame({"t": dates, "v": np.sin(np.arange(300.0)).round(3)}).to_csv(tmp_path / "tide.csv", index=False)
    case = ("--model", "timesfm", "--csv", tmp_path / "tide.csv", "--time", "t", "--target", "v", "--members", 3)
    code, out, _ = run(capsys, "sample", *case, "--out", tmp_path / "e.nc")
    assert code == 0 and out.strip().endswith("lead time 16 to 192 h")
    assert "lead time: 16 to 192 h" in run(capsys, "evaluate", *case)[1]
    assert json.loads(run(capsys, "evaluate", *case, "--json")[1])["lead_time"] == "16 to 192 h"
