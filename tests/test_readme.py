"""Every block of the README runs, and what it says of speed is what was measured."""

import hashlib
import re
import shlex
import statistics
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import picture, readme
from benchmarks.record import read
from stochattn_core import __main__ as command_line
from stochattn_core import evaluate, tune
from stochattn_core.settings import Setting

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def blocks(language, containing):
    return [body for kind, body in BLOCKS if kind == language and containing in body]


def test_there_is_no_block_that_no_test_runs():
    known = (
        "sample_ensemble",
        "tuned.json",
        "compare(model, dataset",
        "Dataset(",
        "class Mine(Model)",
        "make run",
        "python -m stochattn_core",
    )
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


def test_the_example_of_corrections_runs(capsys):
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


def rows_after(words):
    """The cells of the first table after some words, without its rule."""
    lines = TEXT[TEXT.index(words) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    last = next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for i, line in enumerate(lines[first:last]) if i != 1]


def test_the_table_of_draws_is_what_was_measured():
    lines = read("attention")["attention"]
    head, *rows = rows_after("**What does a draw cost?**")
    assert head[1:] == [str(line["concentration"]) for line in lines]
    for name, (_, *cells) in zip(("naive", "eager", "compiled", "first_layer"), rows, strict=True):
        assert [float(cell.replace(",", "")) for cell in cells] == pytest.approx([line[name] for line in lines], rel=5e-3)


def test_the_table_of_scores_is_what_was_measured():
    lines = read("scores")["methods"]
    for line, (method, seconds, ratio) in zip(lines, rows_after("**What do the scores cost?**")[1:], strict=True):
        assert method == line["method"]
        assert (float(seconds), float(ratio)) == pytest.approx((statistics.median(line["computing"]), line["ratio"]), abs=5.1e-3)


def test_the_seconds_of_the_app_are_what_was_measured():
    for (task, times), (name, *cells) in zip(
        read("app")["seconds"].items(), rows_after("**How long does the app let you wait?**")[1:], strict=True
    ):
        assert name == task and [float(cell) for cell in cells] == pytest.approx(list(times.values()), abs=5.1e-3)


def test_what_it_says_of_the_stream_is_what_was_found():
    batteries = read("stream")["batteries"]
    every = batteries + [first["again"] for first in batteries if first["again"]]
    said = re.search(r"(\d+) thousand million numbers gave (\d+) p-values, (\d+) of them", TEXT)
    assert int(said[1]) == round(sum(run["numbers"] for run in every) / 1e9)
    assert [int(said[2]), int(said[3])] == [sum(run["p_values"] for run in every), sum(len(run["suspect"]) for run in every)]
    assert {run["verdict"] for run in batteries} <= {"passed", "passed again"} and "0 of them came back" in TEXT


def test_all_it_says_of_speed_follows_from_the_results():
    assert readme.filled(TEXT, {name: read(name) for name in readme.REPORTS}) == TEXT, "run python -m benchmarks.readme"


def test_the_picture_of_growth_was_drawn_from_the_results():
    source = ROOT / "benchmarks" / "results" / "growth.json"
    with Image.open(ROOT / "docs" / "growth.png") as image:
        assert image.info[picture.DIGEST] == hashlib.sha256(source.read_bytes()).hexdigest(), "run python -m benchmarks.readme"
