"""Results are stored, read again, and deleted when they take too much room."""

import os
from importlib import import_module

import numpy as np
import pytest

from stochattn_core import Setting, evaluate, store
from stochattn_core.forecasts import Experiment, ensemble_of
from stochattn_core.models import weights_sha256
from tests.test_tuning import own


def test_a_result_is_read_back_and_not_computed_again(model, diabetes, empty_cache, monkeypatch):
    first = evaluate(model, diabetes, Setting(8, 19))
    monkeypatch.setattr(import_module("stochattn_core.forecasts"), "sample_ensemble", lambda *_, **__: pytest.fail("computed again"))
    again = evaluate(model, diabetes, Setting(8, 19))
    assert again.scores == first.scores


def test_work_that_is_stopped_leaves_nothing_half_done(model, diabetes, empty_cache):
    def stop(done, total, what):
        if done and what == "forecasts":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, diabetes, Setting(8, 49), progress=stop)
    assert not [path for path in (empty_cache / "results").rglob("*") if path.is_file()]
    evaluate(model, diabetes, Setting(8, 49))


def test_the_store_forgets_the_oldest_when_it_is_full(empty_cache):
    for i in range(4):
        folder = store._folder(store.key_of("test", i=i))
        store.save_arrays(store.key_of("test", i=i), {"x": np.zeros(1000)})
        os.utime(folder, (i, i))
    store.save(store.key_of("test", i=9), lambda folder: np.save(folder / "x.npy", np.zeros(1000)), limit_bytes=3 * 8200)
    stored = [i for i in (*range(4), 9) if store.load(store.key_of("test", i=i)) is not None]
    assert stored == [2, 3, 9]


def test_the_store_is_searched_now_and_then_and_whenever_it_may_be_full(empty_cache, monkeypatch):
    searches = []
    forget = store._forget_oldest
    monkeypatch.setattr(store, "_forget_oldest", lambda *given, **named: searches.append(1) or forget(*given, **named))

    def save(i, limit_bytes):
        store.save(store.key_of("test", i=i), lambda folder: np.save(folder / "x.npy", np.zeros(1000)), limit_bytes=limit_bytes)

    for i in range(70):
        save(i, 1 << 30)
    assert len(searches) == 2
    for i in range(70, 100):
        save(i, 80 * 8200)
        size = sum(path.stat().st_size for path in (empty_cache / "results").rglob("*.npy"))
        assert size <= 1.02 * 80 * 8200
    assert 5 < len(searches) < 20


def test_a_broken_entry_of_the_store_is_computed_again(model, diabetes, empty_cache):
    first = evaluate(model, diabetes, Setting(8, 5))
    for path in (empty_cache / "results").rglob("members.npy"):
        path.unlink()  # the first result still has the old file open
        path.write_bytes(b"")
    assert evaluate(model, diabetes, Setting(8, 5)).scores == first.scores


def test_an_ensemble_is_stored_once_for_all_that_is_made_of_it_and_one_with_shared_draws_apart(model, diabetes, empty_cache, monkeypatch):
    network, keys = model.on(diabetes, device="cpu"), []
    key_of = store.key_of
    monkeypatch.setattr(store, "key_of", lambda kind, **parts: keys.append(key_of(kind, **parts)) or keys[-1])
    for correction in ("", "inflation 2", "shared"):
        ensemble_of(Experiment(network, diabetes, Setting(4, 3, correction=correction)))
    plain, inflated, shared = keys
    assert plain == inflated != shared


def test_networks_that_differ_in_more_than_their_weights_do_not_share_results(diabetes):
    first, heads, scaled = (own(unit=100, **given) for given in ({}, {"n_head": 4}, {"scale": 100.0}))
    for other in (heads, scaled):
        other.load_state_dict(first.state_dict())
    plain = [evaluate(network, diabetes, Setting(4, 5)).ensemble.plain for network in (first, heads, scaled)]
    assert not np.allclose(plain[0], plain[1]) and np.allclose(100 * plain[0], plain[2], rtol=1e-5)
    assert weights_sha256(first) != weights_sha256(scaled)
