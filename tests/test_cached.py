"""What the server keeps: the first answer is what the evaluation holds, and what costs much memory is let go."""

from __future__ import annotations

import numpy as np

from pages.ui import cached
from pages.ui.result_cache import N_BY_CELL, ResultCache
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import Evaluation
from stochattn_core.settings import Setting
from tests.app import Silent


def test_the_first_answer_is_the_forecast_that_the_evaluation_holds():
    data, setting, work = cached.dataset("sunspots"), Setting(4, 9), Silent()
    members, plain = cached.one_forecast("timesfm", data, setting, 3, work)
    found = cached.evaluation("timesfm", data, setting, work)
    np.testing.assert_allclose(members, found.ensemble.members[:, 3], rtol=1e-4)
    np.testing.assert_allclose(plain, found.ensemble.plain[3], rtol=1e-4)


def test_the_shelf_holds_the_cells_of_a_few_maps_and_the_scores_of_all():
    result_cache, found = ResultCache(), []
    rng = np.random.default_rng(0)
    for i in range(N_BY_CELL + 2):
        members = rng.normal(size=(9, 4, 3, 4)).astype(np.float32)
        ensemble = Ensemble(
            members,
            members[0],
            members[1],
            np.arange(4),
            np.arange(4),
            ("i", "latitude", "longitude"),
            latitude=(-60, 0, 60),
            longitude=(0, 90, 180, 270),
        )
        found.append(Evaluation("m", "d", "test", Setting(4, 9), "*", ensemble, {}, {}, {}, "", "cpu", 0.0))
        before = found[-1].scores["rmse"]
        result_cache.put(("evaluation", i), found[-1])
        assert found[-1].scores["rmse"] == before
    assert ["statistics" in vars(one.ensemble) for one in found] == [False] * 2 + [True] * N_BY_CELL
    assert found[0].statistics.event == (3, 4)
