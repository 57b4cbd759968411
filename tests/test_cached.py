"""What the server keeps: the first answer is what the evaluation holds, and what costs much memory is let go."""

from __future__ import annotations

import numpy as np

from pages.ui import cached
from pages.ui.choices import Job
from pages.ui.result_cache import N_BY_CELL, ResultCache
from stochattn_core.ensemble_data import Ensemble
from stochattn_core.evaluate import Evaluation
from stochattn_core.settings import Setting
from tests.app import Silent


def test_the_first_answer_is_the_forecast_that_the_evaluation_holds():
    job, work = Job("timesfm", cached.dataset("sunspots"), Setting(4, 9)), Silent()
    members, plain = cached.one_forecast(job, 3, work)
    ensemble = cached.evaluation(job, work).ensemble
    np.testing.assert_allclose(members, ensemble.members[:, 3], rtol=1e-4)
    np.testing.assert_allclose(plain, ensemble.plain[3], rtol=1e-4)


def test_the_result_cache_holds_the_cells_of_a_few_maps_and_the_scores_of_all():
    result_cache, evaluations = ResultCache(), []
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
        evaluations.append(Evaluation("m", "d", "test", Setting(4, 9), "*", ensemble, {}, {}, {}, "", "cpu", 0.0))
        before = evaluations[-1].scores["rmse"]
        assert evaluations[-1].statistics.event == (3, 4)
        result_cache.put(("evaluation", i), evaluations[-1])
        assert evaluations[-1].scores["rmse"] == before
    assert ["statistics" in vars(evaluation.ensemble) for evaluation in evaluations] == [False] * 2 + [True] * N_BY_CELL
    assert evaluations[0].statistics.event == (3, 4)
