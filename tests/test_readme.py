"""Every block of the README runs."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from stochattn_core import __main__ as command_line
from stochattn_core import evaluate, tune
from stochattn_core.settings import Setting

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def blocks(language, containing):
    return [body for kind, body in BLOCKS if kind == language and containing in body]


def test_there_is_no_block_that_no_test_runs():
    known = ("sample_ensemble", "tuned.json", "compare(model, dataset", "Dataset(", "class Mine(Model)", "make run", "python -m stochattn_core")
    for kind, body in BLOCKS:
        assert kind in ("python", "bash") and any(word in body for word in known)


def test_the_ten_line_example_prints_what_it_says(capsys):
    (body,) = blocks("python", "sample_ensemble(")
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
    exec(compile(body, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("torch.Size([49, 8, 10, 16])\n")


def test_the_tuning_example_runs_and_saves(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (body,) = blocks("python", '"tuned.json"')
    exec(compile(body, "README.md", "exec"), {})
    assert (tmp_path / "tuned.json").exists() and capsys.readouterr().out


def test_the_example_of_mends_runs(capsys):
    (body,) = blocks("python", "compare(model, dataset")
    exec(compile(body, "README.md", "exec"), {})
    assert "Output inflation" in capsys.readouterr().out


def test_the_dataset_and_the_model_of_the_examples_work_together():
    names = {}
    for word in ("Dataset(", "class Mine(Model)"):
        (body,) = blocks("python", word)
        exec(compile(body, "README.md", "exec"), names)
    model, dataset = names["Mine"](), names["load"]()
    assert evaluate(model, dataset, Setting(8, 9)).scores["spread"] > 0
    assert tune(model, dataset, n_member=9, grid=(1, 4, 16), n_pass=3).concentration >= 1


def test_the_commands_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (body,) = blocks("bash", "python -m stochattn_core")
    for line in body.strip().splitlines():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "stochattn_core"]
        assert command_line.main(words[3:]) == 0, line
    assert (tmp_path / "ensemble.nc").exists()


@pytest.mark.parametrize("target", re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", TEXT, flags=re.MULTILINE))
def test_every_make_target_it_names_exists(target):
    name = next(filter(None, target))
    subprocess.run(["make", "--dry-run", name], cwd=ROOT, check=True, capture_output=True)


def test_the_files_it_names_exist():
    for name in (*re.findall(r"\]\(([\w/.]+)\)", TEXT), *re.findall(r"`((?:stochattn_core|data|docs)/[\w/]+\.\w+)`", TEXT)):
        assert (ROOT / name).exists(), name
