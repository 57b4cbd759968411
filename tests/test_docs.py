"""Everything written for users and contributors is run: blocks of code, links, make targets, and the measured numbers."""

import hashlib
import json
import re
import shlex
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from benchmarks import measured, picture
from benchmarks.record import read
from pages.ui import choices
from stochattn_core import __main__ as command_line
from stochattn_core import evaluate, load_dataset, load_model, tune
from stochattn_core.compare import compare
from stochattn_core.figures.theme import number
from stochattn_core.metrics import Statistics, sum_definitions
from stochattn_core.metrics.scores import Evidence
from stochattn_core.settings import Setting
from tests import test_datasets

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README, CONTRIBUTING, MEASURED, FILES = (
    (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "docs/measured.md", "docs/files.md")
)
# Words of the blocks of Python that say what they print, by page.
PRINTING = {
    "rollouts.md": ("begin_batch(", "six_hours", "slide", "model.generate("),
    "own_models.md": ("PatchTSTConfig(", "class Regressor", "class ByHand", "class Clamped", "class Twice"),
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def block(text, language, containing):
    """The one block of a page in this language that holds these words."""
    (body,) = (body for kind, body in BLOCK.findall(text) if kind == language and containing in body)
    return body


def run(text, containing):
    exec(compile(block(text, "python", containing), "a block of the documentation", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_run_by_a_test(page):
    run_here = {
        "README.md": ("sample_ensemble(", '"tuned.json"', "compare(model", "make run", "stochattn list"),
        "CONTRIBUTING.md": ("# stochattn_core/", "make check"),
        "files.md": ("stochattn look", "series_from_csv"),
        "rollouts.md": PRINTING["rollouts.md"],
        "own_models.md": (*PRINTING["own_models.md"], "# mine.py", "stochattn audit"),
    }
    for kind, body in BLOCK.findall(page.read_text()):
        assert kind == "text" or any(words in body for words in run_here[page.name]), body


# ---- README


def test_the_ten_line_example_prints_what_it_says(capsys):
    body = block(README, "python", "sample_ensemble(")
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
    run(README, "sample_ensemble(")
    assert capsys.readouterr().out.startswith("torch.Size([49, 8, 10, 16])\n")


def test_the_tuning_example_runs_and_saves(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(README, '"tuned.json"')
    assert (tmp_path / "tuned.json").exists() and capsys.readouterr().out


def test_the_example_of_corrections_runs(capsys):
    run(README, "compare(model")
    assert "Output inflation" in capsys.readouterr().out


def test_the_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in block(README, "bash", "stochattn list").strip().splitlines():
        program, *arguments = shlex.split(line)
        assert program == "stochattn"
        assert command_line.main(arguments) == 0, line
    assert (tmp_path / "ensemble.nc").exists()


def test_the_first_minute_shows_what_it_says():
    chosen = choices.default("series")
    model, dataset = load_model(next(iter(choices.models("series")))), load_dataset("elnino")
    assert (chosen.members, chosen.nu) == (49, 4)
    for nu, text in ((4, "ratio is {}:"), (1, "ν = 1: fewer draws, .* ratio is {}\\.")):
        ratio = evaluate(model, dataset, Setting(nu, chosen.members)).scores["spread_skill_ratio"]
        assert re.search(text.format(f"{ratio:.2f}"), README.replace("\n  ", ""))


@pytest.mark.filterwarnings("ignore:all .* members")
@pytest.mark.parametrize(("name", "containing"), [(name, words) for name, blocks in PRINTING.items() for words in blocks])
def test_the_examples_print_what_they_say(name, containing, capsys):
    page = (ROOT / "docs" / name).read_text()
    run(page, containing)
    said = [line.split("  # ")[-1] for line in block(page, "python", containing).splitlines() if line.startswith("print(")]
    said = [re.sub(r"(?<=\]\)): .*", "", text) for text in said]  # what the axes of a shape are called
    assert capsys.readouterr().out.splitlines() == said


def test_the_commands_on_a_model_of_ones_own_run(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "own_models.md").read_text()
    (tmp_path / "mine.py").write_text(block(page, "python", "# mine.py"))
    monkeypatch.chdir(tmp_path)
    for line in block(page, "bash", "stochattn audit").strip().splitlines():
        assert command_line.main(shlex.split(line)[1:]) == 0, line
    assert capsys.readouterr().out.count("plain, ignored") == 1
    sys.modules.pop("mine", None)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


# ---- links, files, make targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_file_exists(page):
    text = page.read_text()
    for link in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:stochattn_core|pages|data|docs|tests|benchmarks)/[\w/.-]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for module in re.findall(r"`python -m (benchmarks[\w.]*)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists() or (ROOT / module / "__main__.py").exists(), module


@pytest.mark.parametrize(
    "target", sorted({target for page in PAGES for pair in re.findall(r"^make ([\w-]+)|`make ([\w-]+)`", page.read_text(), re.M) for target in pair if target})
)  # fmt: skip
def test_every_make_target_exists(target):
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


# ---- recipes


@pytest.fixture
def add(monkeypatch):
    """Add a recipe of CONTRIBUTING.md to its table, as its file and its line say, for the time of one test."""

    def add(path, table):
        name = path.removesuffix(".py").replace("/", ".")
        package, module = import_module(name.removesuffix(".mine")), ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(block(CONTRIBUTING, "python", f"# {path}\n"), path, "exec"), vars(module))
        line = block(CONTRIBUTING, "text", f"# {table}\n").splitlines()[1].rstrip(",")
        scope = {**vars(package), "mine": module}
        entry = eval("{" + line + "}" if line.startswith('"') else line, scope)
        if not isinstance(entry, dict):
            entry = {getattr(entry, "key", None) or entry.name: entry}
        for key, value in entry.items():
            monkeypatch.setitem(getattr(package, table), key, value)
        return module

    return add


@pytest.fixture
def mine(add):
    """The model and the dataset of the recipes, by their names."""
    add("stochattn_core/datasets/mine.py", "DATASETS")
    add("stochattn_core/models/mine.py", "MODELS")
    return load_model("mine"), load_dataset("mine")


def test_the_dataset_the_model_and_the_reference_of_the_recipes_work_together(add, mine):
    add("stochattn_core/references/mine.py", "REFERENCES")
    model, dataset = mine
    tuning = tune(model, dataset, n_member=9, grid=(1, 4, 16), n_pass=3)
    evaluation = evaluate(model, dataset, Setting(tuning.concentration, 9))
    scores, references = evaluation.scores, evaluation.references
    assert scores["spread"] > 0 and references["ridge regression"] < references["nearest row"] < references["training mean"]
    assert scores["rmse_plain"] < 0.6  # the noise alone has 0.5


def test_the_dataset_of_the_recipe_keeps_the_contract_of_the_embedded_ones(mine):
    for contract in (test_datasets.test_the_parts_fit_the_description, test_datasets.test_no_row_of_a_table_is_in_two_parts):
        contract("mine")


def test_the_score_of_the_recipe_is_computed_and_judged(add, mine, capsys):
    module = add("stochattn_core/metrics/scores/mine.py", "SCORES")
    assert command_line.main(["evaluate", "--model", "mine", "--dataset", "mine", "--concentration", "8", "--members", "9", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["error_over_plain"] == pytest.approx(scores["rmse"] / scores["rmse_plain"])
    assert module.mine.rule.judge(Evidence(1.5, 1.4, 1.6, "")).word == "worse than plain"


def test_a_sum_is_one_line(monkeypatch):
    line = re.search(r"`(\"error_abs\": .*),`", CONTRIBUTING)[1]
    for name, definition in eval("{" + line + "}").items():
        monkeypatch.setitem(sum_definitions.SUMS, name, definition)
    members, target = torch.tensor([[1.0, 5.0], [3.0, 7.0]]), torch.tensor([0.0, 9.0])
    sums = Statistics.of(members, target, target, [0, 0], 1)
    assert sums["error_abs"].tolist() == [2 + 3]


def test_the_panel_of_the_recipe_draws_reads_and_tabulates(add, mine):
    panel = add("stochattn_core/panels/mine.py", "PANELS").panel
    model, dataset = mine
    view = import_module("stochattn_core.panels.base").View(dataset, evaluate(model, dataset, Setting(8, 9)))
    assert panel.shows(view)
    drawn, rows = panel.draw(view), panel.rows(view)
    low, high = (rows.error[rows.share_below.sub(level).abs().idxmin()] for level in (0.25, 0.75))
    assert drawn.reading == f"Half of all errors lie between {number(low)} and {number(high)}."
    assert list(drawn.figure.data[0].x) == list(rows.error)


def test_the_correction_of_the_recipe_is_compared_and_exported(add, mine):
    module = add("stochattn_core/corrections/mine.py", "CORRECTIONS")
    model, dataset = mine
    assert Setting(4, correction=" shift  2.50").correction == "shift 2.5"
    plain, moved = (evaluate(model, dataset, Setting(4, 9, correction=text)).scores["bias"] for text in ("", "shift 2.5"))
    assert moved == pytest.approx(plain + 2.5)
    comparison = compare(model, dataset, tune(model, dataset, n_member=9, grid=(1, 4, 16), n_pass=3), corrections=("shift",))
    (row,) = (row for row in comparison.rows if row.title == module.CORRECTION.title)
    assert row.setting.correction.startswith("shift ")


# ---- measured numbers


def rows_after(words):
    """The cells of the first table after some words, without the line under its head."""
    lines = MEASURED[MEASURED.index(words) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    last = next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for i, line in enumerate(lines[first:last]) if i != 1]


def test_the_table_of_draws_is_what_was_measured():
    lines = read("attention")["attention"]
    head, *rows = rows_after("## What does a draw cost?")
    assert head[1:] == [str(line["concentration"]) for line in lines]
    for name, (_, *cells) in zip(("naive", "eager", "compiled", "first_layer"), rows, strict=True):
        assert [float(cell.replace(",", "")) for cell in cells] == pytest.approx([line[name] for line in lines], rel=5e-3)


def test_the_table_of_scores_is_what_was_measured():
    lines = read("scores")["methods"]
    for line, (method, seconds, ratio) in zip(lines, rows_after("## What do the scores cost?")[1:], strict=True):
        assert method == line["method"]
        assert (float(seconds), float(ratio)) == pytest.approx((statistics.median(line["computing"]), line["ratio"]), abs=5.1e-3)


def test_the_seconds_of_the_app_are_what_was_measured():
    measured_seconds = read("app")["seconds"].items()
    for (task, seconds), (name, *cells) in zip(measured_seconds, rows_after("## How long does the app make you wait?")[1:], strict=True):
        assert name == task and [float(cell) for cell in cells] == pytest.approx(list(seconds.values()), abs=5.1e-3)


def test_the_sentence_on_the_stream_is_what_was_measured():
    batteries = read("stream")["batteries"]
    runs = batteries + [first["again"] for first in batteries if first["again"]]
    sentence = re.search(r"(\d+) billion numbers gave (\d+) p-values\. Of these, (\d+) lie", MEASURED)
    assert int(sentence[1]) == round(sum(run["numbers"] for run in runs) / 1e9)
    assert [int(sentence[2]), int(sentence[3])] == [sum(run["p_values"] for run in runs), sum(len(run["suspect"]) for run in runs)]
    assert {run["verdict"] for run in batteries} <= {"passed", "passed again"} and "0 of them came back" in MEASURED


def test_the_sentences_on_the_tables_of_the_literature_are_what_was_measured():
    first, further = (read(name) for name in ("uci", "uci-seeds-3-4-5"))
    recommended = first["summary"]["crps_over_split_conformal"]["recommended"]
    assert f"more than 2% on {recommended['worse_by_more_than_2_percent']} of these {first['summary']['splits']} splits" in MEASURED
    assert f"and {100 * recommended['mean'] - 100:.1f}% worse on\naverage" in MEASURED
    noise = first["summary"]["crps_over_split_conformal"]["noise"]
    assert f"would have\nbeen {100 - 100 * noise['mean']:.1f}% better on average" in MEASURED
    words = [split[name] for file in (first, further) for split in file["splits"] for name in ("verdict", "verdict_alone")]
    assert "calibrated" not in words and "On these 24 splits no setting is called calibrated" in MEASURED
    n_test = [split["n_test"] for file in (first, further) for split in file["splits"]]
    assert f"{min(n_test)} to {max(n_test)} test cases" in MEASURED


def test_all_measured_numbers_follow_from_the_results():
    text = measured.filled(MEASURED, {name: read(name) for name in measured.REPORTS})
    assert text == MEASURED, "run python -m benchmarks.measured"


def test_the_picture_of_growth_was_drawn_from_the_results():
    source = ROOT / "benchmarks" / "results" / "growth.json"
    with Image.open(ROOT / "docs" / "growth.png") as image:
        assert image.info[picture.DIGEST] == hashlib.sha256(source.read_bytes()).hexdigest(), "run python -m benchmarks.measured"
