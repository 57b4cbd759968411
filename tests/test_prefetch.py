"""The worker that computes ahead: what it does first, to whom it gives way, and that no bit changes by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pages.ui import cached, instrument
from pages.ui.choices import GRID, Job, default
from pages.ui.inference import Inference
from pages.ui.prefetch import GiveWay, Prefetcher, Wish
from stochattn_core.datasets import load_dataset
from stochattn_core.datasets.base import thinned
from stochattn_core.evaluate import evaluate
from stochattn_core.models import load_model
from stochattn_core.settings import Setting


class Setup:
    """A worker without a thread, its sessions, and what it has computed."""

    def __init__(self):
        self.page_waits, self.closed, self.computed = False, set(), []
        self.meanwhile = lambda value: None  # what happens while a value is being made
        self.worker = Prefetcher(wanted=lambda: self.page_waits, alive=lambda name: name not in self.closed, quiet=0, glance=0)

    def wish(self, same, *values):
        def compute(value, progress, check):
            progress(1, 2, "forecasts")
            self.meanwhile(value)
            check()
            self.computed.append((same, value))

        return Wish(same, values, lambda value: (same, value) in self.computed, compute)

    def work(self):
        while self.worker.step():
            pass
        return self.computed


@pytest.fixture
def setup():
    return Setup()


def test_values_are_made_in_the_order_of_the_wish_and_once(setup):
    setup.worker.ask("a", setup.wish("x", 4, 3, 6, 2))
    assert setup.work() == [("x", 4), ("x", 3), ("x", 6), ("x", 2)]
    setup.computed.clear()  # as when the result_cache forgot them: made again they would push others off it
    assert setup.work() == []


@pytest.mark.parametrize("nu", [1.0, 8.0, 5.0, GRID[-1]])
def test_the_slider_wishes_for_every_place_the_nearest_first(nu):
    settings = replace(default("table"), model="ft_transformer", dataset="diabetes", members=9, nu=nu)
    wish = instrument._wish(settings, cached.dataset("diabetes"))
    options = sorted({*GRID, nu})
    distance = [abs(options.index(value) - options.index(nu)) for value in wish.values]
    assert wish.values[0] == nu and sorted(wish.values) == options
    assert distance == sorted(distance)


def test_another_seed_is_another_wish_and_another_case_is_the_same():
    settings = replace(default("table"), model="ft_transformer", dataset="diabetes", members=9)
    same = lambda settings: instrument._wish(settings, cached.dataset("diabetes")).same  # noqa: E731
    assert same(settings) == same(replace(settings, nu=64.0, case=3))
    assert len({same(replace(settings, **change)) for change in ({}, {"seed": 1}, {"members": 19}, {"layers": "*"})}) == 4


def test_a_page_that_waits_gets_the_machine_and_the_value_is_tried_again(setup):
    def somebody_comes(value):
        setup.page_waits = value == 3 and ("x", 4) in setup.computed and not came
        came.append(value) if value == 3 else None

    came = []
    setup.meanwhile = somebody_comes
    setup.worker.ask("a", setup.wish("x", 4, 3, 6))
    assert setup.work() == [("x", 4)]
    assert setup.worker.making is None
    assert setup.worker.step() is False  # the page still has the machine
    setup.page_waits = False
    assert setup.work() == [("x", 4), ("x", 3), ("x", 6)]


def test_another_wish_replaces_the_queue_and_what_is_in_the_making(setup):
    setup.meanwhile = lambda value: setup.worker.ask("a", setup.wish("y", 7, 8)) if value == 4 else None
    setup.worker.ask("a", setup.wish("x", 4, 3, 6))
    assert setup.work() == [("y", 7), ("y", 8)]


def test_a_move_of_the_slider_only_changes_the_order(setup):
    setup.meanwhile = lambda value: setup.worker.ask("a", setup.wish("x", 6, 3, 4)) if value == 4 else None
    setup.worker.ask("a", setup.wish("x", 4, 3, 6))
    assert setup.work() == [("x", 4), ("x", 6), ("x", 3)]


def test_a_session_that_is_gone_costs_nothing(setup):
    setup.meanwhile = lambda value: setup.closed.add("a") if value == 3 else None
    setup.worker.ask("a", setup.wish("x", 4, 3, 6))
    setup.worker.ask("b", setup.wish("y", 7))
    assert setup.work() == [("x", 4), ("y", 7)]
    assert list(setup.worker.wishes) == ["b"]


def test_sessions_are_served_in_turn(setup):
    setup.worker.ask("a", setup.wish("x", 1, 2, 3))
    setup.worker.ask("b", setup.wish("y", 1, 2))
    assert setup.work() == [("x", 1), ("y", 1), ("x", 2), ("y", 2), ("x", 3)]


def test_an_error_drops_the_value_and_no_other(setup):
    def fails(value):
        if value == 3:
            raise ValueError("expected something else")

    setup.meanwhile = fails
    wish = setup.wish("x", 4, 3, 6)
    setup.worker.ask("a", wish)
    assert setup.work() == [("x", 4), ("x", 6)]
    assert setup.worker.coming(wish) == []


def test_nothing_begins_while_a_page_is_drawn_and_what_it_does_not_renew_is_forgotten(setup):
    wish = setup.wish("x", 4, 3)
    with setup.worker.drawing("a"):
        setup.worker.ask("a", wish)
        assert not setup.worker.step()
    assert setup.worker.step()
    with setup.worker.drawing("b"):  # another session's page
        pass
    assert setup.worker.coming(wish) == [3] and "a" in setup.worker.wishes
    with setup.worker.drawing("a"):  # a page that wishes for nothing
        pass
    assert setup.work() == [("x", 4)]


def test_it_rests_in_the_middle_of_a_value_and_even_then_gives_way(setup):
    def drawn(value):
        if value == 3:
            setup.worker.n_drawing, setup.page_waits = 1, True

    setup.meanwhile = drawn
    setup.worker.ask("a", setup.wish("x", 4, 3))
    assert setup.work() == [("x", 4)]


def test_progress_is_told_while_a_value_is_made(setup):
    seen = []
    setup.meanwhile = lambda value: seen.append(setup.worker.making)
    setup.worker.ask("a", setup.wish("x", 4))
    setup.work()
    assert [(making.same, making.value, making.share) for making in seen] == [("x", 4, 0.5)]
    assert setup.worker.making is None


def test_pages_come_before_what_is_computed_ahead_of_them():
    inference = Inference()
    with inference.for_page(None):
        assert inference.wanted()
        with pytest.raises(GiveWay), inference.for_prefetch(lambda: None):
            pass
    assert not inference.wanted()
    with inference.for_prefetch(lambda: None):
        assert not inference.wanted()
    with inference.for_page(None):  # the lock is free again
        pass


@pytest.mark.parametrize(("model", "dataset"), [("ft_transformer", "diabetes"), ("timesfm", "sunspots"), ("climax", "planet")])
def test_what_is_computed_ahead_has_the_same_bits_and_an_interruption_leaves_nothing(model, dataset, tmp_path, monkeypatch):
    data = load_dataset(dataset)
    data, setting = (thinned(data, 2) if dataset == "planet" else data), Setting(6, 9, seed=5)
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "page"))
    expected = evaluate(load_model(model), data, setting)
    monkeypatch.setenv("STOCHATTN_CACHE", str(tmp_path / "prefetch"))
    count = 0

    def interrupts():
        nonlocal count
        count += 1
        if count == 600:
            raise GiveWay

    prepared, job = [], Job(model, data, setting)
    arguments = (job, prepared.append, lambda *progress: None)
    with pytest.raises(GiveWay):
        cached.prefetched_evaluation(*arguments, interrupts)
    assert list((tmp_path / "prefetch").glob("results/*/*")) == [] and not prepared
    assert cached.evaluation_known(job) is None
    cached.prefetched_evaluation(*arguments, lambda: None)
    prefetched = cached.evaluation_known(job)
    assert prepared == [prefetched]
    assert prefetched.ensemble.members.tobytes() == expected.ensemble.members.tobytes()
    assert prefetched.ensemble.plain.tobytes() == expected.ensemble.plain.tobytes()
    assert prefetched.scores == pytest.approx(expected.scores, rel=0, abs=0, nan_ok=True)
    assert ("statistics" in vars(prefetched.ensemble)) == (dataset != "planet")
