"""The benchmarks of speed compare what they say they compare."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from benchmarks import __main__ as benchmarks_main
from benchmarks import attention, growth, looking, measured, picture, slider, timing
from benchmarks.record import FOLDER, read
from stochattn_core.sampling import cpu


@pytest.fixture
def results():
    return {name: read(name) for name in measured.REPORTS}


class Clock:
    """A clock of computing time that runs only in `work`."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(timing.time, "thread_time", lambda: self.now)

    def work(self, *durations):
        """Return a function whose calls take these times one after the other; all later calls take the last time."""
        remaining = list(durations)

        def call():
            self.now += remaining.pop(0) if len(remaining) > 1 else remaining[0]

        return call


def test_a_ratio_is_the_median_of_rounds_without_the_first(monkeypatch):
    clock = Clock(monkeypatch)
    result = timing.beside(clock.work(50, 1, 2, 1), clock.work(900, 3, 8, 5), spend=18)
    assert result == timing.Beside(ratio=4, fastest=3, plain_seconds=1, seconds=3)  # of 3, 4 and 5


def test_a_long_call_is_measured_once_after_a_first_round(monkeypatch):
    clock = Clock(monkeypatch)
    assert timing.beside(clock.work(7, 2, 1), clock.work(7, 30, 1), spend=1).ratio == 15


@pytest.mark.parametrize("name", growth.METHODS)
def test_every_method_approaches_plain_attention(name):
    torch.manual_seed(0)
    qkv = [torch.randn(1, 2, 6, 4) for _ in range(3)]
    worst = (growth.METHODS[name](*qkv, 1 << 16) - F.scaled_dot_product_attention(*qkv)).abs().max()
    assert 0 < worst < 6 * qkv[2].abs().max() / 2**8  # six times the largest possible standard deviation


def test_eager_runs_without_compiled_code_and_then_restores_it(monkeypatch):
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


@pytest.mark.parametrize("name", ["nn.TransformerEncoder", "T5Model", "Swinv2Model"])
def test_what_is_timed_with_and_without_a_look_gives_the_same_members(name):
    model, x = looking.build(name)
    members = looking.ensemble(model, x)
    assert members.std(0).max() > 0
    for call in (looking.with_known_recognition(model, x), looking.with_bare_mode(model, x)):
        torch.testing.assert_close(call(), members, rtol=0, atol=0)


def test_one_command_measures_draws_growth_and_scores_and_says_what_failed(monkeypatch, capsys):
    started = []

    def run(command):
        started.append(command[-1])
        return SimpleNamespace(returncode=int(command[-1] == "benchmarks.growth"))

    monkeypatch.setattr(benchmarks_main.subprocess, "run", run)
    monkeypatch.setattr(measured, "main", lambda: started.append("page"))
    assert benchmarks_main.main() == 1
    assert started == ["benchmarks.attention", "benchmarks.growth", "benchmarks.scores", "page"]
    assert "Not measured: growth" in capsys.readouterr().err


def test_the_page_follows_every_figure(results):
    text = measured.PAGE.read_text()
    results["planet"]["leads"]["24"]["rows"][0]["rmse"] *= 1.5
    results["uci-seeds-3-4-5"]["summary"]["crps_over_split_conformal"]["noise"]["mean"] *= 1.5
    results["attention"]["attention"][2]["compiled"] *= 1.5
    results["growth"]["cases"][-2]["model"] *= 1.5
    results["scores"]["methods"][1]["ratio"] *= 1.5
    changed = [new for old, new in zip(text.splitlines(), measured.filled(text, results).splitlines(), strict=True) if old != new]
    assert [line.split()[1] for line in changed] == ["24", "noise", "compiled", "small", "scores:"]


def test_a_page_without_its_marks_is_not_written(results):
    with pytest.raises(SystemExit, match=r"expected the lines <!-- measured: growth -->"):
        measured.filled(measured.PAGE.read_text().replace("<!-- measured: growth -->", ""), results)


def test_a_picture_tells_which_results_it_shows(results, tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "PICTURE", tmp_path / "growth.png")
    results["growth"]["cases"][0]["model"] *= 1.5
    source = tmp_path / "growth.json"
    source.write_text(json.dumps(results["growth"]))
    picture.draw(source)
    with Image.open(picture.PICTURE) as image:
        assert image.info[picture.DIGEST] == picture.digest(source) != picture.digest(FOLDER / "growth.json")


def test_a_move_of_the_slider_enters_less_the_more_is_known():
    entered = slider.moves(slider.explore())
    new, evaluated, drawn = (set(entered[known].functions) for known in ("nothing known", "evaluation known", "figures known"))
    read_back = {function for function in drawn if function.endswith("quantity_named")}  # of a verdict that the cache of the page holds
    assert drawn - read_back < evaluated < new
    for name, functions in (("evaluate", new - evaluated), ("network_of", new - evaluated), ("<lambda>", new)):
        assert any(function.endswith(name) for function in functions), name
    assert all((slider.ROOT / path).exists() for path in entered["nothing known"].files)
    assert {path.split("/")[0] for path in entered["nothing known"].files} <= set(slider.PARTS)
