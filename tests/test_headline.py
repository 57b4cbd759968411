"""The sentence over the tiles: what it says of a plain model, of nothing to judge, and of every ensemble else."""

import pickle

import numpy as np
import pytest

from stochattn_core.panels.tiles import headline, score_tiles
from stochattn_core.verdict import judge
from stochattn_core.verdict.quantities import QUANTITIES
from stochattn_core.verdict.summary import summarise
from tests.known_ensembles import ensemble_of, normal, perfect


def over(ensemble):
    return headline(judge(ensemble), summarise(ensemble.pooled), None)


def test_a_plain_model_is_asked_for_a_concentration_and_not_judged():
    said = over(ensemble_of(normal(300), 0.0))
    assert (said.grade, said.heading) == ("none", "Plain model") and said.then == "Next: choose a ν to see an ensemble."
    assert over(perfect(300)).heading != "Plain model"


@pytest.mark.parametrize("m", [2, 7, 19, 49])
def test_without_spread_and_error_nothing_is_claimed_whatever_rounding_leaves(m):
    """The mean of equal members may differ from them in the last digit."""
    exact = ensemble_of(np.zeros(300), 0.0, m=m)
    said = over(exact)
    assert said.heading == "Nothing to judge" or "the errors or the spread are all zero" in said.sentence
    assert said.grade in ("none", "doubtful") and summarise(exact.pooled).verdict.grade != "good"
    assert "all zero" not in over(ensemble_of(np.zeros(300), 1.0, m=m)).sentence


@pytest.mark.parametrize(
    "ensemble", [perfect(2000), ensemble_of(normal(1000), 0.6), ensemble_of(normal(1000) + 1)], ids=["good", "narrow", "biased"]
)
def test_an_ensemble_has_its_verdict_over_the_tiles_and_no_tile_contradicts_it(ensemble):
    judged, said = judge(ensemble), over(ensemble)
    assert said.heading.lower() == judged.word and said.grade == judged.grade
    assert said.sentence.lower() == f"{judged.finding}.".lower() and said.then == f"Next: {judged.next}."
    grades = {tile.judgement.grade for tile in score_tiles(summarise(ensemble.pooled), "", None) if tile.judgement}
    assert (grades == {"good"}) == (judged.grade == "good"), (judged.word, grades)


def test_a_verdict_that_was_stored_and_read_back_is_the_same():
    """Pages keep results in a cache that stores them as bytes."""
    judged = judge(perfect(300))
    again = pickle.loads(pickle.dumps(judged))
    assert again == judged and again.departures is not None
    assert all(column.quantity is QUANTITIES[key] for key, column in again.departures.overall.items())
