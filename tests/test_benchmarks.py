"""The benchmarks of speed compare what they say they compare."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from benchmarks import __main__ as benchmarks_main
from benchmarks import attention, growth, picture, readme, timing
from benchmarks.record import FOLDER, read
from stochattn_core.sampling import cpu


@pytest.fixture
def results():
    return {name: read(name) for name in readme.REPORTS}


class Clock:
    """A thread whose time passes only in `work`."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(timing.time, "thread_time", lambda: self.now)

    def work(self, *durations):
        """A call that takes these times one after the other, the last one ever after."""
        left = list(durations)

        def call():
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_a_ratio_is_the_median_of_rounds_without_the_first(monkeypatch):
    clock = Clock(monkeypatch)
    found = timing.beside(clock.work(50, 1, 2, 1), clock.work(900, 3, 8, 5), spend=18)
    assert found == timing.Beside(ratio=4, fastest=3, plain_seconds=1, seconds=3)  # of 3, 4 and 5


def test_a_long_call_is_measured_once_after_it_has_warmed_up(monkeypatch):
    clock = Clock(monkeypatch)
    assert timing.beside(clock.work(7, 2, 1), clock.work(7, 30, 1), spend=1).ratio == 15


@pytest.mark.parametrize("name", growth.METHODS)
def test_every_method_approaches_plain_attention(name):
    torch.manual_seed(0)
    qkv = [torch.randn(1, 2, 6, 4) for _ in range(3)]
    worst = (growth.METHODS[name](*qkv, 1 << 16) - F.scaled_dot_product_attention(*qkv)).abs().max()
    assert 0 < worst < 6 * qkv[2].abs().max() / 2**8  # six of the largest standard deviations there can be


def test_eager_runs_without_compiled_code_and_gives_it_back(monkeypatch):
    takes = cpu.takes
    for name in ("mean_of_draws", "sample_counts"):
        monkeypatch.setattr(cpu, name, None)
    attention.reference(*attention.inputs(8), 2)
    attention.reference(*attention.inputs(8), 64)
    assert cpu.takes is takes


@pytest.mark.parametrize("n_member", [1, 5])
def test_plain_passes_and_members_are_as_many_forecasts(n_member):
    plain, sampled = attention.passes(attention.encoder(8, 2, 1), torch.randn(3, 4, 8), 16, n_member, 2)
    parts = plain()
    assert len(torch.cat(parts)) == 3 * n_member and max(map(len, parts)) <= 3 * 2
    assert sampled().shape == (n_member, 3, 4, 8)


def test_one_command_measures_draws_growth_and_scores_and_says_what_failed(monkeypatch, capsys):
    asked = []

    def run(command):
        asked.append(command[-1])
        return SimpleNamespace(returncode=int(command[-1] == "benchmarks.growth"))

    monkeypatch.setattr(benchmarks_main.subprocess, "run", run)
    monkeypatch.setattr(readme, "main", lambda: asked.append("README"))
    assert benchmarks_main.main() == 1
    assert asked == ["benchmarks.attention", "benchmarks.growth", "benchmarks.scores", "README"]
    assert "Not measured: growth" in capsys.readouterr().err


def test_the_readme_follows_every_figure(results):
    text = readme.README.read_text()
    results["attention"]["attention"][2]["compiled"] *= 1.5
    results["growth"]["cases"][-2]["model"] *= 1.5
    results["scores"]["methods"][1]["ratio"] *= 1.5
    changed = [new for old, new in zip(text.splitlines(), readme.filled(text, results).splitlines(), strict=True) if old != new]
    assert [line.split()[1] for line in changed] == ["compiled", "small", "scores:"]


def test_a_readme_without_its_marks_is_left_alone(results):
    with pytest.raises(SystemExit, match=r"expected the lines <!-- measured: growth -->"):
        readme.filled(readme.README.read_text().replace("<!-- measured: growth -->", ""), results)


def test_a_picture_tells_which_results_it_shows(results, tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "PICTURE", tmp_path / "growth.png")
    results["growth"]["cases"][0]["model"] *= 1.5
    source = tmp_path / "growth.json"
    source.write_text(json.dumps(results["growth"]))
    picture.draw(source)
    with Image.open(picture.PICTURE) as image:
        assert image.info[picture.DIGEST] == picture.digest(source) != picture.digest(FOLDER / "growth.json")
