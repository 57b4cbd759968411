"""The verdict on an ensemble: departures from calibration, overall and in slices, and the word that they allow."""

from stochattn_core.verdict.judge import Verdict, judge
from stochattn_core.verdict.words import WORDS

__all__ = ["WORDS", "Verdict", "judge"]
